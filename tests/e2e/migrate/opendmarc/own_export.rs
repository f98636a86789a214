//! What should not go unnoticed: a host that reads its own export, clocks that were wrong, names that are mistyped.

use std::fs;

use super::collector::yesterday_noon;
use super::tools::{HISTORY, record};
use super::{Ours, shown};
use crate::binary::{landmarc, landmarc_reading};

/// Checklist O8: a collector that has its own host in its list, too, reports each message once.
#[test]
fn o8_what_a_host_has_exported_is_not_counted_by_it_again() {
    let ours = Ours::new();
    let history = ours.folder().write("history", record());
    ours.migrated(&["--history", shown(&history)]);
    let export = |name: &str, reporter: &[&str]| {
        let file = ours.folder().join(name);
        let words = [
            "history",
            "export",
            "--config",
            ours.settings(),
            "--output",
            shown(&file),
        ];
        let ran = landmarc(words.iter().chain(reporter));
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        file
    };
    let own = export("own.dat", &[]);
    let done = ours.migrated(&["--history", shown(&own)]);
    assert_eq!(
        (&done["new"], &done["exported_by_this_host"]),
        (&0.into(), &1.into()),
        "{done}"
    );
    let words = [
        "migrate",
        "opendmarc",
        "--settings",
        ours.settings(),
        "--history",
        shown(&own),
    ];
    let printed = landmarc(words);
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    insta::assert_snapshot!(printed.stdout, @"
    imported 0 messages, 1 exported by this host
    1 are in the store already: this host exported them
    ");
    let import = ["opendmarc-import", "--verbose", "--settings", ours.settings()];
    let ran = landmarc_reading(&import, &fs::read(&own).unwrap());
    assert!(
        ran.code == 0 && ran.stderr.contains("0 new, 1 exported"),
        "{}",
        ran.stderr
    );
    // Another host's export is the collector's to count.
    let other = export("other.dat", &["--reporter=lm.elsewhere.example"]);
    assert_eq!(ours.migrated(&["--history", shown(&other)])["new"], 1);
}

/// Such a day is never over: it would not be reported, and be there when all others have expired.
#[test]
fn a_record_of_the_future_is_broken_and_told_with_its_line() {
    let ours = Ours::new();
    let ahead = HISTORY
        .replace("{received}", "9999999999")
        .replace("4ZQ0000001", "4ZQ0000002");
    let history = ours.folder().write("history", format!("{}{ahead}", record()));
    let ran = ours.migrate(&["--history", shown(&history)]);
    assert_eq!(ran.code, 65, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stderr.contains("line 21: received: 9999999999 "),
        "{}",
        ran.stderr
    );
    let done = ran.json();
    assert_eq!((&done["new"], &done["broken"]), (&1.into(), &1.into()), "{done}");
}

/// T5: a mistyped name in a crontab is told; a directory is none, and nothing is renamed to find that out.
#[test]
fn t5_a_history_file_that_cannot_be_is_told_of() {
    let ours = Ours::new();
    let import = |file: &str| {
        let option = format!("--history-file={file}");
        landmarc(["opendmarc-importstats", "--settings", ours.settings(), &option])
    };
    let directory = ours.folder().path();
    let in_it = || fs::read_dir(directory).unwrap().count();
    let before = in_it();
    let nothing = import(shown(&directory.join("opendmarc.dat")));
    assert_eq!(
        (nothing.code, nothing.stderr.as_str()),
        (0, ""),
        "there may be no mail"
    );
    let mistyped = import(shown(&directory.join("nope/opendmarc.dat")));
    assert_eq!(mistyped.code, 66);
    assert!(
        mistyped.stderr.starts_with("opendmarc-importstats: ")
            && mistyped.stderr.contains("no such directory"),
        "{}",
        mistyped.stderr
    );
    let spool = import(shown(directory));
    assert_eq!(spool.code, 66);
    insta::assert_snapshot!(
        spool.stderr.replace(shown(directory), "DIR"),
        @"opendmarc-importstats: DIR: this is a directory, and no history file"
    );
    assert_eq!(in_it(), before, "nothing was renamed");
}

/// T3: what goes before it was reported is said, and where it goes from.
#[test]
fn t3_opendmarc_expire_names_its_database_and_what_goes_unreported() {
    let ours = Ours::new();
    let earlier = yesterday_noon() - 2 * 86_400;
    let text = HISTORY.replace("{received}", &earlier.to_string());
    let history = ours.folder().write("history", text);
    let done = ours.migrated(&["--history", shown(&history)]);
    let day = done["days"].as_object().unwrap().keys().next().unwrap().clone();
    let expire = |days: &str| {
        let words = [
            "opendmarc-expire",
            "--settings",
            ours.settings(),
            "--verbose",
            days,
        ];
        let ran = landmarc(words);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stderr
    };
    let database = ours.folder().join("landmarc.db");
    let kept = expire("--expire=90");
    assert!(
        kept.contains(&format!("90 day(s) in {}\n", database.display())),
        "{kept}"
    );
    assert!(!kept.contains("unreported"), "{kept}");
    let gone = expire("--expire=1");
    assert!(
        gone.contains(&format!("{day}: its mail goes unreported")),
        "{gone}"
    );
    assert!(gone.contains("1 row(s) of the tally"), "{gone}");
}

/// Days that no calendar has between them, letters that nobody could find, a database that nobody reads.
#[test]
fn what_cannot_be_done_is_told_and_is_no_success() {
    let ours = Ours::new();
    let history = ours.folder().write("history", record());
    ours.migrated(&["--history", shown(&history)]);
    let between = [
        "--since=2026-06-02",
        "--until=2026-06-01",
        "--config",
        ours.settings(),
    ];
    let ran = landmarc([&["history", "export"][..], &between].concat());
    assert_eq!((ran.code, ran.stdout.as_str()), (64, ""), "{}", ran.stderr);
    let mistyped = ours.folder().join("nope");
    let workdir = format!("--workdir={}", mistyped.display());
    let trial = [
        "opendmarc-reports",
        "--test",
        &workdir,
        "--settings",
        ours.settings(),
    ];
    let ran = landmarc(trial);
    assert_eq!(ran.code, 69, "{}", ran.stderr);
    assert!(
        ran.stderr.contains(&format!(
            "opendmarc-reports: --workdir: there is no directory {}",
            mistyped.display()
        )),
        "{}",
        ran.stderr
    );
    assert!(!mistyped.exists(), "nor is it made");
    let postgres = ["migrate", "mail-dmarc", "--database", "postgres://u@h/dmarc"];
    let ran = landmarc(postgres);
    assert_eq!(ran.code, 64, "{}", ran.stderr);
    assert!(ran.stderr.contains("PostgreSQL"), "{}", ran.stderr);
    let ran = landmarc(["opendmarc", "-T"]);
    assert!(
        ran.code == 64 && ran.stderr.contains("DNSTimeout"),
        "{}",
        ran.stderr
    );
}

/// P35: the service would not start as somebody who is not there.
#[test]
fn p35_a_user_that_this_system_does_not_have_is_told_of() {
    let ours = Ours::new();
    let conf = ours.folder().write("opendmarc.conf", "UserID nobody-here:root\n");
    let ran = landmarc(["migrate", "opendmarc", "--config", shown(&conf)]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("This system has no \"nobody-here\"") && !ran.stderr.contains("no \"root\""),
        "{}",
        ran.stderr
    );
}
