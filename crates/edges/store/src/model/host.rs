//! The hosts of a fleet: what they say about themselves, and what is known of them.

use std::collections::HashMap;

use super::HostId;

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
pub struct Heartbeat {
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
pub struct HostProgress {
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
