//! The writer with an engine that does what it is told.

use std::collections::VecDeque;
use std::sync::Mutex;

use landmarc_observation::Observation;
use tokio::sync::oneshot;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

use super::*;
use crate::RecorderState;
use crate::model::{ExpiredRecords, QueueLimits, Retention};
use crate::prepared::tests::{observation, prepared};
use crate::queue::Waiting;
use crate::recorder::{Recorder, RecorderOptions};

/// What the engine does with each batch, in turn; afterwards all goes well.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Written,
    Refused,
    /// Written, into a file that was removed meanwhile.
    WrittenNowhere,
    /// The engine panics.
    Panic,
}

/// An expiry at this time panics.
const DOOMSDAY: u64 = u64::MAX;
/// What the engine says then.
const THE_END: &str = "the end of time";

/// An engine that does what it is told, and the short ids it has written.
#[derive(Clone, Default)]
struct Scripted {
    fates: Arc<Mutex<VecDeque<Fate>>>,
    written: Arc<Mutex<Vec<Vec<String>>>>,
    opened: Arc<Mutex<u32>>,
}

struct Opened {
    script: Scripted,
    gone: bool,
}

impl Scripted {
    fn new(fates: &[Fate]) -> Self {
        let script = Self::default();
        lock_ignoring_poison(&script.fates).extend(fates);
        script
    }

    fn opener(&self) -> Opener {
        let script = self.clone();
        Box::new(move || {
            *lock_ignoring_poison(&script.opened) += 1;
            let script = script.clone();
            Ok(Box::new(Opened { script, gone: false }))
        })
    }

    fn written(&self) -> Vec<Vec<String>> {
        lock_ignoring_poison(&self.written).clone()
    }
}

impl Engine for Opened {
    fn write(&mut self, batch: &Batch) -> Result<RecordLosses, StoreError> {
        let fate = lock_ignoring_poison(&self.script.fates)
            .pop_front()
            .unwrap_or(Fate::Written);
        match fate {
            Fate::Refused => return Err(StoreError::Vanished { path: "store".into() }),
            Fate::WrittenNowhere => self.gone = true,
            Fate::Panic => panic!("a batch of {}", batch.len()),
            Fate::Written => {
                let kept = batch.records.iter().filter_map(|one| one.prepared.kept.as_ref());
                let ids = kept.map(|kept| kept.short_id.clone()).collect();
                lock_ignoring_poison(&self.script.written).push(ids);
            }
        }
        Ok(RecordLosses::default())
    }

    fn in_place(&self) -> bool {
        !self.gone
    }

    fn migrate_deleted_file(&mut self) -> bool {
        false
    }

    fn tidy(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn expire(&mut self, keep: &Retention, _: &mut ExpiredRecords) -> Result<JobProgress, StoreError> {
        assert!(keep.now_ms != DOOMSDAY, "{THE_END}");
        Ok(JobProgress::Done)
    }
}

fn writer(script: &Scripted, limits: QueueLimits) -> Writer {
    let opener = script.opener();
    Writer {
        shared: Arc::new(RecorderShared::new(limits)),
        engine: Some(opener().unwrap()),
        opener,
        pace: WriterPace {
            gather: Duration::ZERO,
            gives_way: false,
        },
        together: false,
        trouble: None,
        logged: Losses::default(),
        ending: false,
    }
}

fn push(writer: &Writer, observation: Observation) -> oneshot::Receiver<Recorded> {
    let (waiter, answer) = oneshot::channel();
    writer.shared.push(prepared(observation), waiter);
    answer
}

/// One attempt, without the pause before it.
fn attempt(writer: &mut Writer) {
    let batch = lock_ignoring_poison(&writer.shared.state).queue.take();
    writer.write(batch);
    writer.log_losses();
}

#[test]
fn trouble_is_told_when_it_begins_and_when_it_ends() {
    let script = Scripted::new(&[Fate::Refused; 5]);
    let mut writer = writer(&script, QueueLimits::default());
    let mut first = push(&writer, observation(1));
    let lines = logged(|| {
        for number in 2..7 {
            attempt(&mut writer);
            drop(push(&writer, observation(number)));
        }
        assert!(first.try_recv().is_err(), "still waits");
        attempt(&mut writer);
        attempt(&mut writer);
    });
    assert_eq!(
        lines,
        [
            "WARN the store cannot be written: mail goes on, records wait in memory",
            "INFO the store is written again"
        ]
    );
    assert_eq!(first.try_recv(), Ok(Recorded::Committed));
    let all: Vec<_> = (1..7).map(|number| format!("id-{number}")).collect();
    assert_eq!(script.written(), [all, Vec::new()]);
    let statistics = writer.shared.counters.read();
    assert_eq!((statistics.failures, statistics.committed), (5, 6));
    assert_eq!(statistics.state, RecorderState::Ok);
    assert_eq!(
        *lock_ignoring_poison(&script.opened),
        1 + 5,
        "opened anew after each failure"
    );
}

#[test]
fn pauses_grow_to_a_limit() {
    let script = Scripted::new(&[Fate::Refused; 20]);
    let mut writer = writer(&script, QueueLimits::default());
    drop(push(&writer, observation(1)));
    let mut pauses = Vec::new();
    for _ in 0..10 {
        attempt(&mut writer);
        pauses.push(writer.trouble.as_ref().unwrap().pause);
    }
    assert_eq!(pauses[..3], [100, 200, 400].map(Duration::from_millis));
    assert_eq!(pauses[9], LONGEST_PAUSE);
}

#[test]
fn what_went_into_a_removed_file_is_written_again() {
    let script = Scripted::new(&[Fate::WrittenNowhere]);
    let mut writer = writer(&script, QueueLimits::default());
    let mut answer = push(&writer, observation(1));
    attempt(&mut writer);
    assert_eq!(answer.try_recv(), Ok(Recorded::Committed));
    assert_eq!(script.written(), [["id-1"]]);
}

#[test]
fn losses_are_told_once_in_a_while() {
    let script = Scripted::new(&[Fate::Refused; 100]);
    let limits = QueueLimits {
        bytes: usize::MAX,
        records: 2,
    };
    let mut writer = writer(&script, limits);
    let lines = logged(|| {
        for number in 0..50 {
            drop(push(&writer, observation(number)));
            attempt(&mut writer);
        }
    });
    let losses = lines.iter().filter(|line| line.contains("given up"));
    assert_eq!((losses.count(), lines.len()), (1, 2), "{lines:?}");
    assert!(writer.shared.counters.lost().observations > 40);
}

#[tokio::test]
async fn a_writer_that_is_gone_leaves_nobody_waiting() {
    let script = Scripted::default();
    let recorder = Recorder::with_engine(RecorderOptions::at("nowhere"), script.opener()).unwrap();
    let written = recorder.record(observation(1)).await;
    assert_eq!(written, Recorded::Committed);
    let job = recorder.expire(Retention::standard(0));
    assert_eq!(job.await.unwrap(), ExpiredRecords::default());
    let shared = recorder.shared_for_tests();
    drop(recorder);
    let (waiter, answer) = oneshot::channel();
    shared.push(prepared(observation(2)), waiter);
    assert!(answer.await.is_err(), "which the recorder tells as *dropped*");
    let statistics = shared.counters.read();
    assert_eq!(statistics.state, RecorderState::Ok, "it was asked to end");
    assert_eq!(
        (statistics.dropped_observations, statistics.dropped_tallies),
        (1, 1)
    );
}

#[test]
fn a_batch_that_panics_is_dropped_and_the_next_is_written() {
    let script = Scripted::new(&[Fate::Panic, Fate::Written]);
    let mut writer = writer(&script, QueueLimits::default());
    let mut poison = [1, 2].map(|number| push(&writer, observation(number)));
    attempt(&mut writer);
    assert_eq!(
        poison.each_mut().map(oneshot::Receiver::try_recv),
        [Ok(Recorded::Dropped), Ok(Recorded::Dropped)]
    );
    let statistics = writer.shared.counters.read();
    assert_eq!(
        (statistics.dropped_observations, statistics.dropped_tallies),
        (2, 2)
    );
    assert_eq!(statistics.state, RecorderState::Degraded);
    insta::assert_snapshot!(
        statistics.last_error.unwrap(),
        @r#"a defect of this program, while it was to write a batch: "a batch of 2""#
    );
    assert_eq!(
        lock_ignoring_poison(&writer.shared.state).queue.len(),
        0,
        "nothing is left in hand"
    );

    let mut next = push(&writer, observation(3));
    attempt(&mut writer);
    assert_eq!(next.try_recv(), Ok(Recorded::Committed));
    assert_eq!(script.written(), [["id-3"]]);
    assert_eq!(
        *lock_ignoring_poison(&script.opened),
        2,
        "the engine that panicked is not used again"
    );
    assert_eq!(writer.shared.counters.state(), RecorderState::Ok);
}

/// Decision D13: mail is answered as fast as before while the store takes nothing. Time goes on
/// here only where somebody waits for it.
#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_store_in_trouble() {
    let mut options = RecorderOptions::at("/proc/nowhere/landmarc.db");
    options.must_open = false;
    let recorder = Recorder::open(options).unwrap();
    drop(recorder.record(observation(1)));
    while recorder.state() == RecorderState::Ok {
        std::thread::yield_now();
    }
    let began = tokio::time::Instant::now();
    assert_eq!(recorder.record(observation(2)).await, Recorded::Later);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

async fn recovered(recorder: &Recorder) {
    for _ in 0..12_000 {
        if recorder.state() == RecorderState::Ok {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{:?}", recorder.statistics());
}

#[tokio::test]
async fn the_recorder_outlives_panics_of_the_engine() {
    let script = Scripted::new(&[Fate::Panic]);
    let mut options = RecorderOptions::at("nowhere");
    options.answer_timeout = Duration::from_mins(1);
    let recorder = Recorder::with_engine(options, script.opener()).unwrap();
    assert_eq!(recorder.record(observation(1)).await, Recorded::Dropped);
    assert_ne!(recorder.record(observation(2)).await, Recorded::Dropped);
    recovered(&recorder).await;

    let failed = recorder.expire(Retention::standard(DOOMSDAY)).await.unwrap_err();
    assert!(
        matches!(failed, StoreError::Panicked { ref panic, .. } if panic == THE_END),
        "{failed}"
    );
    assert_ne!(recorder.record(observation(3)).await, Recorded::Dropped);
    recovered(&recorder).await;
    let statistics = recorder.close(Duration::from_mins(1));
    assert_eq!(
        (
            statistics.committed,
            statistics.dropped_tallies,
            statistics.failures
        ),
        (2, 1, 2)
    );
    assert_eq!(*lock_ignoring_poison(&script.opened), 3);
}

#[test]
fn a_writer_that_ends_unasked_is_told() {
    let shared = Arc::new(RecorderShared::new(QueueLimits::default()));
    let (waiter, mut answer) = oneshot::channel();
    shared.push(prepared(observation(1)), waiter);
    let end = End(Arc::clone(&shared));
    let thread = std::thread::spawn(move || {
        let _end = end;
        panic!("outside of the engine");
    });
    assert!(thread.join().is_err());
    assert_eq!(answer.try_recv(), Ok(Recorded::Dropped));
    let (waiter, _answer) = oneshot::channel();
    shared.push(prepared(observation(2)), waiter);
    let statistics = shared.counters.read();
    assert_eq!(statistics.state, RecorderState::Degraded);
    assert!(statistics.last_error.unwrap().contains("the writer ended"));
    assert_eq!(
        (statistics.dropped_observations, statistics.dropped_tallies),
        (2, 2)
    );
}

#[test]
fn a_record_alone_does_not_wait_for_others() {
    let script = Scripted::default();
    let mut writer = writer(&script, QueueLimits::default());
    writer.pace.gather = Duration::from_hours(1);
    for number in 0..3 {
        drop(push(&writer, observation(number)));
        let Work::Write(batch) = writer.wait_for_work() else {
            panic!("there is work");
        };
        writer.write(batch);
        assert!(!writer.together);
    }
}

/// Level and message of what is logged on this thread meanwhile.
fn logged(during: impl FnOnce()) -> Vec<String> {
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), during);
    lock_ignoring_poison(&lines.0).clone()
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message::default();
        event.record(&mut message);
        lock_ignoring_poison(&self.0).push(format!("{} {}", event.metadata().level(), message.0));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[test]
fn a_waiting_record_is_not_lost_with_its_waiter() {
    let script = Scripted::default();
    let mut writer = writer(&script, QueueLimits::default());
    let waiting = Waiting {
        prepared: prepared(observation(1)),
        waiter: None,
    };
    assert_eq!(
        lock_ignoring_poison(&writer.shared.state).queue.push(waiting),
        RecordLosses::default()
    );
    attempt(&mut writer);
    assert_eq!(script.written(), [["id-1"]]);
}
