//! What the recorder and its writer share.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::error::StoreError;
use crate::model::{ExpiredRecords, QueueLimits, Recorded, Retention};
use crate::prepared::Prepared;
use crate::queue::{Queue, Waiting};
use crate::statistics::RecorderCounters;
use crate::sync::lock_ignoring_poison;

/// What the recorder and its writer share.
#[derive(Debug)]
pub(crate) struct RecorderShared {
    pub(crate) state: Mutex<Waits>,
    pub(crate) news: Condvar,
    pub(crate) counters: RecorderCounters,
}

/// What waits for the writer.
#[derive(Debug)]
pub(crate) struct Waits {
    pub(crate) queue: Queue,
    pub(crate) jobs: Vec<Job>,
    /// Set when the recorder ends: until when the writer may go on trying.
    pub(crate) ends: Option<std::time::Instant>,
    /// The writer is gone.
    pub(crate) over: bool,
}

/// An expiry under way.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) keep: Retention,
    pub(crate) done: ExpiredRecords,
    pub(crate) waiter: oneshot::Sender<Result<ExpiredRecords, StoreError>>,
}

impl RecorderShared {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        let state = Waits {
            queue: Queue::new(limits),
            jobs: Vec::new(),
            ends: None,
            over: false,
        };
        Self {
            state: Mutex::new(state),
            news: Condvar::new(),
            counters: RecorderCounters::default(),
        }
    }

    pub(crate) fn push(&self, prepared: Prepared, waiter: oneshot::Sender<Recorded>) {
        self.counters.count(|counted| counted.recorded += 1);
        let waiter = Some(waiter);
        let mut state = lock_ignoring_poison(&self.state);
        let lost = if state.over {
            // The waiter goes with the record: its future says *dropped*.
            prepared.lost()
        } else {
            state.queue.push(Waiting { prepared, waiter })
        };
        drop(state);
        self.counters.add_lost(lost);
        self.news.notify_one();
    }

    pub(super) fn start(&self, job: Job) {
        let mut state = lock_ignoring_poison(&self.state);
        if !state.over {
            state.jobs.push(job);
        }
        drop(state);
        self.news.notify_one();
    }

    pub(super) fn end(&self, within: Duration) {
        lock_ignoring_poison(&self.state).ends = Some(std::time::Instant::now() + within);
        self.news.notify_one();
    }
}
