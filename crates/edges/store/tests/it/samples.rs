//! Messages, and places to record them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use landmarc_observation::{Observation, PublishedPolicy, TallyRow};
use landmarc_store::{Day, Reader, Recorded, Recorder, RecorderOptions, StoreLocation};

/// 2026-06-01 00:00:00 UTC.
pub(crate) const MIDNIGHT: u64 = 1_780_272_000_000;
pub(crate) const HOUR: u64 = 3_600_000;
pub(crate) const DAY: u64 = 24 * HOUR;

/// A directory that is removed with the value.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "landmarc-store-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Where the store is in it.
    pub(crate) fn store(&self) -> PathBuf {
        self.0.join("landmarc.db")
    }
}

impl From<&Directory> for StoreLocation {
    fn from(directory: &Directory) -> Self {
        directory.store().into()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Options of a test that waits for the disk however long it takes.
pub(crate) fn patient(path: impl AsRef<Path>) -> RecorderOptions {
    let mut options = RecorderOptions::at(path);
    options.answer_timeout = Duration::from_mins(1);
    options
}

/// A store with these observations.
pub(crate) async fn store_with(
    directory: &Directory,
    observations: impl IntoIterator<Item = Observation>,
) -> Recorder {
    let recorder = Recorder::open(patient(directory.store())).unwrap();
    record_all(&recorder, observations).await;
    recorder
}

pub(crate) async fn record_all(recorder: &Recorder, observations: impl IntoIterator<Item = Observation>) {
    let answers: Vec<_> = observations.into_iter().map(|one| recorder.record(one)).collect();
    for answer in answers {
        assert_eq!(answer.await, Recorded::Committed);
    }
}

pub(crate) fn reader(of: impl Into<StoreLocation>) -> Reader {
    Reader::open(of).unwrap()
}

/// How many messages the tally of a day counts.
pub(crate) fn counted(reader: &Reader, day: Day) -> u64 {
    let domains = reader.policy_domains(day).unwrap();
    let rows = domains
        .iter()
        .flat_map(|domain| reader.tally(day, domain).unwrap());
    rows.map(|(_, count)| count).sum()
}

/// The message with this number, judged so many milliseconds after midnight: it passed.
pub(crate) fn message(number: u64) -> Observation {
    from(number, "example.com")
}

/// A message of this Author Domain.
pub(crate) fn from(number: u64, domain: &str) -> Observation {
    Observation {
        at_ms: MIDNIGHT + number,
        queue_id: format!("4ZQ{number:08x}"),
        id: format!("id-{number}"),
        client: Some([192, 0, 2, 7].into()),
        author_domain: Some(domain.to_owned()),
        spf: "pass".to_owned(),
        dkim: "pass".to_owned(),
        arc: "none".to_owned(),
        dmarc: "pass".to_owned(),
        policy_domain: Some(domain.to_owned()),
        policy: Some("reject".to_owned()),
        disposition: "pass".to_owned(),
        action: "accept".to_owned(),
        enforced_action: "accept".to_owned(),
        overrides: vec![("local_policy".to_owned(), "arc=pass".to_owned())],
        rule: None,
        cause: "an aligned signature passed".to_owned(),
        questions: 4,
        ms: 12,
        trace: Arc::from(format!("dkim: signature of {domain} verified, key 2048 bits")),
        row: Some(row(domain)),
    }
}

/// A message so many days after the first, with a trace of its day.
pub(crate) fn on_day(day: u64, number: u64) -> Observation {
    let mut one = message(number);
    one.at_ms = MIDNIGHT + day * DAY + number;
    one.trace = format!("trace of day {day}").into();
    one
}

/// A row with something in each field.
pub(crate) fn row(domain: &str) -> TallyRow {
    TallyRow {
        policy_domain: domain.to_owned(),
        published: PublishedPolicy {
            p: "reject".to_owned(),
            sp: "quarantine".to_owned(),
            np: Some("reject".to_owned()),
            adkim: "r".to_owned(),
            aspf: "s".to_owned(),
            fo: "1:d".to_owned(),
            testing: true,
            discovery_method: "treewalk".to_owned(),
            rua: vec![
                "mailto:a@example.com".to_owned(),
                "mailto:b@example.net!10m".to_owned(),
            ],
            ruf: vec!["mailto:f@example.com".to_owned()],
            problems: Vec::new(),
            psd: false,
        },
        source_ip: [192, 0, 2, 7].into(),
        disposition: "pass".to_owned(),
        dkim_aligned: true,
        spf_aligned: false,
        reasons: vec![(
            "local_policy".to_owned(),
            "arc=pass as[1].d=lists.example".to_owned(),
        )],
        header_from: domain.to_owned(),
        envelope_from: Some(String::new()),
        envelope_to: Some("example.org".to_owned()),
        dkim: vec![
            (domain.to_owned(), "s1".to_owned(), "pass".to_owned()),
            ("lists.example".to_owned(), "s2".to_owned(), "fail".to_owned()),
        ],
        spf: Some((format!("mx.{domain}"), "mfrom".to_owned(), "softfail".to_owned())),
        incidental: false,
    }
}
