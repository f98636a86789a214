//! Segments of other hosts: what is read prints and reads back the same.
//!
//! Few octets have the checksum that they need: half of the inputs get the one that is theirs, so that what is
//! behind it is reached.

#![no_main]

use landmarc_store::{MAX_ENTRIES, MAX_SEGMENT, Segment};
use libfuzzer_sys::fuzz_target;

/// Octets of the checksum at the end.
const CHECKSUM: usize = 32;

fuzz_target!(|octets: &[u8]| {
    let Some((choice, octets)) = octets.split_first() else {
        return;
    };
    let mut octets = octets.to_vec();
    if choice % 2 == 0
        && let Some(end) = octets.len().checked_sub(CHECKSUM)
    {
        let checksum = ring::digest::digest(&ring::digest::SHA256, &octets[..end]);
        octets[end..].copy_from_slice(checksum.as_ref());
    }
    match Segment::read(&octets) {
        Err(error) => assert!(!error.to_string().is_empty() && !error.remedy().is_empty()),
        Ok(segment) => {
            assert!(octets.len() <= MAX_SEGMENT && segment.entries() <= MAX_ENTRIES);
            assert!(0 < segment.first() && segment.first() <= segment.last());
            assert_eq!(segment.octets(), octets.len());
            let printed = segment.to_octets();
            assert_eq!(printed, octets);
            assert_eq!(Segment::read(&printed), Ok(segment));
        }
    }
});
