//! What is worth saying once, and tiresome at every message.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use landmarc_net::LogLimit;

/// What has been said already. One for each server, shared by its sessions.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    pub(crate) refused_actions: Once,
    pub(crate) early_ends: LogLimit,
    pub(crate) surplus_macros: LogLimit,
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
