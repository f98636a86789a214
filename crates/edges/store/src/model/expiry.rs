//! What expires, and when.

use super::Day;

/// What to keep. Whole hours of observations and whole days of the tally expire, the oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The present, in milliseconds since the epoch.
    pub now_ms: u64,
    /// Whether anything expires by time. Not while it is doubtful what time it is: a clock that is ahead would take all.
    pub by_time: bool,
    /// Days that observations and their traces are kept.
    pub observation_days: u32,
    /// Days that the tally is kept.
    pub tally_days: u32,
    /// Most octets that the database file may have. Past it, what is in it goes before its time: of the tally what is more than half
    /// of this; then the oldest traces; the bodies of reports whose deliveries have all ended; observations before
    /// yesterday, hour by hour; the tally before yesterday; and of what is left that of the Organizational Domain
    /// that has most, observations first. [`ExpiredRecords::over_bytes`] tells where that is not enough.
    pub max_bytes: Option<u64>,
}

impl Retention {
    /// 14 days of observations and 400 of the tally (decision D14), whatever their size.
    pub fn standard(now_ms: u64) -> Self {
        Self {
            now_ms,
            by_time: true,
            observation_days: 14,
            tally_days: 400,
            max_bytes: None,
        }
    }

    /// Observations before this are not kept.
    pub(crate) fn observations_from_ms(&self) -> u64 {
        let kept = u64::from(self.observation_days) * Day(1).begins_ms();
        self.now_ms.saturating_sub(kept)
    }

    /// Tallies before this are not kept.
    pub(crate) fn tally_from(&self) -> Day {
        Day::at(self.now_ms).back(self.tally_days)
    }
}

/// What an expiry removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpiredRecords {
    /// Observations.
    pub observations: u64,
    /// Those among them that had to go before their time, because of the size.
    pub observations_for_size: u64,
    /// Texts of explanations.
    pub traces: u64,
    /// Those among them that had to go before their time, because of the size; their observations
    /// may still be there.
    pub traces_for_size: u64,
    /// Rows of the tally, one for each distinct row and day.
    pub tally_rows: u64,
    /// Those among them that had to go before their time, because of the size.
    pub tally_rows_for_size: u64,
    /// Bodies of reports that had to go before their time, because of the size: these can no longer be shown
    /// or sent again.
    pub bodies_for_size: u64,
    /// Distinct reporting rows that no day refers to any more.
    pub distinct_rows: u64,
    /// Pages of the file given back to the file system.
    pub pages: u64,
    /// Octets that the file still has past [`Retention::max_bytes`], for nothing more may go.
    pub over_bytes: u64,
    /// Short transactions it took.
    pub steps: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_is_that_of_the_design() {
        let day = Day(1).begins_ms();
        let keep = Retention::standard(1_000 * day + 5);
        assert_eq!(keep.observations_from_ms(), 986 * day + 5);
        assert_eq!(keep.tally_from(), Day(600));
    }

    #[test]
    fn the_beginning_of_time_is_no_trap() {
        let keep = Retention::standard(5);
        assert_eq!((keep.observations_from_ms(), keep.tally_from()), (0, Day(0)));
    }
}
