//! Text of messages and of printed files.

/// How much of a foreign text a message quotes, in characters.
const MAX_QUOTED_CHARS: usize = 60;

/// The text, or its start and three dots.
pub(crate) fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTED_CHARS) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The text in quotes, in short, with control characters made visible.
pub(crate) fn quoted_short(text: &str) -> String {
    format!("{:?}", short(text))
}

/// The text as a TOML basic string.
pub(crate) fn quoted(text: &str) -> String {
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
        true => short(name),
        false => quoted_short(name),
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
            let printed = quoted(text);
            assert_eq!(
                DeValue::parse(&printed).unwrap().get_ref().as_str(),
                Some(text),
                "{printed}"
            );
        }
    }

    #[test]
    fn a_message_quotes_no_more_than_sixty_characters() {
        let at_limit = "ü".repeat(MAX_QUOTED_CHARS);
        assert_eq!(short(&at_limit), at_limit);
        assert_eq!(short(&format!("{at_limit}x")), format!("{at_limit}..."));
    }
}
