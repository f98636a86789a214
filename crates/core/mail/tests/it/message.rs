//! Whole messages: the attack cases that are about where a field ends.

use landmarc_mail::mbox::{split_mbox, unquote};
use landmarc_mail::message::{HeaderDefect, HeaderLimits, split};

#[test]
fn at07_dots_between_bare_line_feeds_stay_in_one_message() {
    let octets = b"From: a@example.com\r\n\r\nhi\n.\nMAIL FROM:<x@bank.test>\r\n";
    let message = split(octets, &HeaderLimits::default()).unwrap();
    assert_eq!(message.header.fields().len(), 1);
    assert_eq!(&*message.body, b"hi\n.\nMAIL FROM:<x@bank.test>\r\n");
}

#[test]
fn at08_a_bare_cr_does_not_make_two_fields() {
    let octets = b"Subject: a\rFrom: x@bank.test\r\nFrom: x@evil.test\r\n\r\n";
    let message = split(octets, &HeaderLimits::default()).unwrap();
    assert_eq!(message.header.fields().len(), 2);
    assert_eq!(message.header.fields()[0].value(), b" a\rFrom: x@bank.test");
    assert_eq!(message.header.defects(), [HeaderDefect::BareLineEnd]);
}

#[test]
fn the_default_limits_are_those_of_the_standards() {
    let of_size = |name: &str, octets: usize| format!("{name}: {}\r\n", "x".repeat(octets - name.len() - 4));
    let defects = |octets: &str| {
        let message = split(octets.as_bytes(), &HeaderLimits::default()).unwrap();
        (message.header.fields().len(), message.header.defects().to_vec())
    };
    let field = 256 * 1024;
    assert_eq!(defects(&of_size("A", field)), (1, vec![]));
    assert_eq!(
        defects(&of_size("A", field + 1)),
        (0, vec![HeaderDefect::FieldTooLong])
    );
    let section = of_size("A", field).repeat(4);
    assert_eq!(defects(&section), (4, vec![]));
    assert_eq!(
        defects(&(section + "B:\r\n")),
        (4, vec![HeaderDefect::SectionTooLong])
    );
    assert_eq!(defects(&"A: 1\r\n".repeat(10_000)), (10_000, vec![]));
    assert_eq!(
        defects(&"A: 1\r\n".repeat(10_001)),
        (10_000, vec![HeaderDefect::SectionTooLong])
    );
}

#[test]
fn a_mailbox_gives_whole_messages() {
    let mailbox =
        b"From a@b Thu Jan  1 00:00:00 1970\nFrom: a@example.com\n\n>From me\n\nFrom c@d Fri\nTo: x\n\n";
    let senders: Vec<_> = split_mbox(mailbox)
        .map(|stored| {
            let plain = unquote(stored);
            let message = split(&plain, &HeaderLimits::default()).unwrap();
            (
                message.header.named("from").count(),
                message.body.clone().into_owned(),
            )
        })
        .collect();
    assert_eq!(senders, [(1, b"From me\r\n".to_vec()), (0, vec![])]);
}
