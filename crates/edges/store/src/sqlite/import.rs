//! Imports: what the ledger lets through goes into the tally.

use rusqlite::Connection;

use super::interned::Interned;
use super::secondary::SecondaryConnection;
use crate::digest::Digests;
use crate::error::StoreError;
use crate::limits::MAX_SUM;
use crate::model::{Day, Import, Imported};
use crate::outbox::ledger;
use crate::prepared::CountedRow;
use crate::sql::{SqlError, integer};

impl SecondaryConnection {
    pub(crate) fn import(&mut self, imports: &[Import], kept_from: Day) -> Result<Imported, StoreError> {
        let digests = Digests::new();
        self.write("import", |statements| {
            // Numbers are looked up anew in each transaction: an expiry may have been between two of them.
            let mut interned = Interned::default();
            ledger::import(statements, imports, kept_from, &mut |import, new| {
                let counted = CountedRow::new(import.day(), import.row.clone(), &digests);
                add(statements.0, &mut interned, &counted, new)
            })
        })
    }
}

/// Not by way of the journal: the recorder counts its entries, and would not know of these. A sum past 64
/// bits is a floating-point number to SQLite, which the column would refuse, and with it every import from
/// then on: it stays at its limit.
fn add(
    connection: &Connection,
    interned: &mut Interned,
    counted: &CountedRow,
    new: u64,
) -> Result<(), SqlError> {
    let (row, policy_domain) = interned.row(connection, counted)?;
    let sql = "INSERT INTO tally (day, policy_domain, reporting_row, count) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (day, policy_domain, reporting_row) \
               DO UPDATE SET count = max(count, min(count + excluded.count, ?5))";
    let values = (counted.day.0, policy_domain, row, integer(new), integer(MAX_SUM));
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}
