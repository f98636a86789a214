//! Counts without their messages: what is kept of a record to the last, and what a batch adds to
//! the tally and to the rules.

use std::collections::HashMap;
use std::sync::Arc;

use crate::digest::Digest;
use crate::model::{Day, QueueLimits, RecordLosses};
use crate::prepared::{CountedRow, Hit, Prepared};

/// Rows of the tally and names of rules, with how often each was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct FoldedCounts {
    pub(crate) tallies: HashMap<(Day, Digest), (CountedRow, u64)>,
    pub(crate) rules: HashMap<Arc<str>, Hits>,
    /// Octets in memory, about.
    bytes: usize,
}

/// How often a rule decided; since when it is known, and when it decided last, 0 for never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hits {
    pub(crate) count: u64,
    pub(crate) first_ms: u64,
    pub(crate) last_ms: u64,
}

impl FoldedCounts {
    pub(crate) fn is_empty(&self) -> bool {
        self.tallies.is_empty() && self.rules.is_empty()
    }

    /// Rows and rules.
    pub(crate) fn len(&self) -> usize {
        self.tallies.len() + self.rules.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is lost when all of it is.
    pub(crate) fn lost(&self) -> RecordLosses {
        RecordLosses {
            tallies: self.tallies.values().map(|(_, count)| count).sum(),
            rule_hits: self.rules.values().map(|hits| hits.count).sum(),
            ..RecordLosses::default()
        }
    }

    /// Counts the record in.
    pub(crate) fn add(&mut self, record: &Prepared) {
        if let Some(counted) = &record.counted {
            self.add_tally(counted.clone(), 1);
        }
        if let Some(hit) = &record.hit {
            self.add_hits(Arc::clone(&hit.name), Hits::of(hit));
        }
    }

    /// Counts the record in, as far as there is room for it; what was lost for want of it.
    pub(crate) fn add_within(&mut self, record: Prepared, limits: QueueLimits) -> RecordLosses {
        let mut lost = RecordLosses::default();
        if let Some(counted) = record.counted {
            let known = self.tallies.contains_key(&(counted.day, counted.digest));
            if known || self.room(limits, tally_bytes(&counted)) {
                self.add_tally(counted, 1);
            } else {
                lost.tallies = 1;
            }
        }
        if let Some(hit) = record.hit {
            if self.rules.contains_key(&hit.name) || self.room(limits, rule_bytes(&hit.name)) {
                self.add_hits(Arc::clone(&hit.name), Hits::of(&hit));
            } else {
                lost.rule_hits = hit.lost();
            }
        }
        lost
    }

    /// Adds what another has counted.
    pub(crate) fn merge(&mut self, other: Self) {
        for (counted, count) in other.tallies.into_values() {
            self.add_tally(counted, count);
        }
        for (name, hits) in other.rules {
            self.add_hits(name, hits);
        }
    }

    /// Takes so many rows out, and so many rules.
    pub(crate) fn take(&mut self, most: usize) -> Self {
        let mut taken = Self {
            tallies: self.tallies.extract_if(|_, _| true).take(most).collect(),
            rules: self.rules.extract_if(|_, _| true).take(most).collect(),
            bytes: 0,
        };
        let tallies = taken.tallies.values().map(|(counted, _)| tally_bytes(counted));
        let rules = taken.rules.keys().map(|name| rule_bytes(name));
        taken.bytes = tallies.chain(rules).sum();
        self.bytes = self.bytes.saturating_sub(taken.bytes);
        taken
    }

    fn room(&self, limits: QueueLimits, bytes: usize) -> bool {
        self.len() < limits.records && self.bytes + bytes <= limits.bytes
    }

    pub(crate) fn add_tally(&mut self, counted: CountedRow, count: u64) {
        let bytes = &mut self.bytes;
        let entry = self
            .tallies
            .entry((counted.day, counted.digest))
            .or_insert_with(|| {
                *bytes += tally_bytes(&counted);
                (counted, 0)
            });
        entry.1 = entry.1.saturating_add(count);
    }

    pub(crate) fn add_hits(&mut self, name: Arc<str>, hits: Hits) {
        if let Some(known) = self.rules.get_mut(&name) {
            *known = known.and(hits);
        } else {
            self.bytes += rule_bytes(&name);
            self.rules.insert(name, hits);
        }
    }
}

impl Hits {
    fn of(hit: &Hit) -> Self {
        Self {
            count: u64::from(hit.decided),
            first_ms: hit.at_ms,
            last_ms: if hit.decided { hit.at_ms } else { 0 },
        }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_add(other.count),
            first_ms: self.first_ms.min(other.first_ms),
            last_ms: self.last_ms.max(other.last_ms),
        }
    }
}

fn tally_bytes(counted: &CountedRow) -> usize {
    size_of::<(CountedRow, u64)>() + counted.bytes
}

fn rule_bytes(name: &str) -> usize {
    size_of::<(Arc<str>, Hits)>() + name.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepared::tests::{observation, prepared, row};

    const ROOM: QueueLimits = QueueLimits {
        bytes: usize::MAX,
        records: usize::MAX,
    };

    fn ruled(number: u64, rule: &str) -> Prepared {
        let mut one = observation(number);
        one.rule = Some(rule.to_owned());
        one.row = Some(row(&format!("{number}.example")));
        prepared(one)
    }

    #[test]
    fn hits_of_a_rule_are_counted_with_their_first_and_last_time() {
        let mut folded = FoldedCounts::default();
        for number in [5, 3, 9] {
            folded.add(&ruled(number, "forwarder"));
        }
        folded.add(&ruled(4, "list"));
        let midnight = observation(0).at_ms;
        let hits = folded.rules.get("forwarder").unwrap();
        let expected = Hits {
            count: 3,
            first_ms: midnight + 3,
            last_ms: midnight + 9,
        };
        assert_eq!((*hits, folded.tallies.len(), folded.len()), (expected, 4, 6));
        assert_eq!((folded.lost().tallies, folded.lost().rule_hits), (4, 4));
    }

    #[test]
    fn what_is_taken_and_put_back_is_the_same() {
        let mut folded = FoldedCounts::default();
        for number in 0..10 {
            folded.add(&ruled(number, &format!("rule {}", number % 5)));
        }
        let (bytes, lost) = (folded.bytes(), folded.lost());
        let taken = folded.take(3);
        assert_eq!((taken.len(), folded.len()), (6, 9));
        assert_eq!(taken.bytes() + folded.bytes(), bytes);
        folded.merge(taken);
        assert_eq!((folded.bytes(), folded.lost()), (bytes, lost));
        drop(folded.take(10));
        assert!(folded.is_empty() && folded.bytes() == 0);
    }

    #[test]
    fn what_finds_no_room_is_lost_and_what_is_known_needs_none() {
        let two = QueueLimits { records: 2, ..ROOM };
        let mut folded = FoldedCounts::default();
        assert_eq!(folded.add_within(ruled(1, "a"), two), RecordLosses::default());
        let lost = folded.add_within(ruled(2, "b"), two);
        assert_eq!((lost.tallies, lost.rule_hits), (1, 1));
        assert_eq!(folded.add_within(ruled(1, "a"), two), RecordLosses::default());
        let tight = QueueLimits {
            bytes: folded.bytes(),
            ..ROOM
        };
        assert_eq!(folded.add_within(ruled(2, "b"), tight).rule_hits, 1);
        assert_eq!(folded.lost().rule_hits, 2);
    }
}
