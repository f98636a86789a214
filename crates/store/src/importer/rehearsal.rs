//! What importing would come to, without a trace in the store.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Import, Imported};
use crate::MAX_IMPORTS;
use crate::day::Day;
use crate::digest::Digest;
use crate::error::StoreError;
use crate::outbox::within;
use crate::sqlite;

/// Keys that a rehearsal remembers, in 200 MB of memory. Of a message that stands twice in more than that, it may
/// say that it is new twice; importing knows better.
pub const MAX_REHEARSED: usize = 5_000_000;

/// Says what [`Importer`](super::Importer) would do. Nothing is made, written, or brought up to date: a service
/// that runs here, of whatever version, does not notice.
#[derive(Debug)]
pub struct Rehearsal {
    /// None where there is no store yet: nothing was imported, and no day was reported about.
    store: Option<sqlite::Reading>,
    seen: Seen,
}

impl Rehearsal {
    /// Opens the store for reading. There may be none, or one that was last opened by a version without a ledger
    /// of imports.
    ///
    /// # Errors
    /// When the store is of a newer version or another program's, or cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let store = match sqlite::Reading::open(path.as_ref()) {
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
        for import in imports {
            let key = Digest::of(import.key.as_bytes());
            let before = match self.seen.count_of(key) {
                Some(count) => count,
                None => self.count_of(key)?,
            };
            let new = imported.settle(import, before, kept_from);
            if new == 0 {
                continue;
            }
            self.seen.note(key, import.count());
            if self.is_reported(import)? {
                imported.of_reported_days += new;
            }
        }
        Ok(imported)
    }

    fn count_of(&self, key: Digest) -> Result<u64, StoreError> {
        self.store.as_ref().map_or(Ok(0), |store| store.imported(key))
    }

    fn is_reported(&self, import: &Import) -> Result<bool, StoreError> {
        let domain = &import.row.policy_domain;
        let ask = |store: &sqlite::Reading| store.is_reported(import.day(), domain);
        self.store.as_ref().map_or(Ok(false), ask)
    }
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
