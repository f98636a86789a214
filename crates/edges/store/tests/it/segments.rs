//! Segments on bad ways: again, in another order, overlapping, cut off, changed, from other versions.

use landmarc_store::{Collector, Heartbeat, HostProgress, Reader, Segment, SegmentError, StoreError};

use crate::hosts::{Contents, ROOM, apply, collector, counted_first_day, messages, recorded, spool, taken};
use crate::samples::{Directory, MIDNIGHT, message};

/// One message of a host, as it travels.
async fn small() -> Vec<u8> {
    let host = Directory::new();
    recorded(&host, ROOM, [message(1)]).await;
    spool(&host).take(1).unwrap().unwrap().to_octets()
}

#[tokio::test]
async fn in_any_order_and_any_number_of_times_each_message_counts_once() {
    let (host, fleet) = (Directory::new(), Directory::new());
    recorded(&host, ROOM, messages(0..40)).await;
    let mut spool = spool(&host);
    // Two takes of the same entries overlap; the second is the longer one.
    let first = spool.take(2_000).unwrap().unwrap().to_octets();
    let all = spool.take(usize::MAX).unwrap().unwrap().to_octets();
    let mut pieces = taken(&mut spool, 2_000);
    assert!(pieces.len() > 5, "{}", pieces.len());
    let mut collector = collector(&fleet);
    pieces.reverse();
    pieces.extend(pieces.clone());
    let new: u64 = pieces
        .iter()
        .map(|piece| apply(&mut collector, piece).messages)
        .sum();
    assert_eq!(new, 40);
    for again in [&first, &all] {
        let applied = apply(&mut collector, again);
        assert_eq!((applied.new_batches, applied.messages), (0, 0));
        assert!(applied.known_batches > 0);
    }
    let (there, here) = (Contents::of(&host), Contents::of(&fleet));
    assert_eq!(there, here);
    assert_eq!(here.messages(), 40);
}

#[tokio::test]
async fn what_overlaps_counts_what_is_new_in_it() {
    let (host, fleet) = (Directory::new(), Directory::new());
    recorded(&host, ROOM, messages(0..10)).await;
    let mut spool = spool(&host);
    let first = spool.take(2_000).unwrap().unwrap();
    let all = spool.take(usize::MAX).unwrap().unwrap();
    let mut collector = collector(&fleet);
    let known = first.entries() as u64;
    assert_eq!(apply(&mut collector, &first.to_octets()).new_batches, known);
    let applied = apply(&mut collector, &all.to_octets());
    assert_eq!((applied.known_batches, applied.new_batches), (known, 10 - known));
    assert_eq!(counted_first_day(&fleet), 10);
}

#[tokio::test]
async fn a_gap_is_known_until_it_is_filled() {
    let (host, fleet) = (Directory::new(), Directory::new());
    recorded(&host, ROOM, messages(0..6)).await;
    let pieces = taken(&mut spool(&host), 1);
    assert_eq!(pieces.len(), 6);
    let mut collector = collector(&fleet);
    let id = Segment::read(&pieces[0]).unwrap().host();
    let known = |collector: &mut Collector| {
        let beat = Heartbeat {
            host: id,
            name: "mx1.example".to_owned(),
            clock_ms: MIDNIGHT + 600_000,
            caught_up_ms: MIDNIGHT,
            pending: 3,
        };
        collector.beat(&beat, MIDNIGHT).unwrap()
    };
    assert_eq!(known(&mut collector), HostProgress::default());
    for (piece, through, highest, missing) in [
        (0, 1, 1, 0),
        (3, 1, 4, 2),
        (5, 1, 6, 3),
        (4, 1, 6, 2),
        (1, 2, 6, 1),
        (2, 6, 6, 0),
    ] {
        apply(&mut collector, &pieces[piece]);
        assert_eq!(
            known(&mut collector),
            HostProgress { through, highest },
            "after {piece}"
        );
        let hosts = Reader::open(fleet.store()).unwrap().hosts().unwrap();
        assert_eq!(
            (hosts.len(), hosts[0].through, hosts[0].missing),
            (1, through, missing)
        );
        let said = (hosts[0].clock_offset_ms, hosts[0].caught_up_ms, hosts[0].pending);
        assert_eq!(
            (said, hosts[0].name.as_str()),
            ((600_000, MIDNIGHT, 3), "mx1.example")
        );
    }
    assert_eq!(counted_first_day(&fleet), 6);
}

#[tokio::test]
async fn cut_off_at_any_octet_it_says_where() {
    let whole = small().await;
    assert!(whole.len() < 2_000, "{}", whole.len());
    for length in 0..whole.len() {
        let error = Segment::read(&whole[..length]).unwrap_err();
        match &error {
            SegmentError::Foreign => assert_eq!(length, 0),
            SegmentError::CutOff { at, .. } => assert_eq!(*at, length),
            other => panic!("{length}: {other}"),
        }
        assert!(!error.remedy().is_empty());
    }
    let mut longer = whole.clone();
    longer.push(0);
    let error = Segment::read(&longer).unwrap_err();
    let (at, octets) = (whole.len(), 1);
    assert_eq!(error, SegmentError::Trailing { at, octets });
}

#[tokio::test]
async fn with_any_bit_flipped_it_is_refused_and_nothing_is_counted() {
    let fleet = Directory::new();
    let mut whole = small().await;
    for place in 0..whole.len() {
        for bit in 0..8 {
            whole[place] ^= 1 << bit;
            let error = Segment::read(&whole).unwrap_err();
            assert!(
                !matches!(error, SegmentError::Impossible { .. }),
                "{place}: {error}"
            );
            whole[place] ^= 1 << bit;
        }
    }
    assert_eq!(apply(&mut collector(&fleet), &whole).messages, 1);
}

#[tokio::test]
async fn a_later_version_is_refused_by_its_number() {
    let mut later = small().await;
    later[8..10].copy_from_slice(&2_u16.to_le_bytes());
    let error = Segment::read(&later).unwrap_err();
    assert_eq!(error, SegmentError::Newer { found: 2, known: 1 });
    insta::assert_snapshot!(
        error.to_string(),
        @"a segment of version 2, and this build knows versions up to 1"
    );
    let error = StoreError::from(error);
    insta::assert_snapshot!(
        error.remedy(),
        @"bring this host up to the version of the one that wrote it, then try again"
    );
    later[8..10].copy_from_slice(&0_u16.to_le_bytes());
    assert_eq!(Segment::read(&later), Err(SegmentError::Changed));
    assert_eq!(Segment::read(b"PK\x03\x04 and so on"), Err(SegmentError::Foreign));
}

/// Whoever can make a checksum can make any number: it is not believed all the same.
#[tokio::test]
async fn numbers_that_cannot_be_are_refused_though_the_checksum_holds() {
    let whole = small().await;
    // Behind the head with a name of 11 octets, and its four octets of how many entries there are.
    let entry = 8 + 2 + 16 + 1 + 11 + 8 + 8 + 4;
    let error_with = |place: usize, octets: &[u8]| {
        let mut changed = whole.clone();
        changed[place..place + octets.len()].copy_from_slice(octets);
        let content = changed.len() - 32;
        let checksum = ring_sha256(&changed[..content]);
        changed[content..].copy_from_slice(&checksum);
        Segment::read(&changed).unwrap_err()
    };
    let impossible = [
        (entry, 0_u64, "a number that cannot be"),
        (entry, 2, "a number that cannot be"),
        (entry + 8, u64::MAX, "a number that cannot be"),
        (entry + 8, 2, "numbers that are not those of its entries"),
        (entry + 24, 2, "another number of messages than it says"),
        (entry + 24, u64::MAX, "a count that cannot be"),
        (entry + 40, 0, "another number of observations than it says"),
        (entry + 48, 9, "another number of traces than it says"),
    ];
    for (place, number, what) in impossible {
        let error = error_with(place, &number.to_le_bytes());
        assert!(
            matches!(error, SegmentError::Impossible { what: found, .. } if found == what),
            "{place}: {error}"
        );
    }
    let name = error_with(8 + 2 + 16 + 1, &[0xff]);
    insta::assert_snapshot!(name, @"a segment with a name that is not UTF-8 at octet 48 of its head");
    insta::assert_snapshot!(
        name.remedy(),
        @"do not take it from there again; if landmarc wrote it, report it; nothing of it was counted"
    );
}

fn ring_sha256(octets: &[u8]) -> Vec<u8> {
    ring::digest::digest(&ring::digest::SHA256, octets)
        .as_ref()
        .to_vec()
}

/// A segment that version 1 wrote is read by every later build.
#[test]
fn a_segment_of_version_1_is_read() {
    let fleet = Directory::new();
    let segment = Segment::read(include_bytes!("segment_1.bin")).unwrap();
    assert_eq!(
        (segment.name(), segment.first(), segment.last()),
        ("mx1.example", 1, 2)
    );
    assert_eq!((segment.entries(), segment.messages()), (2, 2));
    let applied = collector(&fleet).apply(&segment, MIDNIGHT).unwrap();
    assert_eq!((applied.new_batches, applied.messages), (2, 2));
    let contents = Contents::of(&fleet);
    assert_eq!(contents.traces, ["message 0", "message 1"]);
    assert_eq!(contents.hits, [("all".to_owned(), 2)]);
    assert_eq!(contents.messages(), 2);
}
