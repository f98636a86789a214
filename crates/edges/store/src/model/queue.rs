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

/// What had to be given up for want of room. Nothing that the spool gave up is lost to the store of the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordLosses {
    /// Texts of traces. One that is lost with its observation is not counted again.
    pub traces: u64,
    /// Observations.
    pub observations: u64,
    /// Messages that nobody counts: in the tally, or in that of the fleet.
    pub tallies: u64,
    /// Hits of rules that are not counted.
    pub rule_hits: u64,
}

impl RecordLosses {
    /// With what was lost elsewhere.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            traces: self.traces.saturating_add(other.traces),
            observations: self.observations.saturating_add(other.observations),
            tallies: self.tallies.saturating_add(other.tallies),
            rule_hits: self.rule_hits.saturating_add(other.rule_hits),
        }
    }
}
