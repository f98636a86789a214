//! Whole reports, to the octet: what consumers get.

use std::sync::Arc;

use landmarc_observation::DayRow;
use landmarc_report::aggregate::{AggregateReport, Form};

use crate::aggregate_common::{assembled, checked_xml, failing, passing, published, signature, spf};

/// A day of a domain with a bit of everything: its own mail, a mailing list, a forger, a bounce.
fn a_usual_day() -> AggregateReport {
    let mut policy = published("reject");
    policy.sp = "quarantine".to_owned();
    policy.np = Some("reject".to_owned());
    policy.adkim = "s".to_owned();
    policy.fo = "1:d:s".to_owned();
    policy.problems = vec!["the tag pct is not one of RFC 9989 and is ignored".to_owned()];
    let policy = Arc::new(policy);
    let list = {
        let mut one = failing(
            &policy,
            "none",
            &[("mailing_list", "List-Id: ietf-dmarc <dmarc.lists.example.net>")],
        );
        one.count = 7;
        one.row.source_ip = "2001:db8::25".parse().unwrap();
        one.row.envelope_from = Some("lists.example.net".to_owned());
        one.row.dkim = vec![
            signature("example.com", "s1", "fail"),
            signature("lists.example.net", "l", "pass"),
        ];
        one.row.spf = spf("lists.example.net", "pass");
        one
    };
    let forger = {
        let mut one = failing(
            &policy,
            "quarantine",
            &[(
                "local_policy",
                "RFC 9989 section 7.4: no evidence besides p=reject",
            )],
        );
        one.count = 3;
        one.row.source_ip = "203.0.113.66".parse().unwrap();
        one.row.header_from = "paypal.example.com".to_owned();
        one
    };
    let bounce = {
        let mut one = passing(&policy);
        one.row.envelope_from = Some(String::new());
        one.row.dkim = Vec::new();
        one.row.dkim_aligned = false;
        one.row.spf = spf("mx.example.com", "pass");
        one
    };
    let usual = {
        let mut one = passing(&policy);
        one.count = 1204;
        one
    };
    one(vec![bounce, forger, list, usual])
}

/// As little as there can be: no signature, no SPF, no identity of the envelope.
fn as_little_as_there_can_be() -> AggregateReport {
    let bare = {
        let mut one = failing(&Arc::new(published("none")), "none", &[]);
        one.row.envelope_from = None;
        one.row.spf = None;
        one
    };
    let mut report = one(vec![bare]);
    report.metadata.contact = None;
    report.metadata.generator = None;
    report
}

/// Every text by who would like it to be more than text.
fn by_a_forger_of_xml() -> AggregateReport {
    let text = "]]></comment><row>&lt;\"'\u{0}\u{8}\u{202e}\u{FFFE}\u{1F4E7}\r\n<!DOCTYPE x>";
    let hostile = {
        let mut one = failing(
            &Arc::new(published("quarantine")),
            "none",
            &[("local_policy", text), ("<type>", text)],
        );
        one.row.envelope_from = Some("<!--.example".to_owned());
        one.row.dkim = vec![
            signature("<d>&.example", "d", "pass"),
            signature("signer.example", "<![CDATA[s]]>", "pass"),
        ];
        one.row.spf = spf("\"><spf>", "pass");
        one
    };
    one(vec![hostile])
}

fn one(rows: Vec<DayRow>) -> AggregateReport {
    let mut reports = assembled("example.com", rows).reports;
    assert_eq!(reports.len(), 1);
    reports.remove(0)
}

#[test]
fn a_usual_day_by_rfc_9990() {
    insta::assert_snapshot!(checked_xml(&a_usual_day(), Form::Rfc9990));
}

#[test]
fn a_usual_day_by_rfc_7489() {
    insta::assert_snapshot!(checked_xml(&a_usual_day(), Form::Rfc7489));
}

#[test]
fn as_little_as_there_can_be_by_rfc_9990() {
    insta::assert_snapshot!(checked_xml(&as_little_as_there_can_be(), Form::Rfc9990));
}

#[test]
fn as_little_as_there_can_be_by_rfc_7489() {
    insta::assert_snapshot!(checked_xml(&as_little_as_there_can_be(), Form::Rfc7489));
}

#[test]
fn by_a_forger_of_xml_by_rfc_9990() {
    insta::assert_snapshot!(checked_xml(&by_a_forger_of_xml(), Form::Rfc9990));
}
