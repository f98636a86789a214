//! Bounces: whatever comes back, what is told of it is one printable line, and a delivery is named only
//! where the octets have a token of ours.

#![no_main]

use std::sync::LazyLock;

use landmarc_intake::bounce::read;
use landmarc_report::Address;
use landmarc_report::return_path::ReturnPath;
use libfuzzer_sys::fuzz_target;

/// The secret is known to the seeds, so that the fuzzer finds tokens.
static OURS: LazyLock<ReturnPath> = LazyLock::new(|| {
    let base = Address::parse("dmarc@receiver.example").expect("it is an address");
    ReturnPath::new(base, "+", &[7; 32])
});

fuzz_target!(|mail: &[u8]| {
    let Ok(bounce) = read(mail, None, &OURS) else {
        return;
    };
    assert!(!bounce.to_string().contains(char::is_control));
    assert!(bounce.is_standard || bounce.delivery.is_some());
    if let Some(delivery) = bounce.delivery {
        let address = OURS.address(delivery).to_ascii_lowercase();
        let text = String::from_utf8_lossy(mail).to_ascii_lowercase();
        let (local_part, _) = address.split_once('@').expect("it is an address");
        assert!(text.contains(local_part));
    }
});
