//! Which days were reported about, and which policy domains got nothing.

use super::check::reason;
use super::statement::{integer, time};
use crate::limits::MAX_SKIPPED;
use crate::model::{Day, DayCounts, DayState};
use crate::sql;
use crate::sql::{Sql, SqlError, SqlQueries, SqlRow, values};

const COLUMNS: &str = "day, began_ms, done_ms, domains, reports, messages, skipped";

pub(super) fn begin(sql: &dyn Sql, day: Day, now_ms: u64) -> Result<DayState, SqlError> {
    let before = state(sql, day)?;
    if before == DayState::Untouched {
        let begin = "INSERT INTO reported_day (day, began_ms) VALUES (?1, ?2)";
        sql.execute(begin, values![day.0, time(sql, now_ms)])?;
    }
    Ok(before)
}

pub(super) fn finish(sql: &dyn Sql, day: Day, counts: DayCounts, now_ms: u64) -> Result<(), SqlError> {
    begin(sql, day, now_ms)?;
    let finish = "UPDATE reported_day SET done_ms = ?2, domains = ?3, reports = ?4, messages = ?5, skipped = ?6 \
                  WHERE day = ?1";
    let [domains, reports, messages, skipped] =
        [counts.domains, counts.reports, counts.messages, counts.skipped].map(integer);
    let now = time(sql, now_ms);
    sql.execute(finish, values![day.0, now, domains, reports, messages, skipped])?;
    Ok(())
}

pub(super) fn state(sql: &dyn Sql, day: Day) -> Result<DayState, SqlError> {
    let one = format!("SELECT {COLUMNS} FROM reported_day WHERE day = ?1");
    let found = sql.row(&one, values![day.0], day_of)?;
    Ok(found.map_or(DayState::Untouched, |(_, state)| state))
}

/// The last days first.
pub(crate) fn all(sql: &dyn Sql, limit: usize) -> Result<Vec<(Day, DayState)>, SqlError> {
    let last = format!("SELECT {COLUMNS} FROM reported_day ORDER BY day DESC LIMIT ?1");
    sql.rows(&last, values![sql::limit(limit)], day_of)
}

fn day_of(row: &SqlRow) -> Result<(Day, DayState), SqlError> {
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
pub(crate) fn is_reported(sql: &dyn Sql, day: Day, policy_domain: &str) -> Result<bool, SqlError> {
    let is_done = matches!(state(sql, day)?, DayState::Done { .. });
    Ok(is_done || is_settled(sql, day, policy_domain)?)
}

pub(super) fn is_settled(sql: &dyn Sql, day: Day, policy_domain: &str) -> Result<bool, SqlError> {
    let report = "SELECT 1 FROM report WHERE policy_domain = ?1 AND day = ?2 AND kind = 'aggregate' LIMIT 1";
    let values = values![policy_domain, day.0];
    Ok(sql.exists(report, values)? || is_skipped(sql, day, policy_domain)?)
}

fn is_skipped(sql: &dyn Sql, day: Day, policy_domain: &str) -> Result<bool, SqlError> {
    let line = "SELECT 1 FROM skipped WHERE day = ?1 AND policy_domain = ?2";
    sql.exists(line, values![day.0, policy_domain])
}

/// Notes domains with their reasons, as far as there is room.
pub(super) fn skip(sql: &dyn Sql, day: Day, skipped: &[(String, String)]) -> Result<(), SqlError> {
    let kept = sql.count("SELECT count(*) FROM skipped WHERE day = ?1", values![day.0])?;
    let mut room = (MAX_SKIPPED as u64).saturating_sub(kept);
    let insert = "INSERT INTO skipped (day, policy_domain, reason) VALUES (?1, ?2, ?3)";
    for (policy_domain, why) in skipped {
        if room == 0 {
            break;
        }
        if !is_skipped(sql, day, policy_domain)? {
            room -= sql.execute(insert, values![day.0, policy_domain, reason(why)])?;
        }
    }
    Ok(())
}

/// Policy domains without a report, in alphabetical order.
pub(crate) fn skipped(sql: &dyn Sql, day: Day, limit: usize) -> Result<Vec<(String, String)>, SqlError> {
    let lines = "SELECT policy_domain, reason FROM skipped WHERE day = ?1 ORDER BY policy_domain LIMIT ?2";
    sql.rows(lines, values![day.0, sql::limit(limit)], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })
}
