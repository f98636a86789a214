//! What the recorder has done, for metrics.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::error::StoreError;
use crate::model::{ExpiredRecords, RecordLosses, Retention, SpoolLost};

/// Whether the store takes what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecorderState {
    /// The last attempt to write went well.
    Ok,
    /// It did not: records wait in memory. Or nobody tries any more, for a defect has ended the
    /// writer: then all that is handed over is dropped and counted.
    Degraded,
}

/// Counters since the recorder was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecorderStatistics {
    /// Records handed over.
    pub recorded: u64,
    /// Records written; those of which only the tally was left are not among them.
    pub committed: u64,
    /// Callers that were told *later*.
    pub later: u64,
    /// Traces given up while their observation was kept: for want of memory, or because new ones took
    /// up 256 MiB in that hour.
    pub dropped_traces: u64,
    /// Observations given up; their tallies may have been kept.
    pub dropped_observations: u64,
    /// Messages that no tally counts.
    pub dropped_tallies: u64,
    /// Hits of rules that are not counted.
    pub dropped_rule_hits: u64,
    /// Messages that count in a row with less detail, for their sender made too many.
    pub folded_messages: u64,
    /// Traces that made room since the recorder was opened.
    pub evicted_traces: u64,
    /// Observations that did.
    pub evicted_observations: u64,
    /// Rows of the tally that did.
    pub evicted_tally_rows: u64,
    /// Octets of the file; none when it cannot be looked at.
    pub file_bytes: Option<u64>,
    /// [`Retention::max_bytes`](crate::Retention::max_bytes) of the last expiry.
    pub max_bytes: Option<u64>,
    /// What the spool had no room for since the recorder was opened.
    pub spool_lost: SpoolLost,
    /// Records that wait in memory, and folded rows of the tally.
    pub queue_length: usize,
    /// Octets of them, about.
    pub queue_bytes: usize,
    /// Transactions.
    pub commits: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// The last failure, with its causes.
    pub last_error: Option<String>,
    /// Whether the store takes what it is given.
    pub state: RecorderState,
}

#[derive(Debug, Default)]
pub(crate) struct RecorderCounters {
    pub(crate) recorded: AtomicU64,
    pub(crate) committed: AtomicU64,
    pub(crate) later: AtomicU64,
    dropped_traces: AtomicU64,
    dropped_observations: AtomicU64,
    dropped_tallies: AtomicU64,
    dropped_rule_hits: AtomicU64,
    evicted_traces: AtomicU64,
    evicted_observations: AtomicU64,
    evicted_tally_rows: AtomicU64,
    max_bytes: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) degraded: AtomicBool,
    pub(crate) last_error: Mutex<Option<String>>,
}

impl RecorderCounters {
    /// Counts a failure.
    pub(crate) fn note(&self, error: &StoreError) {
        self.failures.fetch_add(1, Relaxed);
        *crate::sync::lock_ignoring_poison(&self.last_error) = Some(error.in_full());
    }

    pub(crate) fn add_lost(&self, lost: RecordLosses) {
        self.dropped_traces.fetch_add(lost.traces, Relaxed);
        self.dropped_observations.fetch_add(lost.observations, Relaxed);
        self.dropped_tallies.fetch_add(lost.tallies, Relaxed);
        self.dropped_rule_hits.fetch_add(lost.rule_hits, Relaxed);
    }

    /// Counts what made room.
    pub(crate) fn add_evicted(&self, keep: &Retention, done: &ExpiredRecords) {
        self.evicted_traces.fetch_add(done.traces_for_size, Relaxed);
        self.evicted_observations
            .fetch_add(done.observations_for_size, Relaxed);
        self.evicted_tally_rows
            .fetch_add(done.tally_rows_for_size, Relaxed);
        self.max_bytes.store(keep.max_bytes.unwrap_or(0), Relaxed);
    }

    pub(crate) fn lost(&self) -> RecordLosses {
        RecordLosses {
            traces: self.dropped_traces.load(Relaxed),
            observations: self.dropped_observations.load(Relaxed),
            tallies: self.dropped_tallies.load(Relaxed),
            rule_hits: self.dropped_rule_hits.load(Relaxed),
        }
    }

    pub(crate) fn state(&self) -> RecorderState {
        if self.degraded.load(Relaxed) {
            RecorderState::Degraded
        } else {
            RecorderState::Ok
        }
    }

    pub(crate) fn read(&self, queue_length: usize, queue_bytes: usize) -> RecorderStatistics {
        let lost = self.lost();
        RecorderStatistics {
            recorded: self.recorded.load(Relaxed),
            committed: self.committed.load(Relaxed),
            later: self.later.load(Relaxed),
            dropped_traces: lost.traces,
            dropped_observations: lost.observations,
            dropped_tallies: lost.tallies,
            dropped_rule_hits: lost.rule_hits,
            folded_messages: 0,
            evicted_traces: self.evicted_traces.load(Relaxed),
            evicted_observations: self.evicted_observations.load(Relaxed),
            evicted_tally_rows: self.evicted_tally_rows.load(Relaxed),
            file_bytes: None,
            max_bytes: Some(self.max_bytes.load(Relaxed)).filter(|most| *most > 0),
            spool_lost: SpoolLost::default(),
            queue_length,
            queue_bytes,
            commits: self.commits.load(Relaxed),
            failures: self.failures.load(Relaxed),
            last_error: crate::sync::lock_ignoring_poison(&self.last_error).clone(),
            state: self.state(),
        }
    }
}
