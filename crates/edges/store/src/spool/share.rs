//! What a recorder and its engine share about the spool.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::model::{SpoolLimits, SpoolLost};
use crate::sync::lock_ignoring_poison;

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
