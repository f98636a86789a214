//! `landmarc explain`, `log` and `store`: what is read of a store that the test has written.

mod explain;
mod log;
mod reply;
mod trouble;
mod upkeep;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use landmarc_observation::{Observation, PublishedPolicy, TallyRow};
use landmarc_store::{Recorded, Recorder, RecorderOptions};
use landmarc_testkit::tools::Folder;

use crate::binary::{Ran, landmarc};

/// 2026-06-01T00:00:00Z.
const JUNE: u64 = 1_780_272_000_000;
const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

/// What a stored explanation has where the id of its message is to stand.
const ID_MARK: char = '\u{1F}';

/// A folder with a store in it.
struct Book {
    folder: Folder,
    runtime: tokio::runtime::Runtime,
}

impl Book {
    fn new(name: &str, observations: impl IntoIterator<Item = Observation>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        let book = Self {
            folder: Folder::new(&format!("records-{name}")),
            runtime: runtime.unwrap(),
        };
        drop(book.record(observations));
        book
    }

    /// Records more. The store stays in use for as long as what is returned lives.
    fn record(&self, observations: impl IntoIterator<Item = Observation>) -> Recorder {
        let mut options = RecorderOptions::at(self.path());
        options.answer_timeout = Duration::from_mins(1);
        let recorder = Recorder::open(options).unwrap();
        for observation in observations {
            let recorded = self
                .runtime
                .block_on(async { recorder.record(observation).await });
            assert_eq!(recorded, Recorded::Committed);
        }
        recorder
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("landmarc.db")
    }

    fn store(&self) -> String {
        self.path().display().to_string()
    }

    /// The path of another file in the folder.
    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        landmarc([arguments, &["--store", &self.store()]].concat())
    }

    /// Standard output of a command that must go well and say nothing else.
    #[track_caller]
    fn said(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments:?}");
        ran.stdout
    }

    /// The short ids that `log` tells with these options, in its order.
    #[track_caller]
    fn ids(&self, options: &[&str]) -> Vec<String> {
        let lines = self.said(&[&["log", "--json"], options].concat());
        let id = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].clone();
        lines
            .lines()
            .map(|line| id(line).as_str().unwrap().to_owned())
            .collect()
    }
}

/// A message that failed while the service observed.
fn failed() -> Observation {
    Observation {
        at_ms: JUNE + 5,
        queue_id: "4ZQ0000001".to_owned(),
        id: "0n2v5x8k4q1m".to_owned(),
        client: Some([192, 0, 2, 7].into()),
        author_domain: Some("mail.example.com".to_owned()),
        spf: "fail".to_owned(),
        dkim: "none".to_owned(),
        arc: "none".to_owned(),
        dmarc: "fail".to_owned(),
        policy_domain: Some("example.com".to_owned()),
        policy: Some("reject".to_owned()),
        disposition: "none".to_owned(),
        action: "accept".to_owned(),
        enforced_action: "reject".to_owned(),
        overrides: vec![("local_policy".to_owned(), "observing".to_owned())],
        rule: None,
        cause: "SPF forbids 192.0.2.7, and nothing is signed".to_owned(),
        questions: 6,
        ms: 38,
        trace: format!("dmarc=fail for mail.example.com\n  results: id={ID_MARK}; dmarc=fail\n").into(),
        row: Some(reporting_row()),
    }
}

fn reporting_row() -> TallyRow {
    TallyRow {
        policy_domain: "example.com".to_owned(),
        published: PublishedPolicy::default(),
        source_ip: [192, 0, 2, 7].into(),
        disposition: "none".to_owned(),
        dkim_aligned: false,
        spf_aligned: false,
        reasons: Vec::new(),
        header_from: "mail.example.com".to_owned(),
        envelope_from: None,
        envelope_to: None,
        dkim: Vec::new(),
        spf: None,
        incidental: false,
    }
}

/// A message of which nothing was found, later than the one above.
fn skipped() -> Observation {
    let none = || "none".to_owned();
    Observation {
        at_ms: JUNE + 2 * DAY,
        queue_id: String::new(),
        id: "0n2v5x8k4q1n".to_owned(),
        client: None,
        author_domain: None,
        spf: none(),
        dkim: none(),
        dmarc: none(),
        policy_domain: None,
        policy: None,
        enforced_action: "accept".to_owned(),
        overrides: Vec::new(),
        cause: String::new(),
        questions: 0,
        ms: 0,
        trace: "".into(),
        row: None,
        ..failed()
    }
}

/// Four messages that differ in all that can be asked for, an hour apart.
fn varied() -> [Observation; 4] {
    let numbered =
        |number: u64, domain: &str, client: [u8; 4], result: &str, disposition: &str| Observation {
            at_ms: JUNE + number * HOUR,
            queue_id: format!("4ZQ000000{number}"),
            id: format!("message{number}"),
            client: Some(client.into()),
            author_domain: Some(domain.to_owned()),
            dmarc: result.to_owned(),
            disposition: disposition.to_owned(),
            rule: (number % 2 == 1).then(|| "partners".to_owned()),
            ..failed()
        };
    [
        numbered(0, "example.com", [192, 0, 2, 7], "pass", "pass"),
        numbered(1, "a.example.com", [192, 0, 2, 8], "fail", "quarantine"),
        numbered(2, "notexample.com", [198, 51, 100, 1], "fail", "reject"),
        numbered(3, "xn--bcher-kva.example", [192, 0, 2, 7], "temperror", "none"),
    ]
}

/// The present, in milliseconds since the epoch.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}
