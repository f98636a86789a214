//! What an accept loop has done, for metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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
pub struct AcceptGauge(pub(crate) Arc<AcceptCounters>);

impl AcceptGauge {
    /// What was done until now.
    #[must_use]
    pub fn read(&self) -> AcceptStatistics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let AcceptCounters {
            open,
            limit,
            accepted,
            full,
            dropped,
            accept_failures,
            accepting,
        } = &*self.0;
        AcceptStatistics {
            open: read(open),
            limit: *limit,
            accepted: read(accepted),
            full: read(full),
            dropped: read(dropped),
            accept_failures: read(accept_failures),
            accepting: accepting.load(Ordering::Relaxed),
        }
    }
}

#[derive(Debug)]
pub(crate) struct AcceptCounters {
    open: AtomicU64,
    limit: u64,
    accepted: AtomicU64,
    full: AtomicU64,
    dropped: AtomicU64,
    accept_failures: AtomicU64,
    accepting: AtomicBool,
}

impl AcceptCounters {
    pub(crate) fn with_limit(connections: usize) -> Self {
        Self {
            open: AtomicU64::default(),
            limit: u64::try_from(connections).unwrap_or(u64::MAX),
            accepted: AtomicU64::default(),
            full: AtomicU64::default(),
            dropped: AtomicU64::default(),
            accept_failures: AtomicU64::default(),
            accepting: AtomicBool::default(),
        }
    }

    /// A connection was accepted; it is open until what is returned is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> OpenConnection {
        add(&self.accepted);
        add(&self.open);
        self.set_accepting(true);
        OpenConnection(Arc::clone(self))
    }

    pub(crate) fn set_accepting(&self, accepting: bool) {
        self.accepting.store(accepting, Ordering::Relaxed);
    }

    pub(crate) fn accept_failed(&self) {
        add(&self.accept_failures);
        self.set_accepting(false);
    }

    pub(crate) fn full(&self) {
        add(&self.full);
    }

    pub(crate) fn dropped(&self) {
        add(&self.dropped);
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Counts a connection for as long as it is open.
#[derive(Debug)]
pub(crate) struct OpenConnection(Arc<AcceptCounters>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
