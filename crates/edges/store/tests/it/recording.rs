//! What is recorded is there: whole, once, and on the right day.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use landmarc_observation::Observation;
use landmarc_store::{
    Day, LogFilter, MAX_LIST, MAX_TRACE, Recorded, Recorder, RecorderOptions, RecorderState, RuleHits,
};

use crate::bed::{Bed, suite};
use crate::samples::{
    DAY, Directory, MIDNIGHT, counted, from, message, patient, reader, record_all, row, store_with,
};
use crate::ship::{options, record, record_with, told, with_recorder};

suite!(
    an_observation_comes_back_as_it_was,
    a_tally_row_comes_back_as_it_was_and_equal_ones_are_one,
    a_message_counts_on_the_utc_day_it_was_judged,
    observations_can_be_switched_off,
    a_rule_in_force_is_known_before_it_decides_and_however_often_that_is_said,
    the_hits_of_a_rule_are_counted_once_each,
    equal_traces_are_stored_once,
    the_largest_values_come_back_and_larger_ones_are_cut,
);

fn an_observation_comes_back_as_it_was(bed: &Bed) {
    let mut given = message(1);
    given.rule = Some("forwarder".to_owned());
    record(bed, [given.clone()]);
    let found = reader(bed.place()).explain("id-1").unwrap();
    given.row = None;
    assert_eq!(found, [given]);
}

fn a_tally_row_comes_back_as_it_was_and_equal_ones_are_one(bed: &Bed) {
    let mut bare = row("example.com");
    bare.strip();
    let mut messages: Vec<_> = (0..5).map(message).collect();
    messages.push(message(5));
    messages[5].row = Some(bare.clone());
    messages.push(message(6));
    messages[6].row = None;
    record(bed, messages);
    // Across transactions and openings as well.
    record(bed, [message(7)]);
    let day = Day::at(MIDNIGHT);
    let mut tally = reader(bed.place()).tally(day, "example.com").unwrap();
    // Rows of one batch come in any order.
    tally.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    assert_eq!(tally, [(row("example.com"), 6), (bare, 1)]);
    assert_eq!(reader(bed.place()).status().unwrap().distinct_rows, 2);
}

trait Bare {
    fn strip(&mut self);
}

impl Bare for landmarc_observation::TallyRow {
    /// Everything that can be absent is.
    fn strip(&mut self) {
        self.published.np = None;
        self.published.rua.clear();
        self.published.ruf.clear();
        self.reasons.clear();
        self.envelope_from = None;
        self.envelope_to = None;
        self.dkim.clear();
        self.spf = None;
        self.source_ip = "2001:db8::1".parse().unwrap();
    }
}

fn a_message_counts_on_the_utc_day_it_was_judged(bed: &Bed) {
    let mut messages = Vec::new();
    for (number, at_ms) in [MIDNIGHT - 1, MIDNIGHT, MIDNIGHT + DAY - 1, MIDNIGHT + DAY]
        .into_iter()
        .enumerate()
    {
        let mut one = message(number as u64);
        one.at_ms = at_ms;
        messages.push(one);
    }
    record(bed, messages);
    let reader = reader(bed.place());
    let day = Day::at(MIDNIGHT);
    assert_eq!(
        [
            counted(&reader, day.back(1)),
            counted(&reader, day),
            counted(&reader, Day(day.0 + 1))
        ],
        [1, 2, 1]
    );
    assert_eq!(counted(&reader, Day(day.0 + 2)), 0);
    let status = reader.status().unwrap();
    let days = Some((day.back(1), Day(day.0 + 1)));
    assert_eq!((status.observation_days, status.tally_days), (days, days));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_record_at_once() {
    let directory = Directory::new();
    let recorder = Arc::new(Recorder::open(patient(directory.store())).unwrap());
    let tasks: Vec<_> = (0..50_u64)
        .map(|task| {
            let recorder = Arc::clone(&recorder);
            tokio::spawn(async move {
                for number in 0..40 {
                    let one = from(task * 40 + number, &format!("{}.example", number % 7));
                    assert_eq!(recorder.record(one).await, Recorded::Committed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let statistics = recorder.statistics();
    assert_eq!(
        (statistics.recorded, statistics.committed, statistics.later),
        (2_000, 2_000, 0)
    );
    assert_eq!(
        (statistics.queue_length, statistics.queue_bytes, statistics.state),
        (0, 0, RecorderState::Ok)
    );
    assert!(
        statistics.commits < 2_000,
        "group commit: {} transactions",
        statistics.commits
    );
    let reader = reader(&directory);
    assert_eq!(counted(&reader, Day::at(MIDNIGHT)), 2_000);
    let all = LogFilter {
        limit: usize::MAX,
        ..LogFilter::default()
    };
    let mut ids: Vec<_> = reader.log(&all).unwrap().into_iter().map(|row| row.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 2_000);
}

#[tokio::test]
async fn what_is_handed_over_is_kept_though_nobody_waits() {
    let directory = Directory::new();
    let recorder = Recorder::open(patient(directory.store())).unwrap();
    drop(recorder.record(message(1)));
    let statistics = recorder.close(Duration::from_secs(10));
    assert_eq!((statistics.committed, statistics.queue_length), (1, 0));
    assert_eq!(reader(&directory).explain("id-1").unwrap().len(), 1);
}

fn observations_can_be_switched_off(bed: &Bed) {
    let mut options = options(bed);
    options.keep_observations = false;
    record_with(bed, options, [ruled(1, "forwarder")]);
    let reader = reader(bed.place());
    assert_eq!(reader.explain("id-1").unwrap(), []);
    assert_eq!(counted(&reader, Day::at(MIDNIGHT)), 1);
    assert_eq!(reader.rule_hits().unwrap()[0].hits, 1);
}

/// A message that a rule of this name decided.
fn ruled(number: u64, rule: &str) -> Observation {
    Observation {
        rule: Some(rule.to_owned()),
        ..message(number)
    }
}

fn a_rule_in_force_is_known_before_it_decides_and_however_often_that_is_said(bed: &Bed) {
    with_recorder(bed, options(bed), async |recorder| {
        recorder.rules_in_force(["list", "unused"], MIDNIGHT + 1);
        record_all(recorder, [ruled(5, "list")]).await;
        recorder.rules_in_force(["list", "unused"], MIDNIGHT + 8);
    });
    let hits = |name: &str, hits, last_ms| RuleHits {
        name: name.to_owned(),
        hits,
        first_ms: MIDNIGHT + 1,
        last_ms,
    };
    let found = reader(bed.place()).rule_hits().unwrap();
    assert_eq!(found, [hits("list", 1, MIDNIGHT + 5), hits("unused", 0, 0)]);
}

fn the_hits_of_a_rule_are_counted_once_each(bed: &Bed) {
    let messages = [
        ruled(7, "list"),
        ruled(3, "forwarder"),
        ruled(9, "list"),
        message(4),
    ];
    record(bed, messages);
    // Across transactions and openings as well.
    record(bed, [ruled(2, "list"), ruled(5, "nul\0'\" rule")]);
    let hits = |name: &str, hits, first, last| RuleHits {
        name: name.to_owned(),
        hits,
        first_ms: MIDNIGHT + first,
        last_ms: MIDNIGHT + last,
    };
    let found = reader(bed.place()).rule_hits().unwrap();
    let expected = [
        hits("forwarder", 1, 3, 3),
        hits("list", 3, 2, 9),
        hits(&told(bed, "nul\0'\" rule"), 1, 5, 5),
    ];
    assert_eq!(found, expected);
}

fn equal_traces_are_stored_once(bed: &Bed) {
    let mut messages: Vec<_> = (0..10).map(message).collect();
    messages[9].trace = "another".into();
    messages[8].trace = "".into();
    record(bed, messages);
    let reader = reader(bed.place());
    assert_eq!(reader.status().unwrap().traces, 2);
    assert_eq!(&*reader.explain("id-9").unwrap()[0].trace, "another");
    assert_eq!(&*reader.explain("id-8").unwrap()[0].trace, "");
}

fn the_largest_values_come_back_and_larger_ones_are_cut(bed: &Bed) {
    let mut just = message(1);
    just.trace = (0..MAX_TRACE)
        .map(|place| char::from(b'a' + (place % 26) as u8))
        .collect::<String>()
        .into();
    just.row.as_mut().unwrap().dkim = vec![("d".repeat(255), "s".to_owned(), "pass".to_owned()); MAX_LIST];
    just.at_ms = u64::MAX;
    just.questions = u32::MAX;
    let mut over = message(2);
    over.trace = "x".repeat(MAX_TRACE + 1).into();
    over.row.as_mut().unwrap().dkim = vec![("d".to_owned(), "s".to_owned(), "pass".to_owned()); MAX_LIST + 1];
    record(bed, [just.clone(), over]);
    let reader = reader(bed.place());
    let found = reader.explain("id-1").unwrap();
    assert_eq!(&*found[0].trace, &*just.trace);
    assert_eq!(found[0].questions, u32::MAX);
    assert_eq!(
        reader.tally(Day::at(u64::MAX), "example.com").unwrap()[0].0,
        just.row.unwrap()
    );
    assert_eq!(reader.explain("id-2").unwrap()[0].trace.len(), MAX_TRACE);
    assert_eq!(
        reader.tally(Day::at(MIDNIGHT), "example.com").unwrap()[0]
            .0
            .dkim
            .len(),
        MAX_LIST
    );
}

#[tokio::test]
async fn only_the_service_and_its_group_can_read_it() {
    let directory = Directory::new();
    let _recorder = store_with(&directory, [message(1)]).await;
    for ending in ["", "-wal", "-shm"] {
        let path = directory.path().join(format!("landmarc.db{ending}"));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & !0o640, 0, "{path:?} {mode:o}");
    }
}

#[tokio::test]
async fn the_data_directory_is_made() {
    let directory = Directory::new();
    let path = directory.path().join("a/b/landmarc.db");
    let recorder = Recorder::open(RecorderOptions::at(&path)).unwrap();
    drop(recorder);
    assert!(path.exists());
}
