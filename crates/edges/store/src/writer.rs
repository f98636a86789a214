//! The writer thread: takes all that waits, writes it in one transaction, wakes all who wait for it.
//! When the store does not take it, it waits in memory and is tried again. An engine that panics loses
//! the batch it had in hand, and no more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::engine::{Engine, JobProgress, Opener};
use crate::error::StoreError;
use crate::limits::MAX_BATCH;
use crate::model::{RecordLosses, Recorded};
use crate::queue::Batch;
use crate::recorder::shared::{Job, RecorderShared};
use crate::statistics::RecorderState;
use crate::sync::lock_ignoring_poison;

/// After a failure the next attempt waits this long, after each further one twice as long,
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// and this long at most: a store that is back is used again soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A step of an expiry that gives way is followed by a pause of this length at least: longer than most
/// pauses of a connection that waits for the lock, which SQLite does not queue.
const LEAST_WAY: Duration = Duration::from_millis(10);
/// Losses are told once in so long, however many there are.
const BETWEEN_LOSS_LINES: Duration = Duration::from_mins(1);

/// How the writer spends its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WriterPace {
    /// [`RecorderOptions::gather`](crate::RecorderOptions::gather).
    pub(crate) gather: Duration,
    /// [`RecorderOptions::gives_way`](crate::RecorderOptions::gives_way).
    pub(crate) gives_way: bool,
}

/// Starts the thread. `engine` is what the first opening came to.
pub(crate) fn spawn(
    shared: Arc<RecorderShared>,
    opener: Opener,
    engine: Result<Box<dyn Engine>, StoreError>,
    pace: WriterPace,
) -> std::io::Result<JoinHandle<()>> {
    let mut writer = Writer {
        shared,
        opener,
        engine: None,
        pace,
        together: false,
        trouble: None,
        logged: Losses::default(),
        ending: false,
    };
    match engine {
        Ok(engine) => writer.engine = Some(engine),
        Err(error) => writer.failed(&error),
    }
    std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || writer.run())
}

struct Writer {
    shared: Arc<RecorderShared>,
    opener: Opener,
    /// None after a failure: the next attempt opens the store anew.
    engine: Option<Box<dyn Engine>>,
    pace: WriterPace,
    /// The last batch held several records: others are likely on their way.
    together: bool,
    trouble: Option<Trouble>,
    logged: Losses,
    /// The recorder ends, and the last attempt that is owed to what waits has begun.
    ending: bool,
}

/// The store does not take what it is given.
struct Trouble {
    since: Instant,
    next: Instant,
    pause: Duration,
}

/// What the log has been told of losses.
#[derive(Default)]
struct Losses {
    lost: RecordLosses,
    at: Option<Instant>,
}

enum Work {
    Write(Batch),
    Step(Job),
    End,
}

impl Writer {
    fn run(mut self) {
        let end = End(Arc::clone(&self.shared));
        loop {
            self.log_losses();
            match self.wait_for_work() {
                Work::Write(batch) => {
                    self.write(batch);
                    // Expiry gets its turn under any load.
                    let job = lock_ignoring_poison(&self.shared.state).jobs.pop();
                    if let (Some(job), None) = (job, &self.trouble) {
                        self.step(job);
                    }
                }
                Work::Step(job) => self.step(job),
                Work::End => break,
            }
        }
        drop(end);
    }

    fn wait_for_work(&mut self) -> Work {
        let shared = Arc::clone(&self.shared);
        let mut state = lock_ignoring_poison(&shared.state);
        loop {
            let now = Instant::now();
            if let (Some(_), false) = (state.ends, self.ending) {
                self.ending = true;
                self.trouble.iter_mut().for_each(|trouble| trouble.next = now);
                if state.queue.is_empty() {
                    return Work::End;
                }
            } else if let Some(ends) = state.ends {
                let hopeless = self.trouble.is_some() && ends <= now;
                if state.queue.is_empty() || hopeless {
                    return Work::End;
                }
            }
            let due = self.trouble.as_ref().is_none_or(|trouble| trouble.next <= now);
            if due && !state.queue.is_empty() {
                if self.together && state.ends.is_none() && state.queue.len() < MAX_BATCH {
                    self.together = false;
                    drop(state);
                    std::thread::sleep(self.pace.gather);
                    state = lock_ignoring_poison(&shared.state);
                }
                return Work::Write(state.queue.take());
            }
            if due && let Some(job) = state.jobs.pop() {
                return Work::Step(job);
            }
            let pause = match &self.trouble {
                Some(trouble) => trouble.next.saturating_duration_since(now),
                None => LONGEST_PAUSE,
            };
            let pause = pause.max(Duration::from_millis(1));
            let waited = shared.news.wait_timeout(state, pause);
            state = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
        }
    }

    fn write(&mut self, batch: Batch) {
        match guarded("write a batch", || self.attempt(&batch)) {
            Ok(lost) => {
                self.shared.counters.add_lost(lost);
                self.written(batch);
            }
            Err(error @ StoreError::Panicked { .. }) => {
                // Something in it is poison, as far as we know: with a next time there would be no end.
                lock_ignoring_poison(&self.shared.state).queue.settle();
                self.shared.counters.add_lost(batch.lost());
                batch.answer(Recorded::Dropped);
                self.failed(&error);
            }
            Err(error) => {
                let lost = lock_ignoring_poison(&self.shared.state).queue.put_back(batch);
                self.shared.counters.add_lost(lost);
                self.failed(&error);
            }
        }
    }

    fn attempt(&mut self, batch: &Batch) -> Result<RecordLosses, StoreError> {
        let engine = self.opened()?;
        let lost = engine.write(batch)?;
        if engine.in_place() || engine.migrate_deleted_file() {
            return Ok(lost);
        }
        // It went into a file that nobody finds any more: once again, into the next one.
        self.engine = None;
        self.opened()?.write(batch)
    }

    /// The engine, opened anew when there is none or when its file was removed.
    fn opened(&mut self) -> Result<&mut Box<dyn Engine>, StoreError> {
        if self.engine.as_ref().is_some_and(|engine| !engine.in_place()) {
            warn!("the store was removed or replaced while in use: it is opened anew, and made if need be");
            self.engine = None;
        }
        match &mut self.engine {
            Some(engine) => Ok(engine),
            none => Ok(none.insert((self.opener)()?)),
        }
    }

    fn written(&mut self, batch: Batch) {
        let written = batch.len();
        self.together = written > 1;
        self.shared.counters.count(|counted| {
            counted.commits += 1;
            counted.committed += written as u64;
        });
        lock_ignoring_poison(&self.shared.state).queue.settle();
        self.recovered();
        batch.answer(Recorded::Committed);
        let engine = self.engine.as_mut();
        let tidied = guarded("put the store in order", || {
            engine.map_or(Ok(()), |engine| engine.tidy())
        });
        if let Err(error) = tidied {
            // Nothing is lost by it; it is tried again after the next batch.
            self.noted(&error);
        }
    }

    fn step(&mut self, mut job: Job) {
        let keep = job.keep;
        let began = Instant::now();
        let outcome = guarded("remove what has expired", || {
            self.opened()?.expire(&keep, &mut job.done)
        });
        match outcome {
            Ok(JobProgress::More) => {
                job.done.steps += 1;
                if self.pace.gives_way {
                    std::thread::sleep(began.elapsed().max(LEAST_WAY));
                }
                lock_ignoring_poison(&self.shared.state).jobs.push(job);
            }
            // Who asked may have stopped waiting; the work is done all the same.
            Ok(JobProgress::Done) => {
                self.shared.counters.add_evicted(&keep, &job.done);
                drop(job.waiter.send(Ok(job.done)));
            }
            Err(error) => {
                self.noted(&error);
                drop(job.waiter.send(Err(error)));
            }
        }
    }

    /// A failure that costs no record. An engine that panicked is not used again.
    fn noted(&mut self, error: &StoreError) {
        self.shared.counters.note(error);
        if let StoreError::Panicked { .. } = error {
            self.engine = None;
        }
    }

    /// One line when trouble begins; the next attempts are only counted.
    fn failed(&mut self, error: &StoreError) {
        self.shared.counters.note(error);
        self.engine = None;
        let now = Instant::now();
        let pause = match &self.trouble {
            None => {
                self.shared.counters.set_state(RecorderState::Degraded);
                warn!(
                    error = error.in_full(),
                    remedy = error.remedy(),
                    "the store cannot be written: mail goes on, records wait in memory"
                );
                FIRST_PAUSE
            }
            Some(trouble) => (trouble.pause * 2).min(LONGEST_PAUSE),
        };
        self.trouble = Some(Trouble {
            since: self.trouble.as_ref().map_or(now, |trouble| trouble.since),
            next: now + pause,
            pause,
        });
    }

    fn recovered(&mut self) {
        if let Some(trouble) = self.trouble.take() {
            self.shared.counters.set_state(RecorderState::Ok);
            let seconds = trouble.since.elapsed().as_secs_f32();
            info!(seconds, "the store is written again");
        }
    }

    fn log_losses(&mut self) {
        let lost = self.shared.counters.lost();
        let quiet = self.logged.at.is_some_and(|at| at.elapsed() < BETWEEN_LOSS_LINES);
        if lost == self.logged.lost || quiet {
            return;
        }
        warn!(
            traces = lost.traces,
            observations = lost.observations,
            tallies = lost.tallies,
            rule_hits = lost.rule_hits,
            "records were given up for want of memory, or new traces of an hour that had too many (sums since the start)"
        );
        self.logged = Losses {
            lost,
            at: Some(Instant::now()),
        };
    }
}

/// Calls the engine; its panic is an error like others. Who calls gives up what it may have left half
/// done: the engine, whose transaction is then rolled back.
fn guarded<T>(doing: &'static str, call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|payload| Err(StoreError::panicked(doing, &*payload)))
}

/// However the thread ends, by a panic too: nobody is left waiting. If it was not asked to, the store
/// takes nothing more, and says so.
struct End(Arc<RecorderShared>);

impl Drop for End {
    fn drop(&mut self) {
        let mut state = lock_ignoring_poison(&self.0.state);
        state.over = true;
        if state.ends.is_none() {
            self.0.counters.set_state(RecorderState::Degraded);
            self.0.counters.note(&StoreError::Panicked {
                doing: "wait for records",
                panic: "the writer ended".to_owned(),
            });
        }
        state.jobs.clear();
        while !state.queue.is_empty() {
            let batch = state.queue.take();
            state.queue.settle();
            self.0.counters.add_lost(batch.lost());
            batch.answer(Recorded::Dropped);
        }
    }
}

#[cfg(test)]
mod tests;
