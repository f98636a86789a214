//! How much one step does, and how much goes at a time.

/// Most rows looked at in one step: about 10 ms.
pub(super) const LOOK: i64 = 20_000;
/// Before a sweep, which looks at all rows, at least one row of the tally in so many goes, and at most one in so many: many sweeps
/// cost too much time, few ones remove more than has to go.
pub(super) const LEAST_OF_ROWS: u64 = 64;
pub(super) const MOST_OF_ROWS: u64 = 16;
