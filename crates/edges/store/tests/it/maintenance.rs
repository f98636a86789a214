//! Expiry and copies, while messages go on being recorded.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use landmarc_store::{Day, LogFilter, Reader, Recorded, Recorder, Retention};

use crate::bed::{Bed, suite};
use crate::samples::{
    DAY, Directory, MIDNIGHT, counted, from, message, on_day, patient, reader, record_all, store_with,
};
use crate::ship::{expire, record};

suite!(whole_days_expire_with_what_only_they_used,);

fn days(status: Option<(Day, Day)>) -> Option<(u32, u32)> {
    let first = Day::at(MIDNIGHT).0;
    status.map(|(from, to)| (from.0 - first, to.0 - first))
}

fn whole_days_expire_with_what_only_they_used(bed: &Bed) {
    record(bed, (0..20).map(|day| on_day(day, day)));
    let now_ms = MIDNIGHT + 20 * DAY;
    let expired = expire(bed, Retention::standard(now_ms));
    assert_eq!(
        (expired.observations, expired.traces, expired.tally_rows),
        (6, 6, 0)
    );
    let reader = reader(bed.place());
    let status = reader.status().unwrap();
    assert_eq!(
        (days(status.observation_days), days(status.tally_days)),
        (Some((6, 19)), Some((0, 19)))
    );
    assert_eq!(
        (status.observations, status.traces, status.distinct_rows),
        (14, 14, 1)
    );
    assert_eq!(reader.explain("id-5").unwrap(), []);
    assert_eq!(&*reader.explain("id-6").unwrap()[0].trace, "trace of day 6");

    let keep = Retention {
        tally_days: 5,
        observation_days: 0,
        ..Retention::standard(now_ms)
    };
    let expired = expire(bed, keep);
    assert_eq!(
        (expired.observations, expired.tally_rows, expired.distinct_rows),
        (14, 15, 0)
    );
    assert_eq!(
        counted(&reader, Day::at(now_ms).back(5)),
        1,
        "the row is used by a day that is left"
    );
    let nothing = expire(bed, keep);
    assert_eq!(
        (nothing.observations, nothing.tally_rows, nothing.traces),
        (0, 0, 0)
    );

    let keep = Retention {
        tally_days: 0,
        ..keep
    };
    let expired = expire(bed, keep);
    assert_eq!((expired.tally_rows, expired.distinct_rows), (5, 1));
    let status = reader.status().unwrap();
    assert_eq!(
        (
            status.observations,
            status.traces,
            status.tally_rows,
            status.distinct_rows
        ),
        (0, 0, 0, 0)
    );
    // All that was remembered is gone from the store: the same message is recorded whole again.
    record(bed, [on_day(20, 99)]);
    assert_eq!(&*reader.explain("id-99").unwrap()[0].trace, "trace of day 20");
    assert_eq!(counted(&reader, Day::at(now_ms)), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expiry_goes_in_short_steps_between_the_batches() {
    const OLD: u64 = 70_000;
    let directory = Directory::new();
    let recorder = Arc::new(store_with(&directory, (0..OLD).map(|number| on_day(0, number))).await);
    let over = Arc::new(AtomicBool::new(false));
    let recording = {
        let (recorder, over) = (Arc::clone(&recorder), Arc::clone(&over));
        tokio::spawn(async move {
            let mut recorded = 0;
            while !over.load(Relaxed) {
                assert_eq!(
                    recorder.record(on_day(20, OLD + recorded)).await,
                    Recorded::Committed
                );
                recorded += 1;
            }
            recorded
        })
    };
    let expired = recorder
        .expire(Retention::standard(MIDNIGHT + 20 * DAY))
        .await
        .unwrap();
    over.store(true, Relaxed);
    let recorded = recording.await.unwrap();
    assert_eq!((expired.observations, expired.traces), (OLD, 1));
    assert!(expired.steps > OLD / 2_000, "{expired:?}");
    assert!(recorded > 1, "recording went on: {recorded}");
    let reader = reader(&directory);
    let status = reader.status().unwrap();
    assert_eq!(status.observations, recorded);
    assert_eq!(
        counted(&reader, Day::at(MIDNIGHT)),
        OLD,
        "the tally is kept longer"
    );
    let last = format!("id-{}", OLD + recorded - 1);
    assert_eq!(reader.explain(&last).unwrap().len(), 1);
    assert_eq!(reader.explain("id-7").unwrap(), []);
}

#[tokio::test]
async fn expiry_by_another_process_leaves_no_dangling_numbers() {
    let directory = Directory::new();
    let recorder = store_with(&directory, [on_day(0, 1)]).await;
    let other = Recorder::open(patient(directory.store())).unwrap();
    let keep = Retention {
        tally_days: 0,
        observation_days: 0,
        ..Retention::standard(MIDNIGHT + 9 * DAY)
    };
    assert_eq!(other.expire(keep).await.unwrap().observations, 1);
    // What the first one remembers of day 0 is no more.
    record_all(&recorder, [on_day(0, 2)]).await;
    let reader = reader(&directory);
    assert_eq!(&*reader.explain("id-2").unwrap()[0].trace, "trace of day 0");
    assert_eq!(counted(&reader, Day::at(MIDNIGHT)), 1);
    // And two recorders never give out one number twice.
    record_all(&other, [on_day(1, 3)]).await;
    record_all(&recorder, [on_day(1, 4)]).await;
    assert_eq!(reader.log(&LogFilter::default()).unwrap().len(), 3);
}

/// `store expire` beside a service under load: it pauses after each step, and the service goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expiry_by_another_process_gives_way_to_the_recording() {
    const OLD: u64 = 20_000;
    let directory = Directory::new();
    let recorder = store_with(&directory, (0..OLD).map(|number| on_day(0, number))).await;
    let mut options = patient(directory.store());
    options.gives_way = true;
    let other = Recorder::open(options).unwrap();
    let expiring = tokio::spawn(other.expire(Retention::standard(MIDNIGHT + 20 * DAY)));
    let began = Instant::now();
    let mut recorded = 0;
    while !expiring.is_finished() {
        record_all(&recorder, [on_day(20, OLD + recorded)]).await;
        recorded += 1;
    }
    let expired = expiring.await.unwrap().unwrap();
    assert_eq!(expired.observations, OLD);
    // A pause of 10 ms or more each: nothing makes it shorter.
    let pauses = Duration::from_millis(10) * u32::try_from(expired.steps).unwrap();
    assert!(began.elapsed() >= pauses, "{expired:?}");
    assert!(recorded > 1, "recording went on: {recorded}");
    assert_eq!(reader(&directory).status().unwrap().observations, recorded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_is_one_state_of_a_store_that_is_written() {
    let directory = Directory::new();
    let before = (0..20_000).map(|number| from(number, &format!("{}.example", number % 500)));
    let recorder = Arc::new(store_with(&directory, before).await);
    let over = Arc::new(AtomicBool::new(false));
    let recording = {
        let (recorder, over) = (Arc::clone(&recorder), Arc::clone(&over));
        tokio::spawn(async move {
            let mut number = 20_000;
            while !over.load(Relaxed) {
                assert_eq!(recorder.record(message(number)).await, Recorded::Committed);
                number += 1;
            }
            number
        })
    };
    let copy = directory.path().join("copy.db");
    fs::write(&copy, "what was there before").unwrap();
    let (path, to) = (directory.store(), copy.clone());
    let steps = tokio::task::spawn_blocking(move || {
        let mut steps = Vec::new();
        let reader = Reader::open(path).unwrap();
        let mut tell = |done, whole| {
            steps.push((done, whole));
            // Long enough that others write between the steps.
            std::thread::sleep(std::time::Duration::from_millis(20));
        };
        reader.backup(to, &mut tell).unwrap();
        steps
    })
    .await
    .unwrap();
    over.store(true, Relaxed);
    let recorded = recording.await.unwrap();
    assert!(
        steps.len() > 1 && steps.iter().all(|(done, whole)| done <= whole),
        "{steps:?}"
    );
    let copied = Reader::open(&copy).unwrap();
    let all = LogFilter {
        limit: usize::MAX,
        ..LogFilter::default()
    };
    let messages = copied.log(&all).unwrap().len() as u64;
    assert!(
        (20_000..=recorded).contains(&messages),
        "{messages} of {recorded}"
    );
    assert_eq!(
        counted(&copied, Day::at(MIDNIGHT)),
        messages,
        "tally and observations of one moment"
    );
    let connection = rusqlite::Connection::open(&copy).unwrap();
    let check: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
    drop((copied, connection));
    // No more people may read it than the store.
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&copy), mode(&directory.store()));
    // It is a store like any other.
    let restored = Recorder::open(patient(&copy)).unwrap();
    record_all(&restored, [message(1_000_000)]).await;
}

#[tokio::test]
async fn a_backup_that_fails_leaves_nothing_behind() {
    let directory = Directory::new();
    let _recorder = store_with(&directory, [message(1)]).await;
    let reader = reader(&directory);
    assert!(
        reader
            .backup(directory.path().join("no/such/place.db"), |_, _| ())
            .is_err()
    );
    let occupied = directory.path().join("occupied");
    fs::create_dir(&occupied).unwrap();
    assert!(reader.backup(&occupied, |_, _| ()).is_err());
    assert!(!directory.path().join("occupied.partial").exists());
    assert_eq!(reader.explain("id-1").unwrap().len(), 1);
}

#[tokio::test]
async fn a_backup_is_one_file_also_after_it_was_read() {
    let directory = Directory::new();
    let _recorder = store_with(&directory, [message(1)]).await;
    let copies = directory.path().join("copies");
    std::fs::create_dir(&copies).unwrap();
    let to = copies.join("backup.db");
    reader(&directory).backup(&to, |_, _| ()).unwrap();
    let copy = Reader::open(&to).unwrap();
    assert_eq!(copy.explain("id-1").unwrap().len(), 1);
    let names = std::fs::read_dir(&copies).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["backup.db"]);
    drop(copy);
    // Restored, it is written as any other, and read meanwhile.
    let restored = Recorder::open(patient(&to)).unwrap();
    record_all(&restored, [message(2)]).await;
    assert_eq!(Reader::open(&to).unwrap().explain("id-2").unwrap().len(), 1);
}

#[tokio::test]
async fn rows_count_before_the_journal_is_folded_and_once_only() {
    let directory = Directory::new();
    let status = || reader(&directory).status().unwrap();
    let recorder = store_with(&directory, [message(1), message(2)]).await;
    assert_eq!(status().tally_rows, 1);
    // Expiry folds; what follows is one row that is known and one that is new.
    recorder.expire(Retention::standard(MIDNIGHT)).await.unwrap();
    record_all(&recorder, [message(3), crate::samples::from(4, "example.net")]).await;
    assert_eq!((status().tally_rows, status().distinct_rows), (2, 2));
}

/// The clock was a year ahead for an hour.
#[tokio::test]
async fn while_the_time_is_doubtful_nothing_expires_and_what_is_of_the_future_goes_with_its_neighbours() {
    const YEAR: u64 = 365 * DAY;
    let directory = Directory::new();
    let recorder = store_with(&directory, (0..20).map(|day| on_day(day, day))).await;
    let now_ms = MIDNIGHT + 20 * DAY;
    record_all(&recorder, (20..23).map(|number| on_day(20 + 365, number))).await;
    let doubtful = Retention {
        by_time: false,
        ..Retention::standard(now_ms + YEAR)
    };
    let expired = recorder.expire(doubtful).await.unwrap();
    assert_eq!(
        (expired.observations, expired.tally_rows, expired.traces),
        (0, 0, 0)
    );

    // The right time is back.
    record_all(&recorder, (20..40).map(|day| on_day(day, 10 + day))).await;
    let keep = Retention::standard(now_ms);
    let expired = recorder.expire(keep).await.unwrap();
    assert_eq!((expired.observations, expired.tally_rows), (6, 0));
    let reader = reader(&directory);
    assert_eq!(reader.explain("id-20").unwrap().len(), 1, "neighbours are left");
    recorder
        .expire(Retention::standard(now_ms + 13 * DAY))
        .await
        .unwrap();
    assert_eq!(reader.explain("id-20").unwrap().len(), 1, "neighbours are left");
    recorder
        .expire(Retention::standard(now_ms + 14 * DAY))
        .await
        .unwrap();
    for number in 20..23 {
        assert_eq!(
            reader.explain(&format!("id-{number}")).unwrap(),
            [],
            "as old as its neighbours"
        );
    }
    assert_eq!(reader.explain("id-34").unwrap().len(), 1);
}
