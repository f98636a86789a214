//! Destinations that get no report mail: the operator's, and those whose mail comes back.

use super::check::host_of;
use super::statement::{integer, time};
use crate::limits::MAX_SUPPRESSIONS;
use crate::model::{BounceSuppression, Origin, Strikes, Suppression, as_integer};
use crate::sql::{Sql, SqlError, SqlQueries, SqlRow, values};

const COLUMNS: &str = "destination, reason, origin, since_ms, until_ms, strikes";

/// Suppresses it, whatever was known before.
pub(super) fn suppress(
    sql: &dyn Sql,
    destination: &str,
    reason: &str,
    until_ms: Option<u64>,
    now_ms: u64,
) -> Result<(), SqlError> {
    let suppression = Suppression {
        destination: name_of(destination),
        reason: reason.to_owned(),
        origin: Origin::Manual,
        since_ms: sql.corrected(now_ms),
        until_ms,
        strikes: 0,
    };
    set(sql, &suppression, 0)
}

/// Counts a bounce; one too many suppresses.
pub(super) fn strike(
    sql: &dyn Sql,
    destination: &str,
    reason: &str,
    strikes: &Strikes,
    now_ms: u64,
) -> Result<BounceSuppression, SqlError> {
    let (destination, now_ms) = (name_of(destination), sql.corrected(now_ms));
    let known = known(sql, &destination)?;
    if let Some((suppression, _)) = &known
        && suppression.origin == Origin::Manual
        && suppression.holds_at(now_ms)
    {
        return Ok(BounceSuppression {
            strikes: suppression.strikes,
            suppressed_until_ms: suppression.until_ms,
        });
    }
    let before = known
        .filter(|(_, last_ms)| now_ms.saturating_sub(*last_ms) < strikes.forget_ms)
        .map_or(0, |(suppression, _)| suppression.strikes);
    let count = before.saturating_add(1);
    let until_ms = strikes.until_ms(count, now_ms);
    let suppression = Suppression {
        destination,
        reason: reason.to_owned(),
        origin: Origin::Bounce,
        since_ms: now_ms,
        until_ms: Some(until_ms.unwrap_or(0)),
        strikes: count,
    };
    set(sql, &suppression, now_ms)?;
    Ok(BounceSuppression {
        strikes: count,
        suppressed_until_ms: until_ms,
    })
}

/// In place of what was known of the destination.
fn set(sql: &dyn Sql, suppression: &Suppression, last_ms: u64) -> Result<(), SqlError> {
    let values = values![
        &suppression.destination,
        &suppression.reason,
        suppression.origin.word(),
        as_integer(suppression.since_ms),
        suppression.until_ms.map(as_integer),
        suppression.strikes,
        as_integer(last_ms),
    ];
    let update = "UPDATE suppression SET reason = ?2, origin = ?3, since_ms = ?4, until_ms = ?5, strikes = ?6, \
                  last_ms = ?7 WHERE destination = ?1";
    if sql.execute(update, values)? == 0 {
        let insert = "INSERT INTO suppression (destination, reason, origin, since_ms, until_ms, strikes, last_ms) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        sql.execute(insert, values)?;
        keep_within(sql, MAX_SUPPRESSIONS)?;
    }
    Ok(())
}

fn known(sql: &dyn Sql, name: &str) -> Result<Option<(Suppression, u64)>, SqlError> {
    let one = format!("SELECT {COLUMNS}, last_ms FROM suppression WHERE destination = ?1");
    sql.row(&one, values![name], |row| Ok((suppression_of(row)?, row.get(6)?)))
}

/// Those of bounces make room, the oldest first.
fn keep_within(sql: &dyn Sql, most: usize) -> Result<(), SqlError> {
    let count = sql.count("SELECT count(*) FROM suppression", &[])?;
    let surplus = count.saturating_sub(most as u64);
    if surplus > 0 {
        let oldest = "SELECT destination FROM suppression WHERE origin = 'bounce' ORDER BY last_ms LIMIT ?1";
        let found = sql.rows(oldest, values![integer(surplus)], |row| row.get(0))?;
        remove_each(sql, &found)?;
    }
    Ok(())
}

/// Those that are over and whose bounces are forgotten, so many at most; how many.
pub(super) fn remove_over(
    sql: &dyn Sql,
    (over_ms, forgotten_ms): (u64, u64),
    most: i64,
) -> Result<u64, SqlError> {
    let over = "SELECT destination FROM suppression WHERE until_ms <= ?1 AND last_ms < ?2 LIMIT ?3";
    let values = values![as_integer(over_ms), as_integer(forgotten_ms), most];
    let found = sql.rows(over, values, |row| row.get(0))?;
    remove_each(sql, &found)
}

fn remove_each(sql: &dyn Sql, destinations: &[String]) -> Result<u64, SqlError> {
    let remove = "DELETE FROM suppression WHERE destination = ?1";
    let mut removed = 0;
    for destination in destinations {
        removed += sql.execute(remove, values![destination])?;
    }
    Ok(removed)
}

pub(super) fn remove(sql: &dyn Sql, destination: &str) -> Result<bool, SqlError> {
    Ok(remove_each(sql, &[name_of(destination)])? > 0)
}

/// What an address is suppressed by at this time: its own line or that of its host.
pub(crate) fn find(sql: &dyn Sql, destination: &str, now_ms: u64) -> Result<Option<Suppression>, SqlError> {
    let first = format!(
        "SELECT {COLUMNS} FROM suppression WHERE destination IN (?1, ?2) AND (until_ms IS NULL OR until_ms > ?3) \
         ORDER BY destination LIMIT 1"
    );
    let host = format!("@{}", host_of(destination));
    let values = values![name_of(destination), host, time(sql, now_ms)];
    sql.row(&first, values, suppression_of)
}

pub(crate) fn all(sql: &dyn Sql) -> Result<Vec<Suppression>, SqlError> {
    let all = format!("SELECT {COLUMNS} FROM suppression ORDER BY destination");
    sql.rows(&all, &[], suppression_of)
}

fn suppression_of(row: &SqlRow) -> Result<Suppression, SqlError> {
    Ok(Suppression {
        destination: row.get(0)?,
        reason: row.get(1)?,
        origin: Origin::of_word(row.text(2)?).ok_or(SqlError::Damaged(2))?,
        since_ms: row.get(3)?,
        until_ms: row.get(4)?,
        strikes: row.get(5)?,
    })
}

/// The destination as it is kept. Hosts know no upper case; a local part may (RFC 5321 §2.4), but no two
/// people of one host read their mail under names that differ in nothing else.
fn name_of(destination: &str) -> String {
    destination.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::in_memory;

    #[test]
    fn those_of_bounces_make_room_the_oldest_first() {
        in_memory(|sql| {
            let strikes = Strikes {
                limit: 1,
                forget_ms: 1,
                suppress_ms: 1,
                longest_ms: 1,
            };
            suppress(sql, "m@example.com", "by hand", None, 0).unwrap();
            for number in 1..=4 {
                let destination = format!("{number}@example.com");
                strike(sql, &destination, "unknown", &strikes, number).unwrap();
            }
            let kept = |most| {
                keep_within(sql, most).unwrap();
                let all = all(sql).unwrap();
                all.iter()
                    .map(|one| one.destination.replace("@example.com", ""))
                    .collect::<Vec<_>>()
            };
            assert_eq!(kept(5), ["1", "2", "3", "4", "m"], "at the limit");
            assert_eq!(kept(4), ["2", "3", "4", "m"], "one past it");
            assert_eq!(kept(0), ["m"], "what the operator said stays");
        });
    }
}
