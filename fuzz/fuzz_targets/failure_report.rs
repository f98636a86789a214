//! Failure reports of others: whatever comes in, what is kept of it is bounded, and what is told of it is
//! printable.

#![no_main]

use landmarc_intake::failure::{MAX_ORIGINAL_OCTETS, MAX_VALUE_OCTETS, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|mail: &[u8]| {
    let Ok((report, deviations)) = read(mail) else {
        return;
    };
    for deviation in &deviations {
        let told = deviation.to_string();
        assert!(told.is_ascii() && !told.contains(char::is_control), "{told:?}");
    }
    assert!(report.incidents > 0);
    let texts = [
        &report.user_agent,
        &report.authentication_results,
        &report.dkim_selector_dns,
    ];
    assert!(
        texts
            .into_iter()
            .flatten()
            .all(|text| text.len() <= MAX_VALUE_OCTETS)
    );
    if let Some(original) = report.original {
        assert!(original.octets.len() <= MAX_ORIGINAL_OCTETS);
        let _ = original.author_domain();
    }
});
