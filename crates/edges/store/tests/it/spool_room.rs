//! What goes of a spool when there is no room, and that nothing of it counts twice.

use std::fs;

use landmarc_observation::Observation;
use landmarc_store::{Reader, RecordLosses, Recorder, Segment, SpoolLimits};

use crate::hosts::{
    Contents, PATIENCE, ROOM, apply, collector, counted_first_day, messages, record_one_by_one, recorded,
    spool, spooling, status, taken,
};
use crate::samples::{Directory, from, message};

/// The octets that wait after these messages, which are recorded alike each time.
async fn octets_of(messages: u64) -> u64 {
    let host = Directory::new();
    recorded(&host, ROOM, plain(0..messages)).await;
    status(&host).octets
}

/// Messages whose entries have the same length each.
fn plain(numbers: std::ops::Range<u64>) -> impl Iterator<Item = Observation> {
    numbers.map(|number| {
        let mut one = message(1);
        one.id = format!("{:04}", number % 10_000);
        one.trace = format!("trace {:04}", number % 10_000).into();
        one
    })
}

#[tokio::test]
async fn at_the_limit_nothing_goes_and_past_it_the_oldest_trace() {
    let bytes = octets_of(10).await;
    for (bytes, traces) in [(bytes, 0), (bytes - 1, 1)] {
        let host = Directory::new();
        let limits = SpoolLimits { bytes, ..ROOM };
        let recorder = Recorder::open(spooling(host.store(), limits)).unwrap();
        record_one_by_one(&recorder, plain(0..10)).await;
        let lost = RecordLosses {
            traces,
            ..RecordLosses::default()
        };
        let statistics = recorder.close(PATIENCE);
        assert_eq!(
            (status(&host).lost, statistics.spool_lost),
            (lost, lost),
            "{bytes}"
        );
        assert_eq!(statistics.dropped_traces, 0, "the store of the host has it");
        let fleet = Directory::new();
        let mut collector = collector(&fleet);
        for segment in taken(&mut spool(&host), usize::MAX) {
            let told = Segment::read(&segment).unwrap().lost();
            assert_eq!(told, lost);
            apply(&mut collector, &segment);
        }
        let found = Contents::of(&fleet);
        assert_eq!((found.messages(), found.log.len()), (10, 10));
        let without = found.traces.iter().position(std::string::String::is_empty);
        assert_eq!(without, (traces > 0).then_some(0), "the oldest");
    }
}

#[tokio::test]
async fn then_the_oldest_observations_go_and_all_is_counted_still() {
    let (host, fleet) = (Directory::new(), Directory::new());
    let bytes = octets_of(10).await;
    recorded(&host, SpoolLimits { bytes, ..ROOM }, plain(0..14)).await;
    let waits = status(&host);
    assert!(waits.octets <= bytes);
    assert_eq!(waits.lost.traces, 14, "all of them before any observation");
    assert!(
        waits.lost.observations > 0 && waits.lost.observations < 14,
        "{:?}",
        waits.lost
    );
    assert_eq!((waits.lost.tallies, waits.messages), (0, 14));
    let mut collector = collector(&fleet);
    for segment in taken(&mut spool(&host), usize::MAX) {
        apply(&mut collector, &segment);
    }
    let found = Contents::of(&fleet);
    assert_eq!(
        (found.messages(), found.log.len() as u64),
        (14, 14 - waits.lost.observations)
    );
}

#[tokio::test]
async fn then_counts_are_folded_together_and_nothing_is_lost_by_it() {
    let (host, fleet) = (Directory::new(), Directory::new());
    let limits = SpoolLimits {
        bytes: 10_000,
        ..ROOM
    };
    recorded(&host, limits, messages(0..600)).await;
    let waits = status(&host);
    assert!(waits.octets <= limits.bytes, "{waits:?}");
    assert!(waits.entries < 100, "{waits:?}");
    assert_eq!(
        (waits.lost.tallies, waits.lost.rule_hits, waits.messages),
        (0, 0, 600)
    );
    let mut collector = collector(&fleet);
    let segments = taken(&mut spool(&host), 2_000);
    let mut last = 0;
    for segment in &segments {
        let read = Segment::read(segment).unwrap();
        assert_eq!(read.first(), last + 1, "no number is left out");
        last = read.last();
        apply(&mut collector, segment);
        assert_eq!(apply(&mut collector, segment).new_batches, 0);
    }
    assert_eq!(last, 600);
    let (there, here) = (Contents::of(&host), Contents::of(&fleet));
    assert_eq!((there.tally, there.hits), (here.tally, here.hits));
    let hosts = Reader::open(fleet.store()).unwrap().hosts().unwrap();
    assert_eq!((hosts[0].through, hosts[0].missing), (600, 0));
}

#[tokio::test]
async fn counts_that_are_damaged_are_not_folded_and_hold_up_no_record() {
    let host = Directory::new();
    recorded(&host, ROOM, messages(0..60)).await;
    let connection = rusqlite::Connection::open(host.store()).unwrap();
    // One that does not say how long it is, and one that does and is not.
    for (number, octets) in [(5, "80"), (20, "05FF")] {
        let sql = format!("UPDATE spool SET counts = x'{octets}' WHERE number = {number}");
        assert_eq!(connection.execute(&sql, []).unwrap(), 1);
    }
    drop(connection);
    let limits = SpoolLimits {
        bytes: 10_000,
        ..ROOM
    };
    recorded(&host, limits, messages(60..100)).await;
    let waits = status(&host);
    assert_eq!(counted_first_day(&host), 100);
    assert!(waits.entries < 60, "the others are folded: {waits:?}");
}

#[tokio::test]
async fn counts_go_last_and_each_that_is_lost_is_told() {
    let (host, fleet) = (Directory::new(), Directory::new());
    let limits = SpoolLimits {
        bytes: 10_000,
        ..ROOM
    };
    let recorder = Recorder::open(spooling(host.store(), limits)).unwrap();
    // Of as many domains as there are messages: nothing is won by folding.
    let all = (0..600).map(|number| from(number, &format!("{number}.{:x}.example", number * 7_919)));
    record_one_by_one(&recorder, all).await;
    let statistics = recorder.close(PATIENCE);
    let waits = status(&host);
    // While counts are folded, an eighth more.
    assert!(waits.octets <= limits.bytes + limits.bytes / 8, "{waits:?}");
    assert!(waits.lost.tallies > 0, "{waits:?}");
    assert_eq!(
        (waits.lost, waits.lost.tallies + waits.messages),
        (statistics.spool_lost, 600)
    );
    let mut collector = collector(&fleet);
    let mut lost = RecordLosses::default();
    for segment in taken(&mut spool(&host), usize::MAX) {
        apply(&mut collector, &segment);
        lost = lost.and(Segment::read(&segment).unwrap().lost());
    }
    assert_eq!((lost, counted_first_day(&fleet)), (waits.lost, waits.messages));
    let hosts = Reader::open(fleet.store()).unwrap().hosts().unwrap();
    assert_eq!((hosts[0].through, hosts[0].missing), (600, 0));
    assert_eq!(counted_first_day(&host), 600);
}

#[tokio::test]
async fn a_spool_without_any_room_counts_what_it_loses() {
    let host = Directory::new();
    recorded(&host, SpoolLimits { bytes: 0, ..ROOM }, messages(0..20)).await;
    let waits = status(&host);
    let all = RecordLosses {
        traces: 20,
        observations: 20,
        tallies: 20,
        rule_hits: 20,
    };
    assert_eq!((waits.messages, waits.lost, waits.entries), (0, all, 1));
    let segment = spool(&host).take(1).unwrap().unwrap();
    assert_eq!((segment.first(), segment.last(), segment.lost()), (1, 20, all));
}

#[tokio::test]
async fn what_was_handed_out_is_not_folded_into_what_was_not() {
    let (host, fleet) = (Directory::new(), Directory::new());
    recorded(&host, ROOM, messages(0..30)).await;
    let mut spool = spool(&host);
    // Applied, and the answer is lost.
    let handed_out = spool.take(3_000).unwrap().unwrap();
    let mut collector = collector(&fleet);
    let early = apply(&mut collector, &handed_out.to_octets());
    assert!((2..30).contains(&early.new_batches), "{early:?}");
    let limits = SpoolLimits {
        bytes: 10_000,
        ..ROOM
    };
    recorded(&host, limits, messages(30..400)).await;
    assert_eq!(status(&host).lost.tallies, 0);
    let mut new = early.messages;
    for segment in taken(&mut spool, 2_000) {
        new += apply(&mut collector, &segment).messages;
    }
    assert_eq!((new, counted_first_day(&fleet)), (400, 400));
}

#[tokio::test]
async fn an_entry_of_which_a_part_came_alone_is_not_counted_again() {
    let (host, fleet) = (Directory::new(), Directory::new());
    recorded(&host, ROOM, messages(0..100)).await;
    // A copy that is used beside the original hands out entry for entry.
    let copy = Directory::new();
    fs::copy(host.store(), copy.store()).unwrap();
    let mut collector = collector(&fleet);
    let single = taken(&mut spool(&copy), 1);
    assert_eq!(apply(&mut collector, &single[49]).messages, 1);
    let limits = SpoolLimits {
        bytes: 10_000,
        ..ROOM
    };
    recorded(&host, limits, messages(100..101)).await;
    assert!(status(&host).entries < 50, "{:?}", status(&host));
    for segment in taken(&mut spool(&host), usize::MAX).iter().chain(&single) {
        apply(&mut collector, segment);
    }
    assert_eq!((counted_first_day(&fleet), status(&host).lost.tallies), (101, 0));
}
