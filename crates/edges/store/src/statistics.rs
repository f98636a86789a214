//! What the recorder has done, for metrics.

use std::sync::Mutex;

use crate::error::StoreError;
use crate::model::{ExpiredRecords, RecordLosses, Retention};
use crate::sync::lock_ignoring_poison;

/// Whether the store takes what it is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecorderState {
    /// The last attempt to write went well.
    #[default]
    Ok,
    /// It did not: records wait in memory. Or nobody tries any more, for a defect has ended the
    /// writer: then all that is handed over is dropped and counted.
    Degraded,
}

/// Counters since the recorder was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    pub spool_lost: RecordLosses,
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

/// What was counted so far, by the recorder and its writer.
#[derive(Debug, Default)]
pub(crate) struct RecorderCounters(Mutex<RecorderStatistics>);

impl RecorderCounters {
    /// Counts what was done.
    pub(crate) fn count(&self, done: impl FnOnce(&mut RecorderStatistics)) {
        done(&mut lock_ignoring_poison(&self.0));
    }

    /// Counts a failure.
    pub(crate) fn note(&self, error: &StoreError) {
        self.count(|counted| {
            counted.failures += 1;
            counted.last_error = Some(error.in_full());
        });
    }

    pub(crate) fn add_lost(&self, lost: RecordLosses) {
        self.count(|counted| {
            counted.dropped_traces += lost.traces;
            counted.dropped_observations += lost.observations;
            counted.dropped_tallies += lost.tallies;
            counted.dropped_rule_hits += lost.rule_hits;
        });
    }

    /// Counts what made room.
    pub(crate) fn add_evicted(&self, keep: &Retention, done: &ExpiredRecords) {
        self.count(|counted| {
            counted.evicted_traces += done.traces_for_size;
            counted.evicted_observations += done.observations_for_size;
            counted.evicted_tally_rows += done.tally_rows_for_size;
            counted.max_bytes = keep.max_bytes;
        });
    }

    pub(crate) fn set_state(&self, state: RecorderState) {
        self.count(|counted| counted.state = state);
    }

    pub(crate) fn state(&self) -> RecorderState {
        lock_ignoring_poison(&self.0).state
    }

    /// What is lost of records: not what the spool lost.
    pub(crate) fn lost(&self) -> RecordLosses {
        let counted = lock_ignoring_poison(&self.0);
        RecordLosses {
            traces: counted.dropped_traces,
            observations: counted.dropped_observations,
            tallies: counted.dropped_tallies,
            rule_hits: counted.dropped_rule_hits,
        }
    }

    pub(crate) fn read(&self) -> RecorderStatistics {
        lock_ignoring_poison(&self.0).clone()
    }
}
