//! What is exported and imported again, rehearsed, or asked for in halves that do not go together.

use super::tools::record;
use super::{Ours, shown, sums};
use crate::binary::landmarc;

/// `history export` a second time, when more was counted: ids belong to what they stand for, and not to its place.
#[test]
fn what_is_exported_again_with_more_in_it_is_imported_once_and_whole() {
    let from = Ours::new();
    let import = |text: String| {
        let file = from.folder().write("history", text);
        from.migrated(&["--history", shown(&file)]);
    };
    let export = |name: &str| {
        let path = from.folder().join(name);
        let options = [
            "history",
            "export",
            "--reporter=lm.here.example",
            "--config",
            from.settings(),
        ];
        let ran = landmarc(options.iter().chain(&["--output", shown(&path)]));
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        path
    };
    import(record());
    let first = export("first.dat");
    // Clients and domains that come before and after it, and one more of the same.
    for (number, client, domain) in [
        (2, "192.0.2.1", "watch.example"),
        (3, "192.0.2.99", "watch.example"),
        (4, "192.0.2.7", "aside.example"),
        (5, "192.0.2.7", "watch.example"),
    ] {
        let text = record().replace("4ZQ0000001", &format!("4ZQ000000{number}"));
        import(text.replace("192.0.2.7", client).replace("watch.example", domain));
    }
    let second = export("second.dat");
    let to = Ours::new();
    let done = to.migrated(&["--history", shown(&first), "--history", shown(&second)]);
    assert_eq!((&done["new"], &done["known"]), (&5.into(), &1.into()), "{done}");
    assert_eq!(sums::sums(&to.reports()), sums::sums(&from.reports()));
}

/// A word that would have no effect is refused: nobody rehearses something and finds it done.
#[test]
fn options_of_the_one_half_of_a_move_are_refused_with_the_other() {
    let ours = Ours::new();
    let made = ours.folder().join("made.toml");
    let conf = ours.folder().write("opendmarc.conf", "Syslog true\n");
    let refused = |words: &[&str], option: &str, other: &str| {
        let ran = landmarc(words);
        assert_eq!(ran.code, 64, "{words:?}: {}{}", ran.stdout, ran.stderr);
        assert!(
            ran.stderr.contains(option) && ran.stderr.contains(other),
            "{words:?}: {}",
            ran.stderr
        );
        assert!(!made.exists() && ran.stdout.is_empty(), "{words:?}");
    };
    let settings = [
        "migrate",
        "opendmarc",
        "--config",
        shown(&conf),
        "--output",
        shown(&made),
    ];
    for words in [
        &["--dry-run"][..],
        &["--since", "30d"],
        &["--settings", ours.settings()],
        &["--store", "x.db"],
    ] {
        refused(&[&settings[..], words].concat(), "--history", "--database");
    }
    let history = ours.folder().write("history", record());
    let data = [
        "migrate",
        "opendmarc",
        "--settings",
        ours.settings(),
        "--history",
        shown(&history),
    ];
    for words in [
        &["--output", shown(&made)][..],
        &["--keep-going"],
        &["--config", shown(&conf)],
    ] {
        refused(&[&data[..], words].concat(), words[0], "--history");
    }
    let data = ["migrate", "mail-dmarc", "--database", "x.sqlite"];
    for option in ["--output", "--rules-output"] {
        refused(
            &[&data[..], &[option, shown(&made)]].concat(),
            option,
            "--database",
        );
    }
    refused(
        &["migrate", "mail-dmarc", "--source", "other"],
        "--database",
        "required",
    );
    assert_eq!(ours.migrated(&["--history", shown(&history)])["new"], 1);
}

/// `--dry-run` before the service has ever run: what it is told about, nobody finds afterwards.
#[test]
fn a_rehearsal_leaves_no_store_behind() {
    let ours = Ours::new();
    let history = ours.folder().write("history", record());
    let store = ours.folder().join("nowhere/landmarc.db");
    let options = [
        "--history",
        shown(&history),
        "--store",
        shown(&store),
        "--dry-run",
    ];
    assert_eq!(ours.migrated(&options)["new"], 1);
    assert!(!store.parent().unwrap().exists());
}
