//! What other programs counted, and what importing it came to.

use landmarc_observation::TallyRow;

use super::Day;
use crate::limits::MAX_SUM;

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
