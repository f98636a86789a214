//! Counters that many tasks add to at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{PoisonError, RwLock};

/// Names that are counted apart; as many as there can be rules in a file. Reloads may bring others: past
/// that they are counted together, as [`OTHER`].
const MAX_NAMES: usize = 1_000;

/// What has no name of its own in a table.
pub(super) const OTHER: &str = "other";

/// The values of labels: the words of logs, settings and reports.
pub(super) mod words {
    use super::OTHER;

    pub(crate) const DMARC: [&str; 5] = ["none", "pass", "fail", "temperror", "permerror"];
    pub(crate) const DISPOSITION: [&str; 4] = ["none", "pass", "quarantine", "reject"];
    pub(crate) const STEP: [&str; 4] = ["accept", "quarantine", "reject", "tempfail"];
    pub(crate) const SPF: [&str; 7] = [
        "none",
        "neutral",
        "pass",
        "fail",
        "softfail",
        "temperror",
        "permerror",
    ];
    pub(crate) const DKIM: [&str; 6] = ["pass", "fail", "policy", "neutral", "temperror", "permerror"];
    pub(crate) const ARC: [&str; 3] = ["none", "pass", "fail"];
    pub(crate) const SKIPPED: [&str; 7] = [
        "trusted_network",
        "trusted_name",
        "local_program",
        "authenticated",
        "author_domain",
        "recipient",
        OTHER,
    ];
    pub(crate) const FAILURE: [&str; 8] = [
        "dns",
        "dns_with_policy",
        "unusable_record",
        "budget",
        "internal",
        "store",
        "memory",
        OTHER,
    ];
}

/// The place of each value among its words; the compiler sees to it that none is left out.
pub(super) mod places {
    use landmarc_auth::arc::ArcStatus;
    use landmarc_auth::dkim::DkimVerdict;
    use landmarc_auth::spf::SpfResult;
    use landmarc_dmarc::evaluation::DmarcResult;
    use landmarc_receiver::action::{Disposition, Step};

    use super::words;

    pub(crate) fn dmarc(result: &DmarcResult) -> usize {
        match result {
            DmarcResult::None => 0,
            DmarcResult::Pass(_) => 1,
            DmarcResult::Fail => 2,
            DmarcResult::TempError => 3,
            DmarcResult::PermError => 4,
        }
    }

    pub(crate) fn disposition(disposition: Disposition) -> usize {
        match disposition {
            Disposition::None => 0,
            Disposition::Pass => 1,
            Disposition::Quarantine => 2,
            Disposition::Reject => 3,
        }
    }

    pub(crate) fn step(step: &Step) -> usize {
        match step {
            Step::Accept => 0,
            Step::Quarantine(..) => 1,
            Step::Reject(_) => 2,
            Step::TempFail(_) => 3,
        }
    }

    pub(crate) fn spf(result: SpfResult) -> usize {
        match result {
            SpfResult::None => 0,
            SpfResult::Neutral => 1,
            SpfResult::Pass => 2,
            SpfResult::Fail => 3,
            SpfResult::SoftFail => 4,
            SpfResult::TempError => 5,
            SpfResult::PermError => 6,
        }
    }

    pub(crate) fn dkim(verdict: DkimVerdict) -> usize {
        match verdict {
            DkimVerdict::Pass => 0,
            DkimVerdict::Fail => 1,
            DkimVerdict::Policy => 2,
            DkimVerdict::Neutral => 3,
            DkimVerdict::TempError => 4,
            DkimVerdict::PermError => 5,
        }
    }

    pub(crate) fn arc(status: ArcStatus) -> usize {
        match status {
            ArcStatus::None => 0,
            ArcStatus::Pass => 1,
            ArcStatus::Fail => 2,
        }
    }

    /// The place of a message in the table of all three.
    pub(crate) const fn message(dmarc: usize, disposition: usize, step: usize) -> usize {
        (dmarc * words::DISPOSITION.len() + disposition) * words::STEP.len() + step
    }

    /// The place of a word; that of the last one, which is for all others, where it has none.
    pub(crate) fn of(word: &str, words: &[&str]) -> usize {
        let place = words.iter().position(|known| *known == word);
        place.unwrap_or(words.len().saturating_sub(1))
    }
}

/// A counter for each place of a table.
#[derive(Debug)]
pub(super) struct Counts<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for Counts<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl<const N: usize> Counts<N> {
    pub(super) fn add(&self, place: usize) {
        if let Some(counter) = self.0.get(place) {
            counter.fetch_add(1, Relaxed);
        }
    }

    /// In the order of the places.
    pub(super) fn read(&self) -> [u64; N] {
        std::array::from_fn(|place| self.0.get(place).map_or(0, |counter| counter.load(Relaxed)))
    }
}

/// A counter for each name of a rule.
#[derive(Debug, Default)]
pub(super) struct Named(RwLock<BTreeMap<String, AtomicU64>>);

impl Named {
    pub(super) fn add(&self, name: &str) {
        // Each change is one call, complete or not begun; here and below.
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = known.get(name) {
            counter.fetch_add(1, Relaxed);
            return;
        }
        drop(known);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let name = if known.len() < MAX_NAMES { name } else { OTHER };
        known.entry(name.to_owned()).or_default().fetch_add(1, Relaxed);
    }

    /// In the order of the names.
    pub(super) fn read(&self) -> Vec<(String, u64)> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let read = |(name, counter): (&String, &AtomicU64)| (name.clone(), counter.load(Relaxed));
        known.iter().map(read).collect()
    }
}

/// How often values were how large: at most each of the bounds, or more than all.
#[derive(Debug)]
pub(super) struct Distribution<const N: usize> {
    bounds: [u64; N],
    within: Counts<N>,
    beyond: AtomicU64,
    sum: AtomicU64,
}

impl<const N: usize> Distribution<N> {
    pub(super) fn new(bounds: [u64; N]) -> Self {
        Self {
            bounds,
            within: Counts::default(),
            beyond: AtomicU64::new(0),
            sum: AtomicU64::new(0),
        }
    }

    pub(super) fn add(&self, value: u64) {
        match self.bounds.iter().position(|bound| value <= *bound) {
            Some(place) => self.within.add(place),
            None => {
                self.beyond.fetch_add(1, Relaxed);
            }
        }
        self.sum.fetch_add(value, Relaxed);
    }

    /// The sum of all values; and how many there were within each bound and past the one before, then
    /// past all.
    pub(super) fn read(&self) -> (u64, Vec<(Option<u64>, u64)>) {
        let bounds = self.bounds.iter().copied().map(Some);
        let mut buckets: Vec<_> = bounds.zip(self.within.read()).collect();
        buckets.push((None, self.beyond.load(Relaxed)));
        (self.sum.load(Relaxed), buckets)
    }
}

#[cfg(test)]
mod tests {
    use landmarc_auth::arc::ArcStatus;
    use landmarc_auth::dkim::DkimVerdict;
    use landmarc_auth::spf::SpfResult;
    use landmarc_dmarc::evaluation::DmarcResult;
    use landmarc_receiver::action::{Disposition, Reply, Step};
    use landmarc_receiver::local::QuarantineBy;

    use super::*;

    /// One word for one thing: labels say what the log says.
    #[test]
    fn each_value_is_at_the_place_of_its_word() {
        for result in [
            DmarcResult::None,
            DmarcResult::Fail,
            DmarcResult::TempError,
            DmarcResult::PermError,
        ] {
            assert_eq!(words::DMARC[places::dmarc(&result)], result.as_str());
        }
        for disposition in [
            Disposition::None,
            Disposition::Pass,
            Disposition::Quarantine,
            Disposition::Reject,
        ] {
            assert_eq!(
                words::DISPOSITION[places::disposition(disposition)],
                disposition.as_str()
            );
        }
        let reply = || Reply::new(450, "4.7.1", "later");
        for step in [
            Step::Accept,
            Step::Quarantine(QuarantineBy::Hold, String::new()),
            Step::Reject(reply()),
            Step::TempFail(reply()),
        ] {
            assert_eq!(words::STEP[places::step(&step)], step.as_str());
        }
        for result in [
            SpfResult::None,
            SpfResult::Neutral,
            SpfResult::Pass,
            SpfResult::Fail,
            SpfResult::SoftFail,
            SpfResult::TempError,
            SpfResult::PermError,
        ] {
            assert_eq!(words::SPF[places::spf(result)], result.as_str());
        }
        for verdict in [
            DkimVerdict::Pass,
            DkimVerdict::Fail,
            DkimVerdict::Policy,
            DkimVerdict::Neutral,
            DkimVerdict::TempError,
            DkimVerdict::PermError,
        ] {
            assert_eq!(words::DKIM[places::dkim(verdict)], verdict.as_str());
        }
        for status in [ArcStatus::None, ArcStatus::Pass, ArcStatus::Fail] {
            assert_eq!(words::ARC[places::arc(status)], status.as_str());
        }
    }

    #[test]
    fn every_kind_of_message_has_a_place_of_its_own() {
        let mut places: Vec<usize> = Vec::new();
        for dmarc in 0..words::DMARC.len() {
            for disposition in 0..words::DISPOSITION.len() {
                places.extend((0..words::STEP.len()).map(|step| places::message(dmarc, disposition, step)));
            }
        }
        assert_eq!(places, (0..80).collect::<Vec<_>>());
    }

    #[test]
    fn a_word_that_is_not_in_the_table_is_counted_as_other() {
        assert_eq!(places::of("dns", &words::FAILURE), 0);
        assert_eq!(words::FAILURE[places::of("flood", &words::FAILURE)], OTHER);
        assert_eq!(words::SKIPPED[places::of("", &words::SKIPPED)], OTHER);
    }

    #[test]
    fn names_at_the_limit_and_one_past_it() {
        let named = Named::default();
        for number in 0..MAX_NAMES {
            named.add(&format!("rule-{number}"));
        }
        assert_eq!(named.read().len(), MAX_NAMES);
        for name in ["one more", "and another", "rule-0"] {
            named.add(name);
        }
        let read = named.read();
        assert_eq!(read.len(), MAX_NAMES + 1);
        assert!(read.contains(&(OTHER.to_owned(), 2)));
        assert!(read.contains(&("rule-0".to_owned(), 2)));
    }

    #[test]
    fn a_value_belongs_to_the_first_bound_that_is_not_below_it() {
        let distribution = Distribution::new([0, 10, 20]);
        for value in [0, 1, 10, 11, 20, 21, 1_000] {
            distribution.add(value);
        }
        let (sum, buckets) = distribution.read();
        assert_eq!(sum, 1_063);
        assert_eq!(buckets, [(Some(0), 1), (Some(10), 2), (Some(20), 2), (None, 2)]);
    }
}
