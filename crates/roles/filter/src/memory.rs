//! The memory that header sections of all sessions share.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A header section up to this size is not counted against the memory of all sessions:
/// nearly all are smaller, and `milter.max_sessions` bounds them.
pub(super) const UNCOUNTED_HEADER_OCTETS: usize = 64 * 1024;

/// The unit in which memory is counted.
const MEMORY_UNIT: usize = 1024;

/// The memory of all sessions together, in units.
#[derive(Clone)]
pub(super) struct Memory {
    free: Arc<Semaphore>,
    units: u32,
}

impl Memory {
    pub(super) fn new(octets: usize) -> Self {
        let units = (octets / MEMORY_UNIT).min(Semaphore::MAX_PERMITS);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        // A u32 is a usize wherever there is memory enough to count.
        let permits = usize::try_from(units).unwrap_or(Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(permits)),
            units,
        }
    }

    /// Waits for so much of it. Never for more than there is: a reload can raise the limit
    /// of a header section above what we started with.
    pub(super) async fn take(&self, octets: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(octets / MEMORY_UNIT).unwrap_or(u32::MAX);
        let units = units.min(self.units);
        Arc::clone(&self.free).acquire_many_owned(units).await.ok()
    }

    /// Octets that are taken, and all there are.
    pub(super) fn in_use(&self) -> (u64, u64) {
        let octets = |units: usize| u64::try_from(units.saturating_mul(MEMORY_UNIT)).unwrap_or(u64::MAX);
        let all = usize::try_from(self.units).unwrap_or(usize::MAX);
        let taken = all.saturating_sub(self.free.available_permits());
        (octets(taken), octets(all))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn memory_is_waited_for_but_never_for_more_than_there_is() {
        let memory = Memory::new(4 * MEMORY_UNIT);
        assert_eq!(memory.in_use(), (0, 4096));
        let all = memory.take(5 * MEMORY_UNIT).now_or_never().flatten();
        assert!(all.is_some());
        assert_eq!(memory.in_use(), (4096, 4096));
        assert!(memory.take(MEMORY_UNIT).now_or_never().is_none());
        drop(all);
        assert!(memory.take(4 * MEMORY_UNIT).now_or_never().flatten().is_some());
    }
}
