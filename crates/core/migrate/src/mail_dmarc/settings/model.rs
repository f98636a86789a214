//! What a translation is made of.

use super::super::ini::Entry;

/// Something that an operator should know about a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Counted from 1.
    pub line: usize,
    /// `[section] key`, as written.
    pub key: String,
    /// What there is to know.
    pub text: String,
}

impl Note {
    pub(super) fn about(entry: &Entry, text: String) -> Self {
        Self {
            line: entry.line,
            key: format!("[{}] {}", entry.section, entry.key),
            text,
        }
    }
}

/// A setting of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// Its table, `report.delivery`.
    pub(super) table: &'static str,
    /// Its name there.
    pub(super) name: &'static str,
    /// As TOML has it.
    pub(super) value: String,
    /// Where it comes from.
    pub(super) from: String,
}
