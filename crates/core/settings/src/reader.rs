//! From TOML to values: each table against its declaration.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::key::Item;
use crate::mistake::{Mistake, MistakeKind};
use crate::place::LineIndex;
use crate::text::{join, key_in_words};
use crate::value::{self, DeclaredRange, SettingValue};
use crate::written::{Name, Written, written_span};

/// The name of the tables of another file, which many will write into this one.
pub(crate) const RULE: &str = "rule";
const RULES_ELSEWHERE: &str = "rules belong in the file that action.rules_file names";

/// Keys of earlier releases, and what they are called now.
const RENAMED: [(&str, &str); 1] = [("report.max_letter_size", "report.max_message_size")];

/// A struct made by [`table!`].
pub(crate) trait Table {
    /// Takes over what is written in `found`, which is the table at the reader's path.
    fn read(&mut self, found: &DeTable<'_>, reader: &mut TableReader<'_>);
    /// Adds the keys and then the tables of this one, whose full name is `path`, with what they are at their default.
    fn add_items(&self, default: &Self, path: &str, items: &mut Vec<Item>);
}

/// Takes what is declared from what is written.
pub(crate) struct TableReader<'t> {
    lines: &'t LineIndex<'t>,
    /// The full name of the table that is being read.
    path: String,
    mistakes: Vec<Mistake>,
    written: Written,
}

impl<'t> TableReader<'t> {
    pub(crate) fn new(lines: &'t LineIndex<'t>) -> Self {
        Self {
            lines,
            path: String::new(),
            mistakes: Vec::new(),
            written: Written::default(),
        }
    }

    /// Of the keys of one table.
    pub(crate) fn inside(lines: &'t LineIndex<'t>, path: &str) -> Self {
        Self {
            path: path.to_owned(),
            ..Self::new(lines)
        }
    }

    /// The value of a key that has no default; nothing if there is a mistake.
    pub(crate) fn taken<T: SettingValue>(
        &mut self,
        name: &Name<'_>,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<T> {
        let key = join(&self.path, name.get_ref());
        self.written.add(&key, name, value, self.lines);
        let mut faults = Vec::new();
        let read = T::read(value, &mut faults);
        for (span, wrong) in faults {
            self.mistake(&written_span(name, span), key.clone(), wrong);
        }
        read
    }

    /// All mistakes so far, and where the keys stand that were read.
    pub(crate) fn into_parts(self) -> (Vec<Mistake>, Written) {
        (self.mistakes, self.written)
    }

    /// Reads the value of a key into `target`, which stays as it is if there is a mistake.
    pub(crate) fn value<T: SettingValue>(
        &mut self,
        target: &mut T,
        limits: Option<DeclaredRange<T>>,
        name: &Name<'_>,
        value: &Spanned<DeValue<'_>>,
    ) {
        let key = join(&self.path, name.get_ref());
        self.written.add(&key, name, value, self.lines);
        let mut faults = Vec::new();
        match (T::read(value, &mut faults), limits) {
            (Some(read), Some(limits)) if !limits.hold(&read) => {
                faults.push((value.span(), value::out_of_range(value, limits.in_words())));
            }
            (Some(read), _) => *target = read,
            (None, Some(limits)) => faults.iter_mut().for_each(|(_, wrong)| limits.narrow(wrong)),
            (None, None) => {}
        }
        for (span, wrong) in faults {
            self.mistake(&written_span(name, span), key.clone(), wrong);
        }
    }

    /// Reads a table into `target`.
    pub(crate) fn table(&mut self, target: &mut impl Table, name: &Name<'_>, value: &Spanned<DeValue<'_>>) {
        let path = join(&self.path, name.get_ref());
        match value.get_ref().as_table() {
            Some(table) => {
                let outer = std::mem::replace(&mut self.path, path);
                target.read(table, self);
                self.path = outer;
            }
            None => {
                let wrong = MistakeKind::NoTable {
                    found: value::found(value),
                    table: path.clone(),
                };
                self.mistake(&value.span(), path, wrong);
            }
        }
    }

    /// Notes a name that is not declared. Nothing below it is looked at.
    pub(crate) fn unknown(&mut self, name: &Name<'_>, value: &Spanned<DeValue<'_>>) {
        let is_table = value.get_ref().is_table();
        let is_list = value.get_ref().is_array();
        let is_outermost = self.path.is_empty();
        let key = join(&self.path, &key_in_words(name.get_ref()));
        let renamed = RENAMED.iter().find(|(before, _)| *before == key);
        let wrong = match (name.get_ref().as_ref(), is_table) {
            (RULE, _) if is_outermost && (is_table || is_list) => {
                MistakeKind::Refused(RULES_ELSEWHERE.to_owned())
            }
            (_, true) => MistakeKind::UnknownTable { nearest: None },
            (_, false) => renamed.map_or(MistakeKind::UnknownKey { nearest: None }, |(_, now)| {
                MistakeKind::Renamed(now)
            }),
        };
        self.mistake(&name.span(), key, wrong);
    }

    /// Notes a mistake at the start of `span`.
    pub(crate) fn mistake(&mut self, span: &Range<usize>, key: String, wrong: MistakeKind) {
        self.mistakes.push(Mistake {
            place: Some(self.lines.place(span.start)),
            key,
            wrong,
        });
    }
}
