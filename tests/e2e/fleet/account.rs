//! What stands in the records and in the reports, message by message, held against what was answered.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use landmarc_store::{Day, LogFilter, Reader, StoreLocation};
use landmarc_testkit::relay::RelayedMessage;

use super::mail::{domains, number_of_client, number_of_queue_id, passes, policy_domain};
use super::mx::Mx;
use crate::outbox::reports_in;

/// What a host says at debug of each message that was answered before its record was on disk (decision D13).
const LATE: &str = "answered before it was written down";

/// Where a message is counted: its domain, and whether SPF passed in alignment.
pub(super) type Row = (String, bool);

/// Of each message by its number: where it is counted, and how often.
pub(super) type Rows = BTreeMap<u64, (Row, u64)>;

/// The rows of messages, each counted once.
pub(super) fn rows(messages: &BTreeSet<u64>) -> Rows {
    let row = |number: &u64| (*number, ((policy_domain(*number), passes(*number)), 1));
    messages.iter().map(row).collect()
}

/// The messages that a host has written down. Each is there once, all that were answered are among them, and
/// nothing that was not sent.
#[track_caller]
pub(super) fn written(mx: &Mx) -> BTreeSet<u64> {
    let reader = Reader::open(mx.database()).unwrap();
    let everything = LogFilter {
        limit: usize::MAX,
        ..LogFilter::default()
    };
    let numbers = reader.log(&everything).unwrap();
    let numbers: Vec<u64> = numbers
        .iter()
        .filter_map(|row| number_of_queue_id(&row.queue_id))
        .collect();
    let written: BTreeSet<u64> = numbers.iter().copied().collect();
    assert_eq!(
        written.len(),
        numbers.len(),
        "{}: twice in its own store",
        mx.name
    );
    let account = mx.account();
    let log = mx.log();
    let late: BTreeSet<u64> = log.iter().filter_map(|line| late(line)).collect();
    let lost: Vec<_> = account
        .answered
        .difference(&written)
        .filter(|number| !late.contains(number))
        .collect();
    assert_eq!(
        lost,
        Vec::<&u64>::new(),
        "{}: answered in time, and lost",
        mx.name
    );
    let unknown: Vec<_> = written
        .iter()
        .filter(|number| !account.answered.contains(number))
        .collect();
    assert!(
        unknown.iter().all(|number| account.unanswered.contains(number)),
        "{}: written down, and never sent: {unknown:?}",
        mx.name
    );
    eprintln!(
        "{}: {} answered, {} unanswered, {} of those written down, {} answered late",
        mx.name,
        account.answered.len(),
        account.unanswered.len(),
        unknown.len(),
        late.len()
    );
    written
}

fn late(line: &str) -> Option<u64> {
    let (_, fields) = line.split_once(LATE)?;
    let (_, queue_id) = fields.split_once("queue_id=")?;
    number_of_queue_id(queue_id.split(' ').next()?)
}

/// The tallies of a store, as its reader has them.
pub(super) fn tallies(place: &StoreLocation, day: Day) -> Rows {
    tallies_of(place, [day])
}

/// Those of this day and the next one: a test may begin on the one and end on the other.
pub(super) fn tallies_since(place: &StoreLocation, day: Day) -> Rows {
    tallies_of(place, [day, Day(day.0 + 1)])
}

/// Those of several days together.
pub(super) fn tallies_of(place: &StoreLocation, days: impl IntoIterator<Item = Day>) -> Rows {
    let reader = Reader::open(place).unwrap();
    let mut tallies = BTreeMap::new();
    for day in days {
        for domain in domains() {
            for (row, count) in reader.tally(day, &domain).unwrap() {
                let passes = row.spf_aligned;
                add(&mut tallies, row.source_ip, &(domain.clone(), passes), count);
            }
        }
    }
    tallies
}

/// What all letters say together. Each goes to its domain alone, and each domain has one.
#[track_caller]
pub(super) fn reported(letters: &[RelayedMessage]) -> Rows {
    let mut reported = BTreeMap::new();
    let mut recipients = BTreeSet::new();
    for letter in letters {
        assert!(
            recipients.insert(letter.rcpt_to.clone()),
            "{:?} has two letters",
            letter.rcpt_to
        );
        let reports = reports_in(&letter.text);
        assert_eq!(reports.len(), 1, "reports in a letter to {:?}", letter.rcpt_to);
        for xml in reports {
            let xml = String::from_utf8(xml).unwrap();
            let (published, records) = xml.split_once("</policy_published>").unwrap();
            let domain = element(published.split_once("<policy_published>").unwrap().1, "domain");
            assert_eq!(letter.rcpt_to, [super::mail::destination(domain)]);
            for record in records.split("<record>").skip(1) {
                let source_ip = element(record, "source_ip").parse().unwrap();
                let row = (domain.to_owned(), element(record, "spf") == "pass");
                add(
                    &mut reported,
                    source_ip,
                    &row,
                    element(record, "count").parse().unwrap(),
                );
            }
        }
    }
    let asked: BTreeSet<_> = domains()
        .map(|domain| vec![super::mail::destination(&domain)])
        .collect();
    assert_eq!(recipients, asked, "who has a letter");
    reported
}

/// When the period of the report in a letter begins, in seconds since the epoch.
#[track_caller]
pub(super) fn begin_of(letter: &RelayedMessage) -> u64 {
    let report = reports_in(&letter.text).remove(0);
    element(&String::from_utf8(report).unwrap(), "begin")
        .parse()
        .unwrap()
}

#[track_caller]
fn add(rows: &mut Rows, source_ip: IpAddr, row: &Row, count: u64) {
    let number = number_of_client(source_ip).unwrap_or_else(|| panic!("{source_ip} has sent nothing"));
    let (known, sum) = rows.entry(number).or_insert((row.clone(), 0));
    assert_eq!(known, row, "message {number} is in two rows");
    *sum += count;
}

/// What the first element of this name has in it.
#[track_caller]
fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let rest = xml.split_once(open.as_str()).map(|(_, rest)| rest);
    let text = rest.and_then(|rest| rest.split_once(close.as_str()));
    text.unwrap_or_else(|| panic!("no {name} in {xml}")).0.trim()
}

/// Asserts that both say the same of each message; of those that differ a few are shown.
#[track_caller]
pub(super) fn assert_same(what: &str, found: &Rows, expected: &Rows) {
    let numbers: BTreeSet<&u64> = found.keys().chain(expected.keys()).collect();
    let differ = numbers
        .into_iter()
        .filter(|number| found.get(number) != expected.get(number));
    let differ: Vec<_> = differ
        .map(|number| (number, found.get(number), expected.get(number)))
        .collect();
    let some = differ.iter().take(10).map(|one| format!("{one:?}\n"));
    assert!(
        differ.is_empty(),
        "{what}: {} of {} messages differ (number, found, expected):\n{}",
        differ.len(),
        expected.len(),
        some.collect::<String>()
    );
}

/// The reports that letters carry are valid by the schema of RFC 9990.
pub(super) fn validate(folder: &Path, letters: &[RelayedMessage]) {
    let reports = letters.iter().flat_map(|letter| reports_in(&letter.text));
    let write = |(number, xml): (usize, Vec<u8>)| {
        let file = folder.join(format!("report-{number}.xml"));
        std::fs::write(&file, xml).unwrap();
        file.display().to_string()
    };
    let files: Vec<String> = reports.enumerate().map(write).collect();
    crate::outbox::python::validate(files.iter().map(String::as_str));
}
