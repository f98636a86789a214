//! Lines and words: what can stand in a header section, whatever came in.

use landmarc_mail::message::HeaderField;
use mail_parser::MessageParser;

use super::REDACTED;
use crate::mime::folded;

/// The longest line of a field that is shown as received; RFC 5322 §2.1.1 has 998.
const MAX_LINE_OCTETS: usize = 900;
/// The longest field name that is shown.
const MAX_NAME_OCTETS: usize = 76;
/// The longest subject that is shown, in characters.
pub(super) const MAX_SUBJECT_CHARS: usize = 200;
/// The longest Subject field that is decoded, in octets; the rest of a longer one is not looked at.
const MAX_DECODED_OCTETS: usize = 8 * 1024;

/// The octets as printable ASCII; a `?` stands for each other one.
pub(super) fn printable(octets: &[u8]) -> String {
    octets.iter().map(|&octet| printable_octet(octet)).collect()
}

fn printable_octet(octet: u8) -> char {
    match octet {
        b' '..=b'~' => char::from(octet),
        b'\t' => ' ',
        _ => '?',
    }
}

/// One field, folded at blanks, its last line ended by CRLF. The value is printable ASCII, and no
/// word of it is so long that a line would be over 998 octets.
pub(super) fn field(name: &str, value: &str) -> String {
    format!("{name}:{}\r\n", folded(name, value.split_ascii_whitespace()))
}

/// A field name fit to be written; none for what could be taken for something else.
pub(super) fn field_name(field: &HeaderField) -> Option<&str> {
    let name = field.name();
    let is_name = |octet: &u8| octet.is_ascii_graphic() && *octet != b':';
    let fits = (1..=MAX_NAME_OCTETS).contains(&name.len()) && name.iter().all(is_name);
    str::from_utf8(name).ok().filter(|_| fits)
}

/// A field with nothing hidden: its folds are kept, and what cannot stand in a line is replaced.
pub(super) fn as_received(field: &HeaderField) -> String {
    let Some(name) = field_name(field) else {
        return String::new();
    };
    let mut line = format!("{name}:");
    let value = field.value();
    for (at, part) in value.split(|&octet| octet == b'\n').enumerate() {
        let part = part.strip_suffix(b"\r").unwrap_or(part).trim_ascii_end();
        // A line of blanks would end the section for some readers, and one without would be a field.
        if at > 0 && part.is_empty() {
            continue;
        }
        if at > 0 {
            line.push_str("\r\n");
        }
        if at > 0 && !part.starts_with(b" ") && !part.starts_with(b"\t") {
            line.push(' ');
        }
        let kept = part.get(..MAX_LINE_OCTETS).unwrap_or(part);
        line.push_str(&printable(kept));
        if kept.len() < part.len() {
            line.push_str("[...]");
        }
    }
    line.push_str("\r\n");
    line
}

/// The text of a Subject field: encoded words decoded, in one line, at most [`MAX_SUBJECT_CHARS`].
pub(super) fn decoded(value: &[u8]) -> String {
    let kept = value.get(..MAX_DECODED_OCTETS).unwrap_or(value);
    let mut mail = Vec::with_capacity(kept.len() + 16);
    mail.extend_from_slice(b"Subject: ");
    // Unfolded, so that nothing in it can end the field.
    mail.extend(kept.iter().filter(|octet| !matches!(octet, b'\r' | b'\n' | 0)));
    mail.extend_from_slice(b"\r\n\r\n");
    let message = MessageParser::new().parse_headers(&mail);
    let text = message.as_ref().and_then(|message| message.subject());
    let shown = |character: char| !character.is_control();
    let words = text.unwrap_or_default().split_whitespace().map(|word| {
        word.chars()
            .filter(|&character| shown(character))
            .collect::<String>()
    });
    let line = words.collect::<Vec<_>>().join(" ");
    line.chars().take(MAX_SUBJECT_CHARS).collect()
}

/// The text with `hxxp` for each `http`, so that no reader makes a link of it (RFC 9991 §7.3).
pub(super) fn without_links(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.to_ascii_lowercase().find("http") {
        let (before, link) = rest.split_at(at);
        out.push_str(before);
        out.push_str("hxxp");
        rest = link.get("http".len()..).unwrap_or_default();
    }
    out + rest
}

/// The words of a long text without blanks, such as base64, so that it can be folded.
pub(super) fn in_pieces(text: &str) -> String {
    const PIECE: usize = 64;
    let mut out = String::with_capacity(text.len() + text.len() / PIECE);
    for (at, character) in text.chars().enumerate() {
        if at > 0 && at % PIECE == 0 {
            out.push(' ');
        }
        out.push(character);
    }
    out
}

/// The value if it is one of these words, in lower case; else all of it is hidden.
pub(super) fn one_of(value: &[u8], words: &'static str) -> &'static str {
    let trimmed = value.trim_ascii();
    let is_it = |word: &&str| trimmed.eq_ignore_ascii_case(word.as_bytes());
    words.split(' ').find(is_it).unwrap_or(REDACTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(name: &str, value: &str) -> String {
        as_received(&HeaderField::new(name.as_bytes(), value.as_bytes()))
    }

    #[test]
    fn lines_are_folded_at_blanks() {
        let words = ["aaaaaaaaa"; 20].join("  ");
        let line = field("Subject", &words);
        assert!(line.lines().all(|line| line.len() <= 78), "{line}");
        assert_eq!(
            line.replace("\r\n", ""),
            format!("Subject: {}", ["aaaaaaaaa"; 20].join(" "))
        );
        assert_eq!(field("To", ""), "To:\r\n");
    }

    #[test]
    fn nothing_that_is_shown_as_received_can_end_the_section_or_begin_a_field() {
        assert_eq!(received("A", " b\r\n\tc"), "A: b\r\n c\r\n");
        assert_eq!(received("A", " b\r\n\r\nBcc: x"), "A: b\r\n Bcc: x\r\n");
        assert_eq!(received("A", " b\nBcc: x\0\x1b\u{e4}"), "A: b\r\n Bcc: x????\r\n");
        assert_eq!(received("A", " b\r\n \t\r\n c"), "A: b\r\n c\r\n");
        assert_eq!(received("A", "b\rc"), "A:b?c\r\n");
        assert_eq!(received("A b", " c"), "");
        assert_eq!(received("", " c"), "");
    }

    #[test]
    fn names_and_lines_are_shown_to_their_limits() {
        let name = "N".repeat(MAX_NAME_OCTETS);
        assert_eq!(received(&name, ""), format!("{name}:\r\n"));
        assert_eq!(received(&(name + "N"), ""), "");
        let line = "x".repeat(MAX_LINE_OCTETS);
        assert_eq!(received("A", &line), format!("A:{line}\r\n"));
        assert_eq!(received("A", &format!("{line}x")), format!("A:{line}[...]\r\n"));
    }

    #[test]
    fn subjects_are_decoded_to_a_limit() {
        assert_eq!(
            decoded(b" =?utf-8?q?caf=C3=A9?=\r\n  au lait"),
            "caf\u{e9} au lait"
        );
        assert_eq!(decoded(b" =?utf-8?q?a=0D=0ABcc:=20x?="), "a Bcc: x");
        let long = "\u{e9}".repeat(MAX_SUBJECT_CHARS);
        assert_eq!(decoded(long.as_bytes()), long);
        assert_eq!(decoded(format!("{long}x").as_bytes()), long);
        assert_eq!(decoded(b""), "");
        // What stands past the limit is not looked at.
        let blanks = " ".repeat(8_191);
        assert_eq!(decoded(format!("{blanks}ab").as_bytes()), "a");
    }

    #[test]
    fn long_words_are_cut_into_pieces_of_64() {
        let piece = "x".repeat(64);
        for (text, pieces) in [
            (String::new(), String::new()),
            (piece.clone(), piece.clone()),
            (format!("{piece}y"), format!("{piece} y")),
            (piece.repeat(2) + "y", format!("{piece} {piece} y")),
        ] {
            assert_eq!(in_pieces(&text), pieces);
        }
    }

    #[test]
    fn rd13_links_do_not_work() {
        assert_eq!(
            without_links("see HTTPS://x.example/ and http://y"),
            "see hxxpS://x.example/ and hxxp://y"
        );
    }
}
