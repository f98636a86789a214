//! The store in a file.

use std::ops::ControlFlow;
use std::path::Path;

use landmarc_migrate::mail_dmarc::{MAX_PER_RECORD, StoredDkim, StoredRecord, StoredSpf};
use rusqlite::types::ValueRef;
use rusqlite::{Row, Rows};

use super::sql;
use crate::sqlite::{ForeignDatabase, SqliteError};

/// What has to be there.
const TABLES: [&str; 7] = [
    "report",
    "domain",
    "report_policy_published",
    "report_record",
    "report_record_reason",
    "report_record_dkim",
    "report_record_spf",
];

/// An SQLite file of Mail::DMARC.
#[derive(Debug)]
pub struct SqliteStore(ForeignDatabase);

impl SqliteStore {
    /// Opens the file for reading.
    ///
    /// # Errors
    /// When it is not there, cannot be read, or has not the tables of Mail::DMARC.
    pub fn open(path: &Path) -> Result<Self, SqliteError> {
        let foreign = ForeignDatabase::open(path)?;
        foreign.has_tables("Mail::DMARC", &TABLES)?;
        Ok(Self(foreign))
    }

    /// How many reports of others are in it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn received_reports(&self) -> Result<u64, SqliteError> {
        self.0
            .read(|connection| connection.query_row(sql::RECEIVED, [], |row| row.get(0)))
    }

    /// Hands over each message that is in none of its reports yet, in the order of their numbers, as all of
    /// them stood at one moment. It stops when it is told to.
    ///
    /// Four readers walk through four sorted lists side by side: the tables of signatures and the like have no
    /// index on the message they belong to, so that looking for each would read all of them each time.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn pending(&self, mut each: impl FnMut(StoredRecord) -> ControlFlow<()>) -> Result<(), SqliteError> {
        self.0.read(|connection| {
            // What is written meanwhile is not seen, so that the four lists are of one moment.
            let snapshot = connection.unchecked_transaction()?;
            let mut records = snapshot.prepare(&sql::all_records())?;
            let mut reasons = snapshot.prepare(&sql::all_of(sql::REASONS))?;
            let mut dkim = snapshot.prepare(&sql::all_of(sql::DKIM))?;
            let mut spf = snapshot.prepare(&sql::all_of(sql::SPF))?;
            let mut rows = records.query([])?;
            let mut reasons = Walk::along(reasons.query([])?, reason);
            let mut dkim = Walk::along(dkim.query([])?, signature);
            let mut spf = Walk::along(spf.query([])?, spf_result);
            let mut last = None;
            while let Some(row) = rows.next()? {
                let mut one = record(row)?;
                // A report with two policies has each of its messages twice.
                if last.replace(one.id) == Some(one.id) {
                    continue;
                }
                one.reasons = reasons.of(one.id)?;
                one.dkim = dkim.of(one.id)?;
                one.spf = spf.of(one.id)?;
                if each(one).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }
}

/// A reader of rows that belong to messages, in the order of their numbers.
struct Walk<'a, T> {
    rows: Rows<'a>,
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
    /// The first row of a later message.
    waiting: Option<(u64, T)>,
}

impl<'a, T> Walk<'a, T> {
    fn along(rows: Rows<'a>, read: fn(&Row<'_>) -> rusqlite::Result<T>) -> Self {
        Self {
            rows,
            read,
            waiting: None,
        }
    }

    /// What belongs to this message; of more than a message can have, one past that, which tells.
    fn of(&mut self, id: u64) -> rusqlite::Result<Vec<T>> {
        let mut found = Vec::new();
        loop {
            let next = match self.waiting.take() {
                Some(next) => next,
                None => match self.rows.next()? {
                    Some(row) => (number(row, 0)?, (self.read)(row)?),
                    None => return Ok(found),
                },
            };
            if next.0 > id {
                self.waiting = Some(next);
                return Ok(found);
            }
            if next.0 == id && found.len() <= MAX_PER_RECORD {
                found.push(next.1);
            }
        }
    }
}

sql::read_rows!(Row<'_>, rusqlite::Error, number, text);

/// A number; 0 where something else stands, since any column of SQLite takes anything.
fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number = row.get_ref(column)?.as_i64().unwrap_or_default();
    Ok(u64::try_from(number).unwrap_or_default())
}

fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(octets) | ValueRef::Blob(octets) => Some(String::from_utf8_lossy(octets).into_owned()),
    })
}

#[cfg(test)]
mod tests;
