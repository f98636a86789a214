//! Settings of rspamd: whatever is in a file, what comes of it is a line for each setting, and every line that
//! is told of is in the file.

#![no_main]

use landmarc_migrate::rspamd::settings::{ConfigFile, translate};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let lines = octets.iter().filter(|octet| **octet == b'\n').count() + 1;
    let files = [ConfigFile {
        path: "local.d/dmarc.conf",
        octets,
    }];
    let translation = translate(&files);
    for line in translation.toml.lines() {
        let is_table = line.starts_with('[') && line.ends_with(']');
        assert!(
            line.is_empty() || is_table || line.starts_with("# ") || line.contains(" = "),
            "{line:?}"
        );
    }
    assert!(
        translation
            .lines
            .iter()
            .all(|line| (1..=lines).contains(&line.line))
    );
    assert!(
        translation
            .broken
            .iter()
            .all(|broken| (1..=lines).contains(&broken.line))
    );
    assert!(
        translation
            .broken
            .iter()
            .all(|broken| !broken.what.contains(char::is_control))
    );
});
