//! Limits of a segment, and numbers that cannot be.

use super::*;
use crate::collect::Collector;
use crate::error::StoreError;
use crate::folded::FoldedCounts;
use crate::limits::MAX_GAP;
use crate::spool::counts::pack_counts;
use crate::spool::frame::Packer;
use crate::spool::octets::Writer;

fn segment(entries: Vec<Sealed>) -> Segment {
    Segment::new(HostId::from([7; 16]), "mx1.example", entries)
}

/// An entry that counts nothing.
fn empty(number: u64) -> Sealed {
    let counts = pack_counts(&FoldedCounts::default(), &mut Packer::new()).remove(0);
    Sealed {
        first: number,
        last: number,
        counts: Some(counts.octets),
        ..Sealed::default()
    }
}

#[test]
fn so_many_entries_are_read_and_not_one_more() {
    let numbered = |number: u64| Sealed {
        first: number,
        last: number,
        ..Sealed::default()
    };
    let mut entries: Vec<_> = (1..=MAX_ENTRIES as u64).map(numbered).collect();
    let most = segment(entries.clone());
    assert_eq!(Segment::read(&most.to_octets()).as_ref(), Ok(&most));
    entries.push(numbered(MAX_ENTRIES as u64 + 1));
    let error = Segment::read(&segment(entries).to_octets()).unwrap_err();
    assert!(
        matches!(error, SegmentError::TooLarge { what: "entries", .. }),
        "{error}"
    );
}

#[test]
fn a_name_that_would_steer_a_terminal_is_neither_written_nor_read() {
    let host = HostId::from([7; 16]);
    let ours = Segment::new(host, "mx1\u{1b}[2J\n", vec![empty(1)]);
    assert_eq!(ours.name(), "mx1_[2J_");
    assert!(Segment::read(&ours.to_octets()).is_ok());
    let theirs = Segment {
        name: "mx1\u{1b}[2J".to_owned(),
        ..ours
    };
    let error = Segment::read(&theirs.to_octets()).unwrap_err();
    assert!(matches!(error, SegmentError::Impossible { .. }), "{error}");
}

#[test]
fn a_number_that_no_spool_comes_to_is_not_applied() {
    let folder = std::env::temp_dir().join(format!("landmarc-gap-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("landmarc.db");
    let mut collector = Collector::open(&path, std::time::Duration::from_secs(5)).unwrap();
    let mut apply = |number: u64| collector.apply(&segment(vec![empty(number)]), 1);
    assert_eq!(apply(1).unwrap().new_batches, 1);
    assert_eq!(apply(1 + MAX_GAP).unwrap().new_batches, 1, "at the limit");
    let far = 2 + 2 * MAX_GAP;
    let error = apply(far).unwrap_err();
    assert!(
        matches!(&error, StoreError::Segment { source: SegmentError::Gap { last, .. } } if *last == far),
        "{error}"
    );
    assert!(error.remedy().contains("no such gaps"));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_segment_that_is_too_long_is_not_looked_at() {
    let mut octets = segment(vec![empty(1)]).to_octets();
    octets.resize(MAX_SEGMENT, 0);
    assert!(matches!(
        Segment::read(&octets),
        Err(SegmentError::Trailing { .. })
    ));
    octets.push(0);
    let error = Segment::read(&octets).unwrap_err();
    assert!(
        matches!(error, SegmentError::TooLarge { what: "octets", .. }),
        "{error}"
    );
    insta::assert_snapshot!(
        error.remedy(),
        @"do not take it from there again; if landmarc wrote it, report it; nothing of it was counted"
    );
}

#[test]
fn what_unpacks_to_too_much_is_refused_before_it_is_unpacked() {
    let frame = |unpacked: usize| {
        let mut frame = Writer::default();
        frame.length(unpacked);
        frame.0.extend(vec![0; MAX_FRAME / 200]);
        Some(frame.0)
    };
    let entry = |number: u64, unpacked: usize| Sealed {
        counts: frame(unpacked),
        ..empty(number)
    };
    let mut entries: Vec<_> = (1..=4).map(|number| entry(number, MAX_FRAME)).collect();
    assert_eq!(4 * MAX_FRAME, MAX_UNPACKED);
    let whole = Segment::read(&segment(entries.clone()).to_octets());
    assert!(
        matches!(whole, Err(SegmentError::Impossible { .. })),
        "it is looked into"
    );
    entries.push(entry(5, 1));
    let error = Segment::read(&segment(entries).to_octets()).unwrap_err();
    let what = "octets when it is unpacked";
    assert!(
        matches!(error, SegmentError::TooLarge { what: found, .. } if found == what),
        "{error}"
    );
}

#[test]
fn numbers_ascend_and_may_leave_others_out() {
    let read = |numbers: &[(u64, u64)]| {
        let entries = numbers.iter().map(|(first, last)| Sealed {
            last: *last,
            ..empty(*first)
        });
        Segment::read(&segment(entries.collect()).to_octets()).is_ok()
    };
    assert!(read(&[(1, 1), (2, 9), (12, 12)]));
    assert!(read(&[(7, MAX_SUM)]));
    for wrong in [
        &[(1, 1), (1, 1)][..],
        &[(1, 3), (3, 4)],
        &[(2, 2), (1, 1)],
        &[(0, 1)],
        &[(2, 1)],
        &[(1, MAX_SUM + 1)],
        &[],
    ] {
        assert!(!read(wrong), "{wrong:?}");
    }
}
