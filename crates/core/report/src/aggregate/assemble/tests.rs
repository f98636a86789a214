//! Limits of a day and of a row, at them and past them.

use std::net::IpAddr;

use landmarc_observation::PublishedPolicy;

use super::*;
use crate::aggregate::words::OverrideType;

/// A policy configuration, and its number among those of the day.
struct Numbered {
    number: u64,
    policy: PublishedPolicy,
}

fn published(number: u64, policy: &str) -> Numbered {
    let policy = PublishedPolicy {
        p: policy.to_owned(),
        ..PublishedPolicy::default()
    };
    Numbered { number, policy }
}

fn row(published: &Numbered, number: u32) -> DayRow {
    DayRow {
        published: published.number,
        count: 1,
        row: TallyRow {
            policy_domain: "example.com".to_owned(),
            published: published.policy.clone(),
            incidental: false,
            source_ip: std::net::Ipv4Addr::from(0x0a00_0000 + number).into(),
            disposition: "none".to_owned(),
            dkim_aligned: false,
            spf_aligned: false,
            reasons: Vec::new(),
            header_from: "example.com".to_owned(),
            envelope_from: None,
            envelope_to: None,
            dkim: Vec::new(),
            spf: None,
        },
    }
}

fn assembled(rows: Vec<DayRow>, limits: &ReportLimits) -> Assembled {
    let day = DayOfDomain {
        policy_domain: DomainName::parse("example.com").unwrap(),
        period: Period::day(0),
        rows,
        left_out: 0,
    };
    assemble(&day, &reporter(), limits, &Suffixes::built_in())
}

fn reporter() -> Reporter {
    Reporter {
        submitter: DomainName::parse("mail.receiver.example").unwrap(),
        organization: String::new(),
        email: "dmarc@receiver.example".to_owned(),
        contact: None,
        generator: String::new(),
    }
}

fn limit(rows_a_day: usize) -> ReportLimits {
    ReportLimits {
        rows_a_day,
        ..ReportLimits::default()
    }
}

fn messages(assembled: &Assembled) -> u64 {
    let rows = assembled.reports.iter().flat_map(|report| &report.rows);
    rows.map(|row| row.count).sum()
}

#[test]
fn a_day_of_the_most_rows_is_whole_and_past_it_the_least_are_left_out_and_said() {
    let policy = published(1, "none");
    // No two of them are in one network, however wide.
    let scattered = |number: u32| {
        let mut one = row(&policy, 0);
        one.row.source_ip = std::net::Ipv4Addr::from((number + 1) << 24).into();
        one
    };
    let rows = |count: u32| (0..count).map(scattered).collect::<Vec<_>>();
    let exact = assembled(rows(8), &limit(8));
    assert_eq!((exact.reports[0].rows.len(), exact.left_out), (8, 0));
    assert_eq!(exact.reports[0].metadata.error, None);

    let mut many = rows(10);
    for row in many.iter_mut().skip(1) {
        row.count = 5;
    }
    let past = assembled(many, &limit(8));
    assert_eq!(
        (past.reports[0].rows.len(), past.left_out, past.messages),
        (8, 6, 46)
    );
    assert_eq!(messages(&past) + past.left_out, past.messages);
    let error = past.reports[0].metadata.error.as_ref().unwrap();
    insta::assert_snapshot!(error.text, @"messages in no row, for there are too many rows: 6; too many rows: 10 rows are folded into 8, those with the fewest messages with no DKIM result but an aligned one, no MAIL FROM, reasons without comments, the policy domain as header_from, the lowest address of a network (IPv4 /8, IPv6 /16) for all of it");
}

/// A client that makes up a selector for each message costs detail of the tail, not messages.
#[test]
fn the_tail_is_told_with_fewer_signatures_before_any_is_left_out() {
    let policy = published(1, "none");
    let signed = |number: u32, count: u64| {
        let mut row = row(&policy, 1);
        row.count = count;
        row.row.dkim = vec![("junk.example".to_owned(), format!("s{number}"), "fail".to_owned())];
        row
    };
    let mut rows: Vec<_> = (0..100).map(|number| signed(number, 1)).collect();
    rows.extend((0..6).map(|number| signed(1000 + number, 10)));
    let day = assembled(rows, &limit(80));
    let report = &day.reports[0];
    assert_eq!((day.left_out, messages(&day)), (0, 160));
    assert_eq!(report.rows.len(), 7);
    assert_eq!((report.rows[0].count, report.rows[0].key.dkim.len()), (100, 0));
    assert!(report.rows.iter().skip(1).all(|row| row.key.dkim.len() == 1));
}

#[test]
fn an_aligned_signature_stays_in_the_tail() {
    let policy = published(1, "none");
    let signed = |number: u32| {
        let mut row = row(&policy, 1);
        row.row.dkim_aligned = true;
        row.row.dkim = vec![
            ("junk.example".to_owned(), format!("s{number}"), "fail".to_owned()),
            ("example.com".to_owned(), "s".to_owned(), "pass".to_owned()),
        ];
        row
    };
    let day = assembled((0..100).map(signed).collect(), &limit(40));
    let last = day.reports[0].rows.iter().max_by_key(|row| row.count).unwrap();
    assert_eq!(last.count, 97);
    assert_eq!(last.key.dkim.len(), 1);
    assert_eq!(last.key.dkim[0].domain, "example.com");
}

/// Who has so many addresses can fill all rows with two messages of each; the owner's own quiet source stays.
#[test]
fn a_flood_of_sources_folds_into_its_networks_and_removes_no_other_source() {
    let policy = published(1, "none");
    let owner = {
        let mut one = row(&policy, 0);
        one.row.source_ip = "192.0.2.77".parse().unwrap();
        one
    };
    type Flood = (u32, fn(u32) -> IpAddr);
    let floods: [Flood; 3] = [
        // 196 neighboring networks.
        (50_000, |number| {
            std::net::Ipv4Addr::from(0x0a00_0000 + number).into()
        }),
        // A network for each.
        (4_000, |number| {
            std::net::Ipv4Addr::from(0x0b00_0000 + (number << 8)).into()
        }),
        // The same in IPv6: a block that a provider gets for the asking.
        (4_000, |number| {
            std::net::Ipv6Addr::from((0x2001_0db8_u128 << 96) | (u128::from(number) << 80)).into()
        }),
    ];
    assert_eq!(ReportLimits::default().rows_a_day, 50_000);
    for (sources, flood) in floods {
        let mut rows: Vec<_> = (0..sources)
            .map(|number| {
                let mut one = row(&policy, 0);
                one.row.source_ip = flood(number);
                one.count = 2;
                one
            })
            .collect();
        rows.push(owner.clone());
        let most = usize::try_from(sources).unwrap();
        let day = assembled(rows, &limit(most));
        let report = &day.reports[0];
        assert!(report.rows.len() <= most);
        assert_eq!((day.left_out, messages(&day)), (0, u64::from(sources) * 2 + 1));
        let kept = report
            .rows
            .iter()
            .find(|row| row.key.source_ip == owner.row.source_ip);
        assert_eq!(kept.map(|row| row.count), Some(1));
        let error = &report.metadata.error.as_ref().unwrap().text;
        assert!(error.starts_with("too many rows: "), "{error}");
        assert_eq!(day.folded.map(|folded| folded.before), Some(most + 1));
    }
}

/// Each dimension that is free for a client costs the detail of that dimension, and not the source of the owner.
#[test]
fn what_a_client_makes_up_for_each_message_is_folded_before_the_address_is() {
    let policy = published(1, "none");
    let spf = |domain: &str| Some((domain.to_owned(), "mfrom".to_owned(), "fail".to_owned()));
    let owner = {
        let mut one = row(&policy, 0);
        one.row.source_ip = "192.0.2.77".parse().unwrap();
        one.row.envelope_from = Some("example.com".to_owned());
        one.row.spf = spf("example.com");
        one
    };
    let kinds: [fn(&mut DayRow, u32); 4] = [
        |row, number| row.row.envelope_from = Some(format!("x{number}.junk.example")),
        |row, number| row.row.envelope_from = Some(format!("junk{number}.example")),
        |row, number| row.row.reasons = vec![("other".to_owned(), format!("said {number}"))],
        |row, number| row.row.header_from = format!("x{number}.example.com"),
    ];
    for (kind, made_up) in kinds.into_iter().enumerate() {
        // Eight networks of one address each: none has to be folded into another.
        let mut rows: Vec<_> = (0..4_000)
            .map(|number| {
                let mut row = row(&policy, (number % 8) << 8);
                row.count = 2;
                made_up(&mut row, number);
                if let Some(domain) = row.row.envelope_from.clone() {
                    row.row.spf = spf(&domain);
                }
                row
            })
            .collect();
        rows.push(owner.clone());
        let day = assembled(rows, &limit(400));
        let report = &day.reports[0];
        assert_eq!((day.left_out, messages(&day)), (0, 8_001), "{kind}");
        let sources: BTreeSet<_> = report.rows.iter().map(|row| row.key.source_ip).collect();
        assert_eq!(sources.len(), 9, "{kind}: no address stands for another");
        for source in sources {
            let rows = report.rows.iter().filter(|row| row.key.source_ip == source);
            assert!(rows.count() <= 40, "{kind}: a tenth for each network");
        }
        let kept = report
            .rows
            .iter()
            .find(|row| row.key.source_ip == owner.row.source_ip);
        let kept = kept.map(|row| (row.count, row.key.envelope_from.as_deref()));
        assert_eq!(kept, Some((1, Some("example.com"))), "{kind}");
    }
}

#[test]
fn a_network_has_a_tenth_of_too_many_rows_and_not_one_more() {
    let policy = published(1, "none");
    // One client that makes up selectors, and rows of many others that are too many with his.
    let of_client = |count: u32| {
        (0..count).map(|number| {
            let mut row = row(&policy, 1);
            row.count = 5;
            row.row.dkim = vec![("junk.example".to_owned(), format!("s{number}"), "fail".to_owned())];
            row
        })
    };
    let others = |count: u32| (1..=count).map(|number| row(&policy, number << 8));
    for (given, kept) in [(10, 10), (11, 8)] {
        let day = assembled(of_client(given).chain(others(100)).collect(), &limit(100));
        let of_client = day.reports[0].rows.iter();
        let of_client = of_client.filter(|row| row.key.source_ip.to_string() == "10.0.0.1");
        assert_eq!(of_client.count(), kept, "{given}");
        assert_eq!((day.left_out, messages(&day)), (0, u64::from(given) * 5 + 100));
    }
}

#[test]
fn what_the_store_left_out_is_said_too() {
    let policy = published(1, "none");
    let mut day = DayOfDomain {
        policy_domain: DomainName::parse("example.com").unwrap(),
        period: Period::day(0),
        rows: vec![row(&policy, 1)],
        left_out: 41,
    };
    // Without an Author Domain there is nothing to put in a mandatory element.
    let mut nobody = row(&policy, 2);
    nobody.row.header_from = "\u{0}".to_owned();
    day.rows.push(nobody);
    let assembled = assemble(&day, &reporter(), &ReportLimits::default(), &Suffixes::built_in());
    assert_eq!((assembled.messages, assembled.left_out), (43, 42));
    let error = assembled.reports[0].metadata.error.as_ref().unwrap();
    assert!(error.text.ends_with("rows: 42"), "{}", error.text);
}

#[test]
fn configurations_past_the_most_count_in_the_final_one() {
    let rows = |count: usize| -> Vec<_> {
        (0..count)
            .map(|number| {
                let policy = PublishedPolicy {
                    p: "none".to_owned(),
                    fo: format!("option{number}"),
                    problems: vec![format!("problem {number}")],
                    ..PublishedPolicy::default()
                };
                row(
                    &Numbered {
                        number: number as u64,
                        policy,
                    },
                    1,
                )
            })
            .collect()
    };
    let exact = assembled(rows(MAX_CONFIGURATIONS), &ReportLimits::default());
    assert_eq!(exact.reports.len(), MAX_CONFIGURATIONS);
    let past = assembled(rows(MAX_CONFIGURATIONS + 3), &ReportLimits::default());
    assert_eq!(past.reports.len(), MAX_CONFIGURATIONS);
    let last = past.reports.last().unwrap();
    assert_eq!(last.policy.failure_options.as_deref(), Some("option10"));
    assert_eq!(last.rows[0].count, 4);
    let error = last.metadata.error.as_ref().unwrap();
    assert_eq!(error.text, "problem 10; problem 7; problem 8; problem 9");
    assert_eq!(past.reports[6].policy.failure_options.as_deref(), Some("option6"));
}

#[test]
fn a_row_has_the_most_signatures_and_not_one_more() {
    let policy = published(1, "none");
    for (given, kept) in [
        (MAX_DKIM_RESULTS, MAX_DKIM_RESULTS),
        (MAX_DKIM_RESULTS + 1, MAX_DKIM_RESULTS),
    ] {
        let mut row = row(&policy, 1);
        let signature = |number| ("example.com".to_owned(), format!("s{number}"), "fail".to_owned());
        row.row.dkim = (0..given).map(signature).collect();
        let day = assembled(vec![row], &ReportLimits::default());
        assert_eq!(day.reports[0].rows[0].key.dkim.len(), kept);
    }
}

#[test]
fn a_row_has_the_most_reasons_and_not_one_more() {
    let policy = published(1, "none");
    for (given, kept) in [(MAX_REASONS, MAX_REASONS), (MAX_REASONS + 1, MAX_REASONS)] {
        let mut row = row(&policy, 1);
        row.row.reasons = (0..given)
            .map(|number| ("other".to_owned(), number.to_string()))
            .collect();
        // The same again is the same.
        row.row.reasons.insert(1, ("other".to_owned(), "0".to_owned()));
        let day = assembled(vec![row], &ReportLimits::default());
        let reasons = &day.reports[0].rows[0].key.reasons;
        assert_eq!(reasons.len(), kept);
        assert_eq!(reasons[1].kind, OverrideType::Other.into());
    }
}

/// Of a name that no DNS could answer for, nothing is to be learnt.
#[test]
fn a_selector_of_the_longest_name_stays_and_one_octet_longer_goes() {
    let policy = published(1, "none");
    for (octets, kept) in [(253, 1), (254, 0)] {
        let mut row = row(&policy, 1);
        row.row.dkim = vec![("example.com".to_owned(), "s".repeat(octets), "fail".to_owned())];
        let day = assembled(vec![row], &ReportLimits::default());
        assert_eq!(day.reports[0].rows[0].key.dkim.len(), kept, "{octets}");
    }
}

#[test]
fn the_error_is_cut_at_its_limit_with_what_was_left_out_first() {
    let policy = PublishedPolicy {
        p: "none".to_owned(),
        problems: (0..8)
            .map(|number| format!("{number}{}", "x".repeat(199)))
            .collect(),
        ..PublishedPolicy::default()
    };
    let mut rows = vec![row(&Numbered { number: 1, policy }, 1)];
    rows.push({
        let mut one = rows[0].clone();
        one.row.source_ip = "192.0.2.9".parse().unwrap();
        one
    });
    let day = assembled(rows, &limit(1));
    let error = day.reports[0].metadata.error.as_ref().unwrap();
    assert_eq!(error.text.len(), MAX_ERROR_OCTETS);
    let first = error.text.split(": ").next().unwrap();
    insta::assert_snapshot!(first, @"messages in no row, for there are too many rows");
}

#[test]
fn an_operator_without_a_name_is_the_submitter() {
    let day = assembled(vec![row(&published(1, "none"), 1)], &ReportLimits::default());
    let metadata = &day.reports[0].metadata;
    assert_eq!(metadata.organization, "mail.receiver.example");
    assert_eq!((&metadata.contact, &metadata.generator), (&None, &None));
}

#[test]
fn counts_that_overflow_stay_at_the_most() {
    let policy = published(1, "none");
    let most = || {
        let mut one = row(&policy, 1);
        one.count = u64::MAX;
        one
    };
    let day = assembled(vec![most(), most()], &ReportLimits::default());
    assert_eq!(day.reports[0].rows[0].count, u64::MAX);
    assert_eq!(day.messages, u64::MAX);
}
