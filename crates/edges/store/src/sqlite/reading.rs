//! The reading connection: explanations, the tally, the state of the store.

use std::fs;
use std::path::{Path, PathBuf};

use landmarc_observation::{Observation, TallyRow};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::connection::{beside, open_to_read};
use super::error::damaged;
use super::error::row_error;
use super::statements::Statements;
use super::{backup, blocks, journal, log, migrations, tally};
use crate::columns::unpacked;
use crate::error::StoreError;
use crate::model::{Day, LogFilter, OutboxStatus, StoreStatus};
use crate::outbox::list;
use crate::sql::{Sql, SqlError};

/// A connection that cannot write.
#[derive(Debug)]
pub(crate) struct FileReader {
    connection: Connection,
    path: PathBuf,
    /// Of the schema: what last wrote it may have been an earlier version.
    version: u32,
}

impl FileReader {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let (connection, version) = open_to_read(path)?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            version,
        })
    }

    pub(crate) fn explain(&self, id: &str) -> Result<Vec<Observation>, StoreError> {
        self.snapshot("look for a message", |connection| explain(connection, id))
    }

    pub(crate) fn log(&self, filter: &LogFilter) -> Result<Vec<Observation>, StoreError> {
        self.snapshot("read the log", |connection| log::read(connection, filter))
    }

    pub(crate) fn tally(&self, day: Day, policy_domain: &str) -> Result<Vec<(TallyRow, u64)>, StoreError> {
        self.snapshot("read the tally", |connection| {
            tally::read(connection, self.has_reports(), day, policy_domain)
        })
    }

    /// Asks for what there is from a version of the schema on; in an older store there is nothing of it.
    pub(crate) fn since<T: Default>(
        &self,
        version: u32,
        doing: &'static str,
        ask: impl FnOnce(&dyn Sql) -> Result<T, SqlError>,
    ) -> Result<T, StoreError> {
        if self.version < version {
            return Ok(T::default());
        }
        self.snapshot(doing, |connection| Ok(ask(&Statements(connection))?))
    }

    pub(crate) fn policy_domains(&self, day: Day) -> Result<Vec<String>, StoreError> {
        self.snapshot("read the tally", |connection| {
            tally::policy_domains(connection, day)
        })
    }

    pub(crate) fn backup(&self, to: &Path, progress: impl FnMut(u64, u64)) -> Result<(), StoreError> {
        backup::copy(&self.connection, &self.path, to, progress)
    }

    pub(crate) fn status(&self) -> Result<StoreStatus, StoreError> {
        let version = migrations::version(&self.connection, &self.path)?;
        self.snapshot("read the state", |connection| {
            Ok(StoreStatus {
                place: self.path.display().to_string(),
                version,
                file_bytes: length(&self.path),
                wal_bytes: Some(length(&beside(&self.path, "-wal"))),
                free_bytes: Some(count(
                    connection,
                    "SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size",
                )?),
                observations: count(
                    connection,
                    "SELECT coalesce((SELECT max(id) FROM observation) - (SELECT min(id) FROM observation) + 1, 0)",
                )?,
                observation_days: days(connection, "SELECT min(hour) / 24, max(hour) / 24 FROM hour")?,
                traces: count(connection, "SELECT count(*) FROM trace")?,
                tally_rows: count(connection, "SELECT count(*) FROM tally")? + journal::new_rows(connection)?,
                tally_days: days(
                    connection,
                    "SELECT min(first), max(last) FROM (\
                     SELECT (SELECT min(day) FROM tally) AS first, (SELECT max(day) FROM tally) AS last \
                     UNION ALL SELECT min(day), max(day) FROM tally_journal)",
                )?,
                distinct_rows: count(connection, "SELECT count(*) FROM reporting_row")?,
                outbox: if self.has_reports() {
                    list::status(&Statements(connection))?
                } else {
                    OutboxStatus::default()
                },
            })
        })
    }

    pub(super) fn has_reports(&self) -> bool {
        self.version >= migrations::REPORTS
    }

    pub(super) fn has_fleet(&self) -> bool {
        self.version >= migrations::FLEET
    }

    /// Asks within one transaction, so that all answers are about the same state.
    pub(super) fn snapshot<T>(
        &self,
        doing: &'static str,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let within = || {
            let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Deferred)?;
            migrations::name_as_today(&transaction)?;
            ask(&transaction)
        };
        within().map_err(|error| row_error(&self.path, doing, error))
    }
}

fn explain(connection: &Connection, id: &str) -> rusqlite::Result<Vec<Observation>> {
    if id.is_empty() {
        // Many messages may have no queue id: none of them is meant.
        return Ok(Vec::new());
    }
    let mut numbers = blocks::with_name(connection, id)?;
    let sql = "SELECT id FROM observation WHERE id >= ?1 AND (queue_id = ?2 OR short_id = ?2) ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let unfinished = statement.query_map((blocks::unsealed_from(connection)?, id), |row| row.get(0))?;
    for number in unfinished {
        numbers.push(number?);
    }
    let mut found = Vec::new();
    for number in numbers {
        let Some((mut observation, trace)) = log::observation(connection, number)? else {
            continue;
        };
        if observation.queue_id == id || observation.id == id {
            if let Some(text) = trace
                .map(|trace| trace_text(connection, trace))
                .transpose()?
                .flatten()
            {
                observation.trace = text.into();
            }
            found.push(observation);
        }
    }
    Ok(found)
}

/// The text of a trace; none when it had to make room, which it does before its observations.
fn trace_text(connection: &Connection, trace: i64) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT text FROM trace WHERE id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([trace])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let text = unpacked(row.get_ref(0)?.as_blob()?);
    text.map(Some).map_err(|_| damaged(0))
}

fn count(connection: &Connection, sql: &str) -> rusqlite::Result<u64> {
    connection.query_row(sql, [], |row| row.get(0))
}

fn days(connection: &Connection, sql: &str) -> rusqlite::Result<Option<(Day, Day)>> {
    let ends: (Option<u32>, Option<u32>) =
        connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(ends.0.zip(ends.1).map(|(first, last)| (Day(first), Day(last))))
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}
