//! From a mail to the reports in it: the vectors of digest §12.5 about mails, and the limits.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use landmarc_intake::aggregate;
use landmarc_intake::archive::ArchiveFormat;
use landmarc_intake::{CarriedKind, MailError, MailLimits, MailRemark, ReceivedMail, open_mail};

use crate::reading_common::{Document, gzip, zip};

const SUBJECT: &str = "Report Domain: example.com Submitter: r.example Report-ID: <1@r.example>";
const NAME: &str = "r.example!example.com!1780272000!1780358399.xml.gz";

/// A part with some octets in base64.
fn part(media_type: &str, octets: &[u8]) -> String {
    let text = BASE64.encode(octets);
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(76)
        .map(|line| str::from_utf8(line).unwrap())
        .collect();
    format!(
        "Content-Type: {media_type}\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
        lines.join("\r\n")
    )
}

fn multipart(subtype: &str, boundary: &str, parts: &[String]) -> String {
    let parts: String = parts
        .iter()
        .map(|part| format!("--{boundary}\r\n{part}\r\n"))
        .collect();
    format!("Content-Type: multipart/{subtype}; boundary=\"{boundary}\"\r\n\r\n{parts}--{boundary}--\r\n")
}

fn mail(content: &str) -> String {
    format!("From: <r@r.example>\r\nSubject: {SUBJECT}\r\nMIME-Version: 1.0\r\n{content}")
}

fn words() -> String {
    "Content-Type: text/plain\r\n\r\nThis is a report.\r\n".to_owned()
}

fn report() -> Vec<u8> {
    Document::default().text().into_bytes()
}

fn open(mail: &str) -> ReceivedMail<'_> {
    open_mail(mail.as_bytes(), &MailLimits::default()).unwrap()
}

/// Opens a mail that carries the report once, and gives its kind and place.
fn the_one(mail: &str) -> (CarriedKind, String) {
    let found = open(mail);
    let [carried] = &*found.carried else {
        panic!("{found:?}");
    };
    let reading = aggregate::read(&carried.octets, &aggregate::ReadLimits::default()).unwrap();
    assert_eq!(reading.report.rows.len(), 1);
    (carried.kind, carried.place.clone())
}

#[test]
fn a_report_mail_as_the_rfc_has_it() {
    let attachment = part(&format!("application/gzip; name=\"{NAME}\""), &gzip(&report()));
    let mail = mail(&multipart("mixed", "b", &[words(), attachment]));
    let found = open(&mail);
    let carried = &found.carried[0];
    assert_eq!(
        (carried.kind, &*carried.place),
        (CarriedKind::Aggregate(ArchiveFormat::Gzip), "2")
    );
    assert_eq!(carried.media_type, "application/gzip");
    assert!(carried.file_name.as_ref().unwrap().conforms);
    assert!(found.subject.as_ref().unwrap().conforms);
    assert_eq!(carried.subject, found.subject);
    assert_eq!(found.remarks, []);
}

#[test]
fn rr11_the_octets_tell_and_not_the_media_type() {
    let (xml, gzip, zip) = (report(), gzip(&report()), zip(&[("r.xml", &report())]));
    for media_type in [
        "application/octet-stream",
        "application/x-gzip",
        "application/x-zip-compressed",
        "application/zip",
        "application/gzip",
        "text/plain",
        "text/xml",
        "text/html",
        "image/png",
        "nonsense",
    ] {
        for (octets, form) in [
            (&xml, ArchiveFormat::Xml),
            (&gzip, ArchiveFormat::Gzip),
            (&zip, ArchiveFormat::Zip),
        ] {
            let kind = CarriedKind::Aggregate(form);
            let among_others = mail(&multipart("mixed", "b", &[words(), part(media_type, octets)]));
            assert_eq!(the_one(&among_others), (kind, "2".to_owned()), "{media_type}");
            let alone = mail(&part(media_type, octets));
            assert_eq!(the_one(&alone), (kind, String::new()), "{media_type}");
        }
    }
}

#[test]
fn rr11_in_any_multipart_and_any_encoding() {
    let text = String::from_utf8(report()).unwrap();
    let plain = format!("Content-Type: text/xml\r\n\r\n{text}\r\n");
    let quoted = format!(
        "Content-Type: text/xml\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\n{}",
        text.replace('=', "=3D")
    );
    for content in [plain, quoted] {
        for subtype in ["alternative", "related", "x-unknown"] {
            let mail = mail(&multipart(subtype, "b", &[words(), content.clone()]));
            assert_eq!(
                the_one(&mail),
                (CarriedKind::Aggregate(ArchiveFormat::Xml), "2".to_owned())
            );
        }
    }
}

#[test]
fn local_line_ends_and_a_missing_end_do_not_matter() {
    let mail = mail(&multipart(
        "mixed",
        "b",
        &[words(), part("application/gzip", &gzip(&report()))],
    ));
    let expected = (CarriedKind::Aggregate(ArchiveFormat::Gzip), "2".to_owned());
    assert_eq!(the_one(&mail.replace("\r\n", "\n")), expected);
    assert_eq!(the_one(&mail.replace("--b--\r\n", "")), expected);
}

/// A mail with the report, so many messages deep.
fn forwarded(depth: usize) -> String {
    let attachment = part("application/gzip", &gzip(&report()));
    (0..depth).fold(
        mail(&multipart("mixed", "inner", &[words(), attachment])),
        |inner, number| {
            let attached = format!("Content-Type: message/rfc822\r\n\r\n{inner}");
            mail(&multipart("mixed", &format!("b{number}"), &[words(), attached]))
        },
    )
}

#[test]
fn rr12_a_report_that_was_forwarded_is_found_three_messages_deep() {
    for (depth, place) in [(0, "2"), (1, "2.2"), (2, "2.2.2"), (3, "2.2.2.2")] {
        assert_eq!(the_one(&forwarded(depth)).1, place);
    }
    let mail = forwarded(4);
    let found = open(&mail);
    assert_eq!(found.carried, []);
    assert_eq!(found.remarks, [MailRemark::MessageTooDeep("2.2.2.2".to_owned())]);
}

#[test]
fn rr12_a_message_in_base64_or_in_a_digest_is_one_too() {
    let inner = mail(&part("application/gzip", &gzip(&report())));
    let encoded = mail(&multipart(
        "mixed",
        "b",
        &[part("message/rfc822", inner.as_bytes())],
    ));
    assert_eq!(the_one(&encoded).1, "1");
    let digest = mail(&multipart("digest", "b", &[format!("\r\n{inner}")]));
    assert_eq!(the_one(&digest).1, "1");
}

#[test]
fn the_subject_is_that_of_the_message_around_the_report() {
    let outer = forwarded(1).replacen(SUBJECT, "Fwd: have a look", 1);
    let found = open(&outer);
    assert_eq!(found.subject, None);
    assert_eq!(found.carried[0].subject.as_ref().unwrap().submitter, "r.example");
}

#[test]
fn several_reports_in_one_mail() {
    let attachment = part("application/gzip", &gzip(&report()));
    let mail = mail(&multipart("mixed", "b", &[attachment.clone(), attachment]));
    let found = open(&mail);
    let places: Vec<_> = found.carried.iter().map(|carried| &*carried.place).collect();
    assert_eq!(places, ["1", "2"]);
}

#[test]
fn other_attachments_are_told() {
    let html = "Content-Type: text/html\r\n\r\n<html>your feedback</html>\r\n".to_owned();
    let logo = part("image/png; name=logo.png", b"\x89PNG");
    let other = part("text/xml; name=a.xml", b"<invoice/>");
    let mail = mail(&multipart("mixed", "b", &[words(), html, logo, other]));
    let found = open(&mail);
    assert_eq!(found.carried, []);
    let expected = [("3", "image/png"), ("4", "text/xml")]
        .map(|(place, media_type)| MailRemark::NoReport(place.to_owned(), media_type.to_owned()));
    assert_eq!(found.remarks, expected);
}

#[test]
fn a_failure_report_is_handed_over_whole() {
    let parts = [
        words(),
        "Content-Type: message/feedback-report\r\n\r\nFeedback-Type: auth-failure\r\n".to_owned(),
        format!("Content-Type: message/rfc822\r\n\r\n{}", forwarded(0)),
    ];
    let with_type = multipart("report; report-type=feedback-report", "b", &parts);
    for content in [with_type, multipart("mixed", "b", &parts)] {
        let mail = mail(&content);
        let found = open(&mail);
        let [carried] = &*found.carried else {
            panic!("the report in the mail it is about is none to us: {found:?}");
        };
        assert_eq!(carried.kind, CarriedKind::Failure);
        assert_eq!(carried.octets, mail.as_bytes());
        let forwarded = format!("Content-Type: message/rfc822\r\n\r\n{mail}");
        assert_eq!(open(&forwarded).carried[0].octets, mail.as_bytes());
    }
}

#[test]
fn what_is_no_mail_carries_nothing() {
    for octets in [
        &b""[..],
        b"\0\0\0",
        b"no field",
        b"\r\n\r\n",
        b"Content-Type: multipart/mixed\r\n\r\n--\r\n",
    ] {
        let found = open_mail(octets, &MailLimits::default()).unwrap();
        assert_eq!((found.carried, found.subject), (Vec::new(), None));
    }
}

#[test]
fn limit_of_the_mail() {
    let mail = mail(&words());
    let at = |limit| {
        let limits = MailLimits {
            octets: limit,
            ..MailLimits::default()
        };
        open_mail(mail.as_bytes(), &limits).map(|found| found.carried.len())
    };
    let octets = mail.len();
    assert_eq!(at(octets), Ok(0));
    let limit = octets - 1;
    assert_eq!(at(limit), Err(MailError::Octets { octets, limit }));
}

#[test]
fn limit_of_the_parts() {
    let limits = MailLimits {
        parts: 10,
        ..MailLimits::default()
    };
    let with = |number| {
        let mail = mail(&multipart("mixed", "b", &vec![words(); number]));
        open_mail(mail.as_bytes(), &limits).map(|found| found.carried.len())
    };
    // The mail itself is one.
    assert_eq!(with(9), Ok(0));
    assert_eq!(with(10), Err(MailError::Parts { limit: 10 }));
}

#[test]
fn limit_of_the_depth() {
    let limits = MailLimits {
        depth: 5,
        ..MailLimits::default()
    };
    let with = |depth: usize| {
        let content = (1..depth).fold(words(), |inner, number| {
            multipart("mixed", &format!("b{number}"), &[inner])
        });
        let mail = mail(&content);
        open_mail(mail.as_bytes(), &limits).map(|found| found.carried.len())
    };
    assert_eq!(with(5), Ok(0));
    assert_eq!(with(6), Err(MailError::Depth { limit: 5 }));
}

#[test]
fn the_limits_out_of_the_box() {
    insta::assert_debug_snapshot!(MailLimits::default());
}
