//! How much new traces may take up in an hour, so that a flood of new traces does not push out in an
//! hour what weeks have recorded.

/// Octets of new traces, compressed, that belong to one hour. Past it messages are recorded without
/// theirs, unless it is one that is there already. Ten million messages a day of the usual kind take a
/// thirtieth of it; a flood needs days for the 16 GiB that the store may have out of the box.
pub(super) const MAX_NEW_TRACES: u64 = 256 << 20;

/// What the new traces of an hour took up. Observations come in the order of time, but for a few at
/// its turn, and for those that waited in memory: each of these may begin it again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TraceBudget {
    hour: i64,
    octets: u64,
}

impl TraceBudget {
    /// Whether a new trace of this hour may be stored.
    pub(super) fn has_room(&self, hour: i64) -> bool {
        self.hour != hour || self.octets < MAX_NEW_TRACES
    }

    /// Counts one that was.
    pub(super) fn add(&mut self, hour: i64, octets: u64) {
        if self.hour != hour {
            *self = Self { hour, octets: 0 };
        }
        self.octets += octets;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_full_at_the_limit_and_the_next_is_empty() {
        let mut budget = TraceBudget::default();
        assert!(budget.has_room(7));
        budget.add(7, MAX_NEW_TRACES - 1);
        assert!(budget.has_room(7));
        budget.add(7, 1);
        assert!(!budget.has_room(7) && budget.has_room(8));
        budget.add(8, MAX_NEW_TRACES);
        assert!(!budget.has_room(8));
    }
}
