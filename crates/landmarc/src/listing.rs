//! Rows as words: what the lists of this program have in common, whatever is in their rows.

use serde_json::{Map, Value};

use crate::csv;

/// One thing that is known of a row.
pub(crate) struct Field<R> {
    /// The key in JSON, and the column of tables and CSV.
    pub(crate) name: &'static str,
    /// In words; none when it is absent.
    pub(crate) text: fn(&R) -> Option<String>,
}

pub(crate) const fn field<R>(name: &'static str, text: fn(&R) -> Option<String>) -> Field<R> {
    Field { name, text }
}

/// The field with this name, in words; a hyphen where it is absent.
pub(crate) fn word<R>(fields: &[Field<R>], row: &R, name: &str) -> String {
    let field = fields.iter().find(|field| field.name == name);
    let text = field.and_then(|field| (field.text)(row));
    text.unwrap_or_else(|| "-".to_owned())
}

/// An object a line.
pub(crate) fn as_json<R>(rows: &[R], object: impl Fn(&R) -> Map<String, Value>) -> String {
    let line = |row| format!("{}\n", Value::Object(object(row)));
    rows.iter().map(line).collect()
}

/// The names are there even when no row is, so that whoever reads it finds its columns.
pub(crate) fn as_csv<R>(fields: &[Field<R>], rows: &[R]) -> String {
    let mut text = csv::line(fields.iter().map(|field| field.name));
    for row in rows {
        let cells = fields.iter().map(|field| (field.text)(row).unwrap_or_default());
        let cells: Vec<_> = cells.collect();
        text.push_str(&csv::line(cells.iter().map(String::as_str)));
    }
    text
}
