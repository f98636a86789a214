//! What other programs counted.

use std::time::Duration;

use landmarc_store::{
    Day, DayCounts, Import, Imported, Importer, MAX_IMPORTS, Outbox, Redirection, Rehearsal, Retention,
    StoreError, StoreLocation,
};

use crate::bed::{Bed, suite};
use crate::samples::{DAY, Directory, HOUR, MIDNIGHT, counted, message, reader, row, store_with};

suite!(
    what_is_imported_again_is_not_counted_again,
    a_key_that_stands_twice_in_one_call_counts_once,
    of_a_count_that_grows_the_difference_is_added,
    a_rehearsal_writes_nothing,
    a_rehearsal_remembers_what_it_has_seen_in_calls_before,
    messages_of_a_day_that_was_reported_about_are_counted_and_told_apart,
    there_are_so_many_a_call_and_no_more,
    reports_are_redirected_until_that_is_ended,
    a_count_past_all_reason_is_held_to_its_limit,
);

const PATIENCE: Duration = Duration::from_mins(1);
const ANY_DAY: Day = Day(0);

fn import(key: &str, count: u64) -> Import {
    Import {
        key: key.to_owned(),
        at_ms: MIDNIGHT + HOUR,
        count,
        row: row("example.com"),
    }
}

fn importer(of: impl Into<StoreLocation>) -> Importer {
    Importer::open(of, PATIENCE).unwrap()
}

fn rehearsal(of: impl Into<StoreLocation>) -> Rehearsal {
    Rehearsal::open(of).unwrap()
}

fn what_is_imported_again_is_not_counted_again(bed: &Bed) {
    let both = [import("a", 1), import("b", 1)];
    let mut importer = importer(bed);
    let first = importer.import(&both, ANY_DAY).unwrap();
    assert_eq!((first.new, first.known), (2, 0));
    let again = importer.import(&both, ANY_DAY).unwrap();
    assert_eq!((again.new, again.known), (0, 2));
    assert_eq!(counted(&reader(bed), Day::at(MIDNIGHT)), 2);
}

fn a_key_that_stands_twice_in_one_call_counts_once(bed: &Bed) {
    let twice = [import("a", 1), import("a", 1)];
    let mut importer = importer(bed);
    let said = rehearsal(bed).import(&twice, ANY_DAY).unwrap();
    let done = importer.import(&twice, ANY_DAY).unwrap();
    assert_eq!((done.new, done.known), (1, 1));
    assert_eq!(said, done);
}

fn of_a_count_that_grows_the_difference_is_added(bed: &Bed) {
    let mut importer = importer(bed);
    for (count, new) in [(3, 3), (5, 2), (5, 0), (4, 0), (6, 1)] {
        let said = rehearsal(bed).import(&[import("a", count)], ANY_DAY).unwrap();
        let done = importer.import(&[import("a", count)], ANY_DAY).unwrap();
        assert_eq!((done.new, done.known), (new, count - new), "{count}");
        assert_eq!(said, done);
    }
    assert_eq!(counted(&reader(bed), Day::at(MIDNIGHT)), 6);
}

fn a_rehearsal_writes_nothing(bed: &Bed) {
    let mut importer = importer(bed);
    let said = rehearsal(bed).import(&[import("a", 7)], ANY_DAY);
    assert_eq!(said.unwrap().new, 7);
    assert_eq!(counted(&reader(bed), Day::at(MIDNIGHT)), 0);
    assert_eq!(importer.import(&[import("a", 7)], ANY_DAY).unwrap().new, 7);
}

/// A history file in two parts that overlap, or a file and the database it was imported into: more than one call.
fn a_rehearsal_remembers_what_it_has_seen_in_calls_before(bed: &Bed) {
    importer(bed).import(&[import("a", 2)], ANY_DAY).unwrap();
    let mut rehearsal = rehearsal(bed);
    for (key, count, new) in [
        ("a", 3, 1),
        ("b", 1, 1),
        ("b", 1, 0),
        ("a", 3, 0),
        ("a", 2, 0),
        ("b", 4, 3),
    ] {
        let said = rehearsal.import(&[import(key, count)], ANY_DAY).unwrap();
        assert_eq!((said.new, said.known), (new, count - new), "{key} {count}");
    }
}

#[test]
fn a_rehearsal_makes_no_store() {
    let directory = Directory::new();
    let mut rehearsal = rehearsal(&directory);
    let old = rehearsal
        .import(&[import("a", 7)], Day::at(MIDNIGHT).next())
        .unwrap();
    assert_eq!((old.new, old.too_old), (0, 7));
    assert_eq!(rehearsal.import(&[import("a", 7)], ANY_DAY).unwrap().new, 7);
    assert_eq!(rehearsal.import(&[import("a", 7)], ANY_DAY).unwrap().known, 7);
    let left = std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(left, 0, "nothing is made");
}

/// What the service that runs there reads and writes stays as it is.
#[test]
fn a_rehearsal_reads_an_older_store_as_one_that_nothing_was_imported_into() {
    let directory = Directory::new();
    let connection = rusqlite::Connection::open(directory.store()).unwrap();
    connection.execute_batch(include_str!("version_1.sql")).unwrap();
    drop(connection);
    let before = std::fs::read(directory.store()).unwrap();
    let said = rehearsal(&directory).import(&[import("a", 7)], ANY_DAY).unwrap();
    assert_eq!((said.new, said.of_reported_days), (7, 0));
    assert_eq!(std::fs::read(directory.store()).unwrap(), before);
    assert_eq!(reader(&directory).status().unwrap().version, 1);
}

/// Neither as one count nor as a sum: the column holds 64 bits, and a row that is refused stops all imports.
fn a_count_past_all_reason_is_held_to_its_limit(bed: &Bed) {
    const MOST: u64 = 1_000_000_000_000_000;
    let mut importer = importer(bed);
    let count = |key: &str, count, importer: &mut Importer| {
        let said = rehearsal(bed).import(&[import(key, count)], ANY_DAY).unwrap();
        let done = importer.import(&[import(key, count)], ANY_DAY).unwrap();
        assert_eq!(said, done);
        (done.new, done.known, counted(&reader(bed), Day::at(MIDNIGHT)))
    };
    assert_eq!(count("a", u64::MAX, &mut importer), (MOST, 0, MOST));
    assert_eq!(count("a", u64::MAX, &mut importer), (0, MOST, MOST));
    assert_eq!(
        count("b", 9_223_372_036_854_775_807, &mut importer),
        (MOST, 0, MOST)
    );
    assert_eq!(count("c", 1, &mut importer), (1, 0, MOST));
}

#[tokio::test]
async fn it_works_beside_a_recorder_and_joins_its_rows() {
    let directory = Directory::new();
    let recorder = store_with(&directory, [message(1)]).await;
    let mut same = import("a", 4);
    same.row = message(1).row.unwrap();
    importer(&directory).import(&[same], ANY_DAY).unwrap();
    crate::samples::record_all(&recorder, [message(2)]).await;
    let reader = reader(&directory);
    let rows = reader.tally(Day::at(MIDNIGHT), "example.com").unwrap();
    assert_eq!(rows.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [6]);
}

fn messages_of_a_day_that_was_reported_about_are_counted_and_told_apart(bed: &Bed) {
    let mut outbox = Outbox::open(bed, PATIENCE).unwrap();
    let day = Day::at(MIDNIGHT);
    outbox
        .finish_day(day, DayCounts::default(), MIDNIGHT + DAY)
        .unwrap();
    let mut tomorrow = import("b", 2);
    tomorrow.at_ms += DAY;
    let done = importer(bed)
        .import(&[import("a", 3), tomorrow], ANY_DAY)
        .unwrap();
    assert_eq!((done.new, done.of_reported_days), (5, 3));
    assert_eq!(counted(&reader(bed), day), 3);
}

#[tokio::test]
async fn what_is_known_of_keys_goes_with_their_day_and_such_days_are_left_out() {
    let directory = Directory::new();
    let recorder = store_with(&directory, []).await;
    importer(&directory).import(&[import("a", 3)], ANY_DAY).unwrap();
    let keep = Retention {
        tally_days: 1,
        ..Retention::standard(MIDNIGHT + 2 * DAY)
    };
    recorder.expire(keep).await.unwrap();
    assert_eq!(counted(&reader(&directory), Day::at(MIDNIGHT)), 0);
    let kept_from = Day::at(MIDNIGHT).next();
    let mut importer = importer(&directory);
    let done = importer.import(&[import("a", 3)], kept_from).unwrap();
    let all_too_old = Imported {
        too_old: 3,
        ..Imported::default()
    };
    assert_eq!(done, all_too_old);
    // The ledger has forgotten it: at its limit a day is imported as if for the first time.
    assert_eq!(
        importer.import(&[import("a", 3)], Day::at(MIDNIGHT)).unwrap().new,
        3
    );
}

fn there_are_so_many_a_call_and_no_more(bed: &Bed) {
    let mut importer = importer(bed);
    let mut many: Vec<_> = (0..MAX_IMPORTS).map(|n| import(&n.to_string(), 1)).collect();
    assert_eq!(importer.import(&many, ANY_DAY).unwrap().new, 1_000);
    many.push(import("one more", 1));
    let error = importer.import(&many, ANY_DAY).unwrap_err();
    assert!(matches!(error, StoreError::TooLong { .. }), "{error}");
    assert_eq!(counted(&reader(bed), Day::at(MIDNIGHT)), 1_000);
}

fn reports_are_redirected_until_that_is_ended(bed: &Bed) {
    let mut outbox = Outbox::open(bed, PATIENCE).unwrap();
    let to = |rua: &[&str]| Redirection {
        policy_domain: "example.com".to_owned(),
        rua: rua.iter().map(|uri| (*uri).to_owned()).collect(),
        since_ms: MIDNIGHT,
    };
    assert_eq!(outbox.redirection("example.com").unwrap(), None);
    outbox.redirect(&to(&["mailto:a@example.net"])).unwrap();
    outbox
        .redirect(&to(&["mailto:b@example.net", "mailto:c@example.net"]))
        .unwrap();
    let expected = to(&["mailto:b@example.net", "mailto:c@example.net"]);
    assert_eq!(outbox.redirection("example.com").unwrap(), Some(expected.clone()));
    assert_eq!(outbox.redirections().unwrap(), [expected]);
    assert!(outbox.stop_redirecting("example.com").unwrap());
    assert!(!outbox.stop_redirecting("example.com").unwrap());
    let many = vec!["mailto:a@example.net"; landmarc_store::MAX_URIS + 1];
    assert!(outbox.redirect(&to(&many)).is_err());
}
