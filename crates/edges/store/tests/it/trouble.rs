//! The store does not take what it is given: mail is answered, nothing is lost in silence.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use landmarc_store::{
    ANSWER_TIMEOUT, Day, LogFilter, QueueLimits, Reader, Recorded, Recorder, RecorderOptions, RecorderState,
    RecorderStatistics, StoreError,
};
use landmarc_testkit::needs::Need;
use rusqlite::Connection;

use crate::samples::{Directory, MIDNIGHT, counted, from, message, patient, reader, record_all, store_with};

/// Holds the store as another program would that forgets to let go.
pub(crate) fn lock(path: &Path) -> Connection {
    let other = Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

/// Waits until all is written, and the back-off with it.
async fn settled(recorder: &Recorder) -> RecorderStatistics {
    let began = Instant::now();
    loop {
        let statistics = recorder.statistics();
        if statistics.queue_length == 0 && statistics.state == RecorderState::Ok {
            return statistics;
        }
        assert!(began.elapsed() < Duration::from_mins(2), "{statistics:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn degraded(recorder: &Recorder) -> RecorderStatistics {
    let began = Instant::now();
    loop {
        let statistics = recorder.statistics();
        if statistics.state == RecorderState::Degraded {
            return statistics;
        }
        assert!(began.elapsed() < Duration::from_mins(2), "{statistics:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn mail_waits_a_hundred_milliseconds_and_the_record_follows() {
    let directory = Directory::new();
    let recorder = Recorder::open(RecorderOptions::at(directory.store())).unwrap();
    let other = lock(&directory.store());
    let began = Instant::now();
    assert_eq!(recorder.record(message(1)).await, Recorded::Later);
    let waited = began.elapsed();
    assert!(
        waited >= ANSWER_TIMEOUT && waited < 20 * ANSWER_TIMEOUT,
        "{waited:?}"
    );
    assert_eq!(recorder.statistics().later, 1);
    let statistics = degraded(&recorder).await;
    assert!(statistics.last_error.unwrap().contains("database is locked"));
    assert_eq!((statistics.queue_length, statistics.committed), (1, 0));
    drop(other);
    let statistics = settled(&recorder).await;
    assert_eq!((statistics.committed, statistics.dropped_tallies), (1, 0));
    assert_eq!(reader(&directory).explain("id-1").unwrap().len(), 1);
}

#[tokio::test]
async fn a_store_removed_under_our_feet_is_made_anew() {
    let directory = Directory::new();
    let recorder = Recorder::open(patient(directory.store())).unwrap();
    record_all(&recorder, (0..10).map(message)).await;
    for ending in ["", "-wal", "-shm"] {
        fs::remove_file(directory.path().join(format!("landmarc.db{ending}"))).unwrap();
    }
    record_all(&recorder, (10..15).map(message)).await;
    assert_eq!(counted(&reader(&directory), Day::at(MIDNIGHT)), 5);
    assert_eq!(reader(&directory).explain("id-12").unwrap().len(), 1);

    // The whole directory, and another file in its place.
    fs::remove_dir_all(directory.path()).unwrap();
    record_all(&recorder, (20..23).map(message)).await;
    assert_eq!(counted(&reader(&directory), Day::at(MIDNIGHT)), 3);
    let aside = directory.path().join("aside.db");
    fs::rename(directory.store(), aside).unwrap();
    drop(Recorder::open(RecorderOptions::at(directory.store())).unwrap());
    record_all(&recorder, [message(30)]).await;
    assert_eq!(counted(&reader(&directory), Day::at(MIDNIGHT)), 1);
    assert_eq!(recorder.statistics().dropped_tallies, 0);
}

#[tokio::test]
async fn what_waits_in_memory_goes_into_the_new_store() {
    let directory = Directory::new();
    let mut options = RecorderOptions::at(directory.store());
    options.answer_timeout = Duration::from_millis(1);
    options.limits.records = 20;
    let recorder = Recorder::open(options).unwrap();
    let other = lock(&directory.store());
    for number in 0..100 {
        let mut one = from(number, &format!("{}.example", number % 3));
        one.rule = Some("forwarder".to_owned());
        recorder.record(one).await;
    }
    degraded(&recorder).await;
    for ending in ["", "-wal", "-shm"] {
        fs::remove_file(directory.path().join(format!("landmarc.db{ending}"))).unwrap();
    }
    let statistics = settled(&recorder).await;
    drop(other);
    assert_eq!((statistics.dropped_tallies, statistics.recorded), (0, 100));
    let reader = reader(&directory);
    assert_eq!(
        counted(&reader, Day::at(MIDNIGHT)),
        100,
        "tallies of dropped observations too"
    );
    assert_eq!(
        (reader.rule_hits().unwrap()[0].hits, statistics.dropped_rule_hits),
        (100, 0)
    );
    let kept = reader.log(&LogFilter::default()).unwrap().len() as u64;
    assert_eq!(kept + statistics.dropped_observations, 100);
    assert!(statistics.dropped_observations >= 80, "{statistics:?}");
}

#[tokio::test]
async fn losses_come_in_order_and_are_counted() {
    let directory = Directory::new();
    let mut options = RecorderOptions::at(directory.store());
    options.answer_timeout = Duration::ZERO;
    options.limits = QueueLimits {
        bytes: 200_000,
        records: 1_000_000,
    };
    let recorder = Recorder::open(options).unwrap();
    let other = lock(&directory.store());
    for number in 0..3_000 {
        let mut one = from(number, &format!("{number}.example"));
        one.trace = format!("{number} {}", "t".repeat(2_000)).into();
        recorder.record(one).await;
        let now = recorder.statistics();
        // What the writer has in hand comes on top.
        assert!(now.queue_bytes <= 400_000, "{now:?}");
        let lost = [now.dropped_traces, now.dropped_observations, now.dropped_tallies];
        let [traces, observations, tallies] = lost.map(|count| count > 0);
        assert!(traces >= observations && observations >= tallies, "{now:?}");
    }
    assert!(recorder.statistics().dropped_tallies > 0);
    drop(other);
    let end = settled(&recorder).await;
    let reader = reader(&directory);
    assert_eq!(counted(&reader, Day::at(MIDNIGHT)) + end.dropped_tallies, 3_000);
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_is_an_error_or_waited_for() {
    let directory = Directory::new();
    // A file where the directory should be: true for root as well.
    fs::write(directory.path().join("data"), "").unwrap();
    let path = directory.path().join("data/landmarc.db");
    let error = Recorder::open(RecorderOptions::at(&path)).unwrap_err();
    assert!(
        matches!(error, StoreError::Io { .. }) && !error.is_final(),
        "{error}"
    );
    let mut options = RecorderOptions::at(&path);
    options.must_open = false;
    let recorder = Recorder::open(options).unwrap();
    assert_eq!(recorder.statistics().state, RecorderState::Degraded);
    assert_eq!(recorder.record(message(1)).await, Recorded::Later);
    fs::remove_file(directory.path().join("data")).unwrap();
    assert_eq!(settled(&recorder).await.committed, 1);
}

#[tokio::test]
async fn what_the_store_does_not_take_at_the_end_is_counted() {
    let directory = Directory::new();
    let mut options = RecorderOptions::at(directory.store());
    options.answer_timeout = Duration::from_millis(1);
    let recorder = Recorder::open(options).unwrap();
    let other = lock(&directory.store());
    for number in 0..3 {
        assert_eq!(recorder.record(message(number)).await, Recorded::Later);
    }
    let waits = recorder.record(message(3));
    let statistics = recorder.close(Duration::ZERO);
    drop(other);
    assert_eq!(
        (statistics.dropped_observations, statistics.dropped_tallies),
        (4, 4)
    );
    assert_eq!(waits.await, Recorded::Dropped);
}

/// A file system of its own for a test, of so many kilobytes. Mounting takes root, as in CI.
pub(crate) struct Mounted(pub(crate) Directory);

impl Mounted {
    pub(crate) fn new(kilobytes: u32) -> Option<Self> {
        let mounted = Self(Directory::new());
        let size = format!("size={kilobytes}k");
        if nix::unistd::geteuid().is_root() && mounted.mount(&["-t", "tmpfs", "-o", &size, "none"]) {
            return Some(mounted);
        }
        Need::Root.is_missing("only root mounts a tmpfs");
        None
    }

    fn mount(&self, arguments: &[&str]) -> bool {
        let status = Command::new("mount").args(arguments).arg(self.0.path()).status();
        status.is_ok_and(|status| status.success())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_delays_and_loses_nothing() {
    let Some(mounted) = Mounted::new(2_048) else {
        return;
    };
    let directory = &mounted.0;
    let filler = directory.path().join("filler");
    let recorder = Recorder::open(RecorderOptions::at(directory.store())).unwrap();
    fs::write(&filler, vec![0; 1_000_000]).unwrap();
    let mut number = 0;
    let mut slowest = Duration::ZERO;
    while recorder.statistics().state == RecorderState::Ok {
        let began = Instant::now();
        recorder.record(bulky(number)).await;
        slowest = slowest.max(began.elapsed());
        number += 1;
        assert!(number < 10_000, "the disk never fills");
    }
    for _ in 0..5 {
        assert_eq!(recorder.record(bulky(number)).await, Recorded::Later);
        number += 1;
    }
    assert!(slowest < 20 * ANSWER_TIMEOUT, "{slowest:?}");
    let error = recorder.statistics().last_error.unwrap();
    assert!(error.contains("full"), "{error}");
    fs::remove_file(&filler).unwrap();
    let statistics = settled(&recorder).await;
    assert_eq!(statistics.committed, number);
    assert_eq!(counted(&reader(directory), Day::at(MIDNIGHT)), number);
    drop(recorder);
}

#[tokio::test]
async fn a_disk_full_for_long_keeps_what_memory_holds_and_every_count() {
    const RECORDS: usize = 40;
    let Some(mounted) = Mounted::new(2_048) else {
        return;
    };
    let directory = &mounted.0;
    let mut options = RecorderOptions::at(directory.store());
    options.answer_timeout = Duration::from_millis(1);
    options.limits.records = RECORDS;
    let recorder = Recorder::open(options).unwrap();
    let filler = directory.path().join("filler");
    fs::write(&filler, vec![0; 1_000_000]).unwrap();
    let mut number = 0;
    while recorder.statistics().dropped_observations < 300 {
        let mut one = bulky(number);
        one.rule = Some("forwarder".to_owned());
        recorder.record(one).await;
        let now = recorder.statistics();
        // What the writer has in hand comes on top.
        assert!(now.queue_length <= 2 * RECORDS, "{now:?}");
        number += 1;
        assert!(number < 10_000, "the disk never fills");
    }
    fs::remove_file(&filler).unwrap();
    let end = settled(&recorder).await;
    assert_eq!((end.dropped_tallies, end.dropped_rule_hits), (0, 0));
    let reader = reader(directory);
    assert_eq!(counted(&reader, Day::at(MIDNIGHT)), number);
    assert_eq!(reader.rule_hits().unwrap()[0].hits, number);
    let all = LogFilter {
        limit: usize::MAX,
        ..LogFilter::default()
    };
    let rows = reader.log(&all).unwrap();
    assert_eq!(rows.len() as u64 + end.dropped_observations, number);
    assert_eq!(rows[0].id, format!("id-{}", number - 1), "the newest arrived");
    drop(recorder);
}

/// A message whose trace does not compress well.
pub(crate) fn bulky(number: u64) -> landmarc_observation::Observation {
    let mut one = message(number);
    let digits = (0..1_500).map(|place| {
        format!(
            "{:x}",
            (number + 7) * (place * place + 3) * 2_654_435_761 % 65_521
        )
    });
    one.trace = digits.collect::<String>().into();
    one
}

#[tokio::test]
async fn a_read_only_file_system_is_waited_for() {
    let Some(mounted) = Mounted::new(8_192) else {
        return;
    };
    let directory = &mounted.0;
    drop(Recorder::open(RecorderOptions::at(directory.store())).unwrap());
    assert!(mounted.mount(&["-o", "remount,ro"]));
    assert!(Recorder::open(RecorderOptions::at(directory.store())).is_err());
    let mut options = RecorderOptions::at(directory.store());
    options.must_open = false;
    let recorder = Recorder::open(options).unwrap();
    for number in 0..3 {
        assert_eq!(recorder.record(message(number)).await, Recorded::Later);
    }
    assert!(mounted.mount(&["-o", "remount,rw"]));
    assert_eq!(settled(&recorder).await.committed, 3);
    assert_eq!(counted(&reader(directory), Day::at(MIDNIGHT)), 3);
    drop(recorder);
}

/// What SQLite says of a damaged file is said with the remedy, and once.
#[tokio::test]
async fn a_damaged_store_is_called_so() {
    let directory = Directory::new();
    let messages = (0..2_000).map(crate::samples::message);
    drop(store_with(&directory, messages).await);
    let backup = directory.path().join("backup.db");
    reader(&directory).backup(&backup, |_, _| ()).unwrap();
    let whole = std::fs::read(directory.store()).unwrap();
    // One page in the middle: the store opens, and a copy of it would.
    let mut scratched = whole.clone();
    let middle = scratched.len() / 2 / 4_096 * 4_096;
    scratched
        .iter_mut()
        .skip(middle)
        .take(4_096)
        .for_each(|octet| *octet = 0xa5);
    std::fs::write(directory.store(), scratched).unwrap();
    let told = reader(&directory).backup(&backup, |_, _| ()).unwrap_err();
    assert!(
        matches!(told, StoreError::Damaged { ref path, .. } if *path == directory.store()),
        "{told:?}"
    );
    // The last good one stays.
    let kept = Reader::open(&backup).unwrap();
    assert_eq!(kept.explain("id-1999").unwrap().len(), 1);
    // The first page and its head stay: whose it is can still be told.
    let mut damaged = whole.clone();
    damaged.iter_mut().skip(4_096).for_each(|octet| *octet = 0xa5);
    std::fs::write(directory.store(), damaged).unwrap();
    let told = Reader::open(directory.store())
        .and_then(|reader| reader.log(&LogFilter::default()))
        .unwrap_err();
    assert!(
        matches!(told, StoreError::Damaged { what: "page", .. }),
        "{told:?}"
    );
    insta::assert_snapshot!(
        told.remedy(),
        @"stop the service, move the file away, restore the last backup in its place"
    );

    let mut beheaded = whole;
    beheaded.iter_mut().take(4_096).for_each(|octet| *octet = 0xa5);
    std::fs::write(directory.store(), beheaded).unwrap();
    let told = Reader::open(directory.store()).unwrap_err();
    assert!(matches!(told, StoreError::NoDatabase { .. }), "{told:?}");
    assert!(told.is_final());
    insta::assert_snapshot!(
        told.remedy(),
        @"if it was the store: stop the service, move the file away, restore the last backup in its place; else name another data directory; the file is unchanged"
    );
}
