//! SPF: every limit at its value and one past it, and what attackers would do to them.

use landmarc_auth::lookup::{DnsName, DnsRecord, Ledger, RecordType, ZoneData, Zones};
use landmarc_auth::spf::limits::{
    MAX_ANSWER_RECORDS, MAX_EXPLANATION_OCTETS, MAX_IDENTITY_OCTETS, MAX_RECORD_OCTETS, MAX_STEPS,
};
use landmarc_auth::spf::{SpfResult, check_mail_from};
use landmarc_testkit::{block_on, dns_name};

use crate::spf_support::{Session, check, zones};

#[test]
fn at14_two_hundred_victims_stop_at_the_limits() {
    let victims: String = (1..=200).map(|n| format!("a:victim{n}.example ")).collect();
    let (outcome, asked) = Session::default().check(&format!("example.com TXT v=spf1 {victims}-all"));
    assert_eq!(outcome.result, SpfResult::PermError);
    assert_eq!(asked.len(), 4, "the record, and three victims that do not exist");
    let mut zone = format!("example.com TXT v=spf1 {victims}-all\n");
    for n in 1..=200 {
        zone += &format!("victim{n}.example A 203.0.113.9\n");
    }
    let (outcome, asked) = Session::default().check(&zone);
    assert_eq!(outcome.result, SpfResult::PermError);
    assert_eq!(asked.len(), 11, "the record, and ten victims that exist");
    assert!(outcome.problem.unwrap().contains("`a:victim11.example`"));
}

#[test]
fn every_kind_of_term_counts_and_p_counts_once_more() {
    let zone = |terms: &str| {
        format!(
            "example.com TXT v=spf1 {terms} ?all
             example.com A 192.0.2.9
             example.com MX example.com
             i.example TXT v=spf1 ?all
             3.2.0.192.in-addr.arpa PTR h.example
             h.example A 192.0.2.3
             h.example.com A 192.0.2.9"
        )
    };
    for (terms, counted) in [
        ("ip4:192.0.2.9 ip6:2001:db8::1 x=%{p}", 0),
        ("a", 1),
        ("mx", 1),
        ("ptr", 1),
        ("include:i.example", 1),
        ("-exists:%{d}", 1),
        ("a:%{p}.com", 2),
        ("a mx ptr include:i.example", 4),
    ] {
        assert_eq!(check(&zone(terms)).lookup_terms, counted, "{terms}");
    }
    let ten = "a a a a a a a a a:%{p}.com";
    assert_eq!(check(&zone(ten)).result, SpfResult::Neutral);
    let eleven = format!("a {ten}");
    assert_eq!(check(&zone(&eleven)).result, SpfResult::PermError);
}

#[test]
fn loops_end_at_the_limit() {
    for record in [
        "include:example.com",
        "redirect=example.com",
        "include:%{d} redirect=%{d}",
    ] {
        let (outcome, asked) = Session::default().check(&format!("example.com TXT v=spf1 {record}"));
        assert_eq!(outcome.result, SpfResult::PermError, "{record}");
        assert_eq!((outcome.lookup_terms, asked.len()), (11, 1), "{record}");
    }
}

#[test]
fn the_record_may_have_8192_octets() {
    let record = |octets: usize| {
        let filler = "x".repeat(octets - "v=spf1 +all x=".len());
        check(&format!("example.com TXT v=spf1 +all x={filler}")).result
    };
    assert_eq!(record(MAX_RECORD_OCTETS), SpfResult::Pass);
    assert_eq!(record(MAX_RECORD_OCTETS + 1), SpfResult::PermError);
}

fn check_zones(zones: &Zones) -> SpfResult {
    Session::default()
        .with(|request| block_on(check_mail_from(zones, request)))
        .result
}

#[test]
fn an_answer_may_have_a_thousand_records() {
    let texts = |count: usize| {
        let mut zones = zones("");
        let filler = DnsRecord::Txt(b"site-verification=1"[..].into());
        let mut records = vec![filler; count - 1];
        records.push(DnsRecord::Txt(b"v=spf1 +all"[..].into()));
        zones.set(
            dns_name("example.com"),
            RecordType::Txt,
            ZoneData::Records(records),
        );
        check_zones(&zones)
    };
    assert_eq!(texts(MAX_ANSWER_RECORDS), SpfResult::Pass);
    assert_eq!(texts(MAX_ANSWER_RECORDS + 1), SpfResult::PermError);
    let addresses = |count: usize| {
        let mut zones = zones("example.com TXT v=spf1 a -all");
        let mut records = vec![DnsRecord::A([203, 0, 113, 1].into()); count - 1];
        records.push(DnsRecord::A([192, 0, 2, 3].into()));
        zones.set(dns_name("example.com"), RecordType::A, ZoneData::Records(records));
        check_zones(&zones)
    };
    assert_eq!(addresses(MAX_ANSWER_RECORDS), SpfResult::Pass);
    assert_eq!(addresses(MAX_ANSWER_RECORDS + 1), SpfResult::PermError);
}

#[test]
fn an_identity_may_have_a_thousand_octets() {
    let zone = "example.com TXT v=spf1 exists:%{l1}.x.example exists:%{h1}.x.example ?all";
    let questions = |local_part: usize, helo: usize| {
        let mail_from = [&b"l".repeat(local_part - 2)[..], b".a@example.com"].concat();
        let helo = [&b"h".repeat(helo - 2)[..], b".b"].concat();
        let session = Session {
            helo: &helo,
            mail_from: &mail_from,
            ..Session::default()
        };
        session.check(zone).1.len()
    };
    let (most, more) = (MAX_IDENTITY_OCTETS, MAX_IDENTITY_OCTETS + 1);
    assert_eq!(questions(most, most), 3);
    assert_eq!(questions(more, most), 2);
    assert_eq!(questions(most, more), 2);
}

#[test]
fn an_explanation_may_have_a_thousand_octets() {
    let explanation = |octets: usize| {
        let text = "x".repeat(octets);
        check(&format!(
            "example.com TXT v=spf1 -all exp=why.example\nwhy.example TXT {text}"
        ))
        .explanation
        .map(|text| text.len())
    };
    assert_eq!(explanation(MAX_EXPLANATION_OCTETS), Some(MAX_EXPLANATION_OCTETS));
    assert_eq!(explanation(MAX_EXPLANATION_OCTETS + 1), None);
    assert_eq!(
        check(&format!(
            "example.com TXT v=spf1 -all exp=why.example\nwhy.example TXT {}",
            "%{s}".repeat(10_000)
        ))
        .explanation,
        None
    );
}

#[test]
fn a_thousand_steps_are_kept() {
    let steps = |terms: usize| {
        let terms = "ip6:: ".replace("::", ":1::").repeat(terms);
        check(&format!("example.com TXT v=spf1 {terms}")).steps.len()
    };
    // The record itself is a step.
    assert_eq!(steps(MAX_STEPS - 1), MAX_STEPS);
    assert_eq!(steps(MAX_STEPS), MAX_STEPS + 1);
    assert_eq!(steps(MAX_STEPS + 20), MAX_STEPS + 1);
}

#[test]
fn long_terms_are_cut_in_every_text() {
    let long = "x".repeat(5_000);
    let outcome = check(&format!("example.com TXT v=spf1 {long}"));
    assert!(outcome.problem.unwrap().len() < 400);
    let outcome = check(&format!("example.com TXT v=spf1 exists:{long}%{{d}} -all"));
    assert_eq!(outcome.result, SpfResult::Fail);
    assert!(outcome.steps.iter().all(|s| s.term.to_string().len() < 2_100));
    assert!(outcome.steps.iter().all(|s| s.outcome.to_string().len() < 2_100));
}

#[test]
fn a_spent_budget_is_a_temperror_at_every_kind_of_term() {
    for term in [
        "a",
        "mx",
        "ptr",
        "exists:%{d}",
        "include:i.example",
        "redirect=i.example",
        "a:%{p}.example.com",
    ] {
        let ledger = Ledger::new(zones(&format!("example.com TXT v=spf1 {term}")), 1);
        let outcome = Session::default().with(|request| block_on(check_mail_from(&ledger, request)));
        assert_eq!(outcome.result, SpfResult::TempError, "{term}");
        assert!(ledger.limit_reached(), "{term}");
    }
    // The addresses of the client's names, too.
    let reverse = "example.com TXT v=spf1 ptr -all
         3.2.0.192.in-addr.arpa PTR h.example.com
         h.example.com A 192.0.2.3";
    let ledger = Ledger::new(zones(reverse), 2);
    let outcome = Session::default().with(|request| block_on(check_mail_from(&ledger, request)));
    assert_eq!(outcome.result, SpfResult::TempError);
}

#[test]
fn a_spent_budget_costs_the_explanation_alone() {
    let zone = "example.com TXT v=spf1 -all exp=why.example\nwhy.example TXT because";
    let ledger = Ledger::new(zones(zone), 1);
    let outcome = Session::default().with(|request| block_on(check_mail_from(&ledger, request)));
    assert_eq!((outcome.result, outcome.explanation), (SpfResult::Fail, None));
}

#[test]
fn the_future_can_be_sent_to_another_thread() {
    fn is_send(_: &impl Send) {}
    let zones = zones("");
    Session::default().with(|request| is_send(&check_mail_from(&zones, request)));
    assert!(DnsName::from_octets(b"example.com").is_some());
}
