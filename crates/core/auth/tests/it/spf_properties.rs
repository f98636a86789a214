//! SPF: whatever the octets, a check ends within its limits and says so in printable text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use landmarc_auth::lookup::{DnsName, DnsRecord, Ledger, RecordType, ZoneData, Zones};
use landmarc_auth::spf::limits::{MAX_LOOKUP_TERMS, MAX_MX_HOSTS, MAX_PTR_NAMES, MAX_VOID_LOOKUPS};
use landmarc_auth::spf::{SpfOutcome, SpfRecord, SpfRequest, check_helo, check_mail_from};
use landmarc_mail::ReversePath;
use landmarc_testkit::block_on;
use proptest::prelude::*;

/// The record; ten terms with a question and the hosts it finds; the client's names and
/// their addresses for `%{p}`; the explanation.
const MOST_QUESTIONS: usize = 1 + MAX_LOOKUP_TERMS * (1 + MAX_MX_HOSTS) + (1 + MAX_PTR_NAMES) + 1;

/// Names that lead to each other.
const NAMES: [&str; 5] = ["a.example", "b.example", "c.example", "d.example", "e.example"];

fn spec() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(NAMES.to_vec()).prop_map(str::to_owned),
        "%\\{[slodipvhcrtSLODIPVHCRTx][0-9]{0,3}r?[-.+,/_=]{0,2}\\}(\\.[ab]\\.example)?",
        "[a-e%{}./:=-]{0,12}",
    ]
}

fn term() -> impl Strategy<Value = String> {
    let mechanism = prop::sample::select(vec!["include", "a", "mx", "ptr", "exists", "all", "ip4", "ip6"]);
    prop_oneof![
        6 => (mechanism, spec(), "[-+~?]?", "(/[0-9]{1,3})?(//[0-9]{1,3})?")
            .prop_map(|(name, spec, qualifier, prefix)| format!("{qualifier}{name}:{spec}{prefix}")),
        2 => prop::sample::select(vec!["a", "mx", "ptr", "?all", "ip4:192.0.2.9", "mx//64", "x=%{d}"])
            .prop_map(str::to_owned),
        1 => spec().prop_map(|spec| format!("redirect={spec}")),
        1 => spec().prop_map(|spec| format!("exp={spec}")),
    ]
}

fn record_text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::collection::vec(term(), 0..16).prop_map(|t| format!("v=spf1 {}", t.join(" ")).into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..80).prop_map(|t| [&b"v=spf1 "[..], &t].concat()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

fn add(zones: &mut Zones, name: &str, texts: Vec<Vec<u8>>, hosts: &[usize]) {
    let name = DnsName::from_octets(name.as_bytes()).unwrap();
    let target = |n: &usize| DnsName::from_octets(NAMES[n % NAMES.len()].as_bytes()).unwrap();
    let texts = texts.into_iter().map(|t| DnsRecord::Txt(t.into())).collect();
    let exchanges = hosts.iter().map(|n| DnsRecord::Mx {
        preference: 10,
        exchange: target(n),
    });
    zones.set(name.clone(), RecordType::Txt, ZoneData::Records(texts));
    zones.set(
        name.clone(),
        RecordType::Mx,
        ZoneData::Records(exchanges.collect()),
    );
    let last = u8::try_from(hosts.len()).unwrap_or(3);
    let address = DnsRecord::A(Ipv4Addr::new(192, 0, 2, last));
    zones.set(name, RecordType::A, ZoneData::Records(vec![address]));
}

fn printable(outcome: &SpfOutcome) -> bool {
    let steps = outcome
        .steps
        .iter()
        .map(|s| format!("{} {} {}", s.domain, s.term, s.outcome));
    let texts = [&outcome.mechanism, &outcome.explanation, &outcome.problem];
    steps
        .chain(texts.into_iter().flatten().cloned())
        .all(|text| text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spf_ends_within_its_limits(
        texts in prop::collection::vec(prop::collection::vec(record_text(), 1..3), NAMES.len()),
        hosts in prop::collection::vec(prop::collection::vec(0..5_usize, 0..13), NAMES.len()),
        local_part in prop::collection::vec(any::<u8>(), 0..40),
        helo in prop::collection::vec(any::<u8>(), 0..40),
        v6 in any::<bool>(),
    ) {
        let client = if v6 { IpAddr::V6(Ipv6Addr::LOCALHOST) } else { Ipv4Addr::new(192, 0, 2, 3).into() };
        let mut zones = Zones::new();
        for ((name, texts), hosts) in NAMES.iter().zip(texts).zip(&hosts) {
            add(&mut zones, name, texts, hosts);
        }
        let names = hosts.concat().into_iter().map(|n| DnsRecord::Ptr(DnsName::from_octets(NAMES[n].as_bytes()).unwrap()));
        zones.set(DnsName::reverse(client), RecordType::Ptr, ZoneData::Records(names.collect()));

        let ledger = Ledger::new(zones, usize::MAX);
        let mail_from = [&local_part[..], b"@a.example"].concat();
        let request = SpfRequest {
            client,
            helo: &helo,
            mail_from: &ReversePath::new(&mail_from),
            receiver: "",
            now: 0,
            fetch_explanation: true,
        };
        for outcome in [
            block_on(check_mail_from(&ledger, &request)),
            block_on(check_helo(&ledger, &request)),
        ] {
            prop_assert!(outcome.lookup_terms <= MAX_LOOKUP_TERMS + 1);
            prop_assert!(outcome.void_lookups <= MAX_VOID_LOOKUPS + 1);
            prop_assert!(printable(&outcome), "{outcome:?}");
            prop_assert!(outcome.steps.iter().all(|s| s.depth <= MAX_LOOKUP_TERMS));
            let again = block_on(check_mail_from(&ledger, &request));
            prop_assert!(outcome.scope == landmarc_auth::spf::Scope::Helo || again == outcome);
        }
        prop_assert!(ledger.asked().len() <= 2 * MOST_QUESTIONS);
    }

    #[test]
    fn spf_record_parser_takes_any_octets(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = SpfRecord::parse(&octets);
        let text = [&b"v=spf1 "[..], &octets].concat();
        if let Ok(record) = SpfRecord::parse(&text) {
            // What was read comes out again when its terms are read alone.
            for directive in &record.directives {
                prop_assume!(!directive.text.contains('\\'));
                let alone = SpfRecord::parse(format!("v=spf1 {}", directive.text).as_bytes()).unwrap();
                prop_assert_eq!(&alone.directives[..], std::slice::from_ref(directive));
            }
        }
    }
}
