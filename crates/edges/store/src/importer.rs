//! What other programs counted, added to the tally: each message once, however often it is handed over.

mod rehearsal;

use std::time::Duration;

use crate::MAX_IMPORTS;
use crate::error::StoreError;
use crate::model::{Day, Import, Imported};
use crate::outbox::{OutboxDb, within};
use crate::place::StoreLocation;
use crate::server;

pub use rehearsal::{MAX_REHEARSED, Rehearsal};

/// Adds to the tally beside the recorder, on a connection of its own and in short transactions. What has
/// returned is on disk, synced; the ledger of keys is written with it, so that a crash at any moment leaves
/// each message there once or not at all.
pub struct Importer {
    db: OutboxDb,
}

impl Importer {
    /// Opens the store. The schema of a file is brought up to date, and others who write it are waited for so long at
    /// most.
    ///
    /// # Errors
    /// When the store is of a newer version or another program's, or cannot be opened; that of a server also when it
    /// is of an older version.
    pub fn open(place: impl Into<StoreLocation>, busy_timeout: Duration) -> Result<Self, StoreError> {
        let db = OutboxDb::open(place.into(), busy_timeout)?;
        Ok(Self { db })
    }

    /// Adds those that are not there yet, in one transaction; at most [`MAX_IMPORTS`](crate::MAX_IMPORTS). Days before `kept_from`
    /// expire or have expired, with what is known of their keys, and are left out.
    ///
    /// # Errors
    /// When there are too many, or the store cannot be written: then none of them was added.
    pub fn import(&mut self, imports: &[Import], kept_from: Day) -> Result<Imported, StoreError> {
        within("list of imports", imports.len(), MAX_IMPORTS)?;
        match &mut self.db {
            OutboxDb::File(file) => file.import(imports, kept_from),
            OutboxDb::Server(server) => server::import::import(server, imports, kept_from),
        }
    }
}
