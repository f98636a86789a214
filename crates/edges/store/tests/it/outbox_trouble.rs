//! The store does not take what the outbox is given: an error, and nothing is half done.

use std::fs;
use std::time::Duration;

use landmarc_store::{Day, NewReport, Outbox, Put, Reader, Recorder, StoreError};

use crate::letters::{NOW, claim, outbox, put_one, report, to};
use crate::samples::{Directory, MIDNIGHT, counted, message, patient, reader, record_all};
use crate::trouble::{Mounted, bulky, lock};

#[test]
fn a_store_that_somebody_holds_is_waited_for_no_longer_than_asked() {
    let directory = Directory::new();
    put_one(&mut outbox(&directory), report("example.com"));
    let other = lock(&directory.store());
    let mut impatient = Outbox::open(directory.store(), Duration::ZERO).unwrap();
    let refused = impatient.put_all(&[report("example.org")], NOW).unwrap_err();
    assert!(
        refused.in_full().contains("database is locked"),
        "{}",
        refused.in_full()
    );
    insta::assert_snapshot!(
        refused.remedy(),
        @"check free space, owner and mode of the data directory, and that no other program holds the file"
    );
    // What only reads goes on; and where nothing is due, claiming only reads.
    assert_eq!(impatient.counts(NOW).unwrap().due, 1);
    assert!(claim(&mut impatient, "me", NOW - 1, 9).is_empty());
    assert_eq!(
        impatient.put_all(&[report("example.com")], NOW).unwrap(),
        [Put::AlreadyThere]
    );
    drop(other);
    assert_eq!(claim(&mut impatient, "me", NOW, 9).len(), 1);
}

#[tokio::test]
async fn a_store_removed_under_our_feet_is_made_anew() {
    let directory = Directory::new();
    let recorder = Recorder::open(patient(directory.store())).unwrap();
    let mut outbox = outbox(&directory);
    put_one(&mut outbox, report("example.com"));
    let number = claim(&mut outbox, "me", NOW, 1)[0].number;
    for ending in ["", "-wal", "-shm"] {
        fs::remove_file(directory.path().join(format!("landmarc.db{ending}"))).unwrap();
    }
    assert!(
        !outbox.delivered(number, "250", NOW).unwrap(),
        "of it nothing is known any more"
    );
    put_one(&mut outbox, report("example.com"));
    record_all(&recorder, [message(1)]).await;
    assert_eq!(reader(&directory).status().unwrap().outbox.reports, 1);
    assert_eq!(counted(&reader(&directory), Day::at(MIDNIGHT)), 1);

    // The whole directory, and another store in its place.
    fs::remove_dir_all(directory.path()).unwrap();
    assert_eq!(outbox.counts(NOW).unwrap().queued, 0);
    put_one(&mut outbox, report("example.org"));
    fs::rename(directory.store(), directory.path().join("aside.db")).unwrap();
    drop(Recorder::open(patient(directory.store())).unwrap());
    put_one(&mut outbox, report("example.net"));
    assert!(reader(&directory).report("id-of-example.net").unwrap().is_some());
    assert!(reader(&directory).report("id-of-example.org").unwrap().is_none());
}

#[test]
fn a_full_disk_is_an_error_and_nothing_is_half_there() {
    let Some(mounted) = Mounted::new(4_096) else {
        return;
    };
    let directory = &mounted.0;
    let mut outbox = outbox(directory);
    let mut stored = Vec::new();
    let noisy = |number: u64| NewReport {
        body: bulky(number)
            .trace
            .as_bytes()
            .repeat(if number.is_multiple_of(3) { 300 } else { 3 }),
        deliveries: vec![to("a@example.com"), to("b@example.com")],
        ..report(&format!("{number}.example"))
    };
    let refused = loop {
        let number = stored.len() as u64;
        match outbox.put_all(&[noisy(number)], NOW) {
            Ok(put) => stored.extend(put),
            Err(refused) => break refused,
        }
        assert!(stored.len() < 10_000, "the disk never fills");
    };
    assert!(refused.in_full().contains("full"), "{}", refused.in_full());
    assert!(refused.remedy().contains("free space"));
    let status = reader(directory).status().unwrap().outbox;
    assert_eq!(
        (status.reports, status.queued),
        (stored.len() as u64, stored.len() as u64 * 2)
    );
    // There is room again: it goes on where it was.
    assert!(
        std::process::Command::new("mount")
            .args(["-o", "remount,size=16384k"])
            .arg(directory.path())
            .status()
            .unwrap()
            .success()
    );
    let number = stored.len() as u64;
    assert!(matches!(
        outbox.put_all(&[noisy(number)], NOW).unwrap()[..],
        [Put::Stored(_)]
    ));
    for number in 0..=number {
        let report = reader(directory)
            .report(&format!("id-of-{number}.example"))
            .unwrap()
            .unwrap();
        assert_eq!(outbox.body(report.number).unwrap().unwrap(), noisy(number).body);
    }
    drop(outbox);
}

#[test]
fn what_is_no_store_is_no_outbox() {
    let directory = Directory::new();
    fs::write(directory.store(), "not a database at all, ".repeat(1_000)).unwrap();
    let refused = Outbox::open(directory.store(), Duration::ZERO).unwrap_err();
    assert!(matches!(refused, StoreError::NoDatabase { .. }), "{refused}");
    fs::remove_file(directory.store()).unwrap();
    // One is made where there is none, as the recorder does.
    drop(outbox(&directory));
    assert!(Reader::open(directory.store()).is_ok());
}
