//! What is worth saying once, and tiresome at every message.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use landmarc_net::EachMinute;
use tokio::time::Instant;

/// What has been said already. One for each server, shared by its sessions.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    pub(crate) refused_actions: Once,
    pub(crate) no_room: Once,
    pub(crate) early_ends: SharedMinute,
    pub(crate) surplus_macros: SharedMinute,
    // Bounded: the names are constants of the program, not words of the MTA.
    missing_macros: Mutex<BTreeSet<&'static str>>,
}

impl Notices {
    /// Whether this macro is found missing for the first time.
    pub(crate) fn first_time_missing(&self, name: &'static str) -> bool {
        // A poisoned lock guards a set that is whole all the same.
        let mut missing = self.missing_macros.lock().unwrap_or_else(PoisonError::into_inner);
        missing.insert(name)
    }
}

/// A thing that happens for the first time once.
#[derive(Debug, Default)]
pub(crate) struct Once(AtomicBool);

impl Once {
    pub(crate) fn first_time(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }
}

/// A thing that sessions may do often, and that is worth one line of the log a minute.
#[derive(Debug, Default)]
pub(crate) struct SharedMinute(Mutex<EachMinute>);

impl SharedMinute {
    /// It happened. How often since the last line, where it is time for another.
    pub(crate) fn happened(&self) -> Option<u64> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.happened(Instant::now())
    }
}
