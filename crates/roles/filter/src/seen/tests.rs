//! From recorded messages to what they show.

use std::path::PathBuf;
use std::sync::Arc;

use landmarc_mail::{ClientNetwork, DomainName};
use landmarc_observation::{Observation, PublishedPolicy};
use landmarc_store::{Recorder, RecorderOptions};

use super::*;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// 2026-11-20 at noon.
const NOW_MS: u64 = 1_795_176_000_000;

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("landmarc-seen-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("landmarc.db")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A leftover in the temporary directory is all it can come to.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A message of a domain that its own host sent and signed.
fn own(author: &str) -> TallyRow {
    TallyRow {
        policy_domain: author.to_owned(),
        published: PublishedPolicy::default(),
        source_ip: [192, 0, 2, 1].into(),
        disposition: "pass".to_owned(),
        dkim_aligned: true,
        spf_aligned: true,
        reasons: Vec::new(),
        header_from: author.to_owned(),
        envelope_from: Some(author.to_owned()),
        envelope_to: None,
        dkim: vec![(author.to_owned(), "s1".to_owned(), "pass".to_owned())],
        spf: Some((author.to_owned(), "mfrom".to_owned(), "pass".to_owned())),
        incidental: false,
    }
}

/// One that fails.
fn failing(author: &str, client: [u8; 4]) -> TallyRow {
    TallyRow {
        source_ip: client.into(),
        disposition: "quarantine".to_owned(),
        dkim_aligned: false,
        spf_aligned: false,
        dkim: Vec::new(),
        spf: Some((author.to_owned(), "mfrom".to_owned(), "softfail".to_owned())),
        ..own(author)
    }
}

fn observation(at_ms: u64, row: TallyRow) -> Observation {
    let word = || "none".to_owned();
    Observation {
        at_ms,
        queue_id: String::new(),
        id: String::new(),
        client: Some(row.source_ip),
        author_domain: Some(row.header_from.clone()),
        spf: word(),
        dkim: word(),
        arc: word(),
        dmarc: word(),
        policy_domain: Some(row.policy_domain.clone()),
        policy: None,
        disposition: word(),
        action: word(),
        enforced_action: word(),
        overrides: Vec::new(),
        rule: None,
        cause: String::new(),
        questions: 0,
        ms: 0,
        trace: Arc::default(),
        row: Some(row),
    }
}

/// Records these rows, each so often, on so many days up to yesterday.
async fn record(directory: &Directory, days: u64, rows: &[(TallyRow, u32)]) {
    let recorder = Recorder::open(RecorderOptions::at(directory.file())).unwrap();
    for back in 1..=days {
        for (row, count) in rows {
            for _ in 0..*count {
                recorder
                    .record(observation(NOW_MS - back * DAY_MS, row.clone()))
                    .await;
            }
        }
    }
    tokio::task::spawn_blocking(move || recorder.close(Duration::from_secs(30)))
        .await
        .unwrap();
}

fn read(directory: &Directory, now_ms: u64) -> Seen {
    let reader = Reader::open(directory.file()).unwrap();
    refresh(
        &mut SeenHistory::default(),
        &reader,
        &Suffixes::built_in(),
        now_ms,
    )
    .unwrap()
}

fn signs_everything(seen: &Seen, author: &str) -> bool {
    let author = DomainName::parse(author).unwrap();
    seen.signing(&author).is_some_and(|seen| seen.signs_everything())
}

#[tokio::test]
async fn the_habits_of_senders_come_from_the_tallies_of_the_store() {
    let directory = Directory::new("habits");
    let (mut rows, mut forged) = (Vec::new(), Vec::new());
    for name in ["a.example", "b.example", "c.example", "d.example", "e.example"] {
        rows.push((own(name), 12));
        forged.push((failing(name, [203, 0, 113, 9]), 1));
    }
    let unsigned = TallyRow {
        dkim_aligned: false,
        dkim: Vec::new(),
        ..own("plain.example")
    };
    rows.push((unsigned, 12));
    record(&directory, 14, &rows).await;
    // By then the domains are known for their habit.
    record(&directory, 1, &forged).await;
    let seen = read(&directory, NOW_MS);
    assert!(signs_everything(&seen, "a.example"));
    assert!(!signs_everything(&seen, "plain.example"));
    let spoofer = seen.network(ClientNetwork::of([203, 0, 113, 77].into())).unwrap();
    assert!(spoofer.is_known_spoofer());
    // A month later nothing of it counts.
    assert!(matches!(read(&directory, NOW_MS + 31 * DAY_MS), Seen::Young(0)));
}

#[tokio::test]
async fn what_dns_left_open_says_nothing() {
    let directory = Directory::new("open");
    let mut rows: Vec<(TallyRow, u32)> = Vec::new();
    for name in ["a.example", "b.example", "c.example", "d.example", "e.example"] {
        rows.push((own(name), 12));
        let spf = Some((name.to_owned(), "mfrom".to_owned(), "temperror".to_owned()));
        rows.push((
            TallyRow {
                spf,
                ..failing(name, [203, 0, 113, 9])
            },
            1,
        ));
    }
    record(&directory, 14, &rows).await;
    assert_eq!(
        read(&directory, NOW_MS).network(ClientNetwork::of([203, 0, 113, 9].into())),
        None
    );
}

#[tokio::test]
async fn past_days_are_read_once_and_today_again() {
    let directory = Directory::new("again");
    record(&directory, 14, &[(own("a.example"), 15)]).await;
    let suffixes = Suffixes::built_in();
    let mut history = SeenHistory::default();
    let reader = Reader::open(directory.file()).unwrap();
    let first = refresh(&mut history, &reader, &suffixes, NOW_MS).unwrap();
    assert!(signs_everything(&first, "a.example"));
    let unsigned = TallyRow {
        dkim_aligned: false,
        dkim: Vec::new(),
        ..own("a.example")
    };
    // The day before today has closed when it is read the first time, and is read again.
    record(&directory, 1, &[(unsigned, 2)]).await;
    let second = refresh(&mut history, &reader, &suffixes, NOW_MS).unwrap();
    assert!(!signs_everything(&second, "a.example"));
}

#[test]
fn a_command_without_a_store_goes_on_without() {
    let directory = Directory::new("command");
    let text = |more: &str| format!("store.directory = \"{}\"\n{more}", directory.0.display());
    let (settings, _) = landmarc_settings::read(&text("")).unwrap();
    let suffixes = Suffixes::built_in();
    assert!(matches!(for_command(&settings, &suffixes, NOW_MS), Seen::Away));
    std::fs::write(directory.file(), "this is no database").unwrap();
    assert!(matches!(for_command(&settings, &suffixes, NOW_MS), Seen::Away));
    let (settings, _) = landmarc_settings::read(&text("action.evidence_from_records = false\n")).unwrap();
    assert!(matches!(for_command(&settings, &suffixes, NOW_MS), Seen::Off));
}
