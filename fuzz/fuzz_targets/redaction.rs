//! Redaction: whatever a header section holds, an address put into it is hidden everywhere, and what
//! comes out is a header section that no line of it can end.

#![no_main]

use landmarc_mail::HeaderField;
use landmarc_mail::message::{HeaderLimits, split};
use landmarc_report::failure::{HeaderCopy, Profile, Redactor};
use libfuzzer_sys::fuzz_target;

/// Octets that stand in no header section by accident.
const LOCAL_PART: &str = "xqzjvkwqz";

fuzz_target!(|octets: &[u8]| {
    let Ok(message) = split(octets, &HeaderLimits::default()) else {
        return;
    };
    let mut header = message.header;
    let hides = !octets
        .to_ascii_lowercase()
        .windows(LOCAL_PART.len())
        .any(|part| part == LOCAL_PART.as_bytes());
    // The address takes the place of each `?`, so that the fuzzer puts it where it likes.
    let fields: Vec<_> = header.fields().iter().map(with_address).collect();
    header = Default::default();
    let to = HeaderField::new(*b"To", format!(" <{LOCAL_PART}@mail.example>").into_bytes());
    for field in fields.into_iter().chain([to]) {
        header.push(field, &HeaderLimits::default());
    }
    let copy = HeaderCopy::of(&header);
    for profile in [Profile::Hashed, Profile::Domains, Profile::None] {
        let redaction = Redactor::new(profile, b"key").with_subjects(true);
        let path = format!("{LOCAL_PART}@mail.example");
        let text = redaction.header_block(&copy, &[path.as_bytes()]).text;
        for line in text.split_terminator("\r\n") {
            assert!(line.bytes().all(|octet| matches!(octet, b' '..=b'~')), "{line:?}");
            assert!(line.len() <= 998 && !line.trim().is_empty(), "{line:?}");
            assert!(line.starts_with(' ') || line.contains(':'), "{line:?}");
        }
        if hides && profile != Profile::None {
            // Folds may not take it apart either.
            let unfolded = text.replace("\r\n ", "").to_ascii_lowercase();
            assert!(!unfolded.contains(LOCAL_PART), "{text}");
        }
    }
});

fn with_address(field: &HeaderField) -> HeaderField {
    let mut value = Vec::new();
    for &octet in field.value() {
        match octet {
            b'?' => value.extend_from_slice(format!("{LOCAL_PART}@mail.example").as_bytes()),
            other => value.push(other),
        }
    }
    HeaderField::new(field.raw_name(), value)
}
