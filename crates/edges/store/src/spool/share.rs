//! What a recorder and its engine share about the spool.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::model::{RecordLosses, SpoolLimits};
use crate::sync::lock_ignoring_poison;

/// What a recorder and its engine share about the spool, however often the engine is opened anew.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) limits: SpoolLimits,
    /// Whether this recorder has begun, and is another host than the one before it.
    begun: AtomicBool,
    lost: Mutex<RecordLosses>,
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

    pub(crate) fn add_lost(&self, lost: RecordLosses) {
        let mut sum = lock_ignoring_poison(&self.lost);
        *sum = sum.and(lost);
    }

    pub(crate) fn lost(&self) -> RecordLosses {
        *lock_ignoring_poison(&self.lost)
    }
}
