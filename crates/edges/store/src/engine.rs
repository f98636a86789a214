//! What a storage engine has to do (decision D16). SQLite is the first; server databases stand
//! beside it behind this trait, and nothing outside an engine's module knows which one it is.

use crate::error::StoreError;
use crate::model::{ExpiredRecords, RecordLosses, Retention};
use crate::queue::Batch;

/// The writing side of a store, held by the one writer thread.
pub(crate) trait Engine: Send {
    /// Writes all of it in one durable transaction, or nothing of it; what it had no room for.
    fn write(&mut self, batch: &Batch) -> Result<RecordLosses, StoreError>;

    /// Whether what was opened is still what others find under its name.
    fn in_place(&self) -> bool;

    /// Asked when it is in place no longer: brings what was written into files that are gone to
    /// where others find it, as far as that can be done. Whether all of it is there.
    fn migrate_deleted_file(&mut self) -> bool;

    /// Work that is due after a batch, when nobody waits any more: indexes, checkpoints.
    fn tidy(&mut self) -> Result<(), StoreError>;

    /// One short step of expiry; adds to `done` what it removed.
    fn expire(&mut self, keep: &Retention, done: &mut ExpiredRecords) -> Result<JobProgress, StoreError>;
}

/// Whether a job needs another step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobProgress {
    More,
    Done,
}

/// Opens the engine: at the start, and again after trouble.
pub(crate) type Opener = Box<dyn Fn() -> Result<Box<dyn Engine>, StoreError> + Send>;
