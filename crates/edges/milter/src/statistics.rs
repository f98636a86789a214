//! What a server has done, for metrics.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
        MilterStatistics {
            connections: self.connections.read(),
            ..*self.sessions.lock()
        }
    }
}

/// How sessions ended; of connections nothing.
#[derive(Debug, Default)]
pub(crate) struct SessionCounters(Mutex<MilterStatistics>);

impl SessionCounters {
    pub(crate) fn count(&self, change: impl FnOnce(&mut MilterStatistics)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, MilterStatistics> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
