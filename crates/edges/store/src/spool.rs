//! What waits at a host to be handed over to the fleet (decision D15).
//!
//! The recorder appends an entry in the transaction of each batch: what it counts, its observations, and the
//! traces that were not told before. Entries go by an id of the host and a number, so that whoever takes them
//! counts each of them once, in whatever order they come and however often. A new id is taken whenever a
//! recorder begins, so that a file that was restored to an earlier state gives no number out again.
//!
//! # What goes when there is no room
//!
//! Past [`SpoolLimits::bytes`](crate::SpoolLimits::bytes) the oldest traces go first, then the oldest observations; then the counts of
//! entries that nobody was handed yet are folded together, and counts are lost when that helps no more. Each loss
//! is counted ([`SpoolStatus::lost`](crate::SpoolStatus::lost), [`RecorderStatistics::spool_lost`](crate::RecorderStatistics::spool_lost)).

mod counts;
mod entry;
mod error;
mod export;
mod frame;
mod messages;
mod octets;
mod rows;
mod segment;
mod share;

pub(crate) use counts::{
    EntryCounts, LONG_COUNTS, MAX_ROWS, PackedCounts, counts_in, pack_counts, unpacked_length,
};
pub(crate) use entry::{Closed, Sealed};
pub use error::SegmentError;
pub use export::Exported;
pub(crate) use frame::Packer;
pub(crate) use messages::{pack_observations, pack_traces};
pub(crate) use segment::ENTRY;
pub use segment::{MAX_ENTRIES, MAX_SEGMENT, MAX_UNPACKED, Segment};
pub(crate) use share::Share;
