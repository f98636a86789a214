//! Taking in what other hosts recorded: each entry once, in whatever order they come and however often.

use std::collections::HashMap;
use std::time::Duration;

use crate::error::StoreError;
use crate::limits::MAX_GAP;
use crate::limits::MAX_WORD;
use crate::place::Place;
use crate::server::apply::Applier;
use crate::spool::{HostId, Segment, SegmentError};
use crate::sqlite;

/// Applies segments to the store of a fleet, which a recorder may be writing at the same time.
#[derive(Debug)]
pub struct Collector {
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    File(Box<sqlite::Collector>),
    Server(Box<Applier>),
}

/// What applying a segment came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Entries that are in the store now and were not before.
    pub new_batches: u64,
    /// Entries that were there before, whole or in part.
    pub known_batches: u64,
    /// Messages that the new ones count.
    pub messages: u64,
    /// Those among them of days whose reports have been made: they are counted and not reported.
    pub of_reported_days: u64,
}

impl Applied {
    /// Adds another segment's.
    pub fn add(&mut self, other: Self) {
        self.new_batches += other.new_batches;
        self.known_batches += other.known_batches;
        self.messages = self.messages.saturating_add(other.messages);
        self.of_reported_days = self.of_reported_days.saturating_add(other.of_reported_days);
    }
}

/// What a host says about itself now and then, so that others know how far behind it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Its id.
    pub host: HostId,
    /// Its name, of [`MAX_WORD`](crate::MAX_WORD) octets at most.
    pub name: String,
    /// What its clock says, in milliseconds since the epoch.
    pub clock_ms: u64,
    /// By its clock: all that it recorded before was handed over.
    pub caught_up_ms: u64,
    /// Messages that wait at it.
    pub pending: u64,
}

/// What a collector knows of a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// All entries up to this number are in the store; 0 for none.
    pub through: u64,
    /// The highest number of all that are.
    pub highest: u64,
}

/// A host of the fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostStatus {
    /// Its id, by which it was heard of last.
    pub id: HostId,
    /// Its name.
    pub name: String,
    /// All entries up to this number are in the store.
    pub through: u64,
    /// Entries that have not come, though later ones have.
    pub missing: u64,
    /// When it was heard of last, by the clock of the store.
    pub seen_ms: u64,
    /// By how much its clock is ahead of that of the store, in milliseconds.
    pub clock_offset_ms: i64,
    /// By its clock: all that it recorded before is in the store. 0 when it has never said so.
    pub caught_up_ms: u64,
    /// Messages that waited at it when it was heard of last.
    pub pending: u64,
}

impl Collector {
    /// Opens the store; a file is brought up to date, and others who write to it are waited for so long at most.
    ///
    /// # Errors
    /// When the store is of a newer version or another program's, or cannot be opened.
    pub fn open(place: impl Into<Place>, patience: Duration) -> Result<Self, StoreError> {
        let inner = match place.into() {
            Place::File(path) => Inner::File(Box::new(sqlite::Collector::open(&path, patience)?)),
            Place::Server(server) => {
                server.check()?;
                Inner::Server(Box::new(Applier::new(server)))
            }
        };
        Ok(Self { inner })
    }

    /// Adds what is new in a segment. Each entry is added whole or not at all, together with the note that it
    /// is there; so that after a crash at any moment the segment may be applied again.
    ///
    /// # Errors
    /// When the store cannot be written. Some entries may have been added.
    pub fn apply(&mut self, segment: &Segment, now_ms: u64) -> Result<Applied, StoreError> {
        let (last, highest) = (segment.last(), self.highest(segment.host())?);
        if last.saturating_sub(highest) > MAX_GAP {
            let source = SegmentError::Gap { last, highest };
            return Err(StoreError::Segment { source });
        }
        match &mut self.inner {
            Inner::File(file) => file.apply(segment, now_ms),
            Inner::Server(server) => server.apply(segment),
        }
    }

    /// The highest number of a host that is in; 0 when it is not known.
    fn highest(&mut self, host: HostId) -> Result<u64, StoreError> {
        match &mut self.inner {
            Inner::File(file) => file.highest(host),
            Inner::Server(server) => server.highest(host),
        }
    }

    /// Notes that a host was heard of, and what it said; tells what is known of it. A server goes by its own
    /// clock in place of `now_ms`.
    ///
    /// # Errors
    /// When the name is too long, or the store cannot be written.
    pub fn beat(&mut self, beat: &Beat, now_ms: u64) -> Result<Known, StoreError> {
        crate::outbox::within("name of a host", beat.name.len(), MAX_WORD)?;
        match &mut self.inner {
            Inner::File(file) => file.beat(beat, now_ms),
            Inner::Server(server) => server.beat(beat),
        }
    }
}

/// One for each name, in alphabetical order. A host takes a new id whenever its recorder begins: what it says of
/// itself is what it said last, and what is missing is missing under any of its ids.
pub(crate) fn by_name(all: Vec<HostStatus>) -> Vec<HostStatus> {
    let mut hosts: HashMap<String, HostStatus> = HashMap::new();
    for one in all {
        match hosts.get_mut(&one.name) {
            None => drop(hosts.insert(one.name.clone(), one)),
            Some(known) => {
                let missing = known.missing.saturating_add(one.missing);
                if (one.seen_ms, one.caught_up_ms) >= (known.seen_ms, known.caught_up_ms) {
                    *known = one;
                }
                known.missing = missing;
            }
        }
    }
    let mut hosts: Vec<HostStatus> = hosts.into_values().collect();
    hosts.sort_by(|one, other| one.name.cmp(&other.name));
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, id: u8, seen_ms: u64, missing: u64) -> HostStatus {
        HostStatus {
            id: HostId::from([id; 16]),
            name: name.to_owned(),
            through: u64::from(id),
            missing,
            seen_ms,
            clock_offset_ms: 0,
            caught_up_ms: seen_ms,
            pending: 0,
        }
    }

    #[test]
    fn a_host_is_what_it_said_last_and_misses_what_any_of_its_ids_misses() {
        let all = vec![host("mx2", 1, 5, 0), host("mx1", 2, 9, 1), host("mx1", 3, 7, 2)];
        let hosts = by_name(all);
        let found: Vec<_> = hosts
            .iter()
            .map(|one| (one.name.as_str(), one.through, one.missing))
            .collect();
        assert_eq!(found, [("mx1", 2, 3), ("mx2", 1, 0)]);
    }
}
