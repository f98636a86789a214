//! The answer to who hands a record over.

/// What [`Recorder::record`](crate::Recorder::record) came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// On disk, synced: it survives a crash of the host.
    Committed,
    /// Not yet: it waits in memory and is written as soon as the store lets us (decision D13).
    Later,
    /// Some of it had to be given up for want of memory, or the recorder has ended. Counted in [`RecorderStatistics`](crate::RecorderStatistics).
    Dropped,
}
