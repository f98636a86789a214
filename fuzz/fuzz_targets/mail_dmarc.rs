//! The settings and the whitelist of Mail::DMARC: each line is understood or told, and what is made of
//! them says nothing beyond its own lines.

#![no_main]

use landmarc_migrate::mail_dmarc::{MAX_MISTAKES, rules, translate};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    match translate(octets) {
        Ok(translation) => {
            // No value ends its line, and no note its comment.
            for line in translation.settings.lines() {
                let is_ours = line.is_empty() || line.starts_with(['#', '[']) || line.contains(" = ");
                assert!(is_ours && !line.contains(char::is_control), "{line:?}");
            }
        }
        Err(mistakes) => {
            assert!((1..=MAX_MISTAKES + 1).contains(&mistakes.len()));
            assert!(mistakes.iter().all(|mistake| !mistake.remedy().is_empty()));
        }
    }
    match rules(octets) {
        Ok(rules) => assert!(rules.lines().all(|line| !line.contains(char::is_control))),
        Err(mistakes) => assert!(!mistakes.is_empty()),
    }
});
