//! Imports: the ledger of keys, and what it lets through into the tally.

use rusqlite::{Connection, OptionalExtension};

use super::interned::Interned;
use super::outbox::{Outbox, is_reported};
use crate::day::Day;
use crate::digest::{Digest, Digests};
use crate::error::StoreError;
use crate::importer::{Import, Imported, MAX_SUM};
use crate::prepared::Counted;

/// Most rows of the ledger removed in one step of expiry.
const ROWS: i64 = 2_000;

impl Outbox {
    pub(crate) fn import(&mut self, imports: &[Import], kept_from: Day) -> Result<Imported, StoreError> {
        let digests = Digests::new();
        self.write("import", |connection| {
            add(connection, imports, kept_from, &digests)
        })
    }
}

fn add(
    connection: &Connection,
    imports: &[Import],
    kept_from: Day,
    digests: &Digests,
) -> rusqlite::Result<Imported> {
    let mut imported = Imported::default();
    // Numbers are looked up anew in each transaction: an expiry may have been between two of them.
    let mut interned = Interned::default();
    let sql = "INSERT INTO imported (key, day, count) VALUES (?1, ?2, ?3) \
               ON CONFLICT (key) DO UPDATE SET count = excluded.count, day = max(day, excluded.day)";
    let mut note = connection.prepare_cached(sql)?;
    // Not by way of the journal: the recorder counts its entries, and would not know of these. A sum past 64
    // bits is a floating-point number to SQLite, which the column would refuse, and with it every import from
    // then on: it stays at its limit.
    let sql = "INSERT INTO tally (day, policy_domain, reporting_row, count) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (day, policy_domain, reporting_row) \
               DO UPDATE SET count = max(count, min(count + excluded.count, ?5))";
    let mut count = connection.prepare_cached(sql)?;
    for import in imports {
        let key = Digest::of(import.key.as_bytes());
        let before = count_of(connection, key)?;
        let new = imported.settle(import, before, kept_from);
        if new == 0 {
            continue;
        }
        let day = import.day();
        if is_reported(connection, day, &import.row.policy_domain)? {
            imported.of_reported_days += new;
        }
        let counted = Counted::new(day, import.row.clone(), digests);
        let (row, policy_domain) = interned.row(connection, &counted)?;
        count.execute((day.0, policy_domain, row, integer(new), integer(MAX_SUM)))?;
        note.execute((key.0, day.0, integer(import.count())))?;
    }
    Ok(imported)
}

/// A count as the database holds it.
fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// How many messages of a key were imported.
pub(super) fn count_of(connection: &Connection, key: Digest) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached("SELECT count FROM imported WHERE key = ?1")?;
    let count: Option<u64> = statement.query_row([key.0], |row| row.get(0)).optional()?;
    Ok(count.unwrap_or(0))
}

/// Forgets some of the keys of days before this one; how many.
pub(super) fn remove_before(connection: &Connection, day: Day) -> rusqlite::Result<u64> {
    let sql = "DELETE FROM imported WHERE key IN (SELECT key FROM imported WHERE day < ?1 LIMIT ?2)";
    let removed = connection.prepare_cached(sql)?.execute((day.0, ROWS))?;
    Ok(removed as u64)
}
