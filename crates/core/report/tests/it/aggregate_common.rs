//! What the tests of aggregate reports are given, and how what they get is checked.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use landmarc_intake::aggregate::{self as intake, ReportReading};
use landmarc_mail::DomainName;
use landmarc_observation::{DayRow, PublishedPolicy, TallyRow};
use landmarc_report::aggregate::{
    AggregateReport, Assembled, DayOfDomain, Form, Period, ReportLimits, ReportRow, Reporter, RowKey,
    assemble, render, write,
};

use crate::xsd;

/// 2026-06-01 00:00:00 UTC.
pub(crate) const DAY: u64 = 1_780_272_000;

pub(crate) fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

pub(crate) fn reporter() -> Reporter {
    Reporter {
        submitter: name("mail.receiver.example"),
        organization: "Receiver Example".to_owned(),
        email: "dmarc@mail.receiver.example".to_owned(),
        contact: Some("https://receiver.example/dmarc".to_owned()),
        generator: "landmarc 0.1.0".to_owned(),
    }
}

/// A policy configuration, and its number among those of the day.
#[derive(Clone, Debug)]
pub(crate) struct Configuration {
    pub(crate) number: u64,
    pub(crate) policy: PublishedPolicy,
}

impl Deref for Configuration {
    type Target = PublishedPolicy;

    fn deref(&self) -> &PublishedPolicy {
        &self.policy
    }
}

impl DerefMut for Configuration {
    fn deref_mut(&mut self) -> &mut PublishedPolicy {
        &mut self.policy
    }
}

/// `p=reject`, everything else by default, with an address to report to.
pub(crate) fn published(policy: &str) -> Configuration {
    let policy = PublishedPolicy {
        p: policy.to_owned(),
        sp: policy.to_owned(),
        adkim: "r".to_owned(),
        aspf: "r".to_owned(),
        fo: "0".to_owned(),
        discovery_method: "treewalk".to_owned(),
        rua: vec!["mailto:dmarc@example.com".to_owned()],
        ..PublishedPolicy::default()
    };
    Configuration { number: 1, policy }
}

/// One message of example.com that passes by SPF and by DKIM.
pub(crate) fn passing(published: &Arc<Configuration>) -> DayRow {
    DayRow {
        published: published.number,
        count: 1,
        row: TallyRow {
            policy_domain: "example.com".to_owned(),
            published: published.policy.clone(),
            incidental: false,
            source_ip: "192.0.2.1".parse().unwrap(),
            disposition: if published.p == "none" { "none" } else { "pass" }.to_owned(),
            dkim_aligned: true,
            spf_aligned: true,
            reasons: Vec::new(),
            header_from: "example.com".to_owned(),
            envelope_from: Some("example.com".to_owned()),
            envelope_to: None,
            dkim: vec![signature("example.com", "s1", "pass")],
            spf: spf("example.com", "pass"),
        },
    }
}

/// One message of example.com that nothing authenticates, and what was done with it.
pub(crate) fn failing(published: &Arc<Configuration>, disposition: &str, reasons: &[(&str, &str)]) -> DayRow {
    let words = |(kind, comment): &(&str, &str)| ((*kind).to_owned(), (*comment).to_owned());
    {
        let mut one = passing(published);
        one.row.disposition = disposition.to_owned();
        one.row.dkim_aligned = false;
        one.row.spf_aligned = false;
        one.row.reasons = reasons.iter().map(words).collect();
        one.row.envelope_from = Some("other.example".to_owned());
        one.row.dkim = Vec::new();
        one.row.spf = spf("other.example", "softfail");
        one
    }
}

pub(crate) fn signature(domain: &str, selector: &str, result: &str) -> (String, String, String) {
    (domain.to_owned(), selector.to_owned(), result.to_owned())
}

pub(crate) fn spf(domain: &str, result: &str) -> Option<(String, String, String)> {
    Some((domain.to_owned(), "mfrom".to_owned(), result.to_owned()))
}

pub(crate) fn day_of(policy_domain: &str, rows: Vec<DayRow>) -> DayOfDomain {
    DayOfDomain {
        policy_domain: name(policy_domain),
        period: Period::day(DAY),
        rows,
        left_out: 0,
    }
}

pub(crate) fn assembled(policy_domain: &str, rows: Vec<DayRow>) -> Assembled {
    assemble(
        &day_of(policy_domain, rows),
        &reporter(),
        &ReportLimits::default(),
        &landmarc_dmarc::Suffixes::built_in(),
    )
}

/// The one report about these rows of example.com, and its XML.
pub(crate) fn one_report(rows: Vec<DayRow>) -> (AggregateReport, String) {
    let mut reports = assembled("example.com", rows).reports;
    assert_eq!(reports.len(), 1);
    let report = reports.remove(0);
    let xml = checked_xml(&report, Form::Rfc9990);
    checked_xml(&report, Form::Rfc7489);
    (report, xml)
}

/// The disposition and the alignment of DKIM and SPF, in a row.
pub(crate) fn evaluated(key: &RowKey) -> [&str; 3] {
    [
        key.disposition.as_str(),
        key.dkim_alignment.as_str(),
        key.spf_alignment.as_str(),
    ]
}

/// The one reason: its type and comment.
pub(crate) fn reason(key: &RowKey) -> (&str, &str) {
    assert_eq!(key.reasons.len(), 1, "{:?}", key.reasons);
    let reason = &key.reasons[0];
    let comment = reason.comment.as_ref().map_or("", |comment| &comment.text);
    (reason.kind.as_str(), comment)
}

/// The XML of a report: valid by the schema (D21), and read back as the report it is. The form of
/// RFC 7489 has no place for some of it: what it has is compared.
pub(crate) fn checked_xml(report: &AggregateReport, form: Form) -> String {
    let xml = xml(report, form);
    xsd::assert_valid(std::slice::from_ref(&xml), form);
    assert_reads_back(report, form);
    xml
}

pub(crate) fn xml(report: &AggregateReport, form: Form) -> String {
    let mut out = Vec::new();
    write(report, form, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

pub(crate) fn assert_reads_back(report: &AggregateReport, form: Form) {
    let rendered = render(report, form).unwrap();
    let ReportReading {
        report: read,
        deviations,
        ..
    } = intake::read(&rendered.gzip, &intake::ReadLimits::default()).unwrap();
    assert_eq!(deviations, []);
    match form {
        Form::Rfc9990 => assert_eq!(&read, report),
        Form::Rfc7489 => assert_eq!(counts(&read), counts(report)),
    }
}

type Counts = Vec<(std::net::IpAddr, String, Option<String>, u64)>;

/// What both forms say alike.
fn counts(report: &AggregateReport) -> Counts {
    let row = |row: &ReportRow| {
        let key = row.key.clone();
        let envelope_from = Some(key.envelope_from.unwrap_or_default());
        (key.source_ip, key.header_from, envelope_from, row.count)
    };
    report.rows.iter().map(row).collect()
}
