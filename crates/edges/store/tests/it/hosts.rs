//! Hosts that record into a spool, and a store that takes in what they recorded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use landmarc_observation::Observation;
use landmarc_store::{
    Applied, Collector, Day, LogFilter, Reader, Recorder, RecorderOptions, Segment, Spool, SpoolLimits,
    SpoolStatus,
};

use crate::samples::{Directory, MIDNIGHT, counted, from, patient, record_all};

/// As long as it takes: tests run beside each other.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// Room for everything.
pub(crate) const ROOM: SpoolLimits = SpoolLimits {
    bytes: 1 << 30,
    observations: true,
};

/// Options of a host that hands over what it records.
pub(crate) fn spooling(path: impl AsRef<Path>, limits: SpoolLimits) -> RecorderOptions {
    let mut options = patient(path);
    options.spool = Some(limits);
    options
}

/// Each of these in a batch of its own.
pub(crate) async fn record_one_by_one(recorder: &Recorder, all: impl IntoIterator<Item = Observation>) {
    for one in all {
        record_all(recorder, [one]).await;
    }
}

/// Records these in one run of a recorder, each in a batch of its own.
pub(crate) async fn recorded(
    directory: &Directory,
    limits: SpoolLimits,
    all: impl IntoIterator<Item = Observation>,
) {
    let recorder = Recorder::open(spooling(directory.store(), limits)).unwrap();
    record_one_by_one(&recorder, all).await;
    recorder.close(PATIENCE);
}

/// So many messages, from three domains in turn.
pub(crate) fn messages(numbers: std::ops::Range<u64>) -> impl Iterator<Item = Observation> {
    numbers.map(|number| {
        let mut one = from(number, &format!("{}.example", number % 3));
        one.trace = format!("message {number}").into();
        one.rule = Some("all".to_owned());
        one
    })
}

pub(crate) fn status(directory: &Directory) -> SpoolStatus {
    Reader::open(directory.store()).unwrap().spool().unwrap()
}

pub(crate) fn spool(directory: &Directory) -> Spool {
    Spool::open(directory.store(), "mx1.example", PATIENCE).unwrap()
}

pub(crate) fn collector(directory: &Directory) -> Collector {
    Collector::open(directory.store(), PATIENCE).unwrap()
}

/// Hands over all that waits, in pieces of so many octets; the segments, as they travelled.
pub(crate) fn taken(spool: &mut Spool, octets: usize) -> Vec<Vec<u8>> {
    let mut segments = Vec::new();
    while let Some(segment) = spool.take(octets).unwrap() {
        segments.push(segment.to_octets());
        let removed = spool.remove(segment.host(), segment.last()).unwrap();
        assert_eq!(removed, segment.entries() as u64);
    }
    segments
}

/// Applies a segment as it travelled.
pub(crate) fn apply(collector: &mut Collector, octets: &[u8]) -> Applied {
    let segment = Segment::read(octets).unwrap();
    collector.apply(&segment, MIDNIGHT).unwrap()
}

/// What a store says about the messages it knows of, whichever way they came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) tally: BTreeMap<String, u64>,
    pub(crate) hits: Vec<(String, u64)>,
    pub(crate) log: Vec<String>,
    pub(crate) traces: Vec<String>,
}

impl Contents {
    pub(crate) fn of(directory: &Directory) -> Self {
        let reader = Reader::open(directory.store()).unwrap();
        let filter = LogFilter {
            limit: usize::MAX,
            ..LogFilter::default()
        };
        let mut log = reader.log(&filter).unwrap();
        log.sort_by(|one, other| one.id.cmp(&other.id));
        let trace = |id: &str| reader.explain(id).unwrap()[0].trace.to_string();
        let hits = reader.rule_hits().unwrap().into_iter();
        Self {
            tally: tally(&reader),
            hits: hits.map(|rule| (rule.name, rule.hits)).collect(),
            traces: log.iter().map(|row| trace(&row.id)).collect(),
            log: log.iter().map(|row| format!("{row:?}")).collect(),
        }
    }

    pub(crate) fn messages(&self) -> u64 {
        self.tally.values().sum()
    }
}

fn tally(reader: &Reader) -> BTreeMap<String, u64> {
    let mut tally = BTreeMap::new();
    for day in reader.reporting_days().unwrap() {
        for domain in reader.policy_domains(day).unwrap() {
            for (row, count) in reader.tally(day, &domain).unwrap() {
                *tally.entry(format!("{day:?} {row:?}")).or_default() += count;
            }
        }
    }
    tally
}

/// How many messages of the first day are counted.
pub(crate) fn counted_first_day(directory: &Directory) -> u64 {
    counted(&Reader::open(directory.store()).unwrap(), Day::at(MIDNIGHT))
}

/// The files of a directory, by name.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(directory).unwrap();
    let mut files: Vec<_> = files.map(|one| one.unwrap().path()).collect();
    files.sort();
    files
}
