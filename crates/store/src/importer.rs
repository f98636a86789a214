//! What other programs counted, added to the tally: each message once, however often it is handed over.

use std::path::Path;
use std::time::Duration;

use crate::MAX_IMPORTS;
use crate::day::Day;
use crate::error::StoreError;
use crate::observation::TallyRow;
use crate::outbox::within;
use crate::sqlite;

/// Messages that another program has counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// What is counted here, the same whenever it is read again.
    pub key: String,
    /// When, in milliseconds since the epoch: it decides the UTC day of the tally.
    pub at_ms: u64,
    /// How many there are by now under this key. What was imported of them before is not added again.
    pub count: u64,
    /// The reporting row they count in.
    pub row: TallyRow,
}

/// What importing came to, in messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Added to the tally.
    pub new: u64,
    /// Those among them of days whose reports have been made: they are counted and not reported.
    pub of_reported_days: u64,
    /// There before.
    pub known: u64,
    /// Too old: their day is not kept any more.
    pub too_old: u64,
}

impl Imported {
    /// Adds another call's.
    pub fn add(&mut self, other: Self) {
        self.new += other.new;
        self.of_reported_days += other.of_reported_days;
        self.known += other.known;
        self.too_old += other.too_old;
    }
}

/// Adds to the tally beside the recorder, on a connection of its own and in short transactions. What has
/// returned is on disk, synced; the ledger of keys is written with it, so that a crash at any moment leaves
/// each message there once or not at all.
pub struct Importer {
    inner: sqlite::Outbox,
}

impl Importer {
    /// Opens the store, brings its schema up to date, and waits so long at most for others who write.
    ///
    /// # Errors
    /// When the store is of a newer version or another program's, or cannot be opened.
    pub fn open(path: impl AsRef<Path>, patience: Duration) -> Result<Self, StoreError> {
        let inner = sqlite::Outbox::open(path.as_ref(), patience)?;
        Ok(Self { inner })
    }

    /// Adds those that are not there yet, in one transaction; at most [`MAX_IMPORTS`]. Days before `kept_from`
    /// expire or have expired, with what is known of their keys, and are left out.
    ///
    /// # Errors
    /// When there are too many, or the store cannot be written: then none of them was added.
    pub fn import(&mut self, imports: &[Import], kept_from: Day) -> Result<Imported, StoreError> {
        within("list of imports", imports.len(), MAX_IMPORTS)?;
        self.inner.import(imports, kept_from)
    }

    /// What [`import`](Self::import) would come to; nothing is written.
    ///
    /// # Errors
    /// When there are too many, or the store cannot be read.
    pub fn rehearse(&mut self, imports: &[Import], kept_from: Day) -> Result<Imported, StoreError> {
        within("list of imports", imports.len(), MAX_IMPORTS)?;
        self.inner.rehearse_import(imports, kept_from)
    }
}
