//! What a declaration says of a key.

use crate::text::{join, paragraphs};
use crate::value::{Choice, SettingValue};

/// One key as declared: all there is to know about it without a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The full name, with the tables it is in: `dns.question_timeout`.
    pub name: String,
    /// What kind of value it takes, in words: `duration`, `list of networks`.
    pub kind: String,
    /// The default, as it would be written in the file.
    pub default: String,
    /// What may be written, in words: the range, or the form.
    pub allowed: String,
    /// The words it takes and what each means; empty where it takes no fixed words.
    pub choices: &'static [Choice],
    /// What a plain number counts, or the units that may be written.
    pub unit: Option<&'static str>,
    /// Whether a reload takes up a new value; otherwise a restart does.
    pub reloads: bool,
    /// The release that first had it.
    pub since: &'static str,
    /// What it is for, in one or more paragraphs.
    pub help: String,
}

impl Key {
    /// The name without the tables: what is written left of the equals sign.
    #[must_use]
    pub fn last_name(&self) -> &str {
        self.name.rsplit_once('.').map_or(&self.name, |(_, last)| last)
    }
}

/// One piece of a settings file, in the order of the file.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// The start of a table, with what it is about.
    Table { name: String, intro: String },
    /// A key, and the value it has, as it would be written.
    Key { key: Key, value: String },
}

/// What the declaration says of one key beside its Rust type.
pub(crate) struct Declared<'d> {
    pub(crate) name: &'d str,
    pub(crate) allowed: Option<String>,
    pub(crate) unit: Option<&'static str>,
    pub(crate) reloads: bool,
    pub(crate) since: &'static str,
    pub(crate) help: &'d [&'d str],
}

impl Declared<'_> {
    pub(crate) fn item<T: SettingValue>(self, path: &str, value: &T, default: &T) -> Item {
        let key = Key {
            name: join(path, self.name),
            kind: T::kind(),
            default: default.print(),
            allowed: self.allowed.unwrap_or_else(T::allowed),
            choices: T::CHOICES,
            unit: self.unit.or(T::UNIT),
            reloads: self.reloads,
            since: self.since,
            help: paragraphs(self.help),
        };
        Item::Key {
            key,
            value: value.print(),
        }
    }
}
