//! Foreign text, made harmless for a reader of lines: in a log, on a terminal, in a reply.
//!
//! Knows three forms, and nothing of where they go. Text stays readable ([`visible`]), octets of no
//! known character set become ASCII ([`visible_octets`]), and protocols that carry printable ASCII
//! alone get that ([`printable`]). What a grammar asks for beyond (quoted strings, XML, TOML) is done
//! by the writer of that grammar.

use std::borrow::Cow;

/// Stands where text was cut.
pub const CUT: &str = "[...]";

/// How many characters of a foreign text a message quotes.
pub const QUOTED_CHARS: usize = 60;

/// The text on one line: control characters, and those that hide or turn around what follows, are
/// spelled out as in Rust: `\n`, `\u{202e}`.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    spelled_out(text, |_| false)
}

/// As [`visible`], for a text of several lines: line feeds stay.
#[must_use]
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    spelled_out(text, |character| character == '\n')
}

/// The first `limit` characters of a text as [`visible`] prints them, and [`CUT`] where there are more.
#[must_use]
pub fn excerpt(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => visible(text.split_at(end).0).into_owned() + CUT,
        None => visible(text).into_owned(),
    }
}

/// The first [`QUOTED_CHARS`] characters of a text as [`visible`] prints them, in quotation marks: with a backslash before
/// a quotation mark and a backslash in it, and with [`CUT`] where there are more.
#[must_use]
pub fn quoted(text: &str) -> String {
    let (start, cut) = match text.char_indices().nth(QUOTED_CHARS) {
        Some((end, _)) => (text.split_at(end).0, CUT),
        None => (text, ""),
    };
    let escaped = start.replace('\\', r"\\").replace('"', "\\\"");
    format!("\"{}{cut}\"", visible(&escaped))
}

/// The first `limit` octets in printable ASCII, the backslash and all others spelled out as in Rust:
/// `\\`, `\n`, `\xff`; and [`CUT`] where there are more.
#[must_use]
pub fn visible_octets(octets: &[u8], limit: usize) -> String {
    let mut visible = String::with_capacity(octets.len().min(limit));
    for &octet in octets.iter().take(limit) {
        match octet {
            b' '..=b'~' if octet != b'\\' => visible.push(char::from(octet)),
            _ => visible.extend(octet.escape_ascii().map(char::from)),
        }
    }
    if octets.len() > limit {
        visible.push_str(CUT);
    }
    visible
}

/// The first `limit` octets as [`visible_octets`] prints them, in quotation marks: with a backslash before each quotation mark
/// in it.
#[must_use]
pub fn quoted_octets(octets: &[u8], limit: usize) -> String {
    format!("\"{}\"", visible_octets(octets, limit).replace('"', "\\\""))
}

/// The first `limit` characters in printable ASCII, one octet each: a blank for a tab, a `?` for each
/// other character that is none.
#[must_use]
pub fn printable(text: &str, limit: usize) -> Cow<'_, str> {
    // Looking at all of them, and not only up to the first odd one, is done many at a time.
    let is_printable = |all: bool, octet: u8| all & matches!(octet, b' '..=b'~');
    if text.bytes().fold(true, is_printable) {
        return Cow::Borrowed(text.get(..limit).unwrap_or(text));
    }
    let ascii = |character| match character {
        ' '..='~' => character,
        '\t' => ' ',
        _ => '?',
    };
    Cow::Owned(text.chars().take(limit).map(ascii).collect())
}

fn spelled_out(text: &str, is_kept: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_steering = |character| steers(character) && !is_kept(character);
    let Some(first) = text.find(is_steering) else {
        return Cow::Borrowed(text);
    };
    let (clean, rest) = text.split_at(first);
    let mut visible = String::with_capacity(text.len() + 8);
    visible.push_str(clean);
    for character in rest.chars() {
        if is_steering(character) {
            visible.extend(character.escape_default());
        } else {
            visible.push(character);
        }
    }
    Cow::Owned(visible)
}

/// Control characters, and those of Unicode that nobody sees but that change what is seen: format
/// characters that turn the direction around, join, hide, or say what is meant by others.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{AD}'
                | '\u{61C}'
                | '\u{180E}'
                | '\u{200B}'..='\u{200F}'
                | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}'
                | '\u{FEFF}'
                | '\u{FFF9}'..='\u{FFFB}'
                | '\u{E0000}'..='\u{E007F}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn characters_that_steer_are_spelled_out() {
        assert_eq!(
            visible("a\u{1b}[31m\r\nb\u{202E}c\u{7f}\u{9b}"),
            "a\\u{1b}[31m\\r\\nb\\u{202e}c\\u{7f}\\u{9b}"
        );
        assert_eq!(
            visible("a\u{61C}b\u{2060}c\u{E0041}"),
            "a\\u{61c}b\\u{2060}c\\u{e0041}"
        );
        assert_eq!(visible_lines("a\nb\rc"), "a\nb\\rc");
        assert!(matches!(visible("bücher – “so”"), Cow::Borrowed("bücher – “so”")));
    }

    #[test]
    fn an_excerpt_is_cut_one_character_past_its_limit() {
        assert_eq!(excerpt("üüü", 3), "üüü");
        assert_eq!(excerpt("üüüü", 3), "üüü[...]");
        assert_eq!(excerpt("\r\nab", 2), "\\r\\n[...]");
    }

    #[test]
    fn a_quotation_ends_where_its_text_does() {
        assert_eq!(quoted("a\"\u{1b}\\b"), r#""a\"\u{1b}\\b""#);
        let text = "\"".repeat(QUOTED_CHARS);
        assert_eq!(quoted(&text), format!("\"{}\"", "\\\"".repeat(QUOTED_CHARS)));
        assert_eq!(
            quoted(&(text + "x")),
            format!("\"{}[...]\"", "\\\"".repeat(QUOTED_CHARS))
        );
    }

    #[test]
    fn octets_are_ascii_and_cut_one_past_their_limit() {
        assert_eq!(visible_octets(b"a\x1b\r\n\"'\\\xff", 99), r#"a\x1b\r\n"'\\\xff"#);
        assert_eq!(visible_octets(b"abc", 3), "abc");
        assert_eq!(visible_octets(b"abcd", 3), "abc[...]");
    }

    #[test]
    fn printable_text_is_ascii() {
        assert_eq!(printable("a\tb\r\nc é\u{202e}\u{7f}", 99), "a b??c ???");
        assert!(matches!(printable("a ~", 3), Cow::Borrowed("a ~")));
        assert_eq!(printable("abcd", 3), "abc");
        assert_eq!(printable("éééé", 3), "???");
    }

    proptest! {
        #[test]
        fn no_form_holds_what_steers(text: String, octets: Vec<u8>, limit in 0..20_usize) {
            prop_assert!(!visible(&text).chars().any(steers));
            prop_assert!(!visible_lines(&text).chars().any(|c| c != '\n' && steers(c)));
            prop_assert!(!excerpt(&text, limit).chars().any(steers));
            prop_assert!(!quoted(&text).chars().any(steers));
            prop_assert!(visible_octets(&octets, limit).bytes().all(|b| matches!(b, b' '..=b'~')));
            prop_assert!(printable(&text, limit).bytes().all(|b| matches!(b, b' '..=b'~')));
            prop_assert_eq!(printable(&text, limit).len(), text.chars().count().min(limit));
        }
    }
}
