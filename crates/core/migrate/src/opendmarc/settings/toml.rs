//! The file that is written: tables, settings and comments as TOML.

use std::fmt::Write as _;

use landmarc_mail::text::visible;

use super::parameter::Parameter;
use crate::toml::basic_string;

/// How wide a comment is, in characters.
const COLUMNS: usize = 100;

/// The tables of our settings in the order in which they are printed; the first is outside any table.
const TABLES: [&str; 15] = [
    "",
    "milter",
    "dns",
    "authentication",
    "arc",
    "dmarc",
    "action",
    "clients",
    "failures.dns",
    "report",
    "report.delivery",
    "report.failure",
    "web",
    "log",
    "server",
];

/// One setting of ours.
pub(super) struct Setting {
    pub(super) table: &'static str,
    pub(super) name: &'static str,
    pub(super) value: Value,
    /// The parameter whose line it comes from; none for what OpenDMARC does without being told.
    pub(super) source: Option<Parameter>,
    pub(super) why: String,
}

/// A value of our settings, as far as they are translated to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Flag(bool),
    Text(String),
    List(Vec<String>),
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<String>> for Value {
    fn from(list: Vec<String>) -> Self {
        Self::List(list)
    }
}

/// The settings as TOML, each below its comment.
pub(super) fn print<'s>(
    settings: impl Iterator<Item = &'s Setting>,
    comment: impl Fn(&Setting) -> String,
) -> String {
    let mut sorted: Vec<_> = settings.collect();
    sorted.sort_by_key(|setting| (place_of(setting.table), setting.table));
    let mut text = String::new();
    let mut table = "";
    for setting in sorted {
        text.push('\n');
        if setting.table != table {
            table = setting.table;
            let _ = writeln!(text, "[{table}]");
        }
        text += &comment(setting);
        let _ = writeln!(text, "{} = {}", setting.name, in_toml(&setting.value));
    }
    text
}

fn in_toml(value: &Value) -> String {
    match value {
        Value::Flag(flag) => flag.to_string(),
        Value::Text(text) => basic_string(text),
        Value::List(list) => {
            let list: Vec<_> = list.iter().map(|text| basic_string(text)).collect();
            format!("[{}]", list.join(", "))
        }
    }
}

/// The text as comment lines of at most [`COLUMNS`], where no word is longer than that. TOML allows no
/// control characters in them.
pub(super) fn comment(text: &str) -> String {
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

/// Where a table stands among the others.
pub(super) fn place_of(table: &str) -> usize {
    TABLES
        .iter()
        .position(|known| *known == table)
        .unwrap_or(TABLES.len())
}

#[cfg(test)]
mod tests {
    use super::*;

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
