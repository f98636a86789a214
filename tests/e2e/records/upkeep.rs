//! `landmarc store`: status, expiry, backups; and the pages of all these commands.

use std::fs;
use std::path::Path;

use landmarc_observation::Observation;
use landmarc_store::Reader;
use landmarc_testkit::tools::Folder;

use super::{Book, DAY, failed, now_ms, skipped};
use crate::binary::landmarc;

#[test]
fn the_state_of_a_store_is_told() {
    let book = Book::new("status", [failed(), skipped()]);
    let config = book
        .folder
        .write("landmarc.toml", "[store]\nobservation_days = 3\n")
        .display()
        .to_string();
    let text = book.said(&["store", "status", "--config", &config]);
    let steady = |text: &str| {
        let sizes = ["size", "  free in it", "  log beside it"];
        let line = |line: &str| match sizes.iter().find(|name| line.starts_with(**name)) {
            Some(name) => format!("{name:<15} SIZE\n"),
            None => format!("{line}\n"),
        };
        text.replace(&book.store(), "FILE")
            .lines()
            .map(line)
            .collect::<String>()
    };
    insta::assert_snapshot!(steady(&text), @r#"
    path            FILE
    schema version  5
    size            SIZE
      free in it    SIZE
      log beside it SIZE
    observations    2, from 2026-06-01 to 2026-06-03
      traces        1
    tally rows      1, from 2026-06-01 to 2026-06-01
      distinct      1 over all days
    reports         0, 0 B
      deliveries    0 queued, 0 deferred, 0 delivered, 0 given up
    kept            observations 3 days, tally 400 days, at most 16.0 GiB
    "#);

    let object = book
        .run(&["store", "status", "--json", "--config", &config])
        .json();
    assert_eq!(object["path"], book.store());
    assert_eq!(object["observations"], 2);
    assert_eq!(object["observation_days"]["first"], "2026-06-01");
    assert_eq!(object["observation_days"]["last"], "2026-06-03");
    assert_eq!(object["tally_days"]["last"], "2026-06-01");
    assert_eq!(object["retention"]["observation_days"], 3);
    assert_eq!(object["file_bytes"], fs::metadata(book.path()).unwrap().len());
    // Without settings nothing is known of what is kept.
    let bare = book.run(&["store", "status", "--json"]).json();
    assert!(bare["retention"].is_null() && !bare["observations"].is_null());
    assert!(!book.said(&["store", "status"]).contains("kept"));
}

#[test]
fn expiry_removes_what_the_settings_no_longer_keep() {
    let now = now_ms();
    let at = |days: u64, id: &str| Observation {
        at_ms: now - days * DAY,
        id: id.to_owned(),
        ..failed()
    };
    let book = Book::new("expire", [at(30, "old"), at(4, "older"), at(1, "new")]);
    let config = book.folder.write(
        "landmarc.toml",
        "[store]\nobservation_days = 3\ntally_days = 10\n",
    );
    let config = config.display().to_string();
    // As while the service runs.
    let running = book.record([]);
    let ran = book.said(&["store", "expire", "--config", &config]);
    assert!(ran.starts_with("removed observations: 2\n"), "{ran}");
    assert!(ran.contains("\nremoved tally rows: 1\n"), "{ran}");
    assert_eq!(book.ids(&[]), ["new"]);
    drop(running);
    drop(book.record([at(0, "newest")]));
    assert_eq!(book.ids(&[]), ["new", "newest"]);

    let again = book
        .run(&["store", "expire", "--json", "--config", &config])
        .json();
    assert_eq!(
        (&again["observations"], &again["tally_rows"]),
        (&0.into(), &0.into())
    );
    // What is not there is not made.
    let absent = book.file("absent.db");
    let ran = landmarc(["store", "expire", "--config", &config, "--store", &absent]);
    assert_eq!((ran.code, ran.stdout.as_str()), (69, ""));
    assert!(ran.stderr.contains("recorded at"), "{}", ran.stderr);
    assert!(!Path::new(&absent).exists());
}

#[test]
fn a_backup_is_a_store_like_any_other() {
    let book = Book::new("backup", [failed()]);
    let copy = book.file("backup.db");
    let running = book.record([]);
    let said = book.said(&["store", "backup", &copy]);
    assert!(said.starts_with(&format!("{copy}: ")), "{said}");
    assert!(said.ends_with(" KiB, observations: 1, tally rows: 1\n"), "{said}");
    let of_copy = |command: &[&str]| landmarc([command, &["--store", &copy]].concat()).stdout;
    assert_eq!(
        of_copy(&["explain", "4ZQ0000001"]),
        book.said(&["explain", "4ZQ0000001"])
    );
    assert_eq!(of_copy(&["log"]), book.said(&["log"]));

    for ending in ["-wal", "-shm", "-journal", ".partial"] {
        assert!(!Path::new(&format!("{copy}{ending}")).exists(), "{ending}");
    }

    // A later one takes its place; what is no backup stays.
    drop(running);
    drop(book.record([skipped()]));
    assert!(book.said(&["store", "backup", &copy]).contains("observations: 2"));
    let letter = book.folder.write("letter.txt", "dear all").display().to_string();
    let ran = book.run(&["store", "backup", &letter]);
    assert_eq!((ran.code, ran.stdout.as_str()), (65, ""));
    assert_eq!(
        ran.stderr,
        format!("landmarc: {letter} exists and is no backup: it is not replaced\n")
    );
    assert_eq!(fs::read(&letter).unwrap(), b"dear all");
    let nowhere = book.file("no/such/backup.db");
    let ran = book.run(&["store", "backup", &nowhere]);
    assert_eq!((ran.code, ran.stdout.as_str()), (69, ""));
    assert!(ran.stderr.contains("(os error 2)"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains(&format!("{nowhere:?}")) && !ran.stderr.contains("partial"),
        "{}",
        ran.stderr
    );
    let ran = book.run(&["store", "backup", "-"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (64, ""));
    insta::assert_snapshot!(
        ran.stderr,
        @"landmarc: a backup is a database and goes to a file, not to standard output: name one"
    );
}

#[test]
fn a_backup_never_takes_the_place_of_its_store() {
    let book = Book::new("backup-itself", [failed()]);
    let _running = book.record([]);
    let link = book.file("link.db");
    std::os::unix::fs::symlink(book.path(), &link).unwrap();
    for to in [book.store(), format!("{}-wal", book.store()), link] {
        let ran = book.run(&["store", "backup", &to]);
        assert_eq!((ran.code, ran.stdout.as_str()), (64, ""), "{to}");
        assert!(ran.stderr.contains("the store itself"), "{}", ran.stderr);
    }
    assert_eq!(
        Reader::open(book.path()).unwrap().status().unwrap().observations,
        1
    );
}

#[test]
fn the_new_commands_have_pages_and_completions() {
    let folder = Folder::new("records-documents");
    let directory = folder.path().join("man1");
    let ran = landmarc(["man", "--output-dir", &directory.display().to_string()]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    for (page, says) in [
        ("landmarc-explain.1", "queue id"),
        ("landmarc-log.1", "apostrophe"),
        ("landmarc-store.1", "backup"),
        ("landmarc-store-status.1", "database"),
        ("landmarc-store-expire.1", "settings"),
        ("landmarc-store-backup.1", "earlier backup"),
    ] {
        let text = fs::read_to_string(directory.join(page)).unwrap_or_else(|e| panic!("{page}: {e}"));
        assert!(text.contains(says), "{page}: {text}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let ran = landmarc(["completions", shell]);
        for word in ["explain", "backup", "temperror", "disposition"] {
            assert!(ran.stdout.contains(word), "{shell}: {word}");
        }
    }
}
