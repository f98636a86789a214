//! What waits at a host to be handed over to the fleet (decision D15).
//!
//! The recorder appends an entry in the transaction of each batch: what it counts, its observations, and the
//! traces that were not told before. Entries go by an id of the host and a number, so that whoever takes them
//! counts each of them once, in whatever order they come and however often. A new id is taken whenever a
//! recorder begins, so that a file that was restored to an earlier state gives no number out again.
//!
//! # What goes when there is no room
//!
//! Past [`SpoolLimits::bytes`] the oldest traces go first, then the oldest observations; then the counts of
//! entries that nobody was handed yet are folded together, and counts are lost when that helps no more. Each loss
//! is counted ([`SpoolStatus::lost`], [`RecorderStatistics::spool_lost`](crate::RecorderStatistics::spool_lost)).

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

use std::path::Path;
use std::time::Duration;

use crate::error::StoreError;
use crate::model::{HostId, SpoolAgreement, SpoolStatus};
use crate::sqlite;

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

/// Hands over what waits, beside the recorder: on a connection of its own and in short transactions, after each
/// of which the recorder may be first.
#[derive(Debug)]
pub struct Spool {
    inner: sqlite::FileSpool,
    host_name: String,
}

impl Spool {
    /// Opens the spool in the store at this path, brings its schema up to date, and waits so long at most for
    /// others who write. Segments tell the name of the host, and are found by its id.
    ///
    /// # Errors
    /// When the store is of a newer version or another program's, or cannot be opened.
    pub fn open(
        path: impl AsRef<Path>,
        host_name: impl Into<String>,
        busy_timeout: Duration,
    ) -> Result<Self, StoreError> {
        let inner = sqlite::FileSpool::open(path.as_ref(), busy_timeout)?;
        let host_name = host_name.into();
        Ok(Self { inner, host_name })
    }

    /// What waits.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn status(&mut self) -> Result<SpoolStatus, StoreError> {
        self.inner.status()
    }

    /// The oldest entries, all of one host id: as many as fit into so many octets, and one at least. They stay
    /// until they are removed, and come again until then; what was handed out is never folded into others.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn take(&mut self, max_octets: usize) -> Result<Option<Segment>, StoreError> {
        self.inner.take(&self.host_name, max_octets)
    }

    /// Removes what was handed out, up to this number of this host: a collector or a file has it. How many
    /// entries those were.
    ///
    /// # Errors
    /// When the store cannot be written. Some may have been removed.
    pub fn remove(&mut self, host: HostId, last: u64) -> Result<u64, StoreError> {
        self.inner.remove(host, last)
    }

    /// Compares numbers with a collector, which knows so much of this host ([`HostProgress::highest`](crate::HostProgress)).
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn agree(&mut self, host: HostId, highest: u64) -> Result<SpoolAgreement, StoreError> {
        self.inner.agree(host, highest)
    }

    /// From now on entries are written under a new id. Those that wait keep theirs.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn new_identity(&mut self) -> Result<(), StoreError> {
        self.inner.new_identity()
    }
}
