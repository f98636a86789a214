//! Received-SPF: what is read is found again under its key, and is within the limits.

#![no_main]

use landmarc_mail::received_spf::{MAX_FIELD_OCTETS, ReceivedSpf};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|value: &[u8]| {
    let Some(read) = ReceivedSpf::parse(value) else {
        return;
    };
    assert!(value.len() <= MAX_FIELD_OCTETS);
    assert!(!read.result().is_empty() && read.result().is_ascii());
    for key in ["client-ip", "envelope-from", "helo", "identity", "receiver"] {
        assert_eq!(read.get(key), read.get(&key.to_ascii_uppercase()));
    }
    // A comment more changes nothing.
    let commented = [b"(x; y=z)", value].concat();
    if commented.len() <= MAX_FIELD_OCTETS {
        assert_eq!(ReceivedSpf::parse(&commented), Some(read));
    }
});
