//! What the store holds of the messages of a test, held against what was answered.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use landmarc_store::{Day, LogFilter, Reader};

use super::letter::{QUARANTINE, REJECT, number_of_client, number_of_queue_id};
use super::traffic::Account;

/// How often each message that has a number stands in the store; there may be others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) observations: BTreeMap<u64, u64>,
    pub(super) tally: BTreeMap<u64, u64>,
}

impl Written {
    pub(super) fn read(database: &Path) -> Self {
        let reader = Reader::open(database).unwrap();
        let mut written = Self::default();
        let everything = LogFilter {
            limit: usize::MAX,
            ..LogFilter::default()
        };
        for row in reader.log(&everything).unwrap() {
            if let Some(number) = number_of_queue_id(&row.queue_id) {
                *written.observations.entry(number).or_default() += 1;
            }
        }
        let days = reader.status().unwrap().tally_days;
        let days = days.map_or(0..0, |(first, last)| first.0..last.0 + 1).map(Day);
        for (day, domain) in days.flat_map(|day| [REJECT, QUARANTINE].map(|domain| (day, domain))) {
            for (row, count) in reader.tally(day, domain).unwrap() {
                if let Some(number) = number_of_client(row.source_ip) {
                    *written.tally.entry(number).or_default() += count;
                }
            }
        }
        written
    }

    /// Asserts that every message that was answered is in both records exactly once, and one that
    /// was not answered at most once.
    #[track_caller]
    pub(super) fn assert_holds(&self, account: &Account) {
        assert_eq!(
            self.missing(account),
            BTreeSet::new(),
            "answered, and not written down"
        );
        self.assert_nothing_twice();
    }

    /// Asserts that no message is counted twice, and that both records tell of the same ones.
    #[track_caller]
    pub(super) fn assert_nothing_twice(&self) {
        for (name, record) in [("observations", &self.observations), ("tally", &self.tally)] {
            let twice: Vec<_> = record.iter().filter(|(_, count)| **count != 1).collect();
            assert_eq!(twice, [], "in the {name} more than once");
        }
        assert!(
            self.observations == self.tally,
            "one record has what the other has not"
        );
    }

    /// Messages that were answered and that one of the records lacks.
    pub(super) fn missing(&self, account: &Account) -> BTreeSet<u64> {
        let answered = account.answered.keys().copied();
        let is_there =
            |number: &u64| self.tally.contains_key(number) && self.observations.contains_key(number);
        answered.filter(|number| !is_there(number)).collect()
    }
}
