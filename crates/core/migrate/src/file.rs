//! The settings file that a translation comes to: what our settings take, and how it is written.

use std::fmt::Write as _;

use landmarc_mail::text::visible;
use landmarc_settings::toml_string;

/// How wide a comment is, in characters.
const COLUMNS: usize = 100;

/// One setting of ours.
pub(crate) struct Setting {
    /// Its full name, as [`landmarc_settings::key!`] spells it.
    pub(crate) key: &'static str,
    /// As TOML has it.
    pub(crate) value: String,
    /// What stands above it, as [`comment`] makes it.
    pub(crate) comment: String,
}

/// The settings as TOML, in the order of our own file, each below its comment.
pub(crate) fn print(settings: impl IntoIterator<Item = Setting>) -> String {
    let mut sorted: Vec<_> = settings.into_iter().collect();
    sorted.sort_by_key(|setting| place_of(setting.key));
    let (mut text, mut open) = (String::new(), "");
    for Setting { key, value, comment } in sorted {
        let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
        text.push('\n');
        if table != open {
            open = table;
            let _ = writeln!(text, "[{table}]");
        }
        let _ = writeln!(text, "{comment}{name} = {value}");
    }
    text
}

/// Where a key stands in our own file.
pub(crate) fn place_of(key: &str) -> usize {
    let place = landmarc_settings::keys().position(|known| known.name == key);
    place.unwrap_or(usize::MAX)
}

/// Whether our settings take this text, and why not: what they refuse is not written.
pub(crate) fn accepted(toml: &str) -> Result<(), String> {
    let Err(mistakes) = landmarc_settings::read(toml) else {
        return Ok(());
    };
    let wrong = mistakes.0.iter().map(|mistake| mistake.wrong.to_string());
    Err(wrong.collect::<Vec<_>>().join("; "))
}

/// A list of texts, as TOML has it.
pub(crate) fn toml_list<T: AsRef<str>>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(|item| toml_string(item.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

/// The text as comment lines of at most [`COLUMNS`], where no word is longer than that. TOML allows no
/// control characters in them.
pub(crate) fn comment(text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::from("#");
    for word in text.split_whitespace().map(visible) {
        if line.len() > 1 && line.chars().count() + 1 + word.chars().count() > COLUMNS {
            lines += &line;
            lines.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line += &word;
    }
    lines + &line + "\n"
}

#[cfg(test)]
mod tests {
    use landmarc_settings::key;

    use super::*;

    #[test]
    fn settings_stand_in_the_order_of_our_own_file() {
        let keys = [
            key!(report.delivery.by),
            key!(mode),
            key!(report.domain),
            key!(report.email),
        ];
        let settings = keys.map(|key| Setting {
            key,
            value: toml_string("\"x\\"),
            comment: comment(key),
        });
        insta::assert_snapshot!(print(settings), @r#"

        # mode
        mode = "\"x\\"

        [report]
        # report.email
        email = "\"x\\"

        # report.domain
        domain = "\"x\\"

        [report.delivery]
        # report.delivery.by
        by = "\"x\\"
        "#);
    }

    #[test]
    fn comments_are_wrapped_and_bear_no_control_characters() {
        assert_eq!(comment("a\u{1}b\nc"), "# a\\u{1}b c\n");
        let words = "word ".repeat(40);
        assert!(
            comment(&words)
                .lines()
                .all(|line| line.chars().count() <= COLUMNS && line.starts_with("# "))
        );
        let long = "x".repeat(COLUMNS + 1);
        assert_eq!(comment(&long), format!("# {long}\n"));
    }
}
