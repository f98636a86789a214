//! Batches, rehearsals, and rows that no report could have.

use std::fs;

use landmarc_observation::{PublishedPolicy, TallyRow};
use landmarc_store::Reader;

use super::*;

/// 2026-06-01 00:00:00 UTC.
const MIDNIGHT_S: u64 = 1_780_272_000;

fn counted(key: &str) -> Counted {
    Counted {
        key: key.to_owned(),
        at_s: MIDNIGHT_S,
        count: 1,
        row: TallyRow {
            policy_domain: "Example.com".to_owned(),
            published: PublishedPolicy::of_rfc_7489(),
            source_ip: [192, 0, 2, 1].into(),
            disposition: "none".to_owned(),
            dkim_aligned: true,
            spf_aligned: false,
            reasons: Vec::new(),
            header_from: "mail.Example.com".to_owned(),
            envelope_from: None,
            dkim: Vec::new(),
            spf: None,
            envelope_to: None,
            incidental: false,
        },
    }
}

/// A store for a test, which is gone afterwards.
struct Place(PathBuf);

impl Place {
    fn new(test: &str) -> Self {
        let name = format!("landmarc-imports-{}-{test}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn imports(&self, how: ImportMode) -> Imports {
        let now_ms = (MIDNIGHT_S + 86_400) * 1_000;
        let patience = Duration::from_mins(1);
        Imports::open(
            &self.database().into(),
            &Settings::default(),
            how,
            now_ms,
            patience,
        )
        .unwrap()
    }

    fn database(&self) -> PathBuf {
        self.0.join("landmarc.db")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A leftover in the temporary directory is all it can come to.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn rows_are_written_in_batches_and_once_only() {
    let place = Place::new("batches");
    for round in 0..2 {
        let mut imports = place.imports(ImportMode::Write);
        for number in 0..=MAX_IMPORTS {
            imports.take(counted(&number.to_string())).unwrap();
        }
        let summary = imports.finish().unwrap();
        let all = MAX_IMPORTS as u64 + 1;
        let (new, known) = if round == 0 { (all, 0) } else { (0, all) };
        assert_eq!(summary.rows, all);
        assert_eq!((summary.messages.new, summary.messages.known), (new, known));
        assert_eq!(summary.days.values().sum::<u64>(), new);
    }
    let reader = Reader::open(place.database()).unwrap();
    let rows = reader.tally(Day::at(MIDNIGHT_S * 1_000), "example.com").unwrap();
    assert_eq!(rows.iter().map(|(_, count)| count).sum::<u64>(), 1_001);
    assert_eq!(rows[0].0.header_from, "mail.example.com");
}

#[test]
fn a_rehearsal_makes_no_store_and_leaves_the_tally_as_it_is() {
    let place = Place::new("rehearsal");
    let mut imports = place.imports(ImportMode::Rehearse);
    imports.take(counted("a")).unwrap();
    assert_eq!(imports.finish().unwrap().messages.new, 1);
    assert!(!place.0.exists(), "neither the store nor its directory");
    drop(place.imports(ImportMode::Write));
    let mut imports = place.imports(ImportMode::Rehearse);
    imports.take(counted("a")).unwrap();
    assert_eq!(imports.finish().unwrap().messages.new, 1);
    let reader = Reader::open(place.database()).unwrap();
    assert!(
        reader
            .policy_domains(Day::at(MIDNIGHT_S * 1_000))
            .unwrap()
            .is_empty()
    );
}

/// In batches: a file and the database that it was imported into have the same keys far from each other.
#[test]
fn a_rehearsal_counts_once_what_comes_again_in_another_batch() {
    let place = Place::new("again");
    let mut imports = place.imports(ImportMode::Rehearse);
    for number in (0..=MAX_IMPORTS).chain(0..=MAX_IMPORTS) {
        imports.take(counted(&number.to_string())).unwrap();
    }
    let messages = imports.finish().unwrap().messages;
    let all = MAX_IMPORTS as u64 + 1;
    assert_eq!((messages.new, messages.known), (all, all));
}

/// Root gives it to nobody, and keeps what a link leads to; others may give nothing away, least of all a file
/// of root's.
#[test]
fn a_link_beside_the_store_is_not_followed() {
    let place = Place::new("link");
    fs::create_dir(&place.0).unwrap();
    fs::write(place.database(), "").unwrap();
    let (target, account) = match geteuid().is_root() {
        true => {
            let target = place.0.join("target");
            fs::write(&target, "").unwrap();
            let (settings, _) = landmarc_settings::read("server.user = \"nobody\"\n").unwrap();
            (target, Account::find(&settings).unwrap())
        }
        false => (PathBuf::from("/bin/sh"), Account::default()),
    };
    let [wal, shm] = ["-wal", "-shm"].map(|suffix| place.0.join(format!("landmarc.db{suffix}")));
    std::os::unix::fs::symlink(&target, wal).unwrap();
    match geteuid().is_root() {
        true => fs::hard_link(&target, shm).unwrap(),
        false => std::os::unix::fs::symlink(&target, shm).unwrap(),
    }
    let owner = |path: &Path| fs::metadata(path).unwrap().uid();
    let before = owner(&target);
    give_to(&account, &place.database()).unwrap();
    assert_eq!(owner(&target), before);
    if let Some(nobody) = account.user_id() {
        assert_eq!(owner(&place.database()), nobody);
    }
}

#[test]
fn a_row_that_no_report_could_have_is_refused_alone() {
    let place = Place::new("refused");
    let mut imports = place.imports(ImportMode::Write);
    type Change = fn(&mut Counted);
    let broken: [(Change, &str); 7] = [
        (
            |row| row.row.policy_domain = "a..b".to_owned(),
            "\"a..b\" is no policy domain",
        ),
        (|row| row.row.header_from = String::new(), "is no author domain"),
        (|row| row.count = 0, "it counts no message"),
        (|row| row.count = MAX_COUNT + 1, "more than 1000000000"),
        (
            |row| row.row.disposition = "discard".to_owned(),
            "\"discard\" is no disposition",
        ),
        (|row| row.row.published.sp = "x".to_owned(), "\"x\" is no sp"),
        (|row| row.key = "k".repeat(MAX_KEY + 1), "longer than"),
    ];
    for (change, _) in &broken {
        let mut row = counted("broken");
        change(&mut row);
        imports.take(row).unwrap();
    }
    let mut longest = counted("");
    longest.key = "k".repeat(MAX_KEY);
    longest.count = MAX_COUNT;
    imports.take(longest).unwrap();
    let summary = imports.finish().unwrap();
    assert_eq!((summary.rows, summary.refused_rows), (1, 7));
    assert_eq!(summary.messages.new, MAX_COUNT);
    for ((_, why), refused) in broken.iter().zip(&summary.refused) {
        assert!(refused.why.contains(why), "{} for {why}", refused.why);
    }
}

#[test]
fn so_many_refused_rows_are_told_and_all_are_counted() {
    let place = Place::new("many");
    let mut imports = place.imports(ImportMode::Write);
    for _ in 0..=MAX_REFUSED {
        let mut row = counted("broken");
        row.count = 0;
        imports.take(row).unwrap();
    }
    let summary = imports.finish().unwrap();
    assert_eq!(summary.refused.len(), MAX_REFUSED);
    assert_eq!(summary.refused_rows, MAX_REFUSED as u64 + 1);
}
