//! Several hosts and one server: each message counts once, whatever happens on the way.

use std::thread;
use std::time::Duration;

use landmarc_observation::Observation;
use landmarc_store::{
    COMMAND_BUSY_TIMEOUT, Collector, DatabaseServer, Day, Heartbeat, LogFilter, Reader, Recorder, Retention,
    Segment, Spool,
};

use crate::bed::{Bed, Case, server};
use crate::cutting::{Cut, Cutter};
use crate::samples::{
    DAY, Directory, HOUR, MIDNIGHT, counted, from, message, on_day, patient, reader, record_all,
};
use crate::ship::{expire, record, ship, spooling};

const CASES: &[Case] = &[
    (
        "hosts_that_count_the_same_rows_at_once",
        hosts_that_count_the_same_rows_at_once,
    ),
    ("any_order_and_any_repetition", any_order_and_any_repetition),
    ("a_connection_cut_in_the_middle", a_connection_cut_in_the_middle),
    ("a_commit_without_an_answer", a_commit_without_an_answer),
    (
        "what_was_removed_is_written_again",
        what_was_removed_is_written_again,
    ),
    ("expiry_beside_those_who_write", expiry_beside_those_who_write),
    (
        "days_out_of_reason_count_as_others",
        days_out_of_reason_count_as_others,
    ),
    (
        "what_comes_after_the_report_is_told_apart",
        what_comes_after_the_report_is_told_apart,
    ),
    ("sums_stay_within_their_numbers", sums_stay_within_their_numbers),
    (
        "messages_without_a_policy_domain",
        messages_without_a_policy_domain,
    ),
    ("a_clock_that_is_off_is_seen", a_clock_that_is_off_is_seen),
];

#[test]
fn on_postgresql() {
    crate::bed::on_postgresql(CASES);
}

#[test]
fn on_mariadb() {
    crate::bed::on_mariadb(CASES);
}

/// What a host has recorded in one go each, as it is handed over: a segment for each.
fn segments(host: &Directory, batches: impl IntoIterator<Item = Vec<Observation>>) -> Vec<Segment> {
    let recorder = Recorder::open(spooling(patient(host.store()))).unwrap();
    let mut spool = Spool::open(host.store(), "mx1", COMMAND_BUSY_TIMEOUT).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut segments = Vec::new();
    for batch in batches {
        runtime.block_on(record_all(&recorder, batch));
        while let Some(segment) = spool.take(1 << 20).unwrap() {
            spool.remove(segment.host(), segment.last()).unwrap();
            segments.push(segment);
        }
    }
    segments
}

fn collector(bed: &Bed) -> Collector {
    Collector::open(bed.place(), COMMAND_BUSY_TIMEOUT).unwrap()
}

fn all(reader: &Reader) -> usize {
    let all = LogFilter {
        limit: usize::MAX,
        ..LogFilter::default()
    };
    reader.log(&all).unwrap().len()
}

fn hosts_that_count_the_same_rows_at_once(bed: &Bed) {
    const MESSAGES: u64 = 1_500;
    let hosts = [Directory::new(), Directory::new()];
    for host in &hosts {
        let recorder = Recorder::open(spooling(patient(host.store()))).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        // Many entries, each with rows that the other host counts too, in another order.
        for part in 0..10 {
            let numbers = part * MESSAGES / 10..(part + 1) * MESSAGES / 10;
            let messages = numbers.map(|number| from(number, &format!("{}.example", number * 7 % 60)));
            runtime.block_on(record_all(&recorder, messages));
        }
    }
    thread::scope(|scope| {
        for (host, name) in hosts.iter().zip(["mx1", "mx2"]) {
            scope.spawn(move || ship(host, name, bed.elsewhere()));
        }
    });
    let reader = reader(bed.place());
    assert_eq!(counted(&reader, Day::at(MIDNIGHT)), 2 * MESSAGES);
    assert_eq!(all(&reader) as u64, 2 * MESSAGES);
    assert_eq!(reader.status().unwrap().distinct_rows, 60);
    let hosts = reader.hosts().unwrap();
    let names: Vec<_> = hosts
        .iter()
        .map(|host| (host.name.as_str(), host.missing))
        .collect();
    assert_eq!(names, [("mx1", 0), ("mx2", 0)]);
}

fn any_order_and_any_repetition(bed: &Bed) {
    let host = Directory::new();
    let segments = segments(
        &host,
        (0..6).map(|number| vec![message(number), message(number + 100)]),
    );
    let mut collector = collector(bed);
    let mut beat = |host| {
        let beat = Heartbeat {
            host,
            name: "mx1".to_owned(),
            clock_ms: MIDNIGHT,
            caught_up_ms: 0,
            pending: 0,
        };
        let known = collector.beat(&beat, MIDNIGHT).unwrap();
        (known.through, known.highest)
    };
    let id = segments[0].host();
    assert_eq!(beat(id), (0, 0));
    let mut collector = self::collector(bed);
    let missing = || reader(bed.place()).hosts().unwrap()[0].missing;
    let last = segments[5].last();
    // The last first; and each of the others twice, by whoever it comes.
    collector.apply(&segments[5], 0).unwrap();
    assert_eq!((beat(id), missing()), ((0, last), segments[5].first() - 1));
    for segment in segments.iter().rev().chain(&segments) {
        let mut other = self::collector(bed);
        let octets = segment.to_octets();
        other.apply(&Segment::read(&octets).unwrap(), 0).unwrap();
        collector.apply(segment, 0).unwrap();
    }
    assert_eq!((beat(id), missing()), ((last, last), 0));
    let again = collector.apply(&segments[2], 0).unwrap();
    assert_eq!((again.new_batches, again.messages), (0, 0));
    assert!(again.known_batches > 0);
    let reader = reader(bed.place());
    assert_eq!((counted(&reader, Day::at(MIDNIGHT)), all(&reader)), (12, 12));
    assert_eq!(
        bed.sql("SELECT count(*) FROM batch").trim(),
        "0",
        "what is without gaps is one number"
    );
}

/// The same server by a way on which connections can be cut.
fn by_way_of(bed: &Bed) -> (Cutter, DatabaseServer) {
    let address = bed.server().unwrap().address();
    let cutter = Cutter::to(address.port());
    let url = address
        .to_string()
        .replace(&format!(":{}/", address.port()), &format!(":{}/", cutter.port()));
    (cutter, server(&url))
}

fn a_connection_cut_in_the_middle(bed: &Bed) {
    let (cutter, server) = by_way_of(bed);
    let host = Directory::new();
    let segments = segments(
        &host,
        [vec![message(1)], vec![message(2), from(3, "cut-here.example")]],
    );
    let mut collector = Collector::open(server, COMMAND_BUSY_TIMEOUT).unwrap();
    collector.apply(&segments[0], 0).unwrap();
    // Within the transaction: the row of the host is locked by then.
    cutter.cut(Cut::Before("cut-here.example"));
    let applied = collector.apply(&segments[1], 0).unwrap();
    assert!(cutter.has_cut());
    assert_eq!(
        (applied.messages, applied.known_batches),
        (2, 0),
        "nothing was there"
    );
    let reader = reader(bed.place());
    assert_eq!((counted(&reader, Day::at(MIDNIGHT)), all(&reader)), (3, 3));
}

fn a_commit_without_an_answer(bed: &Bed) {
    let (cutter, server) = by_way_of(bed);
    let host = Directory::new();
    let segments = segments(&host, (0..4).map(|number| vec![message(number)]));
    let mut collector = Collector::open(server, COMMAND_BUSY_TIMEOUT).unwrap();
    collector.apply(&segments[0], 0).unwrap();
    for (number, when) in [(1, Cut::After("COMMIT")), (2, Cut::Before("COMMIT"))] {
        cutter.cut(when);
        let applied = collector.apply(&segments[number], 0).unwrap();
        assert!(cutter.has_cut(), "{when:?}");
        // Nobody can know whether it was done: it was asked for again, and counts once.
        assert_eq!(applied.new_batches + applied.known_batches, 1, "{when:?}");
    }
    collector.apply(&segments[3], 0).unwrap();
    let reader = reader(bed.place());
    assert_eq!((counted(&reader, Day::at(MIDNIGHT)), all(&reader)), (4, 4));
    assert_eq!(reader.hosts().unwrap()[0].missing, 0);
}

/// Whoever writes remembers what is there. It is told when something was removed.
fn what_was_removed_is_written_again(bed: &Bed) {
    let (first, second) = (Directory::new(), Directory::new());
    let one = segments(&first, [vec![on_day(0, 1)]]);
    let two = segments(&second, [vec![on_day(0, 2)]]);
    let mut collector = collector(bed);
    collector.apply(&one[0], 0).unwrap();
    let keep = Retention {
        tally_days: 0,
        observation_days: 0,
        ..Retention::standard(MIDNIGHT + 9 * DAY)
    };
    let expired = expire(bed, keep);
    assert_eq!(
        (expired.observations, expired.distinct_rows, expired.traces),
        (1, 1, 1)
    );
    collector.apply(&two[0], 0).unwrap();
    let reader = reader(bed.place());
    assert_eq!(counted(&reader, Day::at(MIDNIGHT)), 1);
    let told = &reader.explain("id-2").unwrap()[0];
    assert_eq!(&*told.trace, "trace of day 0");
    assert_eq!(reader.reporting_days().unwrap(), [Day::at(MIDNIGHT)]);
}

fn expiry_beside_those_who_write(bed: &Bed) {
    let host = Directory::new();
    let batches = (0..40).map(|number| vec![on_day(number % 4, number), on_day(9, 100 + number)]);
    let segments = segments(&host, batches);
    let keep = Retention {
        tally_days: 5,
        observation_days: 5,
        ..Retention::standard(MIDNIGHT + 9 * DAY)
    };
    thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut collector = collector(bed);
            for segment in &segments {
                collector.apply(segment, 0).unwrap();
            }
        });
        while !writing.is_finished() {
            expire(bed, keep);
        }
    });
    expire(bed, keep);
    let reader = reader(bed.place());
    let day = Day::at(MIDNIGHT + 9 * DAY);
    assert_eq!(counted(&reader, day), 40, "each has its row");
    assert_eq!((reader.reporting_days().unwrap(), all(&reader)), (vec![day], 40));
    let told = &reader.explain("id-100").unwrap()[0];
    assert_eq!(&*told.trace, "trace of day 9");
}

/// They have no partition of their own, and nothing else is different.
fn days_out_of_reason_count_as_others(bed: &Bed) {
    let mut far = message(1);
    far.at_ms = u64::MAX;
    let mut ancient = message(2);
    ancient.at_ms = 5;
    let last = Day::at(u64::MAX);
    record(bed, [far, ancient, message(3)]);
    let reader = reader(bed.place());
    for day in [last, Day(0), Day::at(MIDNIGHT)] {
        assert_eq!(counted(&reader, day), 1, "{day:?}");
        let rows: u64 = reader
            .reporting_day(day)
            .unwrap()
            .map(|domain| domain.unwrap().rows[0].count)
            .sum();
        assert_eq!(rows, 1, "{day:?}");
    }
    assert_eq!(
        reader.reporting_days().unwrap(),
        [Day(0), Day::at(MIDNIGHT), last]
    );
    let expired = expire(bed, Retention::standard(MIDNIGHT + DAY));
    assert_eq!(
        (expired.tally_rows, expired.observations),
        (1, 1),
        "the ancient one"
    );
    assert_eq!(reader.reporting_days().unwrap(), [Day::at(MIDNIGHT), last]);
}

fn what_comes_after_the_report_is_told_apart(bed: &Bed) {
    use landmarc_store::{DayCounts, Outbox};
    let host = Directory::new();
    let batches = [vec![message(1)], vec![message(2), message(3), on_day(1, 4)]];
    let segments = segments(&host, batches);
    let mut collector = collector(bed);
    assert_eq!(collector.apply(&segments[0], 0).unwrap().of_reported_days, 0);
    let mut outbox = Outbox::open(bed.place(), COMMAND_BUSY_TIMEOUT).unwrap();
    let (day, next) = (Day::at(MIDNIGHT), Day::at(MIDNIGHT + DAY));
    outbox
        .finish_day(day, DayCounts::default(), MIDNIGHT + DAY)
        .unwrap();
    // This one is under way, and its domain has had its turn.
    outbox.begin_day(next, MIDNIGHT + 2 * DAY).unwrap();
    let skipped = ("example.com".to_owned(), "no address".to_owned());
    outbox.skip_all(next, &[skipped]).unwrap();
    let applied = collector.apply(&segments[1], 0).unwrap();
    assert_eq!((applied.messages, applied.of_reported_days), (3, 3));
    assert_eq!(
        counted(&reader(bed.place()), day),
        3,
        "they are counted all the same"
    );
}

fn sums_stay_within_their_numbers(bed: &Bed) {
    record(bed, [message(1)]);
    bed.sql("UPDATE tally SET count = 9223372036854775806");
    for _ in 0..3 {
        record(bed, [message(2)]);
    }
    let tally = reader(bed.place())
        .tally(Day::at(MIDNIGHT), "example.com")
        .unwrap();
    assert_eq!(tally[0].1, i64::MAX as u64);
}

fn messages_without_a_policy_domain(bed: &Bed) {
    let mut unprotected = message(1);
    unprotected.policy_domain = None;
    unprotected.row = None;
    let mut nobody = message(2);
    nobody.policy_domain = None;
    nobody.author_domain = None;
    nobody.row = None;
    nobody.queue_id = String::new();
    record(bed, [unprotected.clone(), nobody.clone()]);
    let reader = reader(bed.place());
    for given in [unprotected, nobody] {
        let found = &reader.explain(&given.id).unwrap()[0];
        assert_eq!(found.policy_domain, None);
        assert_eq!(found.author_domain, given.author_domain);
        assert_eq!(&*found.trace, &*given.trace);
    }
    let of_author = LogFilter {
        domain: Some("example.com".to_owned()),
        ..LogFilter::default()
    };
    assert_eq!(reader.log(&of_author).unwrap().len(), 1);
    assert_eq!(reader.policy_domains(Day::at(MIDNIGHT)).unwrap(), [""; 0]);
}

fn a_clock_that_is_off_is_seen(bed: &Bed) {
    let host = Directory::new();
    let segments = segments(&host, [vec![message(1)]]);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let clock_ms = u64::try_from(now.as_millis()).unwrap() + HOUR;
    let beat = Heartbeat {
        host: segments[0].host(),
        name: "mx1".to_owned(),
        clock_ms,
        caught_up_ms: clock_ms - 5,
        pending: 7,
    };
    collector(bed).beat(&beat, 0).unwrap();
    let host = &reader(bed.place()).hosts().unwrap()[0];
    assert_eq!(
        (host.pending, host.caught_up_ms, host.through),
        (7, clock_ms - 5, 0)
    );
    // One that does not say how far it is has not come to be one that never does.
    let silent = Heartbeat {
        caught_up_ms: 0,
        pending: 0,
        ..beat.clone()
    };
    collector(bed).beat(&silent, 0).unwrap();
    let told = &reader(bed.place()).hosts().unwrap()[0];
    assert_eq!((told.pending, told.caught_up_ms), (0, clock_ms - 5));
    let off = Duration::from_millis(host.clock_offset_ms.unsigned_abs());
    // However long the way took: minutes less than the hour.
    assert!(
        host.clock_offset_ms > 0 && off > Duration::from_mins(50),
        "{off:?}"
    );
}
