//! Foreign octets in our own sentences.

/// How much of them is quoted, in octets before escaping.
const MAX_QUOTED_OCTETS: usize = 60;

/// What is quoted of foreign octets: printable ASCII, cut short.
#[must_use]
pub fn quote(octets: &[u8]) -> String {
    match octets.get(..MAX_QUOTED_OCTETS) {
        Some(start) if octets.len() > MAX_QUOTED_OCTETS => format!("{}...", start.escape_ascii()),
        _ => octets.escape_ascii().to_string(),
    }
}

/// Foreign text in one line, as an operator reads it: letters and digits of any script and printable
/// ASCII as they are, all else (controls, marks that turn the direction of writing) escaped. At most
/// `limit` characters are taken, and a cut is marked.
#[must_use]
pub fn shown(text: &str, limit: usize) -> String {
    let mut characters = text.chars();
    let mut line = String::new();
    for character in characters.by_ref().take(limit) {
        match character {
            ' '..='~' => line.push(character),
            _ if character.is_alphanumeric() => line.push(character),
            _ => line.extend(character.escape_default()),
        }
    }
    if characters.next().is_some() {
        line.push_str("...");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_text_is_one_line_and_cut() {
        assert_eq!(
            shown("Grüße\r\n\u{202e}\u{7f}\\\"x\"", 99),
            "Grüße\\r\\n\\u{202e}\\u{7f}\\\"x\""
        );
        assert_eq!(shown("üüü", 3), "üüü");
        assert_eq!(shown("üüüü", 3), "üüü...");
    }

    #[test]
    fn quotes_are_printable_and_cut() {
        assert_eq!(quote(b"a\"b\r\n\xff"), "a\\\"b\\r\\n\\xff");
        assert_eq!(quote(&[b'x'; 60]), "x".repeat(60));
        assert_eq!(quote(&[b'x'; 61]), format!("{}...", "x".repeat(60)));
    }
}
