//! A message is split without losing an octet, and within the limits.

#![no_main]

use landmarc_mail::mbox::{split_mbox, unquote};
use landmarc_mail::message::{HeaderDefect, HeaderField, HeaderLimits, split};
use libfuzzer_sys::fuzz_target;

const LIMITS: HeaderLimits = HeaderLimits {
    section_octets: 4_096,
    field_octets: 512,
    fields: 16,
};

fuzz_target!(|octets: &[u8]| {
    messages_keep_their_octets(octets);
    limits_hold(octets);
    milter_values_have_no_bare_line_feed(octets);
    for message in split_mbox(octets) {
        let lines = |octets: &[u8]| octets.split(|&b| b == b'\n').count();
        let plain = unquote(message);
        assert!(plain.len() <= message.len());
        assert_eq!(lines(&plain), lines(message));
    }
});

/// In CRLF form, all fields, an empty line perhaps, and the body are the message.
fn messages_keep_their_octets(octets: &[u8]) {
    let octets = [b"A: b\r\n", octets].concat();
    let message = split(&octets, &HeaderLimits::default()).expect("it has a field");
    if message.header.defects().contains(&HeaderDefect::SectionTooLong)
        || message.header.defects().contains(&HeaderDefect::FieldTooLong)
    {
        return;
    }
    let mut rest = &octets[..];
    for field in message.header.fields() {
        for part in [field.raw_name(), b":", field.value()] {
            rest = rest.strip_prefix(part).expect("a field is kept as it stands");
        }
        // The last line of a file may have no end.
        rest = rest.strip_prefix(b"\r\n").unwrap_or(rest);
    }
    let after_empty_line = rest.strip_prefix(b"\r\n").unwrap_or(rest);
    assert_eq!(&*message.body, after_empty_line);
}

fn limits_hold(octets: &[u8]) {
    let Ok(message) = split(octets, &LIMITS) else {
        return;
    };
    let fields = message.header.fields();
    assert!(fields.len() <= LIMITS.fields);
    assert!(fields.iter().all(|field| field.wire_len() <= LIMITS.field_octets));
    let octets: usize = fields.iter().map(HeaderField::wire_len).sum();
    assert!(octets <= LIMITS.section_octets);
    assert!(octets <= message.header.octets());
}

fn milter_values_have_no_bare_line_feed(octets: &[u8]) {
    let field = HeaderField::from_milter(b"X", octets);
    let value = field.value();
    for (at, _) in value.iter().enumerate().filter(|&(_, &b)| b == b'\n') {
        assert!(value[..at].ends_with(b"\r"));
    }
    let line_feeds = |octets: &[u8]| octets.iter().filter(|&&b| b == b'\n').count();
    assert_eq!(line_feeds(value), line_feeds(octets));
}
