//! Parts: how many, how large, and what they are called.

use std::collections::{BTreeSet, HashSet};

use landmarc_dmarc::Suffixes;
use landmarc_observation::{DayRow, PublishedPolicy, TallyRow};

use super::*;
use crate::aggregate::id::whole_id;
use crate::aggregate::{DayOfDomain, Period, Reporter, assemble};

fn submitter() -> DomainName {
    DomainName::parse("mail.receiver.example").unwrap()
}

/// A report with that many rows, each with so many signatures.
fn report(rows: u32, signatures: usize) -> AggregateReport {
    let published = PublishedPolicy {
        p: "reject".to_owned(),
        ..PublishedPolicy::default()
    };
    let row = |number: u32| DayRow {
        published: 0,
        count: u64::from(number) + 1,
        row: TallyRow {
            policy_domain: "example.com".to_owned(),
            published: published.clone(),
            incidental: false,
            source_ip: std::net::Ipv4Addr::from(0x0a00_0000 + number).into(),
            disposition: "pass".to_owned(),
            dkim_aligned: true,
            spf_aligned: false,
            reasons: Vec::new(),
            header_from: "example.com".to_owned(),
            envelope_from: None,
            envelope_to: None,
            dkim: (0..signatures)
                .map(|s| {
                    (
                        "example.com".to_owned(),
                        format!("s{number}x{s}"),
                        "pass".to_owned(),
                    )
                })
                .collect(),
            spf: None,
        },
    };
    let day = DayOfDomain {
        policy_domain: DomainName::parse("example.com").unwrap(),
        period: Period::day(0),
        rows: (0..rows).map(row).collect(),
        left_out: 0,
    };
    let reporter = Reporter {
        submitter: submitter(),
        organization: String::new(),
        email: "dmarc@receiver.example".to_owned(),
        contact: None,
        generator: String::new(),
    };
    assemble(&day, &reporter, &ReportLimits::default(), &Suffixes::built_in())
        .reports
        .remove(0)
}

fn parts(report: &AggregateReport, limits: &ReportLimits) -> Vec<RenderedPart> {
    render_parts(report.clone(), &submitter(), Form::Rfc9990, limits).unwrap()
}

#[test]
fn a_report_of_the_most_rows_is_whole_and_one_row_more_makes_two() {
    let limits = ReportLimits {
        rows: 40,
        ..ReportLimits::default()
    };
    let whole = parts(&report(40, 1), &limits);
    assert_eq!((whole.len(), whole[0].number, whole[0].rows), (1, WHOLE, 40));
    let split = parts(&report(41, 1), &limits);
    let rows: Vec<_> = split.iter().map(|part| (part.number, part.rows)).collect();
    assert_eq!(rows, [(2, 20), (3, 21)]);
}

#[test]
fn a_report_of_the_most_octets_is_whole_and_with_less_room_it_is_split() {
    let report = report(40, 2);
    let rendered = render(&report, Form::Rfc9990).unwrap();
    let exact = ReportLimits {
        gzip_octets: rendered.gzip.len(),
        xml_octets: rendered.xml_octets,
        ..ReportLimits::default()
    };
    assert_eq!(parts(&report, &exact).len(), 1);
    let less_gzip = ReportLimits {
        gzip_octets: exact.gzip_octets - 1,
        ..exact
    };
    assert_eq!(parts(&report, &less_gzip).len(), 2);
    let less_xml = ReportLimits {
        xml_octets: exact.xml_octets - 1,
        ..exact
    };
    assert_eq!(parts(&report, &less_xml).len(), 2);
    // Far over, it is not even rendered as a whole; the outcome is of the same kind.
    let far_less = ReportLimits {
        xml_octets: exact.xml_octets / 5,
        ..exact
    };
    for part in parts(&report, &far_less) {
        assert!(part.rendered.xml_octets <= far_less.xml_octets);
    }
}

#[test]
fn parts_have_all_rows_once_and_names_of_their_own() {
    let whole = report(100, 1);
    let limits = ReportLimits {
        rows: 7,
        ..ReportLimits::default()
    };
    let parts = parts(&whole, &limits);
    let ids: HashSet<_> = parts.iter().map(|part| &part.report_id).collect();
    let numbers: BTreeSet<_> = parts.iter().map(|part| part.number).collect();
    assert_eq!((ids.len(), numbers.len()), (parts.len(), parts.len()));
    assert!(!ids.contains(&whole.metadata.report_id));
    assert_eq!(parts.iter().map(|part| part.rows).sum::<usize>(), 100);
    assert_eq!(parts.iter().map(|part| part.messages).sum::<u64>(), 5050);
    assert_eq!(parts, self::parts(&whole, &limits), "the same again");
}

#[test]
fn there_are_no_more_than_the_most_parts() {
    let limits = ReportLimits {
        rows: 1,
        ..ReportLimits::default()
    };
    let most = usize::try_from(MAX_PARTS).unwrap();
    for rows in [MAX_PARTS, MAX_PARTS + 1, 3 * MAX_PARTS] {
        let parts = parts(&report(rows, 1), &limits);
        assert!((most / 2..=most).contains(&parts.len()), "{} parts", parts.len());
        assert_eq!(
            parts.iter().map(|part| part.messages).sum::<u64>(),
            u64::from(rows * (rows + 1) / 2)
        );
        // What is still over the limit is of the last generation.
        assert!(
            parts
                .iter()
                .all(|part| part.rows == 1 || part.number >= MAX_PARTS)
        );
    }
}

#[test]
fn halves_are_of_about_equal_size() {
    let mut heavy = report(10, 0);
    heavy.rows.truncate(9);
    heavy.rows.insert(0, report(1, 50).rows.remove(0));
    let part = ReportPart {
        number: WHOLE,
        report: heavy,
    };
    let (first, second) = halve(&part, &submitter()).unwrap();
    assert_eq!((first.report.rows.len(), second.report.rows.len()), (1, 9));
    assert_eq!(first.report.metadata.period, part.report.metadata.period);
    assert_eq!(first.report.policy, second.report.policy);
}

#[test]
fn one_row_has_no_halves() {
    let part = |rows, number| ReportPart {
        number,
        report: report(rows, 1),
    };
    assert_eq!(halve(&part(1, WHOLE), &submitter()), None);
    assert!(halve(&part(2, MAX_PARTS - 1), &submitter()).is_some());
    assert_eq!(halve(&part(2, MAX_PARTS), &submitter()), None);
}

/// A number that is not ours, such as from a damaged store, is no panic.
#[test]
fn a_foreign_number_is_not_split() {
    let part = ReportPart {
        number: u32::MAX,
        report: report(2, 1),
    };
    assert_eq!(halve(&part, &submitter()), None);
}

#[test]
fn configurations_that_differ_in_anything_have_their_own_ids() {
    let base = report(1, 1);
    let mut ids = HashSet::from([whole_id(&base, &submitter())]);
    let mut testing = base.clone();
    testing.policy.testing = Some(true);
    let mut other_domain = base.clone();
    other_domain.policy.domain = "example.net".to_owned();
    let mut next_day = base.clone();
    next_day.metadata.period = crate::aggregate::Period::day(86_400);
    let mut options = base.clone();
    options.policy.failure_options = Some("1".to_owned());
    for other in [testing, other_domain, next_day, options] {
        assert!(ids.insert(whole_id(&other, &submitter())));
    }
    assert_eq!(whole_id(&base, &submitter()), base.metadata.report_id);
}
