//! Stores of other versions, and files that are no stores.

use std::fs;
use std::time::Duration;

use landmarc_observation::Observation;
use landmarc_store::{Day, LogFilter, Outbox, Reader, Recorder, RecorderOptions, SpoolStatus, StoreError};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::hosts::{ROOM, apply, collector, recorded, spool, spooling, taken};
use crate::letters::report;
use crate::samples::{Directory, MIDNIGHT, counted, message, reader, record_all, row, store_with};

#[tokio::test]
async fn a_newer_store_is_refused_untouched() {
    let directory = Directory::new();
    let path = directory.store();
    store_with(&directory, [message(1)])
        .await
        .close(Duration::from_secs(10));
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute("INSERT INTO migration VALUES (999, 0)", [])
        .unwrap();
    drop(connection);
    let before = fs::read(&path).unwrap();

    let error = Recorder::open(RecorderOptions::at(&path)).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 999, .. }), "{error}");
    insta::assert_snapshot!(
        error.remedy(),
        @"run the version that wrote it or a later one, or name another data directory; the file is unchanged"
    );
    let mut options = RecorderOptions::at(&path);
    options.must_open = false;
    assert!(matches!(Recorder::open(options), Err(StoreError::Newer { .. })));
    assert!(matches!(Reader::open(&path), Err(StoreError::Newer { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn files_of_others_are_refused_untouched() {
    let directory = Directory::new();
    let path = directory.store();
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch("CREATE TABLE tally (x); INSERT INTO tally VALUES (1)")
        .unwrap();
    drop(other);
    let before = fs::read(&path).unwrap();
    assert!(matches!(
        Recorder::open(RecorderOptions::at(&path)),
        Err(StoreError::Foreign { .. })
    ));
    assert!(matches!(Reader::open(&path), Err(StoreError::Foreign { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);

    let text = "not a database at all, ".repeat(1_000);
    fs::write(&path, &text).unwrap();
    assert!(matches!(
        Recorder::open(RecorderOptions::at(&path)),
        Err(StoreError::NoDatabase { .. })
    ));
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

/// To open a FIFO would be to wait for whoever opens its other end.
#[test]
fn what_is_no_plain_file_is_refused_unopened_by_those_who_write_and_those_who_read() {
    for name in ["landmarc.db", "landmarc.db-journal", "landmarc.db-wal"] {
        let directory = Directory::new();
        let path = directory.store();
        if name == "landmarc.db" {
            mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        } else {
            drop(Recorder::open(RecorderOptions::at(&path)).unwrap());
            mkfifo(&path.with_file_name(name), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        }
        let written = Recorder::open(RecorderOptions::at(&path)).unwrap_err();
        assert!(
            matches!(written, StoreError::NotPlain { .. }),
            "{name}: {written}"
        );
        assert!(written.is_final());
        let read = Reader::open(&path).unwrap_err();
        assert!(matches!(read, StoreError::NotPlain { .. }), "{name}: {read}");
    }
}

/// Operators name stores and backups by links.
#[test]
fn a_link_to_a_store_is_followed() {
    let directory = Directory::new();
    drop(Recorder::open(RecorderOptions::at(directory.store())).unwrap());
    let link = directory.store().with_file_name("latest.db");
    std::os::unix::fs::symlink(directory.store(), &link).unwrap();
    assert!(Reader::open(&link).is_ok());
}

#[tokio::test]
async fn a_store_of_version_1_is_opened_and_brought_up_to_date() {
    let directory = Directory::new();
    let connection = rusqlite::Connection::open(directory.store()).unwrap();
    connection.execute_batch(include_str!("version_1.sql")).unwrap();
    drop(connection);
    let recorder = store_with(&directory, [message(2)]).await;
    let reader = reader(&directory);
    let old = reader.explain("id-1").unwrap();
    assert_eq!(old[0].author_domain.as_deref(), Some("example.com"));
    insta::assert_snapshot!(old[0].trace, @"a trace of version 1");
    assert_eq!(old[0].rule.as_deref(), Some("forwarder"));
    let hits = reader.rule_hits().unwrap();
    assert_eq!((hits[0].name.as_str(), hits[0].hits), ("forwarder", 17));
    // The row of the old message and that of the new one are the same.
    assert_eq!(reader.status().unwrap().distinct_rows, 1);
    assert_eq!(counted(&reader, Day::at(MIDNIGHT)), 42);
    drop(recorder);
}

#[test]
fn a_store_of_version_1_is_read_untouched_as_one_without_reports() {
    let directory = Directory::new();
    let path = directory.store();
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(include_str!("version_1.sql")).unwrap();
    drop(connection);
    let before = fs::read(&path).unwrap();
    let reader = reader(&directory);
    let day = Day::at(MIDNIGHT);
    assert_eq!(
        reader.tally(day, "example.com").unwrap(),
        [(row("example.com"), 41)]
    );
    let all: Vec<_> = reader.reporting_day(day).unwrap().map(Result::unwrap).collect();
    assert_eq!(
        (all.len(), all[0].rows[0].count, reader.reporting_days().unwrap()),
        (1, 41, vec![day])
    );
    let filter = landmarc_store::OutboxFilter::default();
    assert_eq!(reader.deliveries(&filter).unwrap(), []);
    assert_eq!(
        (reader.report("x").unwrap(), reader.suppressions().unwrap()),
        (None, vec![])
    );
    let status = reader.status().unwrap();
    assert_eq!(
        (status.version, status.outbox),
        (1, landmarc_store::OutboxStatus::default())
    );
    drop(reader);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn an_outbox_brings_a_store_of_version_1_up_to_date_and_keeps_its_rows() {
    let directory = Directory::new();
    let connection = rusqlite::Connection::open(directory.store()).unwrap();
    connection.execute_batch(include_str!("version_1.sql")).unwrap();
    drop(connection);
    let mut outbox = Outbox::open(directory.store(), Duration::ZERO).unwrap();
    outbox.put_all(&[report("example.com")], 1).unwrap();
    let reader = reader(&directory);
    assert_eq!(
        (
            reader.status().unwrap().version,
            reader.status().unwrap().outbox.queued
        ),
        (5, 1)
    );
    assert_eq!(
        reader.tally(Day::at(MIDNIGHT), "example.com").unwrap(),
        [(row("example.com"), 41)]
    );
}

fn version_3(directory: &Directory) {
    let connection = rusqlite::Connection::open(directory.store()).unwrap();
    connection.execute_batch(include_str!("version_3.sql")).unwrap();
}

#[test]
fn a_store_of_version_3_is_read_untouched_as_one_without_a_fleet() {
    let directory = Directory::new();
    version_3(&directory);
    let before = fs::read(directory.store()).unwrap();
    let reader = reader(&directory);
    let status = reader.status().unwrap();
    assert_eq!(
        (status.version, status.observations, status.outbox.queued),
        (3, 7, 1)
    );
    assert_eq!(counted(&reader, Day::at(MIDNIGHT)), 37);
    assert_eq!(
        (reader.hosts().unwrap(), reader.spool().unwrap()),
        (vec![], SpoolStatus::default())
    );
    let copy = directory.path().join("copy");
    reader.backup(&copy, |_, _| ()).unwrap();
    assert_eq!(Reader::open(&copy).unwrap().status().unwrap().version, 3);
    drop(reader);
    assert_eq!(fs::read(directory.store()).unwrap(), before);
}

#[tokio::test]
async fn a_store_of_version_3_is_brought_up_to_date_and_what_was_in_it_is_not_handed_over() {
    let directory = Directory::new();
    version_3(&directory);
    let recorder = Recorder::open(spooling(directory.store(), ROOM)).unwrap();
    record_all(&recorder, [message(8)]).await;
    let reader = reader(&directory);
    assert_eq!(reader.status().unwrap().version, 5);
    assert_eq!(counted(&reader, Day::at(MIDNIGHT)), 38);
    assert_eq!(reader.spool().unwrap().messages, 1);
    let old = reader.explain("id-1").unwrap();
    insta::assert_snapshot!(old[0].trace, @"a trace of version 3");
    assert_eq!(reader.rule_hits().unwrap()[0].hits, 1);
    assert_eq!(
        reader
            .report("id-of-example.com")
            .unwrap()
            .map(|report| report.rows),
        Some(3)
    );
    recorder.close(Duration::from_secs(10));
}

/// The message of `version_4.sql` that was accepted because the mode was "observe".
const OBSERVED: &str = "ng47330ddx8c";

fn version_4(directory: &Directory) {
    let connection = rusqlite::Connection::open(directory.store()).unwrap();
    connection.execute_batch(include_str!("version_4.sql")).unwrap();
}

/// Asserts that the observed message reads right, and that its columns can be searched.
fn has_observed(reader: &Reader) {
    let found = reader.explain(OBSERVED).unwrap();
    let [found] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(
        (found.action.as_str(), found.enforced_action.as_str()),
        ("accept", "reject")
    );
    assert_eq!(found.author_domain, None);
    assert!(!found.trace.is_empty());
    let row = Observation {
        trace: "".into(),
        ..found.clone()
    };
    let refused = LogFilter {
        enforced_action: Some("reject".to_owned()),
        ..LogFilter::default()
    };
    assert_eq!(reader.log(&refused).unwrap(), [row]);
}

fn of_example_com(reader: &Reader) -> usize {
    let filter = LogFilter {
        domain: Some("example.com".to_owned()),
        ..LogFilter::default()
    };
    reader.log(&filter).unwrap().len()
}

#[test]
fn a_store_of_version_4_is_read_untouched_under_the_names_of_today() {
    let directory = Directory::new();
    version_4(&directory);
    let before = fs::read(directory.store()).unwrap();
    let reader = reader(&directory);
    has_observed(&reader);
    assert_eq!(
        (reader.status().unwrap().version, of_example_com(&reader)),
        (4, 7)
    );
    let copy = directory.path().join("copy");
    reader.backup(&copy, |_, _| ()).unwrap();
    has_observed(&Reader::open(&copy).unwrap());
    drop(reader);
    assert_eq!(fs::read(directory.store()).unwrap(), before);
}

/// As it is done while a command reads, or in the instant in which it begins to.
#[test]
fn a_reader_goes_on_while_a_store_of_version_4_is_brought_up_to_date() {
    let directory = Directory::new();
    version_4(&directory);
    let reader = reader(&directory);
    has_observed(&reader);
    drop(Recorder::open(RecorderOptions::at(directory.store())).unwrap());
    has_observed(&reader);
    assert_eq!(
        (reader.status().unwrap().version, of_example_com(&reader)),
        (5, 7)
    );
}

#[tokio::test]
async fn a_store_of_version_4_is_brought_up_to_date_and_hands_over_what_waits() {
    let (host, fleet) = (Directory::new(), Directory::new());
    version_4(&host);
    recorded(&host, ROOM, [message(8)]).await;
    let reader_of_host = reader(&host);
    has_observed(&reader_of_host);
    assert_eq!(
        (
            reader_of_host.status().unwrap().version,
            of_example_com(&reader_of_host)
        ),
        (5, 8)
    );
    assert_eq!(counted(&reader_of_host, Day::at(MIDNIGHT)), 38);
    let mut collector = collector(&fleet);
    for segment in taken(&mut spool(&host), 1 << 20) {
        apply(&mut collector, &segment);
    }
    let reader_of_fleet = reader(&fleet);
    has_observed(&reader_of_fleet);
    assert_eq!(of_example_com(&reader_of_fleet), 1);
}

#[test]
fn there_is_nothing_to_read_where_no_store_is() {
    let directory = Directory::new();
    assert!(matches!(
        Reader::open(directory.store()),
        Err(StoreError::Missing { .. })
    ));
    fs::write(directory.store(), "").unwrap();
    assert!(matches!(
        Reader::open(directory.store()),
        Err(StoreError::Missing { .. })
    ));
    assert!(fs::read(directory.store()).unwrap().is_empty());
}
