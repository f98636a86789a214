//! What waits at a host to be handed over to the fleet (design D15).
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
//! is counted ([`SpoolStatus::lost`], [`Statistics::spool_lost`](crate::Statistics::spool_lost)).

mod counts;
mod entry;
mod error;
mod export;
mod frame;
mod messages;
mod octets;
mod rows;
mod segment;

use std::fmt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::error::StoreError;
use crate::queue::Lost;
use crate::sqlite;
use crate::sync::lock_ignoring_poison;

pub(crate) use counts::{LONG_COUNTS, MAX_ROWS, PackedCounts, counts_in, pack_counts, unpacked_length};
pub(crate) use entry::{Closed, Held, Sealed};
pub use error::SegmentError;
pub use export::Exported;
pub(crate) use frame::Packer;
pub(crate) use messages::{pack_observations, pack_traces};
pub(crate) use segment::ENTRY;
pub use segment::{MAX_ENTRIES, MAX_SEGMENT, MAX_UNPACKED, Segment};

/// Sixteen octets at random that name a host, or rather one run of its recorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId([u8; 16]);

impl HostId {
    /// A new one; none where the system has no random octets for us.
    pub(crate) fn make() -> Option<Self> {
        let mut octets = [0; 16];
        SystemRandom::new().fill(&mut octets).ok()?;
        Some(Self(octets))
    }

    /// Its octets.
    pub fn octets(self) -> [u8; 16] {
        self.0
    }

    /// The one that is written so: 32 hexadecimal digits.
    pub fn of_text(text: &str) -> Option<Self> {
        let is_whole = text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok().filter(|_| is_whole)?;
        Some(Self(number.to_be_bytes()))
    }

    /// Its first eight digits: enough to tell the hosts of a fleet apart.
    pub fn short(self) -> String {
        self.to_string().chars().take(8).collect()
    }
}

impl From<[u8; 16]> for HostId {
    fn from(octets: [u8; 16]) -> Self {
        Self(octets)
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for HostId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|octet| write!(formatter, "{octet:02x}"))
    }
}

/// How much may wait to be handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpoolLimits {
    /// Octets of entries in the store. What one batch adds may come on top for a moment, and while counts are
    /// being folded an eighth more.
    pub bytes: u64,
    /// Whether observations and traces are handed over, and not counts only.
    pub observations: bool,
}

/// What was given up for want of room in the spool. Nothing of it is lost to the store of the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoolLost {
    /// Texts of traces.
    pub traces: u64,
    /// Observations.
    pub observations: u64,
    /// Messages that the fleet does not count.
    pub tallies: u64,
    /// Hits of rules that the fleet does not count.
    pub rule_hits: u64,
}

impl SpoolLost {
    /// Adds what was lost elsewhere.
    pub fn add(&mut self, other: Self) {
        self.traces = self.traces.saturating_add(other.traces);
        self.observations = self.observations.saturating_add(other.observations);
        self.tallies = self.tallies.saturating_add(other.tallies);
        self.rule_hits = self.rule_hits.saturating_add(other.rule_hits);
    }
}

impl From<Lost> for SpoolLost {
    fn from(lost: Lost) -> Self {
        Self {
            traces: lost.traces,
            observations: lost.observations,
            tallies: lost.tallies,
            rule_hits: lost.rule_hits,
        }
    }
}

/// What waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoolStatus {
    /// Under which id entries are written now; none before the first one.
    pub host: Option<HostId>,
    /// Entries.
    pub entries: u64,
    /// Octets they take up.
    pub octets: u64,
    /// Messages they count.
    pub messages: u64,
    /// When the oldest was written, in milliseconds since the epoch.
    pub oldest_ms: Option<u64>,
    /// What was lost since the spool is there.
    pub lost: SpoolLost,
}

/// Whether a collector and we agree about our numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreed {
    /// We do.
    Yes,
    /// It knows numbers that we never gave out: our file was set back while it was in use. From now on we are
    /// another host.
    AnotherHost,
}

/// Hands over what waits, beside the recorder: on a connection of its own and in short transactions, after each
/// of which the recorder may be first.
#[derive(Debug)]
pub struct Spool {
    inner: sqlite::Spool,
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
        patience: Duration,
    ) -> Result<Self, StoreError> {
        let inner = sqlite::Spool::open(path.as_ref(), patience)?;
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

    /// Compares numbers with a collector, which knows so much of this host ([`Known::highest`](crate::Known)).
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn agree(&mut self, host: HostId, highest: u64) -> Result<Agreed, StoreError> {
        self.inner.agree(host, highest)
    }

    /// From now on entries are written under a new id. Those that wait keep theirs.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn new_identity(&mut self) -> Result<(), StoreError> {
        self.inner.new_identity()
    }

    /// Writes all that waits into files of a directory, which is made if need be, and removes it from the spool
    /// when they are on disk. After a crash some entries are there and in a file as well: whoever takes both
    /// counts them once.
    ///
    /// # Errors
    /// When the store or the directory cannot be written. What is in a whole file by then is told by its name.
    pub fn export(&mut self, directory: impl AsRef<Path>) -> Result<Exported, StoreError> {
        export::export(self, directory.as_ref())
    }
}

/// What a recorder and its engine share about the spool, however often the engine is opened anew.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) limits: SpoolLimits,
    /// Whether this recorder has begun, and is another host than the one before it.
    begun: AtomicBool,
    lost: Mutex<SpoolLost>,
}

impl Share {
    pub(crate) fn new(limits: SpoolLimits) -> Self {
        Self {
            limits,
            begun: AtomicBool::new(false),
            lost: Mutex::default(),
        }
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.begun.load(Relaxed)
    }

    pub(crate) fn begins(&self) {
        self.begun.store(true, Relaxed);
    }

    pub(crate) fn add_lost(&self, lost: SpoolLost) {
        lock_ignoring_poison(&self.lost).add(lost);
    }

    pub(crate) fn lost(&self) -> SpoolLost {
        *lock_ignoring_poison(&self.lost)
    }
}
