//! What other programs counted, added to the tally: each message once, however often it is handed over.

mod rehearsal;

use std::time::Duration;

use crate::MAX_IMPORTS;
use crate::books::Books;
use crate::day::Day;
use crate::error::StoreError;
use crate::limits::MAX_SUM;
use crate::observation::TallyRow;
use crate::outbox::within;
use crate::place::Place;

pub use rehearsal::{MAX_REHEARSED, Rehearsal};

/// Messages that another program has counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// What is counted here, the same whenever it is read again.
    pub key: String,
    /// When, in milliseconds since the epoch: it decides the UTC day of the tally.
    pub at_ms: u64,
    /// How many there are by now under this key, 10^15 at most. What was imported of them before is not added
    /// again.
    pub count: u64,
    /// The reporting row they count in.
    pub row: TallyRow,
}

impl Import {
    pub(crate) fn day(&self) -> Day {
        Day::at(self.at_ms)
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.min(MAX_SUM)
    }
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

    /// Counts all of its messages; how many of them are new, where so many of its key were there before.
    pub(crate) fn settle(&mut self, import: &Import, before: u64, kept_from: Day) -> u64 {
        let count = import.count();
        if import.day() < kept_from {
            self.too_old += count;
            return 0;
        }
        let new = count.saturating_sub(before);
        self.new += new;
        self.known += count - new;
        new
    }
}

/// Adds to the tally beside the recorder, on a connection of its own and in short transactions. What has
/// returned is on disk, synced; the ledger of keys is written with it, so that a crash at any moment leaves
/// each message there once or not at all.
pub struct Importer {
    books: Books,
}

impl Importer {
    /// Opens the store. The schema of a file is brought up to date, and others who write it are waited for so long at
    /// most.
    ///
    /// # Errors
    /// When the store is of a newer version or another program's, or cannot be opened; that of a server also when it
    /// is of an older version.
    pub fn open(place: impl Into<Place>, patience: Duration) -> Result<Self, StoreError> {
        let books = Books::open(place.into(), patience)?;
        Ok(Self { books })
    }

    /// Adds those that are not there yet, in one transaction; at most [`MAX_IMPORTS`]. Days before `kept_from`
    /// expire or have expired, with what is known of their keys, and are left out.
    ///
    /// # Errors
    /// When there are too many, or the store cannot be written: then none of them was added.
    pub fn import(&mut self, imports: &[Import], kept_from: Day) -> Result<Imported, StoreError> {
        within("list of imports", imports.len(), MAX_IMPORTS)?;
        self.books.import(imports, kept_from)
    }
}
