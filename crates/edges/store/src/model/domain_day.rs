//! The tally of one policy domain and day, as reports are made from it.

use super::TallyRow;

/// What one DMARC Policy Domain has on one UTC day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainDay {
    /// The DMARC Policy Domain.
    pub policy_domain: String,
    /// Its rows, in the order in which they came up first, on a server in one that stays the same; at most
    /// [`MAX_DOMAIN_ROWS`](crate::MAX_DOMAIN_ROWS).
    pub rows: Vec<DayRow>,
    /// Rows that were left out.
    pub left_out_rows: u64,
    /// Messages that these count.
    pub left_out_messages: u64,
}

/// One row of the tally.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayRow {
    /// The number of its policy configuration among those of its policy domain and day. One that was seen first
    /// later has a higher one.
    pub published: u64,
    /// What its messages have in common.
    pub row: TallyRow,
    /// How many they are.
    pub count: u64,
}
