//! Which store is read, and what is said of one that cannot be.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use landmarc_observation::Observation;
use landmarc_testkit::tools::Folder;

use super::{Book, failed};
use crate::binary::{Ran, landmarc, landmarc_as_nobody};

#[test]
fn the_store_of_the_settings_is_the_one_that_is_read() {
    let book = Book::new("settings", [failed()]);
    let text = format!("[store]\ndirectory = \"{}\"\n", book.folder.path().display());
    let config = book.folder.write("landmarc.toml", text).display().to_string();
    for command in [&["explain", "4ZQ0000001"][..], &["log"], &["store", "status"]] {
        let ran = landmarc([command, &["--config", &config]].concat());
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{command:?}");
        assert!(!ran.stdout.is_empty());
    }
    let wrong = book
        .folder
        .write("wrong.toml", "[store]\ndirectry = \"/x\"\n")
        .display()
        .to_string();
    let ran = landmarc(["log", "--config", &wrong]);
    assert_eq!((ran.code, ran.stdout.as_str()), (78, ""));
}

/// A mistake that has nothing to do with the store keeps nobody from reading it.
#[test]
fn mistakes_elsewhere_in_the_settings_are_told_in_one_line() {
    let book = Book::new("mistakes", [failed()]);
    let rules = book.folder.write(
        "rules.toml",
        "[[rule]]\nname = \"r\"\nclient = [\"192.0.2.1\"]\naction = \"accept\"\nreason = \"x\"\nowner = \"x\"\nexpires = 2020-01-01\n",
    );
    let settings = |name: &str, first: &str| {
        let text = format!(
            "{first}\n[store]\ndirectory = \"{}\"\n",
            book.folder.path().display()
        );
        book.folder.write(name, text).display().to_string()
    };
    let wrong = settings("wrong.toml", "mode = 3");
    let absent = settings("absent.toml", "action.rules_file = \"/nonexistent/rules.toml\"");
    let expired = settings(
        "expired.toml",
        &format!("action.rules_file = \"{}\"", rules.display()),
    );
    let copy = book.file("copy.db");
    for command in [
        &["explain", "4ZQ0000001"][..],
        &["log"],
        &["store", "status"],
        &["store", "expire", "--force"],
        &["store", "backup", &copy],
    ] {
        let printed = |config: &str| {
            let ran = landmarc([command, &["--config", config]].concat());
            assert_eq!(ran.code, 0, "{command:?}: {}", ran.stderr);
            assert!(!ran.stdout.is_empty(), "{command:?}");
            ran.stderr
        };
        let line = format!("landmarc: {wrong} has mistakes: `landmarc config check {wrong}` tells them\n");
        assert_eq!(printed(&wrong), line, "{command:?}");
        // The rules are not read at all.
        assert_eq!(printed(&absent), "", "{command:?}");
        assert_eq!(printed(&expired), "", "{command:?}");
        // Expiry has removed it.
        drop(book.record([failed()]));
    }
}

/// Each command that reads says the same of a store that it cannot read.
#[track_caller]
fn refused(book: &Book, path: &Path, run: impl Fn(&[&str]) -> Ran) -> (i32, String) {
    let path = path.display().to_string();
    let copy = book.file("copy.db");
    let printed = |command: &[&str]| {
        let ran = run(&[command, &["--store", &path]].concat());
        assert_eq!(ran.stdout, "", "{command:?}");
        (ran.code, ran.stderr.replace(&path, "FILE"))
    };
    let first = printed(&["explain", "4ZQ0000001"]);
    assert_eq!(printed(&["log"]), first);
    assert_eq!(printed(&["store", "status"]), first);
    assert_eq!(printed(&["store", "backup", &copy]), first);
    assert!(!Path::new(&copy).exists());
    first
}

#[test]
fn a_store_that_cannot_be_read_is_told_with_the_remedy() {
    let book = Book::new("unreadable", [failed()]);
    let said = |path: &Path| refused(&book, path, |arguments| landmarc(arguments));

    let absent = book.folder.path().join("absent.db");
    let nothing_there = said(&absent);
    assert_eq!(nothing_there.0, 69);
    insta::assert_snapshot!(
        nothing_there.1,
        @"landmarc: nothing has been recorded at FILE: is the service running, with another store.directory?"
    );
    assert_eq!(said(&book.path().join("below-a-file.db")), nothing_there);
    assert!(!absent.exists(), "reading makes nothing");
    let empty = book.folder.write("empty.db", "");
    assert_eq!(said(&empty), nothing_there);

    let text = book
        .folder
        .write("text.db", "this is no database, and never was\n".repeat(100));
    let (code, printed) = said(&text);
    assert_eq!(code, 65);
    insta::assert_snapshot!(printed, @r#"
    landmarc: "FILE" is no database, or its beginning is damaged
      if it was the store: stop the service, move the file away, restore the last backup in its place; else name another data directory; the file is unchanged
    "#);
    let mut octets = fs::read(book.path()).unwrap();
    octets.iter_mut().skip(4_096).for_each(|octet| *octet = 0xa5);
    let damaged = book.folder.write("damaged.db", &octets);
    let path = damaged.display().to_string();
    let printed = [&["explain", "4ZQ0000001"][..], &["log"], &["store", "status"]].map(|command| {
        let ran = landmarc([command, &["--store", &path]].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{command:?}");
        ran.stderr.replace(&path, "FILE")
    });
    insta::assert_snapshot!(printed[0], @r#"
    landmarc: "FILE" holds a damaged page
      stop the service, move the file away, restore the last backup in its place
    "#);
    assert!(printed.iter().all(|one| *one == printed[0]), "{printed:?}");
}

#[test]
fn a_store_of_a_later_version_is_left_alone() {
    let book = Book::new("newer", [failed()]);
    let mut octets = fs::read(book.path()).unwrap();
    // The last row in the table of versions, as SQLite lays it out: nine octets, the number, a
    // head of three, and the time as a 48-bit number.
    let row = |octets: &[u8]| octets.len() == 5 && octets[0] == 9 && octets[2..] == [3, 0, 5];
    let places: Vec<usize> = octets
        .windows(5)
        .enumerate()
        .filter(|(_, o)| row(o))
        .map(|(at, _)| at)
        .collect();
    let last = places
        .iter()
        .max_by_key(|at| octets[**at + 1])
        .expect("a row of the table of versions");
    octets[last + 1] = 99;
    let newer = book.folder.write("newer.db", &octets);
    let (code, printed) = refused(&book, &newer, |arguments| landmarc(arguments));
    assert_eq!(code, 65);
    assert!(
        printed.starts_with("landmarc: \"FILE\" is at version 99 "),
        "{printed}"
    );
    let config = book.folder.write("landmarc.toml", "").display().to_string();
    let expired = landmarc([
        "store",
        "expire",
        "--config",
        &config,
        "--store",
        &newer.display().to_string(),
    ]);
    assert_eq!((expired.code, expired.stdout.as_str()), (65, ""));
    assert_eq!(fs::read(&newer).unwrap(), octets);
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn who_may_not_read_the_store_is_told_as_whom_to() {
    let book = Book::new("forbidden", [failed()]);
    set_mode(&book.path(), 0o000);
    let (code, printed) = refused(&book, &book.path(), |arguments| {
        landmarc_as_nobody(&book.folder, arguments)
    });
    assert_eq!(code, 69);
    insta::assert_snapshot!(printed, @"
        landmarc: cannot read FILE: Permission denied
          run it as root, as the user of the service, or as a member of its group
        ");
}

/// Neither the service nor its absence keeps another user from reading, when the modes do not.
#[test]
fn another_user_reads_while_the_service_writes_and_when_it_is_stopped() {
    let book = Book::new("other-user", [failed()]);
    set_mode(&book.path(), 0o644);
    let store = book.store();
    let read = || {
        let ran = landmarc_as_nobody(&book.folder, &["explain", "4ZQ0000001", "--store", &store]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        ran.stdout
    };
    let running = book.record([Observation {
        queue_id: "other".to_owned(),
        ..failed()
    }]);
    let meanwhile = read();
    drop(running);
    // The program is copied there by now; nothing else can be made beside the store.
    let beside = || fs::exists(format!("{store}-wal")).unwrap();
    assert!(!beside());
    let directory = Folder::new("records-other-user-closed");
    let closed = directory.path().join("50% of a?store#.db");
    fs::copy(book.path(), &closed).unwrap();
    set_mode(&closed, 0o444);
    set_mode(directory.path(), 0o555);
    let closed = closed.display().to_string();
    let ran = landmarc_as_nobody(&book.folder, &["explain", "4ZQ0000001", "--store", &closed]);
    set_mode(directory.path(), 0o755);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(ran.stdout, meanwhile);
    assert_eq!(read(), meanwhile);
}
