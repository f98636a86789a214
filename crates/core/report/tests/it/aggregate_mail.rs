//! The message: parts that read back, and nothing that settings or records hold can bend it.

use std::net::IpAddr;

use landmarc_auth::dkim;
use landmarc_mail::DomainName;
use landmarc_report::Address;
use landmarc_report::aggregate_mail::{AggregateMailFacts, aggregate_mail, mail_size};
use landmarc_report::mime::ReportMail;
use landmarc_report::report_id::{ReportId, ReportKey};
use landmarc_report::summary::{Portion, ReportSummary, SourceSummary, TextFacts};
use mail_parser::{MessageParser, MimeHeaders};
use proptest::prelude::*;

/// 1 June 2026.
const BEGIN: u64 = 1_780_272_000;
const END: u64 = 1_780_358_399;

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap_or_else(|e| unreachable!("{text:?}: {e}"))
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap_or_else(|e| unreachable!("{e}"))
}

fn source(source_ip: impl Into<IpAddr>, messages: u64, passing: u64) -> SourceSummary {
    SourceSummary {
        source_ip: source_ip.into(),
        messages,
        passing,
    }
}

/// What a message is made of, for tests to change.
struct World {
    from: Address,
    organization: String,
    contact: String,
    submitter: DomainName,
    policy_domain: DomainName,
    to: Address,
    gzip: Vec<u8>,
    summary: ReportSummary,
}

impl Default for World {
    fn default() -> Self {
        Self {
            from: address("dmarc@receiver.example"),
            organization: "Receiver, Inc.".to_owned(),
            contact: "https://receiver.example/dmarc".to_owned(),
            submitter: name("mail.receiver.example"),
            policy_domain: name("example.com"),
            to: address("reports@example.com"),
            gzip: (0..=255).cycle().take(1_000).collect(),
            summary: ReportSummary {
                messages: 1_234,
                passing: 1_200,
                quarantined: 20,
                refused: 4,
                sources: vec![
                    source([192, 0, 2, 1], 1_000, 1_000),
                    source([0x2001_u16, 0xdb8, 0, 0, 0, 0, 0, 1], 203, 200),
                    source([198, 51, 100, 7], 1, 0),
                ],
                other_sources: 12,
            },
        }
    }
}

impl World {
    fn id(&self) -> ReportId {
        ReportId::derive(&ReportKey {
            submitter: &self.submitter,
            policy_domain: &self.policy_domain,
            begin: BEGIN,
            end: END,
            configuration: &["reject"],
            part: 0,
        })
    }

    fn text(&self) -> String {
        self.summary.text(&TextFacts {
            organization: &self.organization,
            from: &self.from,
            contact: &self.contact,
            submitter: &self.submitter,
            policy_domain: &self.policy_domain,
            report_id: &self.id(),
            begin: BEGIN,
            end: END,
            portion: Portion::Whole,
            gaps: "",
        })
    }

    fn message(&self) -> ReportMail {
        let facts = AggregateMailFacts {
            from: &self.from,
            organization: &self.organization,
            submitter: &self.submitter,
            policy_domain: &self.policy_domain,
            report_id: &self.id(),
            begin: BEGIN,
            end: END,
            date: END + 901,
            text: &self.text(),
        };
        aggregate_mail(&facts, &self.to, &self.gzip)
    }
}

/// Lines that the other side may count on.
fn assert_is_sound(message: &ReportMail) {
    let octets = message.to_bytes();
    assert!(octets.is_ascii() && octets.ends_with(b"\r\n"));
    let text = String::from_utf8_lossy(&octets);
    for line in text.split("\r\n") {
        assert!(
            !line.contains(['\r', '\n', '\0']) && line.len() <= 998,
            "{line:?}"
        );
    }
    assert_eq!(message.header.defects(), []);
    let names: Vec<_> = message
        .header
        .fields()
        .iter()
        .map(|field| field.name().to_vec())
        .collect();
    let expected = [
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "MIME-Version",
        "Auto-Submitted",
        "Content-Type",
    ];
    assert_eq!(names, expected.map(|name| name.as_bytes().to_vec()));
    // What another reader sees are the same fields, and two parts.
    let read = MessageParser::default().parse(&octets);
    let seen = read.map(|read| (read.headers().len(), read.attachment_count()));
    assert_eq!(seen, Some((expected.len(), 1)));
}

#[test]
fn a_message_is_written_as_this() {
    let message = World::default().message();
    assert_is_sound(&message);
    insta::assert_snapshot!(String::from_utf8(message.to_bytes()).unwrap().replace('\r', ""));
}

#[test]
fn gr20_the_same_report_to_the_same_address_is_the_same_message() {
    assert_eq!(World::default().message(), World::default().message());
    let other = World {
        to: address("other@example.com"),
        ..World::default()
    };
    assert_ne!(World::default().message().message_id, other.message().message_id);
    assert_eq!(World::default().id(), other.id());
}

#[test]
fn another_reader_takes_the_message_apart() {
    let world = World::default();
    let octets = world.message().to_bytes();
    let read = MessageParser::default().parse(&octets).unwrap();
    assert_eq!(
        read.subject().unwrap(),
        format!(
            "Report Domain: example.com Submitter: mail.receiver.example Report-ID: <{}>",
            world.id()
        )
    );
    let from = read.from().unwrap().first().unwrap();
    assert_eq!(
        (from.name(), from.address()),
        (Some("Receiver, Inc."), Some("dmarc@receiver.example"))
    );
    assert_eq!(
        read.to().unwrap().first().unwrap().address(),
        Some("reports@example.com")
    );
    assert_eq!(
        read.date().unwrap().to_timestamp(),
        i64::try_from(END + 901).unwrap()
    );
    assert_eq!(read.body_text(0).unwrap(), world.text().replace('\n', "\r\n"));
    let attachment = read.attachment(0).unwrap();
    assert_eq!(attachment.contents(), world.gzip);
    assert_eq!(attachment.content_type().unwrap().subtype(), Some("gzip"));
    let name = format!(
        "mail.receiver.example!example.com!{BEGIN}!{END}!{}.xml.gz",
        world.id()
    );
    assert_eq!(attachment.attachment_name(), Some(name.as_str()));
    assert_eq!(
        attachment.content_type().unwrap().attribute("name"),
        Some(name.as_str())
    );
}

#[test]
fn a_signed_message_has_nothing_to_complain_about() {
    let message = World::default().message();
    let (domain, selector) = (name("receiver.example"), name("s1"));
    let request = dkim::SignRequest {
        domain: &domain,
        selector: &selector,
        key: &dkim::SigningKey::from_ed25519_seed(&[7; 32]).unwrap(),
        header_canon: dkim::Canonicalization::Relaxed,
        body_canon: dkim::Canonicalization::Relaxed,
        fields: &[
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "MIME-Version",
            "Content-Type",
        ],
        now: END + 901,
        expires: None,
    };
    let random = ring::rand::SystemRandom::new();
    let sign = || dkim::sign(&message.header, &message.body, &request, &random).unwrap();
    assert_eq!(sign(), sign());
}

#[test]
fn the_size_of_a_message_is_known_before_it_is_written() {
    for octets in [0, 1, 57, 58, 100_000] {
        let world = World {
            gzip: vec![0xff; octets],
            organization: "ü".repeat(1_000),
            contact: "ü".repeat(1_000),
            ..World::default()
        };
        let size = world.message().to_bytes().len();
        let bound = mail_size(octets);
        assert!(
            size <= bound && bound <= size + 16 * 1024,
            "{octets}: {size}, {bound}"
        );
    }
}

#[test]
fn nothing_in_the_settings_or_a_record_adds_a_field_or_a_recipient() {
    for hostile in [
        "x\r\nBcc: victim@example.org\r\n\r\nbody",
        "x\nBcc: victim@example.org",
        "x\rBcc: victim@example.org",
        "\"Receiver\" <spoof@bank.example>,",
        "=?utf-8?Q?=0D=0ABcc:_victim@example.org?=",
        "--=_aaaaaaaa\r\nContent-Type: text/html",
        "\u{2028}x\u{2029}\u{85}\0\u{202e}",
        &"x".repeat(10_000),
        &"𝄞".repeat(10_000),
    ] {
        let world = World {
            organization: hostile.to_owned(),
            contact: hostile.to_owned(),
            ..World::default()
        };
        let message = world.message();
        assert_is_sound(&message);
        let octets = message.to_bytes();
        let read = MessageParser::default().parse(&octets).unwrap();
        let from = read.from().unwrap();
        assert_eq!(
            (from.iter().count(), from.first().unwrap().address()),
            (1, Some("dmarc@receiver.example"))
        );
        assert_eq!(read.to().unwrap().iter().count(), 1);
        assert!(read.bcc().is_none());
    }
}

#[test]
fn the_longest_names_fit() {
    let longest = name(&format!("{}a", "a.".repeat(126)));
    let world = World {
        from: Address::parse(&format!("{}@{longest}", "f".repeat(64))).unwrap(),
        to: Address::parse(&format!("\"{},x\"@{longest}", "t".repeat(62))).unwrap(),
        submitter: longest.clone(),
        policy_domain: longest,
        ..World::default()
    };
    assert_is_sound(&world.message());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_message_is_sound(
        organization in "(.|\r|\n|=|\\?|ü){0,300}",
        contact in "(.|\r|\n|-|ü){0,300}",
        gzip in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let world = World { organization, contact, gzip: gzip.clone(), ..World::default() };
        let message = world.message();
        assert_is_sound(&message);
        let octets = message.to_bytes();
        let read = MessageParser::default().parse(&octets).unwrap();
        prop_assert_eq!(read.attachment(0).unwrap().contents(), gzip);
    }
}
