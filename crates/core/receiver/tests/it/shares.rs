//! What a sender makes us ask does not cost the Domain Owner their policy.

use std::fmt::Write as _;

use landmarc_dmarc::evaluation::DmarcResult;
use landmarc_receiver::{Judgement, Ledgers};

use crate::scenario::Given;

/// A spoof of a domain that asks for refusal; the client's own domains are silent or huge.
const SPOOF: &str = "zone _dmarc.bank.test TXT \"v=DMARC1; p=reject\"\nfrom ceo@a.b.c.d.bank.test\n\
                     mail <x@evil.test>\nhelo mx.evil.test\nrules reject always\n";

#[track_caller]
fn is_refused(text: &str) -> Judgement {
    let judgement = Given::read(text).judge();
    assert_eq!(judgement.dmarc, DmarcResult::Fail, "{:?}", judgement.evaluations);
    assert_eq!(judgement.action.smtp.as_str(), "reject");
    judgement
}

#[test]
fn an_spf_record_that_asks_for_hundreds_of_hosts() {
    let mut text = format!("{SPOOF}zone evil.test TXT \"v=spf1 mx:a mx:b ?all\"\n");
    for n in 0..10 {
        writeln!(text, "zone evil.test TXT \"v=spf1 exists:{n}.evil.test\"").unwrap();
    }
    is_refused(&text);
    let terms: Vec<_> = (0..200).map(|n| format!("a:victim{n}.example")).collect();
    is_refused(&format!(
        "{SPOOF}zone evil.test TXT \"v=spf1 {} -all\"\n",
        terms.join(" ")
    ));
}

#[test]
fn spf_records_that_are_silent() {
    is_refused(&format!(
        "{SPOOF}zone evil.test ANY TIMEOUT\nzone mx.evil.test ANY TIMEOUT\n"
    ));
    is_refused(&format!(
        "{SPOOF}zone evil.test TXT \"v=spf1 include:silent.test -all\"\nzone silent.test ANY TIMEOUT\n"
    ));
}

/// The newest sealer is only claimed to be one that is trusted; fifty sets are allowed.
#[test]
fn fifty_arc_sets_with_a_key_each() {
    let mut text = format!("{SPOOF}rules trusted_sealers lists.example\n");
    for i in 1..=50 {
        let domain = if i == 50 {
            "lists.example".to_owned()
        } else {
            format!("d{i}.evil.test")
        };
        writeln!(text, "top ARC-Authentication-Results: i={i}; x; dmarc=pass").unwrap();
        writeln!(
            text,
            "top ARC-Message-Signature: i={i}; a=rsa-sha256; d={domain}; s=a{i}; h=from; bh=AAAA; b=AAAA"
        )
        .unwrap();
        let status = if i == 1 { "none" } else { "pass" };
        writeln!(
            text,
            "top ARC-Seal: i={i}; a=rsa-sha256; cv={status}; d={domain}; s=b{i}; b=AAAA"
        )
        .unwrap();
    }
    let judgement = is_refused(&text);
    let seals = judgement
        .asked
        .iter()
        .filter(|asked| asked.question.name.to_string().contains("_domainkey"));
    assert_eq!(seals.count(), 10, "as many as the share of ARC has");
}

#[test]
fn a_hundred_signatures_of_the_victim() {
    let mut text = SPOOF.to_owned();
    for n in 0..100 {
        writeln!(
            text,
            "top DKIM-Signature: v=1; a=rsa-sha256; d=bank.test; s=s{n}; h=from; bh=AAAA; b=AAAA"
        )
        .unwrap();
    }
    is_refused(&text);
}

/// Four domains of 120 labels, ten signatures, a silent SPF record: all fit the share.
#[test]
fn four_long_author_domains_and_all_signatures() {
    let long = "a.".repeat(100);
    let mut text = format!(
        "zone _dmarc.bank.test TXT \"v=DMARC1; p=none; sp=none; np=reject\"\nrules reject always\n\
         from x@{long}evil1.test, x@{long}evil2.test, x@{long}evil3.test, ceo@{long}bank.test\n"
    );
    for n in 0..10 {
        writeln!(
            text,
            "top DKIM-Signature: v=1; a=rsa-sha256; d=d{n}.test; s=s{n}; h=from; bh=AAAA; b=AAAA"
        )
        .unwrap();
    }
    let judgement = Given::read(&text).judge();
    let last = judgement.evaluations.last().unwrap();
    assert_eq!(last.result, DmarcResult::Fail, "{:?}", last.problem);
    assert!(!last.policy_uncertain);
    assert_eq!(judgement.action.smtp.as_str(), "reject");
    assert!(judgement.asked.len() <= landmarc_auth::lookup::QUESTIONS_PER_MESSAGE);
}

#[test]
fn every_share_has_a_question_and_together_they_keep_the_limit() {
    let zones = landmarc_auth::lookup::Zones::new();
    for limit in [0, 1, 10, 100, usize::MAX] {
        let ledgers = Ledgers::new(limit, |_| &zones);
        let question = landmarc_auth::lookup::Question::txt(landmarc_testkit::dns_name("example.com"));
        let Ledgers {
            mail_from,
            helo,
            arc,
            keys,
            policies,
        } = &ledgers;
        for ledger in [mail_from, helo, arc, keys, policies] {
            landmarc_testkit::block_on(landmarc_auth::lookup::Lookup::ask(ledger, &question));
            assert!(!ledger.limit_reached(), "{limit}");
        }
    }
}
