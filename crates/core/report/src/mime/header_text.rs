//! Text in header fields: folded, and encoded where it is not plain ASCII (RFC 5322 §2.2.3, RFC 2047).
//!
//! Whatever goes in, what comes out has no CR or LF but those of folds, so that no text can end its
//! field and begin another one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The column before which lines are folded (RFC 5322 §2.1.1 wants at most 78).
const LINE_OCTETS: usize = 76;
/// The longest text of one field. Folded or not, its lines stay below the 998 octets of RFC 5322 §2.1.1.
pub const MAX_TEXT_OCTETS: usize = 900;
/// The longest display name.
pub const MAX_NAME_OCTETS: usize = 200;
/// Octets of one encoded-word: with its frame 72 characters, of the 75 that RFC 2047 §2 allows.
const ENCODED_WORD_OCTETS: usize = 45;

/// The value of an unstructured field of this name, leading blank included: the text in lines. Control
/// characters become blanks; text that is not ASCII, or looks like an encoded-word, is encoded.
#[must_use]
pub fn unstructured(name: &str, text: &str) -> String {
    let text = one_line(text, MAX_TEXT_OCTETS);
    if is_plain(&text) {
        return folded(name, text.split(' ').filter(|word| !word.is_empty()));
    }
    let words = encoded_words(&text);
    folded(name, words.iter().map(String::as_str))
}

/// The value of a field of this name that holds one mailbox, leading blank included. `display_name` is any
/// text, empty for none; `address` is written as it is.
#[must_use]
pub fn mailbox(name: &str, display_name: &str, address: &str) -> String {
    let display_name = one_line(display_name, MAX_NAME_OCTETS);
    if display_name.is_empty() {
        return folded(name, [address]);
    }
    let address = format!("<{address}>");
    let words = if is_plain(&display_name) {
        vec![quoted_string(&display_name)]
    } else {
        encoded_words(&display_name)
    };
    folded(name, words.iter().map(String::as_str).chain([address.as_str()]))
}

/// One parameter of a MIME field: quoted, or by RFC 2231 §4 where it is not ASCII. Quotes and backslashes,
/// which no file name of ours has and many readers get wrong, become underscores.
#[must_use]
pub fn parameter(name: &str, value: &str) -> String {
    let value = one_line(value, MAX_TEXT_OCTETS).replace(['"', '\\'], "_");
    if value.is_ascii() {
        return format!("{name}=\"{value}\"");
    }
    let mut encoded = format!("{name}*=utf-8''");
    // Each octet may take three.
    for octet in one_line(&value, MAX_TEXT_OCTETS / 3).bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => encoded.push(char::from(octet)),
            _ => encoded.push_str(&format!("%{octet:02X}")),
        }
    }
    encoded
}

/// Words one after the other with a blank or a fold between them. A word is never broken.
pub(crate) fn folded<'a>(name: &str, words: impl IntoIterator<Item = &'a str>) -> String {
    let mut value = String::new();
    let mut column = name.len() + 1;
    for word in words {
        if !value.is_empty() && column + 1 + word.len() > LINE_OCTETS {
            value.push_str("\r\n");
            column = 0;
        }
        value.push(' ');
        value.push_str(word);
        column += 1 + word.len();
    }
    value
}

/// The text without control characters, in at most that many octets.
pub(crate) fn one_line(text: &str, limit: usize) -> String {
    let mut line = String::new();
    for character in text.chars() {
        // U+2028 and U+2029 end lines for some readers.
        let is_break = character.is_control() || matches!(character, '\u{2028}' | '\u{2029}');
        let character = if is_break { ' ' } else { character };
        if line.len() + character.len_utf8() > limit {
            break;
        }
        line.push(character);
    }
    line.trim().to_owned()
}

/// Printable ASCII that no reader takes for encoded.
fn is_plain(line: &str) -> bool {
    line.is_ascii() && !line.contains("=?")
}

fn quoted_string(line: &str) -> String {
    let mut quoted = String::from("\"");
    for character in line.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

/// RFC 2047 §5: each encoded-word is whole characters. White space between two of them is not shown.
fn encoded_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let mut end = rest.len().min(ENCODED_WORD_OCTETS);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (word, after) = rest.split_at(end);
        words.push(format!("=?utf-8?B?{}?=", STANDARD.encode(word)));
        rest = after;
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_folded_between_words() {
        let text = format!("Report Domain: {} Submitter: mx.example", "a".repeat(60));
        assert_eq!(
            unstructured("Subject", &text),
            format!(" Report Domain:\r\n {} Submitter:\r\n mx.example", "a".repeat(60))
        );
    }

    #[test]
    fn a_line_is_folded_one_octet_past_its_limit() {
        let value = |octets| unstructured("Subject", &format!("a {}", "b".repeat(octets)));
        let room = LINE_OCTETS - "Subject: a ".len();
        assert_eq!(value(room), format!(" a {}", "b".repeat(room)));
        assert_eq!(value(room + 1), format!(" a\r\n {}", "b".repeat(room + 1)));
    }

    #[test]
    fn names_are_quoted_or_encoded() {
        let from = |name| mailbox("From", name, "dmarc@example.com");
        assert_eq!(from(""), " dmarc@example.com");
        assert_eq!(from(" \r\n"), " dmarc@example.com");
        assert_eq!(from("Example, Inc."), " \"Example, Inc.\" <dmarc@example.com>");
        assert_eq!(from("a \"b\" \\"), " \"a \\\"b\\\" \\\\\" <dmarc@example.com>");
        assert_eq!(
            from("Bücher & Söhne"),
            " =?utf-8?B?QsO8Y2hlciAmIFPDtmhuZQ==?= <dmarc@example.com>"
        );
        assert_eq!(
            from("=?utf-8?B?eA==?="),
            " =?utf-8?B?PT91dGYtOD9CP2VBPT0/PQ==?= <dmarc@example.com>"
        );
    }

    #[test]
    fn a_name_cannot_add_a_field() {
        assert_eq!(
            mailbox("From", "x\r\nBcc: <b@example.com>\r\n\r\nbody", "a@example.com"),
            " \"x  Bcc: <b@example.com>    body\" <a@example.com>"
        );
    }

    #[test]
    fn text_ends_at_its_limit_with_a_whole_character() {
        assert_eq!(
            one_line(&"ü".repeat(MAX_NAME_OCTETS), MAX_NAME_OCTETS).len(),
            MAX_NAME_OCTETS
        );
        assert_eq!(one_line(&format!("a{}", "ü".repeat(100)), 4), "aü");
        assert_eq!(
            unstructured("X", &"a".repeat(MAX_TEXT_OCTETS + 1)).len(),
            1 + MAX_TEXT_OCTETS
        );
    }

    #[test]
    fn parameters_are_quoted_or_extended() {
        assert_eq!(parameter("name", "a!b.xml.gz"), "name=\"a!b.xml.gz\"");
        assert_eq!(parameter("name", "a\"\\\r\n"), "name=\"a__\"");
        assert_eq!(parameter("name", "ü b"), "name*=utf-8''%C3%BC%20b");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_text_ends_its_field(text in "\\PC*|(.|\r|\n|\t|\0|ü|=\\?){0,1200}") {
            let parameter = parameter("name", &text);
            for value in [unstructured("Subject", &text), mailbox("From", &text, "a@b.example"), parameter] {
                prop_assert!(value.is_ascii());
                for line in value.split("\r\n ") {
                    prop_assert!(!line.contains(['\r', '\n', '\0']), "{:?}", value);
                    prop_assert!(line.len() <= 998);
                }
            }
        }

        #[test]
        fn what_is_encoded_decodes_to_the_text(text in "[a-zü€𝄞 ]{1,150}") {
            let line = one_line(&text, MAX_TEXT_OCTETS);
            let joined: Vec<u8> = encoded_words(&line)
                .iter()
                .flat_map(|word| {
                    assert!(word.len() <= 75);
                    let base64 = word.strip_prefix("=?utf-8?B?").unwrap().strip_suffix("?=").unwrap();
                    let octets = STANDARD.decode(base64).unwrap();
                    assert!(str::from_utf8(&octets).is_ok());
                    octets
                })
                .collect();
            prop_assert_eq!(String::from_utf8(joined).unwrap(), line);
        }
    }
}
