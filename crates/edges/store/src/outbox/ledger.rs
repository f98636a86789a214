//! The ledger of imports: how many messages of each key are in the tally.

use super::days;
use super::statement::{insert_into, integer};
use crate::digest::Digest;
use crate::model::{Day, Import, Imported};
use crate::sql::{Sql, SqlError, SqlQueries, values};

/// Most keys forgotten in one step of expiry.
const ROWS: i64 = 2_000;

/// Hands over what is new of these to be added to the tally, each with its number of messages, and notes it.
pub(crate) fn import(
    sql: &dyn Sql,
    imports: &[Import],
    kept_from: Day,
    count: &mut dyn FnMut(&Import, u64) -> Result<(), SqlError>,
) -> Result<Imported, SqlError> {
    let mut imported = Imported::default();
    for import in imports {
        let key = Digest::of(import.key.as_bytes());
        let known = noted(sql, key)?;
        let new = imported.settle(import, known.unwrap_or(0), kept_from);
        if new == 0 {
            continue;
        }
        if days::is_reported(sql, import.day(), &import.row.policy_domain)? {
            imported.of_reported_days += new;
        }
        count(import, new)?;
        note(sql, key, import, known.is_some())?;
    }
    Ok(imported)
}

fn note(sql: &dyn Sql, key: Digest, import: &Import, is_known: bool) -> Result<(), SqlError> {
    let (day, count) = (import.day().0, integer(import.count()));
    let values = values![key.0.to_vec(), day, count];
    if is_known {
        let note = "UPDATE imported SET count = ?3, day = CASE WHEN day < ?2 THEN ?2 ELSE day END \
                    WHERE \"key\" = ?1";
        sql.execute(note, values)?;
    } else {
        let policy_domain = &import.row.policy_domain;
        let columns = ["\"key\"", "day", "count"];
        let (insert, values) = insert_into(sql, "imported", policy_domain, columns, values);
        sql.execute(&insert, &values)?;
    }
    Ok(())
}

/// How many messages of a key were imported.
pub(crate) fn count_of(sql: &dyn Sql, key: Digest) -> Result<u64, SqlError> {
    Ok(noted(sql, key)?.unwrap_or(0))
}

fn noted(sql: &dyn Sql, key: Digest) -> Result<Option<u64>, SqlError> {
    let count = "SELECT count FROM imported WHERE \"key\" = ?1";
    sql.row(count, values![key.0.as_slice()], |row| row.get(0))
}

/// Forgets some of the keys of days before this one; how many.
pub(crate) fn remove_before(sql: &dyn Sql, day: Day) -> Result<u64, SqlError> {
    let old = "SELECT \"key\" FROM imported WHERE day < ?1 LIMIT ?2";
    let keys: Vec<Vec<u8>> = sql.rows(old, values![day.0, ROWS], |row| row.get(0))?;
    let mut removed = 0;
    for key in &keys {
        removed += sql.execute("DELETE FROM imported WHERE \"key\" = ?1", values![key.as_slice()])?;
    }
    Ok(removed)
}
