//! The reading connection: explanations, the tally, the state of the store.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::connection::{beside, open_to_read, row_error};
use super::outbox::{body, days, is_reported, list, redirection, suppression};
use super::reporting::{self, ReportingDay};
use super::{backup, blocks, import, journal, log, migrations, tally};
use crate::day::Day;
use crate::digest::Digest;
use crate::error::StoreError;
use crate::observation::TallyRow;
use crate::outbox::{
    DayState, Delivery, DeliveryNumber, MAX_REDIRECTIONS, OutboxCounts, OutboxFilter, OutboxStatus,
    Redirection, Report, ReportNumber, Suppression,
};
use crate::prepared::MAX_TRACE;
use crate::reading::{Explained, Filter, LogRow, RuleHits, Status};

/// A connection that cannot write.
#[derive(Debug)]
pub(crate) struct Reading {
    connection: Connection,
    path: PathBuf,
    /// Whether there are tables of reports: not in a store that was last opened by version 0.1.
    has_reports: bool,
    /// Whether there are a ledger of imports and a table of redirections.
    has_imports: bool,
}

impl Reading {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let (connection, version) = open_to_read(path)?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            has_reports: version >= migrations::REPORTS,
            has_imports: version >= migrations::IMPORTS,
        })
    }

    pub(crate) fn explain(&self, id: &str) -> Result<Vec<Explained>, StoreError> {
        self.snapshot("look for a message", |connection| explain(connection, id))
    }

    pub(crate) fn log(&self, filter: &Filter) -> Result<Vec<LogRow>, StoreError> {
        self.snapshot("read the log", |connection| log::read(connection, filter))
    }

    pub(crate) fn tally(&self, day: Day, policy_domain: &str) -> Result<Vec<(TallyRow, u64)>, StoreError> {
        self.snapshot("read the tally", |connection| {
            tally::read(connection, self.has_reports, day, policy_domain)
        })
    }

    pub(crate) fn reporting_days(&self) -> Result<Vec<Day>, StoreError> {
        self.snapshot("read the tally", reporting::days)
    }

    pub(crate) fn reporting_day(&self, day: Day) -> Result<ReportingDay<'_>, StoreError> {
        ReportingDay::begin(self, day)
    }

    pub(crate) fn deliveries(&self, filter: &OutboxFilter) -> Result<Vec<Delivery>, StoreError> {
        self.of_reports("read deliveries", |connection| {
            list::deliveries(connection, filter)
        })
    }

    pub(crate) fn delivery(&self, number: DeliveryNumber) -> Result<Option<Delivery>, StoreError> {
        self.of_reports("read a delivery", |connection| {
            list::delivery(connection, number.0.cast_signed())
        })
    }

    pub(crate) fn report(&self, report_id: &str) -> Result<Option<Report>, StoreError> {
        self.of_reports("read a report", |connection| list::report(connection, report_id))
    }

    pub(crate) fn report_body(&self, number: ReportNumber) -> Result<Option<Vec<u8>>, StoreError> {
        self.of_reports("read the body of a report", |connection| {
            body::read(connection, number)
        })
    }

    pub(crate) fn reported_days(&self, limit: usize) -> Result<Vec<(Day, DayState)>, StoreError> {
        self.of_reports("read days of reports", |connection| days::all(connection, limit))
    }

    pub(crate) fn skipped(&self, day: Day, limit: usize) -> Result<Vec<(String, String)>, StoreError> {
        self.of_reports("read domains without a report", |connection| {
            days::skipped(connection, day, limit)
        })
    }

    pub(crate) fn suppressions(&self) -> Result<Vec<Suppression>, StoreError> {
        self.of_reports("read the suppressions", suppression::all)
    }

    pub(crate) fn redirections(&self) -> Result<Vec<Redirection>, StoreError> {
        if !self.has_imports {
            return Ok(Vec::new());
        }
        self.snapshot("read the redirections", |connection| {
            redirection::all(connection, MAX_REDIRECTIONS)
        })
    }

    pub(crate) fn redirection(&self, policy_domain: &str) -> Result<Option<Redirection>, StoreError> {
        if !self.has_imports {
            return Ok(None);
        }
        self.snapshot("look where reports go", |connection| {
            redirection::of(connection, policy_domain)
        })
    }

    /// How many messages of a key were imported.
    pub(crate) fn imported(&self, key: Digest) -> Result<u64, StoreError> {
        if !self.has_imports {
            return Ok(0);
        }
        self.snapshot("see what is new", |connection| import::count_of(connection, key))
    }

    /// Whether what is counted now in this day of a policy domain comes too late for a report.
    pub(crate) fn is_reported(&self, day: Day, policy_domain: &str) -> Result<bool, StoreError> {
        self.of_reports("see what is reported", |connection| {
            is_reported(connection, day, policy_domain)
        })
    }

    pub(crate) fn is_suppressed(
        &self,
        destination: &str,
        now_ms: u64,
    ) -> Result<Option<Suppression>, StoreError> {
        self.of_reports("look for a suppression", |connection| {
            suppression::find(connection, destination, now_ms)
        })
    }

    pub(crate) fn outbox_counts(&self, now_ms: u64) -> Result<OutboxCounts, StoreError> {
        self.of_reports("count the letters", |connection| list::counts(connection, now_ms))
    }

    /// Asks about reports; where there are no tables of them, there is nothing.
    fn of_reports<T: Default>(
        &self,
        doing: &'static str,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        if self.has_reports {
            self.snapshot(doing, ask)
        } else {
            Ok(T::default())
        }
    }

    pub(crate) fn policy_domains(&self, day: Day) -> Result<Vec<String>, StoreError> {
        self.snapshot("read the tally", |connection| {
            tally::policy_domains(connection, day)
        })
    }

    pub(crate) fn rule_hits(&self) -> Result<Vec<RuleHits>, StoreError> {
        self.snapshot("read the hits of rules", rule_hits)
    }

    pub(crate) fn backup(&self, to: &Path, progress: impl FnMut(u64, u64)) -> Result<(), StoreError> {
        backup::copy(&self.connection, &self.path, to, progress)
    }

    pub(crate) fn status(&self) -> Result<Status, StoreError> {
        let version = migrations::version(&self.connection, &self.path)?;
        self.snapshot("read the state", |connection| {
            Ok(Status {
                path: self.path.clone(),
                version,
                file_bytes: length(&self.path),
                wal_bytes: length(&beside(&self.path, "-wal")),
                free_bytes: count(
                    connection,
                    "SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size",
                )?,
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
                outbox: if self.has_reports {
                    list::status(connection)?
                } else {
                    OutboxStatus::default()
                },
            })
        })
    }

    pub(super) fn has_reports(&self) -> bool {
        self.has_reports
    }

    /// Asks within one transaction, so that all answers are about the same state.
    pub(super) fn snapshot<T>(
        &self,
        doing: &'static str,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let within = || {
            let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Deferred)?;
            ask(&transaction)
        };
        within().map_err(|error| row_error(&self.path, doing, error))
    }
}

fn explain(connection: &Connection, id: &str) -> rusqlite::Result<Vec<Explained>> {
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
        let Some((observation, trace)) = log::observation(connection, number)? else {
            continue;
        };
        if observation.queue_id == id || observation.id == id {
            let trace = match trace {
                Some(trace) => trace_text(connection, trace)?,
                None => None,
            };
            found.push(Explained { observation, trace });
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
    let compressed = row.get_ref(0)?.as_blob()?;
    let mut text = String::new();
    // The file may be damaged: no more is unpacked than was ever packed.
    let limit = MAX_TRACE as u64;
    flate2::read::DeflateDecoder::new(compressed)
        .take(limit)
        .read_to_string(&mut text)
        .map_err(|_| tally::damaged(0))?;
    Ok(Some(text))
}

fn rule_hits(connection: &Connection) -> rusqlite::Result<Vec<RuleHits>> {
    let sql = "SELECT name, hits, first_ms, last_ms FROM rule_hit ORDER BY name";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        Ok(RuleHits {
            name: row.get(0)?,
            hits: row.get(1)?,
            first_ms: row.get(2)?,
            last_ms: row.get(3)?,
        })
    })?;
    rows.collect()
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
