//! Text of strangers, made harmless for a terminal.

use std::path::Path;

/// The text on one line, with what would steer a terminal, or hide or turn around what follows,
/// spelled out: `\n`, `\u{1b}`.
pub(crate) fn visible(text: &str) -> String {
    escaped(text, |_| false)
}

/// The name of a file, which may be foreign: others choose what lies in a directory that they write to.
pub(crate) fn visible_path(path: &Path) -> String {
    visible(&path.to_string_lossy())
}

/// The same for a text of several lines.
pub(crate) fn visible_lines(text: &str) -> String {
    escaped(text, |c| c == '\n')
}

fn escaped(text: &str, is_kept: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) && !is_kept(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Control characters, and those of Unicode that are not seen but change what is: format
/// characters that turn the direction around, join, hide, or say what is meant by others.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
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
    use super::*;

    #[test]
    fn what_steers_is_spelled_out() {
        assert_eq!(
            visible("a\u{1b}[31m\r\nb\u{202E}c\u{7f}\u{9b}"),
            "a\\u{1b}[31m\\r\\nb\\u{202e}c\\u{7f}\\u{9b}"
        );
        assert_eq!(
            visible("a\u{61C}b\u{2060}c\u{E0041}"),
            "a\\u{61c}b\\u{2060}c\\u{e0041}"
        );
        assert_eq!(visible_lines("a\nb\rc"), "a\nb\\rc");
        assert_eq!(visible("bücher – “so”"), "bücher – “so”");
    }
}
