//! Rows as words: what the lists of this program have in common, whatever is in their rows.

use serde_json::{Map, Value};

use crate::csv;

/// One thing that is known of a row.
pub(crate) struct Field<R> {
    /// The key in JSON, and the column of tables and CSV.
    pub(crate) name: &'static str,
    /// As JSON has it; null when it is absent. Tables and CSV have the same in words.
    pub(crate) value: fn(&R) -> Value,
}

pub(crate) const fn field<R>(name: &'static str, value: fn(&R) -> Value) -> Field<R> {
    Field { name, value }
}

impl<R> Field<R> {
    /// In words; none when it is absent.
    fn text(&self, row: &R) -> Option<String> {
        match (self.value)(row) {
            Value::Null => None,
            Value::String(text) => Some(text),
            value => Some(value.to_string()),
        }
    }
}

/// A text that is absent when it is empty.
pub(crate) fn present(text: &str) -> Value {
    Some(text).filter(|text| !text.is_empty()).into()
}

/// The field with this name, in words; a hyphen where it is absent.
pub(crate) fn word<R>(fields: &[Field<R>], row: &R, name: &str) -> String {
    let field = fields.iter().find(|field| field.name == name);
    let text = field.and_then(|field| field.text(row));
    text.unwrap_or_else(|| "-".to_owned())
}

/// The object for a row. Keys are never missing; what is absent is null.
pub(crate) fn object<R>(fields: &[Field<R>], row: &R) -> Map<String, Value> {
    let entry = |field: &Field<R>| (field.name.to_owned(), (field.value)(row));
    fields.iter().map(entry).collect()
}

/// An object a line.
pub(crate) fn as_json<R>(rows: &[R], object: impl Fn(&R) -> Map<String, Value>) -> String {
    let line = |row| format!("{}\n", Value::Object(object(row)));
    rows.iter().map(line).collect()
}

/// The names are there even when no row is, so that a reader finds its columns.
pub(crate) fn as_csv<R>(fields: &[Field<R>], rows: &[R]) -> String {
    let mut text = csv::line(fields.iter().map(|field| field.name));
    for row in rows {
        let cells = fields.iter().map(|field| field.text(row).unwrap_or_default());
        let cells: Vec<_> = cells.collect();
        text.push_str(&csv::line(cells.iter().map(String::as_str)));
    }
    text
}
