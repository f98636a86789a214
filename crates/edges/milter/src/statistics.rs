//! What a server has done, for metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use landmarc_net::{AcceptGauge, AcceptStatistics};

/// Counters of a [`MilterServer`](crate::MilterServer) since its start, and what is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MilterStatistics {
    /// Its connections.
    pub connections: AcceptStatistics,
    /// Sessions that the MTA's own packets ended: no packets of this protocol, or out of order.
    pub protocol_errors: u64,
    /// Sessions that ended early for another reason: silence, a connection cut within a message.
    pub interrupted: u64,
    /// Sessions whose code panicked, each a bug of ours.
    pub panics: u64,
}

/// Reads the statistics of a server while it runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gauge {
    pub(crate) connections: AcceptGauge,
    pub(crate) sessions: Arc<SessionCounters>,
}

impl Gauge {
    /// What was done until now.
    #[must_use]
    pub fn read(&self) -> MilterStatistics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        MilterStatistics {
            connections: self.connections.read(),
            protocol_errors: read(&self.sessions.protocol_errors),
            interrupted: read(&self.sessions.interrupted),
            panics: read(&self.sessions.panics),
        }
    }
}

/// How sessions ended.
#[derive(Debug, Default)]
pub(crate) struct SessionCounters {
    protocol_errors: AtomicU64,
    interrupted: AtomicU64,
    panics: AtomicU64,
}

impl SessionCounters {
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
