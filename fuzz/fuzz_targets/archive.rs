//! gzip and zip files: what was measured is what is read, and no more than the limits.

#![no_main]

use std::io::Read;

use landmarc_intake::archive::{Archive, ArchiveFormat, ArchiveLimits, RATIO_FLOOR_OCTETS, sniff};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let limits = ArchiveLimits {
        unpacked_octets: 2 * RATIO_FLOOR_OCTETS,
        members: 5,
        ..ArchiveLimits::default()
    };
    let Ok(archive) = Archive::open(octets, &limits) else {
        return;
    };
    assert!(archive.size() <= limits.unpacked_octets);
    let mut contents = Vec::new();
    archive
        .reader()
        .read_to_end(&mut contents)
        .expect("it was run through before");
    assert_eq!(contents.len() as u64, archive.size());
    assert_eq!(sniff(&contents), Some(ArchiveFormat::Xml));
});
