//! What SQLite and the file system say, as errors of the store.

use std::path::Path;

use crate::error::{BoxedSource, StoreError};

/// Words an error of SQLite.
pub(super) fn engine<'a>(
    path: &'a Path,
    doing: &'static str,
) -> impl Fn(rusqlite::Error) -> StoreError + use<'a> {
    move |error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => StoreError::NoDatabase {
            path: path.to_owned(),
        },
        Some(rusqlite::ErrorCode::DatabaseCorrupt) => StoreError::Damaged {
            path: path.to_owned(),
            what: "page",
        },
        _ => StoreError::Engine {
            doing,
            path: path.to_owned(),
            source: in_one_text(error),
        },
    }
}

/// Words an error of whoever reads rows: what is in them was not written by us.
pub(super) fn row_error(path: &Path, doing: &'static str, error: rusqlite::Error) -> StoreError {
    match error {
        rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::QueryReturnedNoRows => StoreError::Damaged {
            path: path.to_owned(),
            what: "row",
        },
        other => engine(path, doing)(other),
    }
}

/// What SQLite says, once: its errors have the general text for the code as their cause, which
/// says the same again.
fn in_one_text(error: rusqlite::Error) -> BoxedSource {
    match error {
        rusqlite::Error::SqliteFailure(code, Some(text)) => {
            format!("{text} (code {})", code.extended_code).into()
        }
        other => other.to_string().into(),
    }
}

/// What is in this column was not written by us.
pub(super) fn damaged(column: usize) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(column, "damaged".to_owned(), rusqlite::types::Type::Text)
}
