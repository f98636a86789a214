//! Text of messages and of printed files.

use landmarc_mail::text::{QUOTED_CHARS, excerpt, quoted};

/// The text as a TOML basic string.
#[must_use]
pub fn toml_string(text: &str) -> String {
    let mut printed = String::with_capacity(text.len() + 2);
    printed.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => printed.extend(['\\', c]),
            // TOML forbids control characters but for the tab, which nobody would see.
            c if c.is_control() => printed.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => printed.push(c),
        }
    }
    printed.push('"');
    printed
}

/// A key as a message names it: what is no bare key of TOML is quoted and cut.
pub(crate) fn key_in_words(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match !name.is_empty() && name.chars().all(bare) {
        true => excerpt(name, QUOTED_CHARS),
        false => quoted(name),
    }
}

/// The full name of `name` in the table `path`; the outermost table has no name.
pub(crate) fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    }
}

/// The lines of a documentation comment as running text; an empty line parts paragraphs.
pub(crate) fn paragraphs(lines: &[&str]) -> String {
    let parts = lines.split(|line| line.trim().is_empty());
    let texts: Vec<_> = parts
        .map(|part| part.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" "))
        .collect();
    texts.join("\n\n")
}

#[cfg(test)]
mod tests {
    use toml::de::DeValue;

    use super::*;

    #[test]
    fn printed_strings_read_back() {
        for text in ["", "plain", "a\"b\\c", "tab\tnew\nline\u{7f}\u{0}", "Bücher"] {
            let printed = toml_string(text);
            assert_eq!(
                DeValue::parse(&printed).unwrap().get_ref().as_str(),
                Some(text),
                "{printed}"
            );
        }
    }

    #[test]
    fn a_message_names_no_more_than_sixty_characters_of_a_key() {
        let at_limit = "x".repeat(QUOTED_CHARS);
        assert_eq!(key_in_words(&at_limit), at_limit);
        assert_eq!(key_in_words(&format!("{at_limit}x")), format!("{at_limit}[...]"));
        assert_eq!(key_in_words("a b"), "\"a b\"");
    }
}
