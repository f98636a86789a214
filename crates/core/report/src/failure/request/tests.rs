//! The vectors of requests and gates (L).

use landmarc_dmarc::alignment::{Mechanism, Owned, align};
use landmarc_dmarc::record::{Mode, PolicyRecord};
use landmarc_mail::ReversePath;

use super::*;
use crate::destination;
use crate::failure::sample::{RECORD, header, list_message, name};
use landmarc_testkit::{block_on, txt_zones};

fn options(fo: &str) -> FailureOptions {
    let record = format!("v=DMARC1; p=none; ruf=mailto:a@example.com; fo={fo}");
    PolicyRecord::parse(record.as_bytes()).unwrap().failure_options
}

#[test]
fn fr01_to_fr13_what_is_requested() {
    // SPF aligned pass, DKIM aligned pass, failed signature, SPF failed.
    let vectors = [
        ("FR01", "", [false, false, false, false], "dmarc", "dkim, spf"),
        ("FR02", "0", [true, false, false, false], "", ""),
        ("FR03", "1", [true, false, false, false], "dmarc", "dkim"),
        ("FR04", "1", [true, true, false, false], "", ""),
        ("FR05", "1", [false, true, false, true], "dmarc", "spf"),
        ("FR06", "d", [true, false, true, false], "dkim", ""),
        ("FR07", "d", [true, true, true, false], "dkim", ""),
        ("FR08", "d", [false, false, false, true], "", ""),
        ("FR09", "s", [false, true, false, true], "spf", ""),
        ("FR10", "s", [false, false, false, false], "", ""),
        (
            "FR11",
            "1:d:s",
            [false, false, true, true],
            "dmarc dkim spf",
            "dkim, spf",
        ),
        ("FR12", "0:s", [false, true, false, true], "spf", ""),
        (
            "FR13",
            "0:d",
            [false, false, true, false],
            "dmarc dkim",
            "dkim, spf",
        ),
    ];
    for (id, fo, [spf_aligned, dkim_aligned, signature_failed, spf_failed], kinds, alignment) in vectors {
        let mut facts = list_message(RECORD);
        facts.failure_options = options(fo);
        (facts.spf_aligned, facts.dkim_aligned) = (spf_aligned, dkim_aligned);
        facts.signatures.retain(|_| signature_failed);
        facts.spf.result = if spf_failed {
            SpfResult::Fail
        } else {
            SpfResult::Pass
        };
        let requested = requested(&facts);
        let words = [
            (requested.dmarc, "dmarc"),
            (requested.dkim, "dkim"),
            (requested.spf, "spf"),
        ];
        let words: Vec<_> = words
            .iter()
            .filter(|(is_wanted, _)| *is_wanted)
            .map(|(_, word)| *word)
            .collect();
        assert_eq!(words.join(" "), kinds, "{id}");
        if requested.dmarc {
            assert_eq!(requested.identity_alignment.to_string(), alignment, "{id}");
        }
    }
}

type Change<'a> = &'a dyn Fn(&mut FailureFacts);

/// Why there is no report of the sample message, changed a little; empty where there is one.
fn refused(record: &str, rules: RequestRules, change: impl Fn(&mut FailureFacts)) -> String {
    let mut facts = list_message(record);
    change(&mut facts);
    gate(&facts, rules).map_or_else(|refusal| refusal.to_string(), |_| String::new())
}

fn refused_by_default(record: &str, change: impl Fn(&mut FailureFacts)) -> String {
    refused(record, RequestRules::default(), change)
}

#[test]
fn fr20_fr21_fr24_records_that_get_none() {
    let vectors = [
        ("FR20", "v=DMARC1; p=reject; fo=1", "the record has no ruf"),
        (
            "FR21",
            "v=DMARC1; p=reject; psd=y; ruf=mailto:a@example.com",
            "the record is that of a public suffix (psd=y)",
        ),
        (
            "FR24",
            "v=DMARC1; p=reject; ruf=https://x.example/",
            "no URI of ruf is a mailto",
        ),
    ];
    for (id, record, expected) in vectors {
        assert_eq!(refused_by_default(record, |_| {}), expected, "{id}");
    }
}

#[test]
fn fr22_fr23_every_open_destination_is_tried() {
    let record = "v=DMARC1; p=reject; ruf=mailto:a@consumer.example,mailto:x@closed.example,\
                  mailto:b@consumer.example,mailto:y@asked.example,https://x.example/";
    let facts = list_message(record);
    let wanted = gate(&facts, RequestRules::default()).unwrap();
    assert_eq!(wanted.uris.len(), 4, "L24: the scheme is ignored beside others");
    let zones = txt_zones(&[
        ("_dmarc.consumer.example", "v=DMARC1; p=reject"),
        ("consumer.example._report._dmarc.asked.example", "v=DMARC1"),
    ]);
    let found = block_on(destination::destinations(
        &zones,
        &facts.policy_domain,
        &wanted.uris,
        destination::DestinationKind::Failure,
        10,
        &landmarc_dmarc::Suffixes::built_in(),
    ));
    let (addresses, refusals) = open(&found);
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    assert_eq!(
        addresses,
        ["a@consumer.example", "b@consumer.example", "y@asked.example"]
    );
    let [refusal] = refusals.as_slice() else {
        unreachable!("one is closed: {refusals:?}")
    };
    assert!(
        refusal
            .to_string()
            .starts_with("mailto:x@closed.example: not authorised"),
        "{refusal}"
    );
}

#[test]
fn fr25_both_options_at_once_are_none() {
    assert_eq!(options("0:1"), FailureOptions::default());
    assert!(options("0:1").all && !options("0:1").any);
}

#[test]
fn fr26_to_fr28_mail_that_reports_answers_or_bounces_gets_none() {
    let report = "multipart/report; report-type=feedback-report";
    let vectors: [(&str, Change<'_>, &str); 5] = [
        (
            "FR26",
            &|facts| facts.header = header(&[("Content-Type", report)]),
            "the message is itself a report (multipart/report)",
        ),
        (
            "FR27",
            &|facts| facts.mail_from = ReversePath::default(),
            "the message has the null reverse-path",
        ),
        (
            "FR27",
            &|facts| facts.header = header(&[("Auto-Submitted", "auto-replied")]),
            "the message says that it was sent automatically (Auto-Submitted)",
        ),
        (
            "FR27",
            &|facts| facts.header = header(&[("Auto-Submitted", "no")]),
            "",
        ),
        (
            "FR28",
            &|facts| facts.moment.is_to_us = true,
            "the message is addressed to an address of ours for reports",
        ),
    ];
    for (id, change, expected) in vectors {
        assert_eq!(refused_by_default(RECORD, change), expected, "{id}");
    }
}

#[test]
fn fr29_fr30_test_mode_and_none_are_reported_as_usual() {
    let none = "v=DMARC1; p=none; ruf=mailto:a@consumer.example";
    let testing = "v=DMARC1; p=quarantine; t=y; ruf=mailto:a@consumer.example";
    assert_eq!(refused_by_default(none, |_| {}), "", "FR30");
    assert_eq!(refused_by_default(testing, |_| {}), "", "FR29");
    let without = RequestRules {
        on_none: false,
        ..RequestRules::default()
    };
    insta::assert_snapshot!(
        refused(none, without, |_| {}),
        @"the record asks for p=none, and the setting report.failure.on_none is off"
    );
    assert_eq!(refused(testing, without, |_| {}), "", "FR29 with P14");
}

#[test]
fn fr31_no_verdict_no_report() {
    insta::assert_snapshot!(
        refused_by_default(RECORD, |facts| facts.dmarc = DmarcResult::TempError),
        @"DMARC came to temperror, which is no verdict"
    );
    insta::assert_snapshot!(
        refused_by_default(RECORD, |facts| facts.delivery = ReportedDelivery::Deferred),
        @"the message was deferred and will come again"
    );
}

fn pass(facts: &mut FailureFacts) {
    let domain = name("consumer.example");
    let owned = Owned {
        domain: &domain,
        organizational_domain: None,
    };
    let aligned = align(owned, Mechanism::Dkim, owned, Mode::Relaxed);
    facts.dmarc = DmarcResult::Pass(aligned.unwrap());
    facts.dkim_aligned = true;
}

#[test]
fn h5_mail_that_passes_is_reported_only_when_the_operator_wants_it() {
    insta::assert_snapshot!(
        refused_by_default(RECORD, pass),
        @"the message passes DMARC, and the setting report.failure.on_pass is off"
    );
    let on_pass = RequestRules {
        on_pass: true,
        ..RequestRules::default()
    };
    assert_eq!(refused(RECORD, on_pass, pass), "");
    let zero = RECORD.replace("fo=1", "fo=0");
    insta::assert_snapshot!(
        refused(&zero, on_pass, pass),
        @"the record does not ask for a report of this (fo=0)"
    );
}
