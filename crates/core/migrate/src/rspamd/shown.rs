//! Foreign octets as messages quote them.

/// The most octets of foreign text that a message quotes.
const MAX_QUOTED: usize = 80;

/// In quotes, escaped to printable ASCII, and cut short.
pub(super) fn shown(octets: &[u8]) -> String {
    match octets.get(..MAX_QUOTED) {
        Some(start) if octets.len() > MAX_QUOTED => format!("\"{}\"...", start.escape_ascii()),
        _ => format!("\"{}\"", octets.escape_ascii()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_escaped_and_cut() {
        assert_eq!(shown(b"a\n\xff\""), r#""a\n\xff\"""#);
        assert_eq!(shown(&[b'x'; MAX_QUOTED]).len(), MAX_QUOTED + 2);
        assert_eq!(
            shown(&[b'x'; MAX_QUOTED + 1]),
            format!("\"{}\"...", "x".repeat(MAX_QUOTED))
        );
    }
}
