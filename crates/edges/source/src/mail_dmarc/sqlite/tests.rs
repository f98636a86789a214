//! A store as Mail::DMARC makes it, and as it may have become.

use std::path::PathBuf;

use rusqlite::Connection;

use super::*;

/// The tables as far as they are read, without an index, as Mail::DMARC makes them.
const TABLES_OF_A_STORE: &str = "
    CREATE TABLE domain (id INTEGER PRIMARY KEY, domain TEXT NOT NULL);
    CREATE TABLE report (id INTEGER PRIMARY KEY, \"begin\" INTEGER, \"end\" INTEGER, from_domain_id INTEGER);
    CREATE TABLE report_policy_published (report_id INTEGER, adkim TEXT, aspf TEXT, p TEXT, sp TEXT, rua TEXT);
    CREATE TABLE report_record (id INTEGER PRIMARY KEY, report_id INTEGER, source_ip varbinary(16), count INTEGER,
      disposition TEXT, dkim TEXT, spf TEXT, envelope_from_did INTEGER, header_from_did INTEGER);
    CREATE TABLE report_record_reason (report_record_id INTEGER, type TEXT, comment TEXT);
    CREATE TABLE report_record_dkim (report_record_id INTEGER, domain_id INTEGER, selector TEXT, result TEXT);
    CREATE TABLE report_record_spf (report_record_id INTEGER, domain_id INTEGER, scope TEXT, result TEXT);
    INSERT INTO domain VALUES (1, 'example.com'), (2, 'mail.example.com'), (3, 'bounce.example.net');
    INSERT INTO report VALUES (1, 1780272000, 1780358399, 1), (2, 1780000000, 1780086399, 2);
    INSERT INTO report_policy_published VALUES (1, 'r', NULL, 'reject', 'none', 'mailto:a@example.com');
    INSERT INTO report_record VALUES (5, 1, x'c0000207', NULL, 'none', 'pass', 'fail', 3, 2);
    INSERT INTO report_record VALUES (6, 2, x'c0000208', 17, 'none', 'pass', 'fail', NULL, 2);
    INSERT INTO report_record VALUES (7, 1, CAST(x'c00002ff' AS TEXT), NULL, 'reject', 'fail', 'fail', NULL, 9);
    INSERT INTO report_record_dkim VALUES (7, 3, 's7', 'fail'), (6, 2, 's6', 'pass'), (5, 2, 's5', 'pass'),
      (5, 9, NULL, NULL);
    INSERT INTO report_record_spf VALUES (5, 3, 'mfrom', 'softfail'), (7, 3, 'mfrom', 'none');
    INSERT INTO report_record_reason VALUES (7, 'other', NULL), (6, 'local_policy', 'theirs');
";

/// A store in a file that is gone after the test.
struct Written {
    folder: PathBuf,
    connection: Connection,
}

impl Written {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("landmarc-mail-dmarc-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let connection = Connection::open(folder.join("store.sqlite")).unwrap();
        connection.execute_batch(TABLES_OF_A_STORE).unwrap();
        Self { folder, connection }
    }

    fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.folder.join("store.sqlite")).unwrap()
    }

    fn pending(&self) -> Vec<StoredRecord> {
        let mut all = Vec::new();
        let read = self.open().pending(|record| {
            all.push(record);
            ControlFlow::Continue(())
        });
        read.unwrap();
        all
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Q18: rows of others are told apart, and each message has what is its own.
#[test]
fn messages_are_read_with_all_that_belongs_to_them() {
    let store = Written::new("whole");
    let first = StoredRecord {
        id: 5,
        begin_s: 1_780_272_000,
        policy_domain: some("example.com"),
        p: some("reject"),
        sp: some("none"),
        adkim: some("r"),
        aspf: None,
        rua: some("mailto:a@example.com"),
        source_ip: vec![192, 0, 2, 7],
        disposition: some("none"),
        dkim_aligned: some("pass"),
        spf_aligned: some("fail"),
        header_from: some("mail.example.com"),
        envelope_from: some("bounce.example.net"),
        reasons: Vec::new(),
        dkim: vec![
            StoredDkim {
                domain: some("mail.example.com"),
                selector: some("s5"),
                result: some("pass"),
            },
            StoredDkim::default(),
        ],
        spf: vec![StoredSpf {
            domain: some("bounce.example.net"),
            scope: some("mfrom"),
            result: some("softfail"),
        }],
    };
    let all = store.pending();
    assert_eq!(all.first(), Some(&first));
    let second = all.get(1).unwrap();
    assert_eq!((second.id, &*second.source_ip), (7, [192, 0, 2, 255].as_slice()));
    assert_eq!(second.reasons, [("other".to_owned(), None)]);
    assert_eq!((second.dkim.len(), second.spf.len()), (1, 1));
    // Nobody has this number among the domains.
    assert_eq!(second.header_from, None);
    assert_eq!((all.len(), store.open().received_reports().unwrap()), (2, 1));
}

#[test]
fn reading_ends_when_it_is_told_to() {
    let store = Written::new("stop");
    let mut seen = Vec::new();
    let read = store.open().pending(|record| {
        seen.push(record.id);
        ControlFlow::Break(())
    });
    assert!(read.is_ok());
    assert_eq!(seen, [5]);
}

#[test]
fn a_message_with_two_policies_is_one_message() {
    let store = Written::new("policies");
    let again = "INSERT INTO report_policy_published VALUES (1, 's', 's', 'none', 'none', NULL)";
    store.connection.execute_batch(again).unwrap();
    let ids: Vec<_> = store.pending().iter().map(|record| record.id).collect();
    assert_eq!(ids, [5, 7]);
}

#[test]
fn what_is_of_another_type_is_read_as_far_as_it_can_be() {
    let store = Written::new("types");
    store
        .connection
        .execute_batch(
            "UPDATE report SET \"begin\" = 'never' WHERE id = 1;
             UPDATE report_record SET source_ip = 17, disposition = 4, dkim = 2.5, spf = x'ff' WHERE id = 5;",
        )
        .unwrap();
    let first = store.pending().into_iter().next().unwrap();
    // Two octets, as a text.
    assert_eq!((first.begin_s, &*first.source_ip), (0, b"17".as_slice()));
    assert_eq!(first.disposition.as_deref(), Some("4"));
    assert_eq!(first.dkim_aligned.as_deref(), Some("2.5"));
    assert_eq!(first.spf_aligned.as_deref(), Some("\u{fffd}"));
}

#[test]
fn a_text_is_cut_and_signatures_past_the_limit_tell_that_there_are_more() {
    let store = Written::new("limits");
    let insert = |text: &str, count: usize| {
        let mut statement = store
            .connection
            .prepare("INSERT INTO report_record_dkim VALUES (5, 2, ?1, 'pass')")
            .unwrap();
        for _ in 0..count {
            statement.execute([text]).unwrap();
        }
    };
    let signatures = || store.pending().into_iter().next().unwrap().dkim;
    insert(&"s".repeat(super::super::MAX_TEXT + 1), MAX_PER_RECORD - 2);
    assert_eq!(signatures().len(), MAX_PER_RECORD);
    let longest = signatures()
        .iter()
        .filter_map(|one| one.selector.as_ref().map(String::len))
        .max();
    assert_eq!(longest, Some(super::super::MAX_TEXT));
    insert("s", 3);
    assert_eq!(signatures().len(), MAX_PER_RECORD + 1);
    // The message after it has what is its own.
    assert_eq!(store.pending().get(1).map(|record| record.dkim.len()), Some(1));
}

#[test]
fn another_database_is_none() {
    let store = Written::new("other");
    store
        .connection
        .execute_batch("DROP TABLE report_record_spf")
        .unwrap();
    let error = SqliteStore::open(&store.folder.join("store.sqlite")).unwrap_err();
    assert!(error.to_string().contains("report_record_spf"), "{error}");
}
