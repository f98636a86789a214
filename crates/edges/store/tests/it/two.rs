//! Two processes on one store: `serve` and `store expire`, or two services by mistake.

use std::collections::BTreeSet;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use landmarc_observation::Observation;
use landmarc_store::{Day, LogFilter, Recorded, Recorder, Retention};

use crate::samples::{DAY, Directory, MIDNIGHT, counted, from, patient, reader, store_with};

const STORE: &str = "LANDMARC_STORE_OF_OTHER";
const OTHER: &str = "LANDMARC_FIRST_OF_OTHER";
/// Messages that each process records.
const EACH: u64 = 1_500;
/// Messages that wait for the disk at any time, in each.
const TASKS: u64 = 16;

/// Every tenth message was judged long ago, by a clock that was behind, and expires at once.
fn mixed(number: u64) -> Observation {
    let mut one = from(number, &format!("{}.example", number % 30));
    let day = if number.is_multiple_of(10) { 0 } else { 20 };
    one.at_ms = MIDNIGHT + day * DAY;
    one.trace = format!("trace {} of day {day}", number % 50).into();
    one.rule = Some(format!("rule {}", number % 3));
    one
}

fn now() -> Retention {
    Retention::standard(MIDNIGHT + 20 * DAY + 1)
}

fn other(directory: &Directory, first: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "two::child", "--test-threads=1"])
        .env(STORE, directory.store())
        .env(OTHER, first.to_string())
        .spawn()
        .unwrap()
}

/// No test of its own: the other process. Without its environment it has nothing to do.
#[test]
fn child() {
    let (Ok(store), Ok(first)) = (std::env::var(STORE), std::env::var(OTHER)) else {
        return;
    };
    let first = first.parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let recorder = Arc::new(Recorder::open(patient(store)).unwrap());
        record(&recorder, first).await;
    });
}

async fn record(recorder: &Arc<Recorder>, first: u64) {
    let tasks = (0..TASKS).map(|task| {
        let recorder = Arc::clone(recorder);
        tokio::spawn(async move {
            for number in (first + task..first + EACH).step_by(TASKS as usize) {
                assert_eq!(recorder.record(mixed(number)).await, Recorded::Committed);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_record_and_one_expires() {
    let directory = Directory::new();
    let recorder = Arc::new(store_with(&directory, (0..EACH).map(|number| mixed(number * 10))).await);
    let mut child = other(&directory, 100_000);
    let expiry = {
        let recorder = Arc::clone(&recorder);
        tokio::spawn(async move {
            let mut expired = 0;
            // Again and again while the other records, so that it falls between its batches.
            while child.try_wait().unwrap().is_none() {
                expired += recorder.expire(now()).await.unwrap().observations;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert!(child.wait().unwrap().success());
            expired
        })
    };
    record(&recorder, 200_000).await;
    let mut expired = expiry.await.unwrap();
    expired += recorder.expire(now()).await.unwrap().observations;
    assert_eq!(recorder.statistics().dropped_tallies, 0);
    check(&directory, expired);
}

/// Everything that was recorded is there once, but for what expired.
fn check(directory: &Directory, expired: u64) {
    let reader = reader(directory);
    let all = LogFilter {
        limit: usize::MAX,
        ..LogFilter::default()
    };
    let rows = reader.log(&all).unwrap();
    let ids: BTreeSet<_> = rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids.len(), rows.len(), "none twice");
    assert_eq!(rows.len() as u64, 2 * EACH * 9 / 10);
    assert_eq!(expired, EACH + 2 * EACH / 10);
    for row in &rows {
        let number: u64 = row.id.strip_prefix("id-").unwrap().parse().unwrap();
        let found = reader.explain(&row.id).unwrap();
        let trace = format!("trace {} of day 20", number % 50);
        assert_eq!(&*found[0].trace, trace.as_str());
    }
    let (early, late) = (Day::at(MIDNIGHT), Day::at(MIDNIGHT + 20 * DAY));
    assert_eq!(counted(&reader, early), expired);
    assert_eq!(counted(&reader, late), rows.len() as u64);
    let hits: u64 = reader.rule_hits().unwrap().iter().map(|rule| rule.hits).sum();
    assert_eq!(hits, 3 * EACH);
    let connection = rusqlite::Connection::open(directory.store()).unwrap();
    let sound: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sound, "ok");
}
