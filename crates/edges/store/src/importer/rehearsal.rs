//! What importing would come to, without a trace in the store.

use std::collections::BTreeMap;

use crate::MAX_IMPORTS;
use crate::digest::Digest;
use crate::error::StoreError;
use crate::model::{Day, Import, Imported};
use crate::outbox::within;
use crate::outbox::{days, ledger};
use crate::place::StoreLocation;
use crate::reading::StoreConnection;
use crate::sqlite::{IMPORTS, REPORTS};

/// Keys that a rehearsal remembers, in 200 MB of memory. Of a message that stands twice in more than that, it may
/// say that it is new twice; importing knows better.
pub const MAX_REHEARSED: usize = 5_000_000;

/// Says what [`Importer`](super::Importer) would do. Nothing is made, written, or brought up to date: a service
/// that runs here, of whatever version, does not notice.
#[derive(Debug)]
pub struct Rehearsal {
    /// None where there is no store yet: nothing was imported, and no day was reported about.
    store: Option<StoreConnection>,
    seen: Seen,
}

impl Rehearsal {
    /// Opens the store for reading. Of a file there may be none, or one that was last opened by a version without a
    /// ledger of imports.
    ///
    /// # Errors
    /// When the store is of a newer version or another program's, or cannot be opened.
    pub fn open(place: impl Into<StoreLocation>) -> Result<Self, StoreError> {
        let store = match StoreConnection::open(place.into()) {
            Ok(store) => Some(store),
            Err(StoreError::Missing { .. }) => None,
            Err(error) => return Err(error),
        };
        let seen = Seen::of(MAX_REHEARSED);
        Ok(Self { store, seen })
    }

    /// What [`import`](super::Importer::import) would come to, after all that was rehearsed before.
    ///
    /// # Errors
    /// When there are too many, or the store cannot be read.
    pub fn import(&mut self, imports: &[Import], kept_from: Day) -> Result<Imported, StoreError> {
        within("list of imports", imports.len(), MAX_IMPORTS)?;
        let mut imported = Imported::default();
        let ledger = self.ledger_of(imports)?;
        let mut new = Vec::new();
        for import in imports {
            let key = digest_of(import);
            let noted = ledger.get(&key.0).copied().unwrap_or(0);
            let before = self.seen.count_of(key).unwrap_or(noted);
            let count = imported.settle(import, before, kept_from);
            if count > 0 {
                self.seen.note(key, import.count());
                new.push((import, count));
            }
        }
        imported.of_reported_days = self.of_reported_days(&new)?;
        Ok(imported)
    }

    /// What the ledger says of these, where it says anything.
    fn ledger_of(&self, imports: &[Import]) -> Result<BTreeMap<[u8; 16], u64>, StoreError> {
        let Some(store) = &self.store else {
            return Ok(BTreeMap::new());
        };
        store.since(IMPORTS, "see what is new", |sql| {
            let keys = imports.iter().map(digest_of);
            keys.map(|key| Ok((key.0, ledger::count_of(sql, key)?))).collect()
        })
    }

    /// How many of these messages come too late for a report.
    fn of_reported_days(&self, new: &[(&Import, u64)]) -> Result<u64, StoreError> {
        let Some(store) = &self.store else {
            return Ok(0);
        };
        store.since(REPORTS, "see what is reported", |sql| {
            let mut late = 0;
            for (import, count) in new {
                if days::is_reported(sql, import.day(), &import.row.policy_domain)? {
                    late += count;
                }
            }
            Ok(late)
        })
    }
}

fn digest_of(import: &Import) -> Digest {
    Digest::of(import.key.as_bytes())
}

/// What would be in the ledger by now, beside what is in it.
#[derive(Debug)]
struct Seen {
    counts: BTreeMap<[u8; 16], u64>,
    room: usize,
}

impl Seen {
    fn of(room: usize) -> Self {
        let counts = BTreeMap::new();
        Self { counts, room }
    }

    fn count_of(&self, key: Digest) -> Option<u64> {
        self.counts.get(&key.0).copied()
    }

    fn note(&mut self, key: Digest, count: u64) {
        if let Some(known) = self.counts.get_mut(&key.0) {
            *known = count;
        } else if self.counts.len() < self.room {
            self.counts.insert(key.0, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_keys_are_remembered_and_those_that_are_go_on_being() {
        let [a, b, c] = ["a", "b", "c"].map(|key| Digest::of(key.as_bytes()));
        let mut seen = Seen::of(2);
        for key in [a, b, c] {
            seen.note(key, 1);
        }
        seen.note(a, 5);
        let counts = [a, b, c].map(|key| seen.count_of(key));
        assert_eq!(counts, [Some(5), Some(1), None]);
    }
}
