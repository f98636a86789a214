//! The limits of what is told, at the limit and one past it.

use landmarc_auth::dkim::DkimResult;
use landmarc_receiver::explanation::explain;
use landmarc_receiver::limits::{MAX_REASON_OCTETS, MAX_REPLY_OCTETS};
use landmarc_receiver::policy::ReplyTemplate;

use crate::scenario::Given;

fn told(given: &str) -> String {
    explain(&Given::read(given).judge())
}

#[test]
fn twenty_signatures_are_told_one_by_one() {
    let signature = "top DKIM-Signature: v=1; a=rsa-sha256; d=d.example; s=s1; h=from; bh=AAAA; b=AAAA\n";
    let with = |count: usize| told(&format!("from a@example.com\n{}", signature.repeat(count)));
    assert!(!with(20).contains("more."), "{}", with(20));
    assert!(with(21).contains("  and 1 more.\n"), "{}", with(21));
}

#[test]
fn twenty_identifiers_are_told_one_by_one() {
    let with = |count: usize| {
        let signed: String = (0..count)
            .map(|n| format!("signed by d=d{n}.test s=s1\n"))
            .collect();
        let mut given = Given::read(&format!(
            "zone _dmarc.example.com TXT \"v=DMARC1; p=none\"\nfrom a@example.com\n{signed}"
        ));
        (given.rules.dkim.max_signatures, given.questions) = (count, 1_000);
        let explanation = explain(&given.judge());
        let (_, alignment) = explanation.split_once("Alignment:").expect("that part");
        alignment.to_owned()
    };
    assert!(!with(20).contains("more."), "{}", with(20));
    assert!(with(21).contains("  and 1 more.\n"), "{}", with(21));
}

#[test]
fn sixty_steps_of_spf_are_told() {
    let with = |terms: usize| {
        let terms = "ip4:203.0.113.1 ".repeat(terms);
        told(&format!(
            "zone example.net TXT \"v=spf1 {terms}?all\"\nfrom a@example.com"
        ))
    };
    // The record and `?all` are steps too.
    assert!(!with(58).contains("more."), "{}", with(58));
    assert!(with(59).contains("  and 1 more.\n"), "{}", with(59));
}

#[test]
fn a_thousand_characters_of_a_record_are_told() {
    let with = |octets: usize| {
        let start = "v=DMARC1; p=none; x=";
        let rest = "a".repeat(octets - start.len());
        told(&format!(
            "zone _dmarc.example.com TXT \"{start}{rest}\"\nfrom a@example.com"
        ))
    };
    assert!(!with(1_000).contains("[...]"));
    assert!(with(1_001).contains("a[...]"));
}

/// A signed message whose last field, of this name, has so many octets in all.
fn with_a_long_field(name: &str, octets: usize) -> Given {
    let mut given = Given::read(
        "zone _dmarc.example.com TXT \"v=DMARC1; p=reject\"\nzone example.com TXT \"v=spf1 -all\"\n\
         mail <a@example.com>\nfrom a@example.com\nheader Subject: Hello\nsigned by d=example.com s=s1",
    );
    let value = "x".repeat(octets - name.len() - ":\r\n".len());
    given.message.append(name.as_bytes(), value.as_bytes());
    given
}

const FIELD: usize = 256 * 1024;

#[test]
fn a_field_past_its_limit_does_not_change_the_author_nor_a_signature_that_does_not_cover_it() {
    for octets in [FIELD, FIELD + 1] {
        let judgement = with_a_long_field("X-Report", octets).judge();
        assert!(judgement.dmarc.is_pass(), "{octets}: {}", judgement.cause);
        assert_eq!(judgement.cause, "");
        assert_eq!(judgement.defects.len(), octets - FIELD);
    }
}

#[test]
fn a_signature_that_covers_a_field_past_its_limit_is_neutral_and_no_ground_to_refuse() {
    let judgement = with_a_long_field("Subject", FIELD + 1).judge();
    assert_eq!(judgement.dkim[0].result, DkimResult::Neutral);
    assert!(judgement.cause.contains("over the limits"), "{}", judgement.cause);
    assert_eq!(judgement.action.smtp.as_str(), "quarantine");
    // Kept, it is a second Subject above a signature that allows but one.
    let kept = with_a_long_field("Subject", FIELD).judge();
    assert_eq!(kept.dkim[0].result, DkimResult::Fail);
}

#[test]
fn that_nobody_signed_is_not_concluded_from_what_was_left_out() {
    let unsigned = |name: &str, octets: usize| {
        let mut given = with_a_long_field(name, octets);
        given.message.remove("DKIM-Signature");
        let judgement = given.judge();
        (judgement.action.smtp.as_str(), judgement.cause)
    };
    assert_eq!(unsigned("X-Report", FIELD + 1).0, "reject");
    assert_eq!(unsigned("ARC-Seal", FIELD + 1).0, "quarantine");
    let mut given = with_a_long_field("DKIM-Signature", FIELD + 1);
    given.message.remove("Subject");
    let judgement = given.judge();
    assert_eq!(judgement.dkim.len(), 2);
    assert_eq!(judgement.action.smtp.as_str(), "quarantine");
}

#[test]
fn a_from_field_past_its_limit_is_refused() {
    let judgement = with_a_long_field("From", FIELD + 1).judge();
    let reply = judgement.action.smtp.reply().expect("refused").to_string();
    insta::assert_snapshot!(
        reply,
        @"550 5.7.1 Email rejected: the header section or its From field is too long (4Fb1)"
    );
}

/// A reason is made of names, and they can be long.
#[test]
fn a_reason_leaves_room_for_what_stands_behind_it() {
    let name = format!("{0}.{0}.{0}.example.com", "a".repeat(61));
    let mut given = Given::read(&format!(
        "zone _dmarc.example.com TXT \"v=DMARC1; p=reject; aspf=s\"\nzone {name} TXT \"v=spf1 +all\"\n\
         mail <a@{name}>\nfrom a@b.{name}\nrules reject always"
    ));
    given.rules.reject_text = ReplyTemplate::new(|blanks| format!("{} ({})", blanks.reason, blanks.id));
    let judgement = given.judge();
    assert_eq!(judgement.cause.len(), MAX_REASON_OCTETS, "{}", judgement.cause);
    assert!(judgement.cause.ends_with("..."), "{}", judgement.cause);
    let reply = judgement.action.smtp.reply().expect("refused");
    assert_eq!(reply.text, format!("{} (4Fb1)", judgement.cause));
}

/// The longest domain, which a stranger can choose: what is cut is the reason, never the id.
#[test]
fn a_refusal_by_local_policy_ends_in_the_id_however_long_the_author_domain_is() {
    for label in [1, 40, 41, 42, 43, 44, 55] {
        let below = format!("{0}.{0}.{0}.{0}.example.com", "a".repeat(label));
        let given = Given::read(&format!(
            "zone _dmarc.example.com TXT \"v=DMARC1; p=none\"\nmail <b@{below}>\nfrom a@{below}\n\
             rule ours reject author_domain=*.example.com"
        ));
        let judgement = given.judge();
        let reply = judgement.action.smtp.reply().expect("refused");
        let before = format!("Email rejected per local policy for {below}: ");
        assert!(reply.text.starts_with(&before), "{reply}");
        assert!(reply.text.ends_with(" (4Fb1)"), "{reply}");
        let reason = &reply.text[before.len()..reply.text.len() - " (4Fb1)".len()];
        assert!(judgement.cause.starts_with(reason), "{reply}");
        let is_full = reply.to_string().len() == MAX_REPLY_OCTETS;
        assert!(reason == judgement.cause || is_full, "{reply}");
    }
}
