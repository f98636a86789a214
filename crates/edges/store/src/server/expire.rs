//! Removing what is too old, a little at a time.
//!
//! On PostgreSQL a day goes with its partition, whole; what has no partition goes row by row, as all does on MariaDB.
//! Each step is a transaction during which nobody writes, and after each they have as long for themselves:
//! what nothing uses any more is then not used again before it is gone.

use std::thread;
use std::time::Instant;

use super::engine::ServerEngine;
use super::session::ServerSession;
use super::{DatabaseServer, lock};
use crate::error::StoreError;
use crate::model::{Day, ExpiredRecords, Retention, as_integer, hour_of};
use crate::sql::{Sql, SqlError, SqlQueries, values};

/// Most rows removed in one step.
const ROWS: i64 = 2_000;
/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;

impl DatabaseServer {
    /// Removes what is too old, in short transactions; nobody needs to be told. How much there may be on the disks is
    /// the server's business: [`Retention::max_bytes`] does not count here. On PostgreSQL observations go by whole
    /// UTC days.
    ///
    /// # Errors
    /// When the server cannot be reached, or does not let us remove anything. What was removed before is.
    pub fn expire(&self, keep: &Retention) -> Result<ExpiredRecords, StoreError> {
        let mut done = ExpiredRecords::default();
        if keep.by_time {
            self.drop_days(keep, &mut done)?;
        }
        loop {
            let began = Instant::now();
            let mut removed = ExpiredRecords::default();
            let (is_more, expired) = self.transact("remove what has expired", |session| {
                removed = ExpiredRecords::default();
                lock::alone(session)?;
                Ok((step(session, keep, &mut removed)?, removed))
            })?;
            done.observations += expired.observations;
            done.traces += expired.traces;
            done.tally_rows += expired.tally_rows;
            done.distinct_rows += expired.distinct_rows;
            done.steps += 1;
            if !is_more {
                return Ok(done);
            }
            thread::sleep(began.elapsed());
        }
    }

    /// Drops the partitions of days that are over. One that cannot be dropped at once goes row by row.
    fn drop_days(&self, keep: &Retention, done: &mut ExpiredRecords) -> Result<(), StoreError> {
        if self.engine() != ServerEngine::PostgreSql {
            return Ok(());
        }
        for (parent, from) in [
            ("observation", Day::at(keep.observations_from_ms())),
            ("tally", keep.tally_from()),
        ] {
            let days = self.read("look for what has expired", |session| partitions(session, parent))?;
            for day in days.into_iter().filter(|day| *day < from) {
                let rows = self.read("count what has expired", |session| rows_of(session, parent, day))?;
                let dropped = self.transact("drop a day that has expired", |session| {
                    lock::alone(session)?;
                    drop_day(session, parent, day)
                })?;
                done.steps += 1;
                match parent {
                    _ if !dropped => {}
                    "tally" => done.tally_rows += rows,
                    _ => done.observations += rows,
                }
            }
        }
        Ok(())
    }
}

/// The days that a table has partitions of.
fn partitions(session: &ServerSession, parent: &str) -> Result<Vec<Day>, SqlError> {
    let text = "SELECT substr(relname, length(?1) + 2) FROM pg_class WHERE relispartition AND relkind = 'r' \
                AND pg_table_is_visible(oid) AND starts_with(relname, ?1 || '_')";
    let names = session.rows(text, values![parent], |row| row.get::<String>(0))?;
    // The default partition has no day.
    Ok(names
        .iter()
        .filter_map(|name| name.parse().ok().map(Day))
        .collect())
}

fn rows_of(session: &ServerSession, parent: &str, day: Day) -> Result<u64, SqlError> {
    match parent {
        "tally" => session.count("SELECT count(*) FROM tally WHERE day = ?1", values![day.0]),
        _ => session.count(
            "SELECT count(*) FROM observation WHERE at_ms >= ?1 AND at_ms < ?2",
            values![as_integer(day.begins_ms()), as_integer(day.next().begins_ms())],
        ),
    }
}

fn drop_day(session: &ServerSession, parent: &str, day: Day) -> Result<bool, SqlError> {
    let text = "SELECT landmarc_drop_day(?1, CAST(?2 AS INTEGER))";
    let dropped = session.row(text, values![parent, day.0], |row| row.get(0))?;
    Ok(dropped.unwrap_or(false))
}

/// One step; whether there may be more to do.
fn step(session: &ServerSession, keep: &Retention, done: &mut ExpiredRecords) -> Result<bool, SqlError> {
    if keep.by_time {
        let observations = remove_observations(session, keep)?;
        done.observations += observations;
        if observations > 0 {
            return Ok(true);
        }
    }
    let oldest = session.row("SELECT min(day) FROM tally_day", &[], |row| {
        row.get::<Option<u32>>(0)
    })?;
    let oldest = oldest.flatten().map(Day);
    if let Some(day) = oldest.filter(|day| keep.by_time && *day < keep.tally_from()) {
        done.tally_rows += remove_day(session, day)?;
        return Ok(true);
    }
    // What is known of imports goes with the days they count in, for these are imported no more; and so does what
    // is known of hosts that were not seen for as long.
    if keep.by_time && (remove_imported(session, keep.tally_from())? > 0 || remove_hosts(session, keep)? > 0)
    {
        return Ok(true);
    }
    remove_unused(session, keep, oldest, done)
}

fn remove_observations(session: &ServerSession, keep: &Retention) -> Result<u64, SqlError> {
    let from_ms = keep.observations_from_ms();
    let from_ms = match session.engine() {
        ServerEngine::PostgreSql => as_integer(Day::at(from_ms).begins_ms()),
        ServerEngine::MariaDb => hour_of(from_ms) * HOUR_MS,
    };
    let key = "policy_domain, at_ms, origin";
    let text = remove_some(session, "observation", key, "at_ms < ?1 ORDER BY at_ms");
    session.execute(&text, values![from_ms, ROWS])
}

/// Some rows of a day of the tally; when none is left, the day itself.
fn remove_day(session: &ServerSession, day: Day) -> Result<u64, SqlError> {
    let key = "policy_domain, day, reporting_row";
    let text = remove_some(session, "tally", key, "day = ?1");
    let removed = session.execute(&text, values![day.0, ROWS])?;
    if removed < ROWS.unsigned_abs() {
        session.execute("DELETE FROM tally_day WHERE day = ?1", values![day.0])?;
    }
    Ok(removed)
}

fn remove_imported(session: &ServerSession, day: Day) -> Result<u64, SqlError> {
    let text = remove_some(session, "imported", "policy_domain, \"key\"", "day < ?1");
    session.execute(&text, values![day.0, ROWS])
}

/// The statement that removes rows for which this holds, `?2` at most. PostgreSQL has no limit there, and finds them by
/// their key.
fn remove_some(session: &ServerSession, table: &str, key: &str, which: &str) -> String {
    match session.engine() {
        ServerEngine::PostgreSql => {
            // Of a table with partitions only those in question are looked at.
            let (condition, _) = which.split_once(" ORDER BY ").unwrap_or((which, ""));
            format!(
                "DELETE FROM {table} WHERE {condition} AND ({key}) IN (SELECT {key} FROM {table} WHERE {which} LIMIT ?2)"
            )
        }
        ServerEngine::MariaDb => format!("DELETE FROM {table} WHERE {which} LIMIT ?2"),
    }
}

/// Removes hosts of which nothing can be left, with what is noted of their entries. A recorder that begins is
/// a new one.
fn remove_hosts(session: &ServerSession, keep: &Retention) -> Result<u64, SqlError> {
    let before = values![as_integer(keep.tally_from().begins_ms())];
    session.execute(
        "DELETE FROM batch WHERE host IN (SELECT id FROM host WHERE seen_ms < ?1)",
        before,
    )?;
    session.execute("DELETE FROM host WHERE seen_ms < ?1", before)
}

/// Removes some of what no observation and no day of the tally refers to; whether there may be more.
fn remove_unused(
    session: &ServerSession,
    keep: &Retention,
    oldest: Option<Day>,
    done: &mut ExpiredRecords,
) -> Result<bool, SqlError> {
    // The oldest observation there is says what is used: fewer may be kept than asked for. Without any, nothing is.
    let observed = session.row("SELECT min(at_ms) FROM observation", &[], |row| {
        row.get::<Option<u64>>(0)
    })?;
    let observed = observed.flatten().map_or(Day(u32::MAX), Day::at);
    let counted = oldest.unwrap_or(Day::at(keep.now_ms));
    let traces = remove_before(session, "trace", observed)?;
    let outcomes = remove_before(session, "outcome", observed)?;
    let rows = remove_before(session, "reporting_row", counted)?;
    done.traces += traces;
    done.distinct_rows += rows;
    if traces + outcomes + rows > 0 {
        return Ok(true);
    }
    Ok(remove_before(session, "published", counted)? > 0)
}

fn remove_before(session: &ServerSession, table: &'static str, day: Day) -> Result<u64, SqlError> {
    let which = "last_day < ?1 ORDER BY last_day";
    let text = remove_some(session, table, "policy_domain, digest", which);
    session.execute(&text, values![day.0, ROWS])
}
