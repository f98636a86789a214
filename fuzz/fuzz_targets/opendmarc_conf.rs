//! opendmarc.conf: whatever it says, what is written is a file that our settings read, every line that
//! counts is told of in it, and every broken line has a remedy.

#![no_main]

use std::collections::BTreeMap;

use landmarc_migrate::opendmarc::settings::{OpenDmarcSite, read, test_records, translate};
use libfuzzer_sys::fuzz_target;

/// Beyond this the settings are asked so often that nothing is learnt in a minute.
const MAX_OCTETS: usize = 4 << 10;

fuzz_target!(|octets: &[u8]| {
    if octets.len() > MAX_OCTETS {
        return;
    }
    assert!(test_records(octets).iter().all(|(name, _)| !name.is_empty()));
    let conf = read(octets);
    for broken in conf.broken() {
        assert!(!broken.remedy().is_empty() && !broken.to_string().contains(char::is_control));
    }
    // Files that are named say something odd too.
    let files = conf.files().into_iter().map(|path| (path, octets.to_vec()));
    let site = OpenDmarcSite {
        file: String::from_utf8_lossy(octets).into_owned(),
        host_name: "mx.example.net".to_owned(),
        files: files.collect::<BTreeMap<_, _>>(),
        unknown_accounts: Vec::new(),
    };
    let translation = translate(&conf, &site);
    if let Err(mistakes) = landmarc_settings::read(&translation.toml) {
        panic!("{}\n{}", mistakes.render("translated"), translation.toml);
    }
    for line in &translation.lines {
        assert!(
            translation.toml.contains(&line.place()),
            "{line:?}\n{}",
            translation.toml
        );
    }
});
