//! What a server has done, for metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counters of a [`Server`](crate::Server) since its start, and what is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Connections that are served at this moment.
    pub sessions: u64,
    /// How many there may be.
    pub sessions_limit: u64,
    /// Connections that were accepted.
    pub accepted: u64,
    /// How often all sessions were taken, so that further MTAs had to wait.
    pub full: u64,
    /// Connections without a message under way that were dropped for another, all being taken.
    pub dropped: u64,
    /// Attempts to accept a connection that failed.
    pub accept_failures: u64,
    /// Sessions that the MTA's own packets ended: no packets of this protocol, or out of order.
    pub protocol_errors: u64,
    /// Sessions that ended early for another reason: silence, a connection cut within a message.
    pub interrupted: u64,
    /// Sessions whose code panicked, each a bug of ours.
    pub panics: u64,
    /// Whether connections can be accepted: sockets are open, and the last attempt did not fail.
    pub accepting: bool,
}

/// Reads the statistics of a server while it runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gauge(pub(crate) Arc<Counters>);

impl Gauge {
    /// What was done until now.
    #[must_use]
    pub fn read(&self) -> Statistics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters {
            sessions,
            sessions_limit,
            accepted,
            full,
            dropped,
            accept_failures,
            protocol_errors,
            interrupted,
            panics,
            accepting,
        } = &*self.0;
        Statistics {
            sessions: read(sessions),
            sessions_limit: read(sessions_limit),
            accepted: read(accepted),
            full: read(full),
            dropped: read(dropped),
            accept_failures: read(accept_failures),
            protocol_errors: read(protocol_errors),
            interrupted: read(interrupted),
            panics: read(panics),
            accepting: accepting.load(Ordering::Relaxed),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    sessions: AtomicU64,
    sessions_limit: AtomicU64,
    accepted: AtomicU64,
    full: AtomicU64,
    dropped: AtomicU64,
    accept_failures: AtomicU64,
    protocol_errors: AtomicU64,
    interrupted: AtomicU64,
    panics: AtomicU64,
    accepting: AtomicBool,
}

impl Counters {
    pub(crate) fn with_limit(sessions: usize) -> Self {
        Self {
            sessions_limit: AtomicU64::new(u64::try_from(sessions).unwrap_or(u64::MAX)),
            ..Self::default()
        }
    }

    /// A connection was accepted; it is one of the sessions until what is returned is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> Served {
        add(&self.accepted);
        add(&self.sessions);
        self.set_accepting(true);
        Served(Arc::clone(self))
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

    pub(crate) fn protocol_error(&self) {
        add(&self.protocol_errors);
    }

    pub(crate) fn interrupted(&self) {
        add(&self.interrupted);
    }

    pub(crate) fn panicked(&self) {
        add(&self.panics);
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A session that is served.
#[derive(Debug)]
pub(crate) struct Served(Arc<Counters>);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}
