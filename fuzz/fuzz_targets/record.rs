//! The DMARC Policy Record: any octets are read without a panic, and what is printed is
//! read again as the same record.
#![no_main]

use landmarc_dmarc::record::{MAX_RECORD_OCTETS, PolicyRecord};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let Some(record) = PolicyRecord::parse(octets) else {
        return;
    };
    let print = record.to_string();
    // A text right at the limit can grow past it by the blanks of the print.
    if print.len() > MAX_RECORD_OCTETS {
        return;
    }
    let again = PolicyRecord::parse(print.as_bytes()).expect("a print is a record");
    assert_eq!(again.usability(), record.usability());
    assert_eq!(bare(again), bare(record));
});

fn bare(record: PolicyRecord) -> PolicyRecord {
    PolicyRecord {
        raw: String::new(),
        problems: Vec::new(),
        ..record
    }
}
