//! The limits of what is told, at the limit and one past it.

use landmarc_receiver::action::MAX_REASON_OCTETS;
use landmarc_receiver::local::Wording;
use landmarc_receiver::story::story;

use crate::scenario::Given;

fn told(given: &str) -> String {
    story(&Given::read(given).judge())
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
        let story = story(&given.judge());
        let (_, alignment) = story.split_once("Alignment:").expect("that part");
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

/// A reason is made of names, and they can be long.
#[test]
fn a_reason_leaves_room_for_what_stands_behind_it() {
    let name = format!("{0}.{0}.{0}.example.com", "a".repeat(61));
    let mut given = Given::read(&format!(
        "zone _dmarc.example.com TXT \"v=DMARC1; p=reject; aspf=s\"\nzone {name} TXT \"v=spf1 +all\"\n\
         mail <a@{name}>\nfrom a@b.{name}\nrules reject always"
    ));
    given.rules.reject_text = Wording::new(|blanks| format!("{} ({})", blanks.reason, blanks.id));
    let judgement = given.judge();
    assert!(judgement.cause.len() > MAX_REASON_OCTETS, "{}", judgement.cause);
    let cut = judgement.cause.get(..MAX_REASON_OCTETS).expect("ASCII");
    let reply = judgement.action.step.reply().expect("refused");
    assert_eq!(reply.text, format!("{cut} (4Fb1)"));
}
