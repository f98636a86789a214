//! What holds for the report about any rows, by whoever chose every octet of them.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use landmarc_observation::{DayRow, PublishedPolicy, TallyRow};
use landmarc_report::aggregate::{
    AggregateReport, Assembled, Form, ReportLimits, ReportPart, WHOLE, assemble, halve, render_parts,
};

use crate::aggregate_common::{assert_reads_back, day_of, name, reporter, xml};
use crate::xsd;

/// How many documents `xmllint` is given at a time.
const BATCH: usize = 300;

/// How many days each property is tried on.
const CASES: u32 = 100;

/// Pieces that texts of strangers are made of.
const PIECES: [&str; 28] = [
    "example.com",
    "a.example.com",
    "bücher.example",
    "xn--bcher-kva.example",
    "s1",
    ".",
    "..",
    " ",
    "\u{0}",
    "\u{1b}[31m",
    "\r\n",
    "\t",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{a0}",
    "\u{feff}",
    "\u{FFFD}",
    "\u{FFFE}",
    "\u{FFFF}",
    "\u{1F4E7}",
    "\u{10FFFF}",
    "]]>",
    "<script>",
    "</feedback>",
    "&amp;",
    "&#0;",
    "<!--",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => vec(select(&PIECES[..]), 0..5).prop_map(|pieces| pieces.concat()),
        1 => any::<String>(),
        1 => (select(&PIECES[..]), 1_usize..400).prop_map(|(piece, times)| piece.repeat(times)),
    ]
}

/// A domain name, mostly.
fn domain() -> impl Strategy<Value = String> {
    let names = [
        "example.com",
        "A.Example.com.",
        "bücher.example",
        "a",
        "x.y.z.example",
        "_s._d.example.net",
        "",
    ];
    prop_oneof![6 => select(names.to_vec()).prop_map(str::to_owned), 1 => text()]
}

/// A word of the schema, mostly.
fn word(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![9 => select(words).prop_map(str::to_owned), 1 => text()]
}

const POLICIES: &[&str] = &["none", "quarantine", "reject"];
const RESULTS: &[&str] = &[
    "none",
    "pass",
    "fail",
    "softfail",
    "policy",
    "neutral",
    "temperror",
    "permerror",
];
const TYPES: &[&str] = &[
    "local_policy",
    "mailing_list",
    "other",
    "policy_test_mode",
    "trusted_forwarder",
    "forwarded",
];

fn published() -> impl Strategy<Value = PublishedPolicy> {
    let policies = (word(POLICIES), word(POLICIES), option::of(word(POLICIES)));
    let modes = (
        word(&["r", "s"]),
        word(&["r", "s"]),
        text(),
        any::<bool>(),
        word(&["treewalk", "psl"]),
    );
    (policies, modes, vec(text(), 0..3)).prop_map(|((p, sp, np), modes, problems)| {
        let (adkim, aspf, fo, testing, discovery_method) = modes;
        PublishedPolicy {
            p,
            sp,
            np,
            adkim,
            aspf,
            fo,
            testing,
            discovery_method,
            rua: Vec::new(),
            ruf: Vec::new(),
            psd: false,
            problems,
        }
    })
}

fn counted(number: u64, policy: PublishedPolicy) -> impl Strategy<Value = DayRow> {
    let disposition = word(&["none", "pass", "quarantine", "reject"]);
    let numbers = (0_u64..1000, any::<std::net::IpAddr>(), any::<[bool; 3]>());
    let names = (domain(), option::of(domain()), option::of(domain()));
    let results = (
        vec((domain(), text(), word(RESULTS)), 0..4),
        option::of((domain(), word(&["mfrom", "helo"]), word(RESULTS))),
    );
    (
        numbers,
        disposition,
        vec((word(TYPES), text()), 0..3),
        names,
        results,
    )
        .prop_map(
            move |((count, source_ip, flags), disposition, reasons, names, (dkim, spf))| DayRow {
                published: number,
                count,
                row: TallyRow {
                    policy_domain: "example.com".to_owned(),
                    published: policy.clone(),
                    incidental: flags[0],
                    source_ip,
                    disposition,
                    dkim_aligned: flags[1],
                    spf_aligned: flags[2],
                    reasons,
                    header_from: names.0,
                    envelope_from: names.1,
                    envelope_to: names.2,
                    dkim,
                    spf,
                },
            },
        )
}

fn rows() -> impl Strategy<Value = Vec<DayRow>> {
    let of_all = |policies: Vec<_>| {
        let numbered = (0..).zip(policies);
        let rows = numbered.map(|(number, policy)| vec(counted(number, policy), 0..5));
        rows.collect::<Vec<_>>()
    };
    vec(published(), 1..4)
        .prop_flat_map(of_all)
        .prop_map(|rows| rows.concat())
}

fn assembled(rows: Vec<DayRow>, rows_a_day: usize) -> Assembled {
    let limits = ReportLimits {
        rows_a_day,
        ..ReportLimits::default()
    };
    assemble(
        &day_of("example.com", rows),
        &reporter(),
        &limits,
        &landmarc_dmarc::Suffixes::built_in(),
    )
}

fn messages(reports: &[AggregateReport]) -> u64 {
    let rows = reports.iter().flat_map(|report| &report.rows);
    rows.map(|row| row.count).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    /// Decision D21: our own reader finds in it what was put in, and nothing to remark.
    #[test]
    fn what_is_written_reads_back_as_it_was(rows in rows()) {
        for report in assembled(rows, 100).reports {
            assert_reads_back(&report, Form::Rfc9990);
            assert_reads_back(&report, Form::Rfc7489);
        }
    }

    /// However few rows there may be: each message is in one row, or said to be left out.
    #[test]
    fn no_message_is_lost_or_counted_twice(rows in rows(), rows_a_day in 0_usize..12) {
        let counted: u64 = rows.iter().map(|row| row.count).sum();
        let day = assembled(rows, rows_a_day);
        prop_assert_eq!(day.messages, counted);
        prop_assert_eq!(messages(&day.reports) + day.left_out, counted);
        let in_all: usize = day.reports.iter().map(|report| report.rows.len()).sum();
        prop_assert!(in_all <= rows_a_day);
        prop_assert!(day.reports.iter().all(|report| !report.rows.is_empty()));
    }

    #[test]
    fn the_order_of_rows_does_not_matter(rows in rows(), seed in any::<prop::sample::Index>()) {
        let mut turned = rows.clone();
        if !turned.is_empty() {
            turned.rotate_left(seed.index(rows.len()));
        }
        turned.reverse();
        prop_assert_eq!(assembled(rows, 100), assembled(turned, 100));
    }

    #[test]
    fn halves_are_the_whole(rows in rows()) {
        for report in assembled(rows, 100).reports {
            let part = ReportPart { number: WHOLE, report };
            let Some((first, second)) = halve(&part, &name("mail.receiver.example")) else {
                prop_assert_eq!(part.report.rows.len(), 1);
                continue;
            };
            let ids = [&part, &first, &second].map(|part| part.report.metadata.report_id.clone());
            prop_assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
            let rows = [first.report.rows, second.report.rows].concat();
            prop_assert_eq!(rows, part.report.rows);
        }
    }
}

/// A few hundred reports, in both forms, and one row a part: in few runs of `xmllint`.
#[test]
fn every_report_is_valid_by_its_schema() {
    let mut runner = TestRunner::deterministic();
    let mut reports = Vec::new();
    while reports.len() < BATCH {
        let rows = rows().new_tree(&mut runner).unwrap().current();
        reports.extend(assembled(rows, 100).reports);
    }
    for form in [Form::Rfc9990, Form::Rfc7489] {
        let documents: Vec<_> = reports.iter().map(|report| xml(report, form)).collect();
        xsd::assert_valid(&documents, form);
    }
}

#[test]
fn parts_are_reports_of_their_own() {
    let mut runner = TestRunner::deterministic();
    let limits = ReportLimits {
        rows: 1,
        ..ReportLimits::default()
    };
    for _ in 0..20 {
        let rows = rows().new_tree(&mut runner).unwrap().current();
        for report in assembled(rows, 100).reports {
            let messages = messages(std::slice::from_ref(&report));
            let parts = render_parts(report, &name("mail.receiver.example"), Form::Rfc9990, &limits).unwrap();
            assert_eq!(parts.iter().map(|part| part.messages).sum::<u64>(), messages);
            assert!(parts.iter().all(|part| part.rows == 1));
        }
    }
}
