//! Report messages written, and read back by another reader.

use mail_parser::{MessageParser, MimeHeaders};

use super::*;

fn compose_parts(parts: Vec<MimePart<'_>>) -> ReportMail {
    let address = |text| Address::parse(text).unwrap();
    let head = MailHead {
        from: &address("dmarc@mx.example"),
        display_name: "Mx",
        to: &address("r@example.com"),
        subject: "A subject",
        date: 1_780_272_000,
        message_id: "<a.b@mx.example>",
    };
    let content = Multipart {
        subtype: "report",
        parameters: &[("report-type", "feedback-report")],
        parts,
    };
    compose(&head, &content)
}

fn text_of(message: &ReportMail) -> String {
    String::from_utf8(message.to_bytes()).unwrap()
}

#[test]
fn a_multipart_report_is_written_as_this() {
    let message = compose_parts(vec![
        MimePart::text("For people.\nIn two lines.\n"),
        MimePart::lines(
            "message/feedback-report",
            "Feedback-Type: auth-failure\r\nVersion: 1\r\n",
        ),
        MimePart::lines("text/rfc822-headers", "From: ü@example.com\n").described("Header fields"),
    ]);
    insta::assert_snapshot!("multipart_report", text_of(&message).replace('\r', ""));
}

#[test]
fn every_part_reads_back() {
    let file: Vec<u8> = (0..=255).cycle().take(1_000).collect();
    let message = compose_parts(vec![
        MimePart::text("Grüße"),
        MimePart::lines("text/rfc822-headers", "A: b\nC: d"),
        MimePart::file("application/gzip", "a!b.xml.gz", &file),
    ]);
    let octets = message.to_bytes();
    let read = MessageParser::default().parse(&octets).unwrap();
    assert_eq!(read.body_text(0).unwrap(), "Grüße\r\n");
    assert_eq!(
        read.attachment(0).unwrap().text_contents(),
        Some("A: b\r\nC: d\r\n")
    );
    let attachment = read.attachment(1).unwrap();
    assert_eq!(attachment.contents(), file);
    assert_eq!(attachment.attachment_name(), Some("a!b.xml.gz"));
}

#[test]
fn a_line_is_encoded_one_octet_past_998_and_at_any_control_or_eighth_bit() {
    let is_plain = |text: &str| text_of(&compose_parts(vec![MimePart::text(text)])).contains("7bit");
    assert!(is_plain(&"a".repeat(MAX_LINE_OCTETS)));
    assert!(!is_plain(&"a".repeat(MAX_LINE_OCTETS + 1)));
    assert!(is_plain("a\r\nb\n\tc"));
    for odd in ["a\rb", "\0", "\u{7f}", "ü", "a\r\r\nb"] {
        assert!(!is_plain(odd), "{odd:?}");
    }
}

#[test]
fn lines_of_a_message_are_short_ascii_and_end_in_crlf() {
    let file = [0xff; 5_000];
    let message = compose_parts(vec![
        MimePart::text(&"ü".repeat(3_000)),
        MimePart::file("application/gzip", "x.gz", &file),
    ]);
    let text = text_of(&message);
    assert!(text.is_ascii() && text.ends_with("\r\n"));
    for line in text.split("\r\n") {
        assert!(line.len() <= 78 && !line.contains(['\r', '\n']), "{line:?}");
    }
}

#[test]
fn the_boundary_of_another_message_inside_is_not_that_of_this_one() {
    let first = text_of(&compose_parts(vec![MimePart::text("a")]));
    let boundary = first.split("\r\n--").nth(1).unwrap().lines().next().unwrap();
    let inside = format!("--{boundary}\n--{boundary}--\n");
    let message = compose_parts(vec![MimePart::text(&inside)]);
    let octets = message.to_bytes();
    let read = MessageParser::default().parse(&octets).unwrap();
    assert_eq!(read.body_text(0).unwrap(), inside.replace('\n', "\r\n"));
}

#[test]
fn the_room_for_a_message_is_made_once() {
    let file = vec![7; 1_000_000];
    let message = compose_parts(vec![MimePart::file("application/gzip", "x.gz", &file)]);
    let body = message.body.len();
    assert!(message.body.capacity() >= body && message.body.capacity() <= body + 2 * PART_HEADER_OCTETS);
}
