//! A recorder and an outbox on one store: neither costs the other anything but a moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use landmarc_store::{Day, NewReport, Outbox, Recorded};
use rusqlite::Connection;

use crate::letters::{NOW, claim, outbox, report, to};
use crate::samples::{Directory, MIDNIGHT, counted, from, message, reader, record_all, store_with};

/// Hands over, sends, puts off and delivers until it is told to end; how many reports it made.
fn be_busy(mut outbox: Outbox, over: &AtomicBool) -> u64 {
    let mut made = 0;
    while !over.load(Relaxed) || made < 30 {
        let new = NewReport {
            body: vec![1; if made % 20 == 0 { 3 << 20 } else { 4_000 }],
            deliveries: vec![to("a@example.com"), to("b@example.com")],
            ..report(&format!("{made}.example"))
        };
        outbox.put_all(&[new], NOW).unwrap();
        made += 1;
        for one in claim(&mut outbox, "me", NOW, 2) {
            outbox.delivered(one.number, "250", NOW).unwrap();
        }
    }
    made
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_is_recorded_while_letters_come_and_go() {
    const EACH: u64 = 100;
    let directory = Directory::new();
    let recorder = Arc::new(store_with(&directory, []).await);
    let over = Arc::new(AtomicBool::new(false));
    let busy = {
        let (outbox, over) = (outbox(&directory), Arc::clone(&over));
        tokio::task::spawn_blocking(move || be_busy(outbox, &over))
    };
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let recorder = Arc::clone(&recorder);
            tokio::spawn(async move {
                for number in 0..EACH {
                    let one = from(task * EACH + number, &format!("{}.example", number % 30));
                    assert_eq!(recorder.record(one).await, Recorded::Committed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    over.store(true, Relaxed);
    let made = busy.await.unwrap();
    let statistics = recorder.statistics();
    assert_eq!(
        (statistics.committed, statistics.later, statistics.dropped_tallies),
        (8 * EACH, 0, 0)
    );
    let reader = reader(&directory);
    assert_eq!(counted(&reader, Day::at(MIDNIGHT)), 8 * EACH);
    let status = reader.status().unwrap();
    assert_eq!((status.observations, status.outbox.reports), (8 * EACH, made));
    assert_eq!(status.outbox.delivered, made * 2);
    let sound: String = Connection::open(directory.store())
        .unwrap()
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sound, "ok");
}

/// A copy of every row that is written, by transaction: what `data_version` of this connection says.
#[test]
fn no_transaction_writes_more_than_a_little() {
    const BODY: u64 = 20 << 20;
    let directory = Directory::new();
    let mut outbox = outbox(&directory);
    // What the log holds is what was written since it was begun anew: nothing writes it back meanwhile.
    let log = |directory: &Directory| {
        std::fs::metadata(directory.path().join("landmarc.db-wal")).map_or(0, |log| log.len())
    };
    let frames =
        |directory: &Directory| commits(&std::fs::read(directory.path().join("landmarc.db-wal")).unwrap());
    let _reading = reader(&directory);
    let large = NewReport {
        body: vec![9; BODY as usize],
        ..report("large.example")
    };
    outbox.put_all(&[large], NOW).unwrap();
    let reports: Vec<_> = (0..200)
        .map(|number| NewReport {
            deliveries: (0..10)
                .map(|one| to(&format!("{one}@{number}.example")))
                .collect(),
            ..report(&format!("{number}.example"))
        })
        .collect();
    outbox.put_all(&reports, NOW).unwrap();
    assert_eq!(claim(&mut outbox, "me", NOW, usize::MAX).len(), 1_000);
    assert!(log(&directory) > 0);
    let largest = frames(&directory).into_iter().max().unwrap();
    // One MiB of a body, or a thousand rows with what finds them; the largest by far.
    assert!(largest * 4_096 <= 3 << 20, "a transaction of {largest} pages");
}

/// The pages of each transaction in a write-ahead log: a frame says in its head whether it ends one.
fn commits(log: &[u8]) -> Vec<u64> {
    let salt = &log[16..24];
    let mut pages = 0;
    let mut commits = Vec::new();
    for frame in log[32..].chunks_exact(24 + 4_096) {
        if &frame[8..16] != salt {
            break;
        }
        pages += 1;
        if frame[4..8] != [0; 4] {
            commits.push(std::mem::take(&mut pages));
        }
    }
    commits
}

/// The outbox writes for each letter; what the recorder remembers of the store is still true then.
#[tokio::test]
async fn what_is_known_of_the_store_stays_true_beside_letters_and_expiry() {
    let directory = Directory::new();
    let recorder = store_with(&directory, (0..10).map(message)).await;
    let mut outbox = outbox(&directory);
    outbox.put_all(&[report("example.com")], NOW).unwrap();
    record_all(&recorder, (10..20).map(message)).await;
    let status = reader(&directory).status().unwrap();
    assert_eq!(
        (status.observations, status.distinct_rows, status.traces),
        (20, 1, 1)
    );
    // Another recorder gives out numbers, and removes what is old: all is looked up again.
    let other = store_with(&directory, [message(20)]).await;
    record_all(&recorder, [message(21)]).await;
    let keep = landmarc_store::Retention {
        observation_days: 0,
        tally_days: 0,
        ..landmarc_store::Retention::standard(NOW + 400 * 86_400_000)
    };
    assert_eq!(other.expire(keep).await.unwrap().observations, 22);
    outbox.put_all(&[report("example.org")], NOW).unwrap();
    record_all(&recorder, [message(22)]).await;
    let reader = reader(&directory);
    assert_eq!(counted(&reader, Day::at(MIDNIGHT)), 1);
    let found = reader.explain("id-22").unwrap();
    assert_eq!(found[0].author_domain.as_deref(), Some("example.com"));
    assert!(found[0].trace.starts_with("dkim"));
}
