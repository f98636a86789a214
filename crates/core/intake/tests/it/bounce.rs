//! What comes back: notifications by RFC 3464, bounces in words, and what only looks like one.

use landmarc_intake::bounce::{
    Bounce, BounceAction, MAX_BOUNCE_OCTETS, MAX_DIAGNOSTIC_CHARACTERS, NotABounce, read,
};
use landmarc_report::Address;
use landmarc_report::return_path::ReturnPath;
use proptest::prelude::*;

const DELIVERY: u64 = 4_711;

fn ours() -> ReturnPath {
    let base = Address::parse("dmarc@receiver.example").unwrap_or_else(|e| unreachable!("{e}"));
    ReturnPath::new(base, "+", &[7; 32])
}

/// The return path of [`DELIVERY`].
fn token() -> String {
    ours().address(DELIVERY)
}

fn bounce(mail: &str) -> Bounce {
    match read(mail.as_bytes(), Some(&token()), &ours()) {
        Ok(bounce) => bounce,
        Err(why) => unreachable!("{why}\n{mail}"),
    }
}

fn no_bounce(mail: &str) -> NotABounce {
    match read(mail.as_bytes(), Some(&token()), &ours()) {
        Ok(bounce) => unreachable!("{bounce}\n{mail}"),
        Err(why) => why,
    }
}

/// A notification as Postfix writes it, with these fields about the recipient.
fn notification(recipient_fields: &str) -> String {
    format!(
        "Return-Path: <>\n\
         Date: Tue,  2 Jun 2026 00:20:00 +0000 (UTC)\n\
         From: MAILER-DAEMON@relay.example (Mail Delivery System)\n\
         Subject: Undelivered Mail Returned to Sender\n\
         To: {}\n\
         Auto-Submitted: auto-replied\n\
         MIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status;\n\
         \tboundary=\"4F0A1.1780358000/relay.example\"\n\
         \n\
         This is a MIME-encapsulated message.\n\
         \n\
         --4F0A1.1780358000/relay.example\n\
         Content-Description: Notification\n\
         Content-Type: text/plain; charset=us-ascii\n\
         \n\
         I'm sorry to have to inform you that your message could not\n\
         be delivered to one or more recipients. It's attached below.\n\
         \n\
         --4F0A1.1780358000/relay.example\n\
         Content-Description: Delivery report\n\
         Content-Type: message/delivery-status\n\
         \n\
         Reporting-MTA: dns; relay.example\n\
         X-Postfix-Queue-ID: 4F0A1\n\
         Arrival-Date: Tue,  2 Jun 2026 00:19:00 +0000 (UTC)\n\
         \n\
         {recipient_fields}\n\
         \n\
         --4F0A1.1780358000/relay.example\n\
         Content-Description: Undelivered Message Headers\n\
         Content-Type: text/rfc822-headers\n\
         \n\
         From: <dmarc@receiver.example>\n\
         To: reports@example.com\n\
         Message-ID:\n <breqlk6jycgugkgos2uuzlfsnc.abcdefgh@mail.receiver.example>\n\
         \n\
         --4F0A1.1780358000/relay.example--\n",
        token()
    )
}

const FAILED: &str = "Final-Recipient: rfc822; reports@example.com\n\
                      Original-Recipient: rfc822;reports@example.com\n\
                      Action: failed\n\
                      Status: 5.1.1\n\
                      Remote-MTA: dns; mx.example.com\n\
                      Diagnostic-Code: smtp; 550 5.1.1 <reports@example.com>: Recipient address\n    rejected: User unknown";

#[test]
fn a_notification_names_delivery_message_status_and_reason() {
    let read = bounce(&notification(FAILED));
    assert_eq!(
        read,
        Bounce {
            delivery: Some(DELIVERY),
            message_id: Some("<breqlk6jycgugkgos2uuzlfsnc.abcdefgh@mail.receiver.example>".to_owned()),
            action: BounceAction::Failed,
            status: Some("5.1.1".to_owned()),
            diagnostic: "550 5.1.1 <reports@example.com>: Recipient address rejected: User unknown"
                .to_owned(),
            final_recipient: Some("reports@example.com".to_owned()),
            is_standard: true,
        }
    );
    assert_eq!(
        read.to_string(),
        "failed: 5.1.1 <reports@example.com>: 550 5.1.1 <reports@example.com>: Recipient address rejected: \
         User unknown"
    );
}

#[test]
fn line_ends_do_not_matter() {
    let with_lf = notification(FAILED);
    assert_eq!(bounce(&with_lf.replace('\n', "\r\n")), bounce(&with_lf));
}

#[test]
fn what_is_no_failure_is_told_apart() {
    for (action, status) in [
        (BounceAction::Delayed, "4.4.1"),
        (BounceAction::Delivered, "2.0.0"),
        (BounceAction::Relayed, "2.0.0"),
        (BounceAction::Expanded, "2.1.5"),
    ] {
        let fields = format!("Final-Recipient: rfc822; r@example.com\nAction: {action}\nStatus: {status}");
        let read = bounce(&notification(&fields));
        assert_eq!((read.action, read.status.as_deref()), (action, Some(status)));
    }
}

#[test]
fn a_message_too_big_is_told_from_an_address_no_good() {
    for (fields, is_size) in [
        (FAILED, false),
        (
            "Action: failed\nStatus: 5.3.4\nDiagnostic-Code: smtp; 552 5.3.4 too big",
            true,
        ),
        (
            "Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 552 5.3.4 too big",
            false,
        ),
        (
            "Action: failed\nDiagnostic-Code: smtp; 552 message size exceeds limit",
            true,
        ),
        (
            "Action: failed\nStatus: 5.2.2\nDiagnostic-Code: smtp; 552 over quota",
            false,
        ),
        ("Action: delayed\nStatus: 5.3.4", false),
    ] {
        assert_eq!(
            bounce(&notification(fields)).is_size_refusal(),
            is_size,
            "{fields}"
        );
    }
}

#[test]
fn the_delivery_is_found_without_the_envelope() {
    for (field, is_found) in [
        (format!("To: {}", token()), true),
        (format!("X-Original-To: {}", token().to_uppercase()), true),
        (format!("Delivered-To: <{}>", token()), true),
        (format!("Envelope-To: a@b.example, {}", token()), true),
        (format!("To: \"DMARC\" <{}>", token()), true),
        ("To: dmarc@receiver.example".to_owned(), false),
        (format!("Subject: {}", token()), false),
        ("To: dmarc+rabcdefghijk2345@receiver.example".to_owned(), false),
    ] {
        let mail = notification(FAILED).replace(&format!("To: {}", token()), &field);
        let Ok(read) = read(mail.as_bytes(), Some("dmarc@receiver.example"), &ours()) else {
            panic!("{field}");
        };
        assert_eq!(read.delivery, is_found.then_some(DELIVERY), "{field}");
        assert!(read.message_id.is_some());
    }
}

#[test]
fn recipients_are_looked_at_up_to_fifty() {
    let mail = |others: usize| {
        let list = "a@b.example, ".repeat(others);
        notification(FAILED).replace(&format!("To: {}", token()), &format!("To: {list}{}", token()))
    };
    for (others, delivery) in [(49, Some(DELIVERY)), (50, None)] {
        let Ok(read) = read(mail(others).as_bytes(), None, &ours()) else {
            panic!("{others}");
        };
        assert_eq!(read.delivery, delivery, "{others}");
    }
}

#[test]
fn a_message_returned_whole_is_known_by_its_message_id() {
    let mail = notification(FAILED)
        .replace(
            "Content-Type: text/rfc822-headers",
            "Content-Type: message/rfc822",
        )
        .replace(
            "mail.receiver.example>\n",
            "mail.receiver.example>\n\nThe text.\n",
        );
    assert_eq!(
        bounce(&mail).message_id.as_deref(),
        Some("<breqlk6jycgugkgos2uuzlfsnc.abcdefgh@mail.receiver.example>")
    );
}

#[test]
fn a_returned_header_section_is_known_by_its_type() {
    for (kind, is_returned) in [
        ("Text/RFC822-Headers", true),
        ("message/global-headers", true),
        ("text/plain", false),
        ("text/global-headers", false),
        ("message/rfc822-headers", false),
    ] {
        let mail = notification(FAILED).replace("text/rfc822-headers", kind);
        assert_eq!(bounce(&mail).message_id.is_some(), is_returned, "{kind}");
    }
}

#[test]
fn a_notification_inside_another_container_is_one() {
    let mail =
        notification(FAILED).replace("multipart/report; report-type=delivery-status", "multipart/mixed");
    assert!(bounce(&mail).is_standard);
}

#[test]
fn a_notification_that_names_nobody_is_none() {
    assert_eq!(
        no_bounce(&notification("X-Nothing: here")),
        NotABounce::EmptyNotification
    );
}

#[test]
fn what_was_said_is_printable_and_cut() {
    let fields = format!(
        "Action: failed\nStatus: 5.0.0\nFinal-Recipient: rfc822; \x1b[2J\nDiagnostic-Code: smtp; \x1b]0;x\x07{}",
        "y".repeat(1_000)
    );
    let read = bounce(&notification(&fields));
    assert!(read.diagnostic.starts_with("\\u{1b}]0;x\\u{7}yyy") && read.diagnostic.ends_with("y[...]"));
    assert_eq!(
        read.diagnostic.matches('y').count(),
        MAX_DIAGNOSTIC_CHARACTERS - "\x1b]0;x\x07".len()
    );
    assert_eq!(read.final_recipient.as_deref(), Some("\\u{1b}[2J"));
}

#[test]
fn status_past_the_limit_is_not_read() {
    let padded = |octets: usize| {
        let mail = notification(FAILED);
        let (header, rest) = mail.split_once("\n\n").unwrap();
        let status_end = rest.find("User unknown").unwrap() + "User unknown\n".len();
        let filler = octets - header.len() - 2 - status_end;
        format!("{header}\n\n{}\n{rest}", "x".repeat(filler - 1))
    };
    assert_eq!(
        bounce(&padded(MAX_BOUNCE_OCTETS)).status.as_deref(),
        Some("5.1.1")
    );
    let beyond = padded(MAX_BOUNCE_OCTETS + 2_000);
    assert_eq!(
        no_bounce(&beyond),
        NotABounce::OtherReport("delivery-status".to_owned())
    );
}

/// A message in words.
fn words(header: &str, body: &str) -> String {
    format!("To: {}\n{header}\n\n{body}\n", token())
}

const QMAIL: &str = "Hi. This is the qmail-send program at mx.example.com.\n\
                     I'm afraid I wasn't able to deliver your message to the following addresses.\n\
                     \n\
                     <reports@example.com>:\n\
                     192.0.2.1 does not like recipient.\n\
                     Remote host said: 550 5.7.1 No such user here";

#[test]
fn bounces_in_words_fail_the_delivery_whose_token_came_back() {
    let qmail = words(
        "From: MAILER-DAEMON@mx.example.com\nSubject: failure notice",
        QMAIL,
    );
    let read = bounce(&qmail);
    assert_eq!(
        (read.delivery, read.action, read.is_standard),
        (Some(DELIVERY), BounceAction::Failed, false)
    );
    assert_eq!(read.status.as_deref(), Some("5.7.1"));
    assert_eq!(read.diagnostic, "Remote host said: 550 5.7.1 No such user here");

    let exim = words(
        "From: Mail Delivery System <Mailer-Daemon@mx.example.com>\nAuto-Submitted: auto-replied\n\
         X-Failed-Recipients: reports@example.com\nSubject: Mail delivery failed: returning message to sender",
        "A message that you sent could not be delivered to one or more of its recipients.\n\n  \
         reports@example.com\n    Unrouteable address",
    );
    let read = bounce(&exim);
    assert_eq!(read.final_recipient.as_deref(), Some("reports@example.com"));
    assert_eq!((read.action, read.status), (BounceAction::Failed, None));

    let other = words(
        "From: robot@example.com\nSubject: Undeliverable: Report Domain",
        "No mailbox here.",
    );
    assert_eq!(bounce(&other).diagnostic, "No mailbox here.");
}

#[test]
fn the_line_with_a_code_of_a_refusal_is_the_diagnostic() {
    for (line, has_code) in [
        ("it said 550 no", true),
        ("it said (421)", true),
        ("it said <450>.", true),
        ("it said 5.1.1", true),
        ("it said 250", false),
        ("it said 650", false),
        ("it said 55", false),
        ("it said 5500", false),
        ("it said 5x0", false),
        ("it said a550", false),
    ] {
        let mail = words(
            "From: mailer-daemon@mx.example.com",
            &format!("\n First line.\n{line}"),
        );
        let expected = if has_code { line } else { "First line." };
        assert_eq!(bounce(&mail).diagnostic, expected);
    }
}

#[test]
fn words_are_searched_up_to_8192_characters() {
    let status = |before: usize| {
        let body = format!("{} 5.1.1", "x".repeat(before));
        bounce(&words("From: mailer-daemon@mx.example.com\nSubject: x", &body)).status
    };
    let end = 8_192 - " 5.1.1".len();
    assert_eq!(status(end).as_deref(), Some("5.1.1"));
    assert_eq!(status(end + 1), None);
}

#[test]
fn a_delay_in_words_changes_nothing() {
    for (subject, body) in [
        ("Warning: message delayed 4 hours", "nothing to do"),
        (
            "Delivery Status Notification (Delay)",
            "The server will keep trying for 2 days. 450 4.2.0 greylisted",
        ),
    ] {
        let mail = words(
            &format!("From: mailer-daemon@mx.example.com\nSubject: {subject}"),
            body,
        );
        assert_eq!(bounce(&mail).action, BounceAction::Delayed, "{subject}");
    }
}

#[test]
fn automatic_replies_people_and_other_reports_are_no_bounces() {
    for header in [
        "From: a@example.com\nAuto-Submitted: auto-replied (vacation)\nSubject: Re: Report Domain",
        "From: postmaster@example.com\nAuto-Submitted: Auto-Replied\nSubject: Undeliverable?",
        "From: a@example.com\nSubject: Automatic reply: Report Domain: example.com",
        "From: a@example.com\nSubject: Out of Office: returned mail only",
        "From: postmaster@example.com\nX-Autoreply: yes\nSubject: x",
        "From: postmaster@example.com\nPrecedence: auto_reply\nSubject: x",
    ] {
        assert_eq!(
            no_bounce(&words(header, "Back on Monday. 550 5.1.1")),
            NotABounce::AutomaticReply,
            "{header}"
        );
    }
    let person = words(
        "From: a@example.com\nSubject: Re: your report",
        "Thanks! By the way, 550 5.1.1.",
    );
    assert_eq!(no_bounce(&person), NotABounce::NoSign);
    let receipt = words(
        "From: a@example.com\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b",
        "--b\n\nread\n--b\nContent-Type: message/disposition-notification\n\nDisposition: x\n--b--",
    );
    assert_eq!(
        no_bounce(&receipt),
        NotABounce::OtherReport("disposition-notification".to_owned())
    );
}

#[test]
fn words_without_our_token_silence_nobody() {
    let qmail = format!("From: MAILER-DAEMON@mx.example.com\nSubject: failure notice\n\n{QMAIL}\n");
    let forged = "dmarc+rabcdefghijk2345@receiver.example";
    let reading = read(qmail.as_bytes(), Some(forged), &ours());
    assert_eq!(reading, Err(NotABounce::NoToken));
}

#[test]
fn a_notification_quoted_in_a_mail_is_not_read() {
    let inner = notification(FAILED);
    let mail = words(
        "From: a@example.com\nSubject: what is this?\nContent-Type: multipart/mixed; boundary=outer",
        &format!("--outer\n\nsee below\n--outer\nContent-Type: message/rfc822\n\n{inner}\n--outer--"),
    );
    assert_eq!(no_bounce(&mail), NotABounce::NoSign);
}

#[test]
fn odd_octets_are_no_message() {
    for octets in [
        &b""[..],
        b"\0\0\0",
        b"\r\n\r\n",
        &[0xff; 1_000],
        b"no header at all",
    ] {
        assert!(read(octets, None, &ours()).is_err());
    }
}

#[test]
fn ten_thousand_parts_and_nested_ones_are_survived() {
    let parts = format!(
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n{}",
        "--b\nContent-Type: message/delivery-status\n\nX: y\n\n".repeat(10_000)
    );
    assert_eq!(no_bounce(&parts), NotABounce::EmptyNotification);
    let mut nested = String::new();
    for depth in 0..2_000 {
        nested.push_str(&format!(
            "Content-Type: multipart/mixed; boundary=b{depth}\n\n--b{depth}\n"
        ));
    }
    assert!(matches!(no_bounce(&nested), NotABounce::NoSign));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_octets_panic_and_what_is_read_is_printable(mut fields in "(.|\n|:|;|\x1b|Action: failed\n){0,400}") {
        fields.push_str("\nAction: failed");
        if let Ok(bounce) = read(notification(&fields).as_bytes(), Some(&token()), &ours()) {
            prop_assert!(!bounce.to_string().contains(char::is_control));
        }
    }
}
