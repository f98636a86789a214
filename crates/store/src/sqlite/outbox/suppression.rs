//! Destinations that get no letters: the operator's, and those whose letters come back.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{integer, time};
use crate::outbox::{MAX_SUPPRESSIONS, Origin, Strikes, Struck, Suppression, host_of};
use crate::sqlite::tally::damaged;

const COLUMNS: &str = "destination, reason, origin, since_ms, until_ms, strikes";

/// Suppresses it, whatever was known before.
pub(super) fn suppress(
    connection: &Connection,
    destination: &str,
    reason: &str,
    until_ms: Option<u64>,
    now_ms: u64,
) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO suppression (destination, reason, origin, since_ms, until_ms, strikes, last_ms) \
               VALUES (?1, ?2, ?3, ?4, ?5, 0, 0)";
    let (name, origin) = (name_of(destination), Origin::Manual.word());
    connection.execute(
        sql,
        params![name, reason, origin, time(now_ms), until_ms.map(time)],
    )?;
    keep_within(connection, MAX_SUPPRESSIONS)
}

/// Counts a bounce; one too many suppresses.
pub(super) fn strike(
    connection: &Connection,
    destination: &str,
    reason: &str,
    strikes: &Strikes,
    now_ms: u64,
) -> rusqlite::Result<Struck> {
    let name = name_of(destination);
    let known = known(connection, &name)?;
    if let Some((suppression, _)) = &known
        && suppression.origin == Origin::Manual
        && suppression.holds_at(now_ms)
    {
        return Ok(Struck {
            strikes: suppression.strikes,
            suppressed_until_ms: suppression.until_ms,
        });
    }
    let before = known
        .filter(|(_, last_ms)| now_ms.saturating_sub(*last_ms) < strikes.forget_ms)
        .map_or(0, |(suppression, _)| suppression.strikes);
    let count = before.saturating_add(1);
    let until_ms = strikes.until_ms(count, now_ms);
    let sql = "INSERT OR REPLACE INTO suppression (destination, reason, origin, since_ms, until_ms, strikes, last_ms) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?4)";
    let until = time(until_ms.unwrap_or(0));
    connection.execute(
        sql,
        params![name, reason, Origin::Bounce.word(), time(now_ms), until, count],
    )?;
    keep_within(connection, MAX_SUPPRESSIONS)?;
    Ok(Struck {
        strikes: count,
        suppressed_until_ms: until_ms,
    })
}

fn known(connection: &Connection, name: &str) -> rusqlite::Result<Option<(Suppression, u64)>> {
    let sql = format!("SELECT {COLUMNS}, last_ms FROM suppression WHERE destination = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    statement
        .query_row([name], |row| Ok((suppression_of(row)?, row.get(6)?)))
        .optional()
}

/// Those of bounces make room, the oldest first.
fn keep_within(connection: &Connection, most: usize) -> rusqlite::Result<()> {
    let count: u64 = connection.query_row("SELECT count(*) FROM suppression", [], |row| row.get(0))?;
    let surplus = count.saturating_sub(most as u64);
    if surplus > 0 {
        let sql = "DELETE FROM suppression WHERE destination IN (SELECT destination FROM suppression \
                   WHERE origin = 'bounce' ORDER BY last_ms LIMIT ?1)";
        connection.execute(sql, [integer(surplus)])?;
    }
    Ok(())
}

pub(super) fn remove(connection: &Connection, destination: &str) -> rusqlite::Result<bool> {
    let sql = "DELETE FROM suppression WHERE destination = ?1";
    Ok(connection.execute(sql, [name_of(destination)])? > 0)
}

/// What an address is suppressed by at this time: its own line or that of its host.
pub(in crate::sqlite) fn find(
    connection: &Connection,
    destination: &str,
    now_ms: u64,
) -> rusqlite::Result<Option<Suppression>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM suppression WHERE destination IN (?1, ?2) AND (until_ms IS NULL OR until_ms > ?3) \
         ORDER BY destination LIMIT 1"
    );
    let host = format!("@{}", host_of(destination));
    let mut statement = connection.prepare_cached(&sql)?;
    statement
        .query_row(params![name_of(destination), host, time(now_ms)], suppression_of)
        .optional()
}

pub(in crate::sqlite) fn all(connection: &Connection) -> rusqlite::Result<Vec<Suppression>> {
    let sql = format!("SELECT {COLUMNS} FROM suppression ORDER BY destination");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([], suppression_of)?;
    rows.collect()
}

fn suppression_of(row: &Row<'_>) -> rusqlite::Result<Suppression> {
    let origin = row.get_ref(2)?.as_str()?;
    Ok(Suppression {
        destination: row.get(0)?,
        reason: row.get(1)?,
        origin: Origin::of_word(origin).ok_or_else(|| damaged(2))?,
        since_ms: row.get(3)?,
        until_ms: row.get(4)?,
        strikes: row.get(5)?,
    })
}

/// The destination as it is kept. Hosts know no upper case; a local part may (RFC 5321 §2.4), but no two
/// people of one host read their letters under names that differ in nothing else.
fn name_of(destination: &str) -> String {
    destination.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_of_bounces_make_room_the_oldest_first() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE suppression (destination TEXT PRIMARY KEY, reason, origin, since_ms, until_ms, strikes, last_ms)",
            )
            .unwrap();
        let strikes = Strikes {
            limit: 1,
            forget_ms: 1,
            suppress_ms: 1,
            longest_ms: 1,
        };
        suppress(&connection, "m@example.com", "by hand", None, 0).unwrap();
        for number in 1..=4 {
            let destination = format!("{number}@example.com");
            strike(&connection, &destination, "unknown", &strikes, number).unwrap();
        }
        let kept = |most| {
            keep_within(&connection, most).unwrap();
            let all = all(&connection).unwrap();
            all.iter()
                .map(|one| one.destination.replace("@example.com", ""))
                .collect::<Vec<_>>()
        };
        assert_eq!(kept(5), ["1", "2", "3", "4", "m"], "at the limit");
        assert_eq!(kept(4), ["2", "3", "4", "m"], "one past it");
        assert_eq!(kept(0), ["m"], "what the operator said stays");
    }
}
