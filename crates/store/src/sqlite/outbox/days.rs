//! Which days were reported about, and which policy domains got nothing.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{integer, time};
use crate::day::Day;
use crate::outbox::{DayCounts, DayState, MAX_SKIPPED, reason};

pub(super) fn begin(connection: &Connection, day: Day, now_ms: u64) -> rusqlite::Result<DayState> {
    let before = state(connection, day)?;
    let sql = "INSERT OR IGNORE INTO reported_day (day, began_ms) VALUES (?1, ?2)";
    connection.execute(sql, (day.0, time(now_ms)))?;
    Ok(before)
}

pub(super) fn finish(
    connection: &Connection,
    day: Day,
    counts: DayCounts,
    now_ms: u64,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO reported_day (day, began_ms, done_ms, domains, reports, messages, skipped) \
               VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (day) DO UPDATE SET done_ms = excluded.done_ms, \
               domains = excluded.domains, reports = excluded.reports, messages = excluded.messages, \
               skipped = excluded.skipped";
    let [domains, reports, messages, skipped] =
        [counts.domains, counts.reports, counts.messages, counts.skipped].map(integer);
    connection.execute(sql, (day.0, time(now_ms), domains, reports, messages, skipped))?;
    Ok(())
}

pub(super) fn state(connection: &Connection, day: Day) -> rusqlite::Result<DayState> {
    let sql =
        "SELECT day, began_ms, done_ms, domains, reports, messages, skipped FROM reported_day WHERE day = ?1";
    let found = connection.query_row(sql, [day.0], day_of).optional()?;
    Ok(found.map_or(DayState::Untouched, |(_, state)| state))
}

/// The last days first.
pub(in crate::sqlite) fn all(
    connection: &Connection,
    limit: usize,
) -> rusqlite::Result<Vec<(Day, DayState)>> {
    let sql = "SELECT day, began_ms, done_ms, domains, reports, messages, skipped FROM reported_day \
               ORDER BY day DESC LIMIT ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let days = statement.query_map([integer(limit as u64)], day_of)?;
    days.collect()
}

fn day_of(row: &Row<'_>) -> rusqlite::Result<(Day, DayState)> {
    let done: Option<u64> = row.get(2)?;
    let state = match done {
        None => DayState::Begun {
            since_ms: row.get(1)?,
        },
        Some(at_ms) => DayState::Done {
            at_ms,
            counts: DayCounts {
                domains: row.get(3)?,
                reports: row.get(4)?,
                messages: row.get(5)?,
                skipped: row.get(6)?,
            },
        },
    };
    Ok((Day(row.get(0)?), state))
}

/// Whether what is counted now in this day of a policy domain comes too late for a report.
pub(in crate::sqlite) fn is_reported(
    connection: &Connection,
    day: Day,
    policy_domain: &str,
) -> rusqlite::Result<bool> {
    let is_done = matches!(state(connection, day)?, DayState::Done { .. });
    Ok(is_done || is_settled(connection, day, policy_domain)?)
}

pub(super) fn is_settled(connection: &Connection, day: Day, policy_domain: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM report WHERE policy_domain = ?1 AND day = ?2 AND kind = 'aggregate') \
               OR EXISTS (SELECT 1 FROM skipped WHERE day = ?2 AND policy_domain = ?1)";
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_row((policy_domain, day.0), |row| row.get(0))
}

/// Notes domains with their reasons, as far as there is room.
pub(super) fn skip(connection: &Connection, day: Day, skipped: &[(String, String)]) -> rusqlite::Result<()> {
    let sql = "SELECT count(*) FROM skipped WHERE day = ?1";
    let kept: usize = connection.query_row(sql, [day.0], |row| row.get(0))?;
    let mut room = MAX_SKIPPED.saturating_sub(kept);
    let sql = "INSERT OR IGNORE INTO skipped (day, policy_domain, reason) VALUES (?1, ?2, ?3)";
    let mut insert = connection.prepare_cached(sql)?;
    for (policy_domain, why) in skipped {
        if room == 0 {
            break;
        }
        room -= insert.execute(params![day.0, policy_domain, reason(why)])?;
    }
    Ok(())
}

/// Policy domains without a report, in alphabetical order.
pub(in crate::sqlite) fn skipped(
    connection: &Connection,
    day: Day,
    limit: usize,
) -> rusqlite::Result<Vec<(String, String)>> {
    let sql = "SELECT policy_domain, reason FROM skipped WHERE day = ?1 ORDER BY policy_domain LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map((day.0, integer(limit as u64)), |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    rows.collect()
}
