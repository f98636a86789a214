//! What other programs counted, added to the tally of the fleet.

use super::apply::{TALLY, make_day};
use super::fold::{Work, seen_first};
use super::known::KnownRows;
use super::{DatabaseServer, lock};
use crate::digest::Digests;
use crate::error::StoreError;
use crate::model::{Day, Import, Imported};
use crate::outbox;
use crate::prepared::CountedRow;

/// Adds those that are not there yet, in one transaction. Nobody else imports meanwhile.
pub(crate) fn import(
    server: &DatabaseServer,
    imports: &[Import],
    kept_from: Day,
) -> Result<Imported, StoreError> {
    let digests = Digests::new();
    let mut known = KnownRows::new();
    for import in imports.iter().filter(|import| import.day() >= kept_from) {
        make_day(server, &mut known, TALLY, import.day())?;
    }
    server.write("import", |session| {
        lock::beside_others(session)?;
        let mut counted = Vec::new();
        let imported = outbox::ledger::import(session, imports, kept_from, &mut |import, new| {
            let row = CountedRow::new(import.day(), import.row.clone(), &digests);
            counted.push((row, import.at_ms, new));
            Ok(())
        })?;
        // What is stored is looked up anew in each transaction: an expiry may have been between two of them.
        let mut nothing = KnownRows::new();
        let mut work = Work::new(session.engine());
        for (counted, at_ms, new) in &counted {
            work.add_counted(counted, *new, seen_first(*at_ms, 0), &mut nothing);
        }
        work.write_rows(session)?;
        work.write_imported(session)?;
        Ok(imported)
    })
}
