//! How much may wait in memory, and what was given up past that.

/// How much may wait in memory. Past either, first the traces of the oldest records go, then the
/// oldest observations; what they count (tally, hits of rules) is kept, folded together, and goes last of all. What the
/// writer has in hand, one batch, may come on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Octets, about.
    pub bytes: usize,
    /// Records, and with them folded rows of the tally and rules.
    pub records: usize,
}

impl Default for QueueLimits {
    /// 64 MiB and 200,000 records: half an hour of 10 million messages a day, with few traces lost.
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            records: 200_000,
        }
    }
}

/// What had to be given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RecordLosses {
    pub(crate) traces: u64,
    /// A trace that is lost with its observation is not counted again.
    pub(crate) observations: u64,
    pub(crate) tallies: u64,
    pub(crate) rule_hits: u64,
}

impl RecordLosses {
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            traces: self.traces + other.traces,
            observations: self.observations + other.observations,
            tallies: self.tallies + other.tallies,
            rule_hits: self.rule_hits + other.rule_hits,
        }
    }
}
