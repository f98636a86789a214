//! What an accept loop has done, for metrics.

use std::sync::{Arc, Mutex, PoisonError};

/// Counters of an [`AcceptLoop`](crate::AcceptLoop) since its start, and what is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AcceptStatistics {
    /// Connections that are open at this moment.
    pub open: u64,
    /// How many there may be.
    pub limit: u64,
    /// Connections that were accepted.
    pub accepted: u64,
    /// How often all connections were taken, so that further clients had to wait.
    pub full: u64,
    /// Connections without a message under way that were dropped for another, all being taken.
    pub dropped: u64,
    /// Attempts to accept a connection that failed.
    pub accept_failures: u64,
    /// Whether connections can be accepted: sockets are open, and the last attempt did not fail.
    pub accepting: bool,
}

/// Reads the statistics of an accept loop while it runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AcceptGauge(Arc<Mutex<AcceptStatistics>>);

impl AcceptGauge {
    pub(crate) fn with_limit(connections: usize) -> Self {
        let limit = u64::try_from(connections).unwrap_or(u64::MAX);
        let statistics = AcceptStatistics {
            limit,
            ..AcceptStatistics::default()
        };
        Self(Arc::new(Mutex::new(statistics)))
    }

    /// What was done until now.
    #[must_use]
    pub fn read(&self) -> AcceptStatistics {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut AcceptStatistics)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A connection was accepted; it is open until what is returned is dropped.
    pub(crate) fn begin(&self) -> OpenConnection {
        self.count(|all| {
            all.accepted += 1;
            all.open += 1;
            all.accepting = true;
        });
        OpenConnection(self.clone())
    }
}

/// Counts a connection for as long as it is open.
#[derive(Debug)]
pub(crate) struct OpenConnection(AcceptGauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.count(|all| all.open -= 1);
    }
}
