//! What lies at the relay in the end, letter by letter and report by report.

use std::collections::{BTreeMap, BTreeSet};

use landmarc_intake::aggregate::{ReadLimits, read};
use landmarc_intake::{MailLimits, open_mail};
use landmarc_testkit::relay::{Log, RelayedMessage};

/// What one report says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) policy_domain: String,
    begin: u64,
    policy: String,
    /// The count of each row, by client and envelope.
    rows: BTreeMap<(String, Option<String>), u64>,
}

impl Told {
    pub(super) fn messages(&self) -> u64 {
        self.rows.values().sum()
    }
}

/// All messages of a relay, read.
pub(super) struct Account {
    /// The reports, by Report-ID.
    pub(super) reports: BTreeMap<String, Told>,
    /// Who got which: destination and Report-ID.
    pub(super) received: BTreeSet<(String, String)>,
    /// Messages that came once more, and the life whose end cut off the mark of each.
    pub(super) repeated: Vec<usize>,
}

impl Account {
    /// Reads them. `life` tells which process had a connection, and what comes twice must have been
    /// sent by different ones.
    pub(super) fn of(log: &Log, life: impl Fn(usize) -> usize) -> Self {
        let mut copies: BTreeMap<String, Vec<&RelayedMessage>> = BTreeMap::new();
        for message in &log.messages {
            copies.entry(message_id(message)).or_default().push(message);
        }
        let mut account = Self {
            reports: BTreeMap::new(),
            received: BTreeSet::new(),
            repeated: Vec::new(),
        };
        for copies in copies.values() {
            account.repeated.extend(assert_same(copies, &life));
            account.read(copies[0]);
        }
        account
    }

    fn read(&mut self, message: &RelayedMessage) {
        let mail = open_mail(&message.text, &MailLimits::default()).unwrap();
        let [carried] = &mail.carried[..] else {
            panic!("{mail:?}");
        };
        let reading = read(&carried.octets, &ReadLimits::default()).unwrap();
        assert!(reading.deviations.is_empty(), "{:?}", reading.deviations);
        let report = reading.report;
        let report_id = report.metadata.report_id.clone();
        let subject = mail.subject.unwrap();
        assert_eq!(subject.report_id.as_deref(), Some(report_id.as_str()));
        let mut told = Told {
            policy_domain: report.policy.domain,
            begin: report.metadata.period.begin,
            policy: report.policy.policy.as_str().to_owned(),
            rows: BTreeMap::new(),
        };
        for row in report.rows {
            let key = (row.key.source_ip.to_string(), row.key.envelope_from);
            assert_eq!(
                told.rows.insert(key, row.count),
                None,
                "a row that is there twice"
            );
        }
        // Whoever gets it gets the same.
        let known = self
            .reports
            .entry(report_id.clone())
            .or_insert_with(|| told.clone());
        assert_eq!(*known, told, "two reports under one Report-ID");
        let [recipient] = &message.rcpt_to[..] else {
            panic!("{message:?}");
        };
        let is_new = self.received.insert((recipient.clone(), report_id));
        assert!(
            is_new,
            "one report in two messages of different Message-IDs: {recipient}"
        );
    }
}

/// How many messages there are, each counted once.
pub(super) fn distinct(log: &Log) -> usize {
    log.messages.iter().map(message_id).collect::<BTreeSet<_>>().len()
}

/// Copies of one message are the same in everything, and come from one life after the other; the lives
/// of all but the last.
fn assert_same(copies: &[&RelayedMessage], life: impl Fn(usize) -> usize) -> Vec<usize> {
    for pair in copies.windows(2) {
        assert!(
            pair[0].text == pair[1].text,
            "other octets under the same Message-ID"
        );
        assert_eq!(pair[0].mail_from, pair[1].mail_from);
        assert_eq!(pair[0].rcpt_to, pair[1].rcpt_to);
        assert!(
            life(pair[0].connection) < life(pair[1].connection),
            "twice from one process"
        );
    }
    let (_, earlier) = copies.split_last().unwrap();
    earlier.iter().map(|message| life(message.connection)).collect()
}

fn message_id(message: &RelayedMessage) -> String {
    let text = String::from_utf8_lossy(&message.text);
    let head = text
        .split("\r\n\r\n")
        .next()
        .unwrap_or_default()
        .replace("\r\n ", " ");
    let found = head.lines().find_map(|line| line.strip_prefix("Message-ID:"));
    found
        .unwrap_or_else(|| panic!("no Message-ID in {head}"))
        .trim()
        .to_owned()
}
