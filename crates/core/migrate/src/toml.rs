//! Values of our settings file, as TOML writes them.

use std::fmt::Write as _;

/// A basic string (TOML 1.0): quotation mark, backslash and control characters are escaped.
pub(crate) fn basic_string(text: &str) -> String {
    let mut string = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => string.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(string, "\\u{:04X}", u32::from(c));
            }
            c => string.push(c),
        }
    }
    string.push('"');
    string
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_toml_would_not_bear_is_escaped() {
        assert_eq!(
            basic_string("a\"b\\c\t\u{7f}\u{85}é"),
            "\"a\\\"b\\\\c\\u0009\\u007F\\u0085é\""
        );
    }
}
