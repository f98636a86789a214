//! Mails with reports: whatever is found in one is what it is said to be, and no name in it is a path.

#![no_main]

use landmarc_intake::aggregate::{ReadLimits, read};
use landmarc_intake::archive::sniff;
use landmarc_intake::{CarriedKind, MailLimits, open_mail, read_subject};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|mail: &[u8]| {
    let text = String::from_utf8_lossy(mail);
    if let Some(subject) = read_subject(&text) {
        assert!(!subject.policy_domain.contains(char::is_whitespace));
        assert!(!subject.submitter.is_empty());
    }
    let limits = MailLimits {
        parts: 20,
        ..MailLimits::default()
    };
    let Ok(found) = open_mail(mail, &limits) else {
        return;
    };
    assert!(found.carried.len() <= limits.parts);
    for carried in &found.carried {
        if let CarriedKind::Aggregate(form) = carried.kind {
            assert_eq!(sniff(&carried.octets), Some(form));
            let _ = read(&carried.octets, &ReadLimits::default());
        }
        if let Some(id) = carried
            .file_name
            .as_ref()
            .and_then(|name| name.unique_id.as_ref())
        {
            assert!(!id.contains(['/', '\\', '.']));
        }
    }
});
