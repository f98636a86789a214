//! What a host knows to be stored: so that a row that counts again and again is written once a day.

use std::collections::HashSet;

use crate::digest::Digest;
use crate::model::Day;
use crate::recent::Recent;

/// Digests remembered of each kind: about 10 MB for all of them together, when all are there.
const REMEMBERED: usize = 40_000;
/// Days remembered: those of a spool that was away for a year.
const DAYS: usize = 400;

/// What is stored, and on which days it is marked as used.
#[derive(Debug)]
pub(super) struct KnownRows {
    /// Steps of expiry when this was learnt: what was removed since is known no more.
    steps: Option<i64>,
    rows: Recent<Digest, Day>,
    outcomes: Recent<Digest, Day>,
    traces: Recent<Digest, Day>,
    /// Days that have a partition, or shall have none.
    days: HashSet<(&'static str, Day)>,
}

/// Of which kind a digest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Row,
    Outcome,
    Trace,
}

impl KnownRows {
    pub(super) fn new() -> Self {
        Self {
            steps: None,
            rows: Recent::new(REMEMBERED),
            outcomes: Recent::new(REMEMBERED),
            traces: Recent::new(REMEMBERED),
            days: HashSet::new(),
        }
    }

    /// Nothing is certain any more.
    pub(super) fn forget(&mut self) {
        *self = Self::new();
    }

    /// Forgets what was learnt before something was removed.
    pub(super) fn check(&mut self, steps: i64) {
        if self.steps != Some(steps) {
            let days = std::mem::take(&mut self.days);
            let was_known = self.steps.is_some();
            self.forget();
            // Those were asked for a moment ago, when it is the first time.
            self.days = if was_known { HashSet::new() } else { days };
            self.steps = Some(steps);
        }
    }

    /// Whether it is stored and marked with this day or a later one.
    pub(super) fn has(&mut self, kind: Kind, digest: Digest, day: Day) -> bool {
        self.of(kind).find(digest).is_some_and(|marked| marked >= day)
    }

    /// Notes what is stored by now.
    pub(super) fn learn(&mut self, written: &[(Kind, Digest, Day)]) {
        for (kind, digest, day) in written {
            let known = self.of(*kind);
            let marked = known.find(*digest).map_or(*day, |marked| marked.max(*day));
            known.remember(*digest, marked);
        }
    }

    pub(super) fn has_day(&self, parent: &'static str, day: Day) -> bool {
        self.days.contains(&(parent, day))
    }

    pub(super) fn learn_day(&mut self, parent: &'static str, day: Day) {
        if self.days.len() >= DAYS {
            self.days.clear();
        }
        self.days.insert((parent, day));
    }

    fn of(&mut self, kind: Kind) -> &mut Recent<Digest, Day> {
        match kind {
            Kind::Row => &mut self.rows,
            Kind::Outcome => &mut self.outcomes,
            Kind::Trace => &mut self.traces,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_holds_for_its_day_and_those_before_until_something_is_removed() {
        let mut known = KnownRows::new();
        let one = Digest::of(b"one");
        known.learn_day("tally", Day(4));
        known.check(7);
        assert!(
            known.has_day("tally", Day(4)),
            "made before the first transaction"
        );
        known.learn(&[(Kind::Row, one, Day(5)), (Kind::Row, one, Day(4))]);
        let has = |known: &mut KnownRows| [4, 5, 6].map(|day| known.has(Kind::Row, one, Day(day)));
        assert_eq!(has(&mut known), [true, true, false]);
        assert!(!known.has(Kind::Trace, one, Day(5)) && !known.has(Kind::Outcome, one, Day(5)));
        known.check(7);
        assert_eq!(has(&mut known), [true, true, false]);
        known.check(8);
        assert_eq!(has(&mut known), [false; 3]);
        assert!(!known.has_day("tally", Day(4)));
    }

    #[test]
    fn so_many_days_are_remembered_and_no_more() {
        let mut known = KnownRows::new();
        for day in 0..=400 {
            known.learn_day("tally", Day(day));
        }
        assert!(known.has_day("tally", Day(400)) && known.days.len() <= DAYS);
    }
}
