//! The numbered ARC vectors AR01 to AR12, on chains sealed here, and the limits.

use landmarc_auth::arc::{ArcResult, ArcStatus, MAX_MESSAGE_SIGNATURES, MAX_SETS, Validator};
use landmarc_auth::dkim::BodyHashing;
use landmarc_auth::dkim::canonical::{Canonicalization, header_field};
use landmarc_auth::lookup::{Fault, RecordType, ZoneData, Zones};
use landmarc_mail::message::HeaderLimits;
use landmarc_mail::{HeaderField, HeaderSection};
use landmarc_testkit::{block_on, dns_name};

use crate::dkim_support::{Mail, NOW, domain, ed25519, keys_at};

/// `N` stands for the instance.
const MESSAGE_TAGS: &str =
    " i=N; a=ed25519-sha256; c=relaxed/relaxed; d=hopN.example; s=s1; h=from:subject; bh=BODY; b=";
const SEAL_TAGS: &str = " i=N; a=ed25519-sha256; cv=CV; d=hopN.example; s=s1; b=";
const RESULTS: &str = " i=N; mx.hopN.example; spf=pass; dmarc=pass header.from=example.com";

fn message() -> Mail {
    Mail::text("From: a@example.com\nSubject: A message\n\nText\n")
}

/// Tags of the three fields of one set.
struct Tags {
    results: String,
    message: String,
    seal: String,
}

impl Tags {
    fn of(instance: u32) -> Self {
        let number = instance.to_string();
        let status = if instance == 1 { "none" } else { "pass" };
        Self {
            results: RESULTS.replace('N', &number),
            message: MESSAGE_TAGS.replace('N', &number),
            seal: SEAL_TAGS.replace('N', &number).replace("CV", status),
        }
    }
}

/// Seals a message once more: the three fields, newest on top.
fn sealed(mail: &Mail, tags: &Tags) -> Mail {
    let message = mail.signature("ARC-Message-Signature", &tags.message);
    let mail = mail
        .with("ARC-Authentication-Results", &tags.results)
        .with("ARC-Message-Signature", &message);
    let mut covered = Vec::new();
    let mut append = |name: &str, value: &[u8]| {
        header_field(Canonicalization::Relaxed, name.as_bytes(), value, &mut covered);
        covered.extend_from_slice(b"\r\n");
    };
    // Each set stands above the one before, so from below they come in order.
    let names = ["ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"];
    for field in mail.headers.fields().iter().rev() {
        if let Some(name) = names.iter().find(|name| field.is(name)) {
            append(name, field.value());
        }
    }
    header_field(
        Canonicalization::Relaxed,
        b"ARC-Seal",
        tags.seal.as_bytes(),
        &mut covered,
    );
    mail.with("ARC-Seal", &format!("{}{}", tags.seal, ed25519(&covered)))
}

/// The message, sealed by so many hops.
fn chain(sets: u32) -> Mail {
    (1..=sets).fold(message(), |mail, instance| sealed(&mail, &Tags::of(instance)))
}

fn zones() -> Zones {
    let names: Vec<_> = (1..=MAX_SETS + 1)
        .map(|i| format!("s1._domainkey.hop{i}.example"))
        .collect();
    keys_at(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

fn validate_in(mail: &Mail, zones: &Zones) -> ArcResult {
    let mut bodies = BodyHashing::new();
    let validator = Validator::new(&mail.headers, NOW, &mut bodies);
    bodies.update(&mail.body);
    block_on(validator.finish(zones, &bodies.finish()))
}

fn validate(mail: &Mail) -> ArcResult {
    validate_in(mail, &zones())
}

#[track_caller]
fn fails(mail: &Mail, words: &str) -> ArcResult {
    let result = validate(mail);
    let reason = result.reason.as_deref().unwrap_or_default();
    assert!(
        result.status == ArcStatus::Fail && reason.contains(words),
        "{result:#?}"
    );
    assert_eq!((&result.oldest_results, &result.newest_results), (&None, &None));
    assert_eq!(result.oldest_pass, None);
    result
}

/// The message with every field changed, or left out.
fn edited(mail: &Mail, mut edit: impl FnMut(&HeaderField) -> Option<HeaderField>) -> Mail {
    let mut headers = HeaderSection::default();
    for field in mail.headers.fields().iter().filter_map(&mut edit) {
        headers.push(field, &HeaderLimits::default());
    }
    Mail {
        headers,
        body: mail.body.clone(),
    }
}

/// The message with one text in one field of a set replaced.
fn with_change(mail: &Mail, name: &str, instance: u32, from: &str, to: &str) -> Mail {
    let mut changed = false;
    let mail = edited(mail, |field| {
        let value = String::from_utf8(field.value().to_vec()).unwrap();
        if !field.is(name) || !value.starts_with(&format!(" i={instance};")) {
            return Some(field.clone());
        }
        changed = value.contains(from);
        Some(HeaderField::new(
            field.raw_name(),
            value.replacen(from, to, 1).into_bytes(),
        ))
    });
    assert!(changed, "{from:?} is not in {name} of set {instance}");
    mail
}

#[test]
fn ar01_no_arc_fields() {
    assert_eq!(validate(&message()), ArcResult::none());
}

#[test]
fn ar02_one_set() {
    let result = validate(&chain(1));
    assert_eq!(result.status, ArcStatus::Pass, "{result:#?}");
    assert_eq!((result.instances, result.oldest_pass), (1, Some(0)));
    assert_eq!(result.sealers[0].domain, domain("hop1.example"));
    assert_eq!(result.sealers[0].selector, "s1");
    assert_eq!(result.reason, None);
    let payload = b"mx.hop1.example; spf=pass; dmarc=pass header.from=example.com";
    assert_eq!(result.newest_results.as_deref(), Some(&payload[..]));
    assert_eq!(result.oldest_results, result.newest_results);
}

#[test]
fn arc_three_sets() {
    let mail = chain(3);
    let mut bodies = BodyHashing::new();
    let validator = Validator::new(&mail.headers, NOW, &mut bodies);
    assert_eq!(validator.newest_sealer(), Some(&domain("hop3.example")));
    assert_eq!(validator.questions().len(), 3);
    let result = validate(&mail);
    assert_eq!(
        (result.status, result.oldest_pass),
        (ArcStatus::Pass, Some(0)),
        "{result:#?}"
    );
    let sealers: Vec<_> = result
        .sealers
        .iter()
        .map(|s| (s.instance, s.domain.as_str()))
        .collect();
    assert_eq!(
        sealers,
        [(1, "hop1.example"), (2, "hop2.example"), (3, "hop3.example")]
    );
    assert!(result.oldest_results.unwrap().starts_with(b"mx.hop1.example;"));
    assert!(result.newest_results.unwrap().starts_with(b"mx.hop3.example;"));
}

/// Seals with one change to the tags of one set.
fn chain_with(sets: u32, at: u32, change: impl Fn(&mut Tags)) -> Mail {
    (1..=sets).fold(message(), |mail, instance| {
        let mut tags = Tags::of(instance);
        if instance == at {
            change(&mut tags);
        }
        sealed(&mail, &tags)
    })
}

#[test]
fn ar03_the_first_set_says_pass() {
    let mail = chain_with(1, 1, |tags| tags.seal = tags.seal.replace("cv=none", "cv=pass"));
    fails(&mail, "the seal of set 1 says cv=pass");
}

#[test]
fn ar04_the_second_set_says_none() {
    let mail = chain_with(2, 2, |tags| tags.seal = tags.seal.replace("cv=pass", "cv=none"));
    fails(&mail, "the seal of set 2 says cv=none");
}

#[test]
fn arc_the_newest_set_says_fail() {
    let mail = chain_with(2, 2, |tags| tags.seal = tags.seal.replace("cv=pass", "cv=fail"));
    let result = fails(&mail, "the newest seal, of set 2, says cv=fail");
    assert_eq!(result.instances, 2);
    let mut bodies = BodyHashing::new();
    assert!(
        Validator::new(&mail.headers, NOW, &mut bodies)
            .questions()
            .is_empty()
    );
}

#[test]
fn ar05_a_set_is_missing() {
    let mail = edited(&chain(3), |field| {
        let arc = field.name().starts_with(b"ARC-") && field.value().starts_with(b" i=2;");
        (!arc).then(|| field.clone())
    });
    fails(&mail, "set 2 has no arc-seal");
}

#[test]
fn ar06_two_message_signatures_in_one_set() {
    let mail = chain(1);
    let copy = mail
        .headers
        .named("ARC-Message-Signature")
        .next()
        .unwrap()
        .1
        .value()
        .to_vec();
    let mail = mail.with("ARC-Message-Signature", str::from_utf8(&copy).unwrap());
    fails(&mail, "two arc-message-signature fields in set 1");
}

#[test]
fn ar07_a_seal_with_h() {
    let mail = chain_with(1, 1, |tags| tags.seal = tags.seal.replace(" b=", " h=from; b="));
    fails(&mail, "the seal of set 1 has h=");
}

#[test]
fn ar08_the_body_changed_after_sealing() {
    let mut mail = chain(2);
    mail.body = b"Other text\r\n".to_vec();
    fails(&mail, "the message signature of set 2: body hash differs");
}

#[test]
fn ar09_an_older_message_signature_is_broken() {
    // The second hop changed the subject, as a list does, and sealed what it sent on.
    let first = edited(&chain(1), |field| {
        let subject = HeaderField::new(*b"Subject", *b" [list] A message");
        Some(if field.is("Subject") {
            subject
        } else {
            field.clone()
        })
    });
    let result = validate(&sealed(&first, &Tags::of(2)));
    assert_eq!(
        (result.status, result.oldest_pass),
        (ArcStatus::Pass, Some(2)),
        "{result:#?}"
    );
    let third = sealed(&sealed(&first, &Tags::of(2)), &Tags::of(3));
    assert_eq!(validate(&third).oldest_pass, Some(2));
}

#[test]
fn ar10_any_seal_is_broken() {
    for instance in 1..=3 {
        let mail = with_change(&chain(3), "ARC-Seal", instance, "; b=", "; t=1; b=");
        let result = fails(&mail, "the seal of set");
        assert_eq!(result.instances, 3);
    }
    // What a seal covers is as good as the seal.
    let mail = with_change(&chain(2), "ARC-Authentication-Results", 1, "spf=pass", "spf=fail");
    fails(&mail, "the seal of set 2: it does not verify");
}

#[test]
fn ar11_no_answer_about_a_key() {
    for (fault, words) in [
        (Fault::Timeout, "in time"),
        (Fault::ServFail, "SERVFAIL"),
        (Fault::NxDomain, "NXDOMAIN"),
    ] {
        let mut zones = zones();
        zones.set(
            dns_name("s1._domainkey.hop1.example"),
            RecordType::Txt,
            ZoneData::Fault(fault),
        );
        let result = validate_in(&chain(2), &zones);
        assert_eq!(result.status, ArcStatus::Fail);
        let reason = result.reason.unwrap();
        assert!(
            reason.contains("seal of set 1") && reason.contains(words),
            "{reason}"
        );
    }
}

#[test]
fn ar12_as_many_sets_as_there_may_be_and_one_more() {
    let longest = chain(MAX_SETS);
    let result = validate(&longest);
    assert_eq!(
        (result.status, result.instances),
        (ArcStatus::Pass, 50),
        "{result:#?}"
    );
    // Ten message signatures are verified; whether older ones hold is not known.
    assert_eq!(MAX_MESSAGE_SIGNATURES, 10);
    assert_eq!(result.oldest_pass, Some(41));
    fails(&sealed(&longest, &Tags::of(MAX_SETS + 1)), "more than 50 sets");
}

#[test]
fn arc_oldest_pass_at_the_limit_and_one_past() {
    assert_eq!(validate(&chain(10)).oldest_pass, Some(0));
    assert_eq!(validate(&chain(11)).oldest_pass, Some(2));
}

#[test]
fn arc_no_chain_holds_in_a_header_section_that_was_cut() {
    let mut cut = chain(1);
    let limits = HeaderLimits {
        field_octets: 20,
        ..HeaderLimits::default()
    };
    cut.headers
        .push(HeaderField::new(*b"Subject", *b" Another one, left out"), &limits);
    fails(&cut, "over its limits");
}

#[test]
fn arc_instances_out_of_range() {
    for odd in ["0", "51", "100", "x", ""] {
        let mail = with_change(&chain(1), "ARC-Seal", 1, "i=1", &format!("i={odd}"));
        fails(&mail, "arc-seal without an instance from 1 to 50");
    }
}

#[test]
fn arc_message_signatures_may_not_sign_what_comes_after() {
    for forbidden in ["arc-seal", "authentication-results"] {
        let with = format!("h=from:{forbidden}");
        let mail = chain_with(1, 1, |tags| tags.message = tags.message.replace("h=from", &with));
        fails(&mail, &format!("it signs {forbidden}"));
    }
}

#[test]
fn arc_it_is_known_whether_the_newest_message_signature_signs_from() {
    let signs = |sets, at, names: &str| {
        let result = validate(&chain_with(sets, at, |tags| {
            tags.message = tags.message.replace("h=from:subject", &format!("h={names}"));
        }));
        assert_eq!(result.status, ArcStatus::Pass, "{names}");
        result.signs_from
    };
    assert!(signs(1, 1, "from:subject") && signs(1, 1, "Subject:FROM"));
    assert!(!signs(1, 1, "subject") && !signs(2, 2, "subject"));
    assert!(signs(2, 1, "subject"), "an older one need not");
    assert!(!validate(&message()).signs_from, "no chain");
}

#[test]
fn arc_a_message_signature_over_part_of_the_body() {
    let mail = chain_with(1, 1, |tags| {
        tags.message = tags
            .message
            .replace("bh=BODY", "l=0; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    });
    fails(&mail, "l= leaves some of the body unsigned");
}

#[test]
fn arc_a_message_signature_expires() {
    let expires = |x: u64| {
        let tag = format!(" x={x}; h=");
        chain_with(1, 1, |tags| tags.message = tags.message.replace(" h=", &tag))
    };
    assert_eq!(validate(&expires(NOW - 300)).status, ArcStatus::Pass);
    fails(
        &expires(NOW - 301),
        &format!(
            "the message signature of set 1: expired: x={} has passed",
            NOW - 301
        ),
    );
}

/// RFC 8617 §4.1.2 has the default of DKIM, the suite of the protocol has another.
#[test]
fn arc_without_canonicalization_both_readings_hold() {
    let simple = chain_with(1, 1, |tags| {
        tags.message = tags.message.replace(" c=relaxed/relaxed;", "");
    });
    assert_eq!(validate(&simple).status, ArcStatus::Pass);
    let mut changed = simple;
    changed.body = b"Other text\r\n".to_vec();
    fails(&changed, "body hash differs");
}
