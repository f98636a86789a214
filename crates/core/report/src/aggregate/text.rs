//! Words of strangers made fit to stand in XML.

use std::borrow::Cow;

/// The longest text of a report, in octets; the rest is cut off. A domain name always fits.
pub const MAX_TEXT_OCTETS: usize = 256;
/// The longest text of the element `error`, in octets.
pub const MAX_ERROR_OCTETS: usize = 1024;

/// The text on one line, without control characters and without what XML 1.0 does not allow, and
/// no longer than that many octets. Doing it again changes nothing.
pub(super) fn tidy(text: &str, max_octets: usize) -> Cow<'_, str> {
    if text.len() <= max_octets && is_tidy(text) {
        return Cow::Borrowed(text);
    }
    let mut tidied = String::with_capacity(text.len().min(max_octets));
    for character in text.trim().chars().filter_map(fitting) {
        if tidied.len() + character.len_utf8() > max_octets {
            break;
        }
        // Also what is left at the start when the characters before it are not allowed.
        if !(tidied.is_empty() && character.is_whitespace()) {
            tidied.push(character);
        }
    }
    tidied.truncate(tidied.trim_end().len());
    Cow::Owned(tidied)
}

fn is_tidy(text: &str) -> bool {
    // Nearly all of our texts.
    if text.bytes().all(|octet| octet.is_ascii_graphic()) {
        return true;
    }
    text.chars()
        .all(|character| fitting(character) == Some(character))
        && text.trim().len() == text.len()
}

/// The character as it may stand in a report, if it may.
fn fitting(character: char) -> Option<char> {
    match character {
        // An XML reader changes line ends, and one line is all any of our texts needs.
        '\t' | '\n' | '\r' => Some(' '),
        // XML 1.0 §2.2: no C0 controls, no U+FFFE, no U+FFFF. DEL and C1 are allowed and
        // discouraged there; they are nobody's text either.
        '\u{FFFE}' | '\u{FFFF}' => None,
        _ => (!character.is_control()).then_some(character),
    }
}

/// Whether this can be the value of `lang`: `xs:language`, letters and digits in groups of eight.
pub(super) fn is_language(tag: &str) -> bool {
    let mut subtags = tag.split('-');
    let fits = |subtag: &str| (1..=8).contains(&subtag.len());
    let primary = |subtag: &str| fits(subtag) && subtag.bytes().all(|octet| octet.is_ascii_alphabetic());
    tag.len() <= MAX_TEXT_OCTETS
        && subtags.next().is_some_and(primary)
        && subtags.all(|subtag| fits(subtag) && subtag.bytes().all(|octet| octet.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_go_and_line_ends_become_blanks() {
        assert_eq!(tidy("a\r\nb\tc\u{0}\u{1b}[31m\u{7f}\u{85}", 256), "a  b c[31m");
        assert_eq!(
            tidy("\u{FFFE}x\u{FFFF}\u{FFFD}\u{1F4E7}", 256),
            "x\u{FFFD}\u{1F4E7}"
        );
        assert_eq!(tidy("\u{1} \u{2} x \u{3}", 256), "x");
    }

    #[test]
    fn a_text_of_the_limit_stays_and_one_octet_more_is_cut() {
        let exact = "x".repeat(MAX_TEXT_OCTETS);
        assert_eq!(tidy(&exact, MAX_TEXT_OCTETS), exact);
        assert_eq!(tidy(&format!("{exact}y"), MAX_TEXT_OCTETS), exact);
        // Never within a character, and no blank is left at the end.
        let wide = format!("{}ü", "x".repeat(MAX_TEXT_OCTETS - 1));
        assert_eq!(tidy(&wide, MAX_TEXT_OCTETS).len(), MAX_TEXT_OCTETS - 1);
        let blank = format!("{} {}", "x".repeat(MAX_TEXT_OCTETS - 1), "y");
        assert_eq!(tidy(&blank, MAX_TEXT_OCTETS).len(), MAX_TEXT_OCTETS - 1);
    }

    #[test]
    fn what_is_tidy_is_not_copied() {
        assert!(matches!(tidy("mail.example.com", 256), Cow::Borrowed(_)));
    }

    #[test]
    fn a_language_is_letters_in_groups() {
        for tag in ["en", "de-CH", "x-abcdefgh", "sl-rozaj-biske-1994"] {
            assert!(is_language(tag), "{tag}");
        }
        for tag in [
            "",
            "e n",
            "abcdefghi",
            "en-",
            "-en",
            "1en",
            "en-abcdefghi",
            "dé",
            "en\"><x y=\"",
        ] {
            assert!(!is_language(tag), "{tag}");
        }
    }
}
