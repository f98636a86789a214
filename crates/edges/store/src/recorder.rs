//! The front of the recording room: takes records from any number of tasks and tells each when
//! its record is on disk.

pub(crate) mod shared;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use landmarc_observation::Observation;
use tokio::sync::oneshot;

use crate::digest::Digests;
use crate::distinct::Folding;
use crate::engine::{Engine, Opener};
use crate::error::StoreError;
use crate::groups::Groups;
use crate::model::{ExpiredRecords, QueueLimits, Recorded, Retention, SpoolLimits};
use crate::prepared::Prepared;
use crate::spool::Share;
use crate::sqlite::{BUSY, BUSY_SERVICE, Sqlite};
use crate::statistics::{RecorderState, RecorderStatistics};
use crate::sync::lock_ignoring_poison;
use crate::writer;
use shared::{Job, RecorderShared};

/// How long an answer to the MTA waits for its record (decision D13).
pub const ANSWER_TIMEOUT: Duration = Duration::from_millis(100);

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct RecorderOptions {
    /// The database file. It and its directory are made when they are not there.
    pub path: PathBuf,
    /// How long [`Recorder::record`] waits before it says [`Recorded::Later`].
    pub answer_timeout: Duration,
    /// Whether observations are kept at all; without, there are only tallies.
    pub keep_observations: bool,
    /// How much may wait in memory while the store cannot be written.
    pub limits: QueueLimits,
    /// How long a batch gathers more records when the one before had several: fewer, larger
    /// transactions under load. A record that comes alone never waits for others.
    pub gather: Duration,
    /// Whether an unusable store is an error at the start. When not, records wait in memory until it
    /// can be used. A store of a newer version or of another program is always an error.
    pub must_open: bool,
    /// Whether, and how much of it, what is recorded waits in the store to be handed over to a fleet.
    pub spool: Option<SpoolLimits>,
    /// Whether another process may be recording into the same store, as the service does while
    /// `store expire` runs: after each step of an expiry it gets as long for itself as the step took.
    pub gives_way: bool,
    /// By what the limits on distinct rows go. Without, there are none.
    pub groups: Option<Arc<dyn Groups>>,
}

impl RecorderOptions {
    /// The defaults, for the database at this path.
    pub fn at(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            answer_timeout: ANSWER_TIMEOUT,
            keep_observations: true,
            limits: QueueLimits::default(),
            gather: Duration::from_millis(2),
            must_open: true,
            spool: None,
            gives_way: false,
            groups: None,
        }
    }
}

/// Writes records down. Dropping it tries once more to write what still waits, and ends.
#[derive(Debug)]
pub struct Recorder {
    shared: Arc<RecorderShared>,
    options: RecorderOptions,
    digests: Digests,
    /// What is shared with the engine about the spool, where there is one.
    spool: Option<Arc<Share>>,
    /// The limits on distinct rows, where there are any.
    folding: Option<Arc<Folding>>,
    writer: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Opens the store, brings its schema up to date and starts the writer thread.
    ///
    /// # Errors
    /// When the store is of a newer version or another program's; and, unless `must_open` is off,
    /// when it cannot be opened.
    pub fn open(options: RecorderOptions) -> Result<Self, StoreError> {
        let path = options.path.clone();
        let busy = if options.gives_way { BUSY_SERVICE } else { BUSY };
        let share = options.spool.map(|limits| Arc::new(Share::new(limits)));
        let spool = share.clone();
        let folding = options
            .groups
            .clone()
            .map(|groups| Arc::new(Folding::new(groups)));
        let limits = folding.clone();
        let opener: Opener = Box::new(move || {
            let mut engine = Sqlite::open(&path, busy)?;
            if let Some(folding) = &limits {
                engine = engine.folding(folding);
            }
            Ok(match &spool {
                Some(share) => Box::new(engine.spooling(share)?) as Box<dyn Engine>,
                None => Box::new(engine),
            })
        });
        let mut recorder = Self::with_engine(options, opener)?;
        recorder.spool = share;
        recorder.folding = folding;
        Ok(recorder)
    }

    pub(crate) fn with_engine(options: RecorderOptions, opener: Opener) -> Result<Self, StoreError> {
        let engine = match opener() {
            Err(error) if options.must_open || error.is_final() => return Err(error),
            other => other,
        };
        let shared = Arc::new(RecorderShared::new(options.limits));
        let pace = writer::WriterPace {
            gather: options.gather,
            gives_way: options.gives_way,
        };
        let writer = writer::spawn(Arc::clone(&shared), opener, engine, pace);
        let writer = writer.map_err(|source| StoreError::Io {
            doing: "start a thread for",
            path: options.path.clone(),
            source,
        })?;
        Ok(Self {
            shared,
            options,
            digests: Digests::new(),
            spool: None,
            folding: None,
            writer: Some(writer),
        })
    }

    /// Hands over a record. It is in memory when this returns; the future only waits for the disk,
    /// and dropping it loses nothing. While the store takes nothing it does not wait at all: mail is
    /// answered as fast as before. Needs a tokio runtime with time, when it is awaited.
    pub fn record(&self, observation: Observation) -> impl Future<Output = Recorded> + Send + use<> {
        let (waiter, answer) = oneshot::channel();
        let prepared = Prepared::new(observation, self.options.keep_observations, &self.digests);
        self.shared.push(prepared, waiter);
        let shared = Arc::clone(&self.shared);
        let timeout = match self.state() {
            RecorderState::Ok => self.options.answer_timeout,
            RecorderState::Degraded => Duration::ZERO,
        };
        async move {
            match tokio::time::timeout(timeout, answer).await {
                Ok(Ok(recorded)) => recorded,
                Ok(Err(_)) => Recorded::Dropped,
                Err(_) => {
                    shared.counters.count(|counted| counted.later += 1);
                    Recorded::Later
                }
            }
        }
    }

    /// Notes that these rules are in force at this time, in milliseconds since the epoch, so that
    /// one that never decides can be told from one that is new ([`RuleHits`](crate::RuleHits)).
    /// Waits for nothing, and may be said again and again.
    pub fn rules_in_force<'a>(&self, names: impl IntoIterator<Item = &'a str>, at_ms: u64) {
        for name in names {
            let (nobody_waits, _) = oneshot::channel();
            self.shared
                .push(Prepared::rule_in_force(name, at_ms), nobody_waits);
        }
    }

    /// What was done so far.
    pub fn statistics(&self) -> RecorderStatistics {
        let state = lock_ignoring_poison(&self.shared.state);
        let (queue_length, queue_bytes) = (state.queue.len(), state.queue.bytes());
        drop(state);
        RecorderStatistics {
            file_bytes: std::fs::metadata(&self.options.path).ok().map(|file| file.len()),
            folded_messages: self.folding.as_ref().map_or(0, |folding| folding.messages()),
            spool_lost: self.spool.as_ref().map(|spool| spool.lost()).unwrap_or_default(),
            queue_length,
            queue_bytes,
            ..self.shared.counters.read()
        }
    }

    /// Whether the store takes what it is given; cheap enough to be asked for each message.
    pub fn state(&self) -> RecorderState {
        self.shared.counters.state()
    }

    /// Removes what is too old or too much, in short transactions between those of the recording.
    /// Like [`Recorder::record`], it goes on when its future is dropped.
    pub fn expire(
        &self,
        keep: Retention,
    ) -> impl Future<Output = Result<ExpiredRecords, StoreError>> + Send + use<> {
        let (waiter, answer) = oneshot::channel();
        self.shared.start(Job {
            keep,
            done: ExpiredRecords::default(),
            waiter,
        });
        async move { answer.await.unwrap_or(Err(StoreError::Ended)) }
    }

    /// Writes what waits and ends. What the store does not take within this time is lost; the
    /// statistics tell how much.
    pub fn close(mut self, within: Duration) -> RecorderStatistics {
        self.end(within);
        self.statistics()
    }

    #[cfg(test)]
    pub(crate) fn shared_for_tests(&self) -> Arc<RecorderShared> {
        Arc::clone(&self.shared)
    }

    fn end(&mut self, within: Duration) {
        if let Some(writer) = self.writer.take() {
            self.shared.end(within);
            // A panic of the writer has been told by the panic hook.
            let _ = writer.join();
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}
