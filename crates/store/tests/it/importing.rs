//! What other programs counted.

use std::time::Duration;

use landmarc_store::{
    Day, DayCounts, Import, Imported, Importer, Keep, MAX_IMPORTS, Outbox, Redirection, StoreError,
};

use crate::samples::{DAY, Directory, HOUR, MIDNIGHT, counted, message, reader, row, store_with};

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

fn importer(directory: &Directory) -> Importer {
    Importer::open(directory.store(), PATIENCE).unwrap()
}

#[test]
fn what_is_imported_again_is_not_counted_again() {
    let directory = Directory::new();
    let both = [import("a", 1), import("b", 1)];
    let mut importer = importer(&directory);
    let first = importer.import(&both, ANY_DAY).unwrap();
    assert_eq!((first.new, first.known), (2, 0));
    let again = importer.import(&both, ANY_DAY).unwrap();
    assert_eq!((again.new, again.known), (0, 2));
    assert_eq!(counted(&reader(&directory), Day::at(MIDNIGHT)), 2);
}

#[test]
fn a_key_that_stands_twice_in_one_call_counts_once() {
    let directory = Directory::new();
    let twice = [import("a", 1), import("a", 1)];
    let mut importer = importer(&directory);
    let said = importer.rehearse(&twice, ANY_DAY).unwrap();
    let done = importer.import(&twice, ANY_DAY).unwrap();
    assert_eq!((done.new, done.known), (1, 1));
    assert_eq!(said, done);
}

#[test]
fn of_a_count_that_grows_the_difference_is_added() {
    let directory = Directory::new();
    let mut importer = importer(&directory);
    for (count, new) in [(3, 3), (5, 2), (5, 0), (4, 0), (6, 1)] {
        let said = importer.rehearse(&[import("a", count)], ANY_DAY).unwrap();
        let done = importer.import(&[import("a", count)], ANY_DAY).unwrap();
        assert_eq!((done.new, done.known), (new, count - new), "{count}");
        assert_eq!(said, done);
    }
    assert_eq!(counted(&reader(&directory), Day::at(MIDNIGHT)), 6);
}

#[test]
fn a_rehearsal_writes_nothing() {
    let directory = Directory::new();
    let mut importer = importer(&directory);
    assert_eq!(importer.rehearse(&[import("a", 7)], ANY_DAY).unwrap().new, 7);
    assert_eq!(counted(&reader(&directory), Day::at(MIDNIGHT)), 0);
    assert_eq!(importer.import(&[import("a", 7)], ANY_DAY).unwrap().new, 7);
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

#[test]
fn messages_of_a_day_that_was_reported_about_are_counted_and_told_apart() {
    let directory = Directory::new();
    let mut outbox = Outbox::open(directory.store(), PATIENCE).unwrap();
    let day = Day::at(MIDNIGHT);
    outbox
        .finish_day(day, DayCounts::default(), MIDNIGHT + DAY)
        .unwrap();
    let mut tomorrow = import("b", 2);
    tomorrow.at_ms += DAY;
    let done = importer(&directory)
        .import(&[import("a", 3), tomorrow], ANY_DAY)
        .unwrap();
    assert_eq!((done.new, done.of_reported_days), (5, 3));
    assert_eq!(counted(&reader(&directory), day), 3);
}

#[tokio::test]
async fn what_is_known_of_keys_goes_with_their_day_and_such_days_are_left_out() {
    let directory = Directory::new();
    let recorder = store_with(&directory, []).await;
    importer(&directory).import(&[import("a", 3)], ANY_DAY).unwrap();
    let keep = Keep {
        tally_days: 1,
        ..Keep::standard(MIDNIGHT + 2 * DAY)
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

#[test]
fn there_are_so_many_a_call_and_no_more() {
    let directory = Directory::new();
    let mut importer = importer(&directory);
    let mut many: Vec<_> = (0..MAX_IMPORTS).map(|n| import(&n.to_string(), 1)).collect();
    assert_eq!(importer.import(&many, ANY_DAY).unwrap().new, 1_000);
    many.push(import("one more", 1));
    let error = importer.import(&many, ANY_DAY).unwrap_err();
    assert!(matches!(error, StoreError::TooLong { .. }), "{error}");
    assert_eq!(counted(&reader(&directory), Day::at(MIDNIGHT)), 1_000);
}

#[test]
fn reports_are_redirected_until_that_is_ended() {
    let directory = Directory::new();
    let mut outbox = Outbox::open(directory.store(), PATIENCE).unwrap();
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
