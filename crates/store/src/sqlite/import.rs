//! Imports: the ledger of keys, and what it lets through into the tally.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};

use super::interned::Interned;
use super::outbox::{Outbox, is_reported};
use crate::day::{Day, as_integer};
use crate::digest::{Digest, Digests};
use crate::error::StoreError;
use crate::importer::{Import, Imported};
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

    pub(crate) fn rehearse_import(
        &mut self,
        imports: &[Import],
        kept_from: Day,
    ) -> Result<Imported, StoreError> {
        let doing = "see what is new";
        self.read(doing, |connection| {
            let mut imported = Imported::default();
            let mut seen = BTreeMap::new();
            for import in imports {
                let key = Digest::of(import.key.as_bytes());
                let before = match seen.get(&key.0) {
                    Some(count) => *count,
                    None => count_of(connection, key)?,
                };
                seen.insert(key.0, before.max(import.count));
                let _ = settle(connection, import, before, kept_from, &mut imported)?;
            }
            Ok(imported)
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
    // Not by way of the journal: the recorder counts its entries, and would not know of these.
    let sql = "INSERT INTO tally (day, policy_domain, reporting_row, count) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (day, policy_domain, reporting_row) DO UPDATE SET count = count + excluded.count";
    let mut count = connection.prepare_cached(sql)?;
    for import in imports {
        let key = Digest::of(import.key.as_bytes());
        let before = count_of(connection, key)?;
        let new = settle(connection, import, before, kept_from, &mut imported)?;
        if new == 0 {
            continue;
        }
        let day = Day::at(import.at_ms);
        let counted = Counted::new(day, import.row.clone(), digests);
        let (row, policy_domain) = interned.row(connection, &counted)?;
        count.execute((day.0, policy_domain, row, as_integer(new)))?;
        note.execute((key.0, day.0, as_integer(import.count)))?;
    }
    Ok(imported)
}

/// How many of its messages are new; counts them all.
fn settle(
    connection: &Connection,
    import: &Import,
    before: u64,
    kept_from: Day,
    imported: &mut Imported,
) -> rusqlite::Result<u64> {
    let day = Day::at(import.at_ms);
    if day < kept_from {
        imported.too_old += import.count;
        return Ok(0);
    }
    let new = import.count.saturating_sub(before);
    imported.new += new;
    imported.known += import.count - new;
    if new > 0 && is_reported(connection, day, &import.row.policy_domain)? {
        imported.of_reported_days += new;
    }
    Ok(new)
}

fn count_of(connection: &Connection, key: Digest) -> rusqlite::Result<u64> {
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
