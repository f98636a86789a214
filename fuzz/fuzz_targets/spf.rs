//! SPF over zones made from the input: parsing takes any octets, and a check ends within
//! the limits of RFC 7208 §4.6.4, saying so in printable text.
//!
//! The input is cut at line feeds: the local part, HELO, then the TXT records of
//! `a.example`, `b.example` and so on, which may lead to each other.

#![no_main]

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use landmarc_auth::lookup::{DnsName, Ledger, DnsRecord, RecordType, ZoneData, Zones};
use landmarc_auth::spf::limits::{
    MAX_LOOKUP_TERMS, MAX_MX_HOSTS, MAX_PTR_NAMES, MAX_STEPS, MAX_VOID_LOOKUPS,
};
use landmarc_auth::spf::{SpfOutcome, SpfRecord, SpfRequest, check_helo, check_mail_from};
use landmarc_mail::ReversePath;
use libfuzzer_sys::fuzz_target;

/// Names that have records; the next one does not exist.
const NAMES: [&str; 5] = ["a.example", "b.example", "c.example", "d.example", "e.example"];

/// For one check: the record, ten terms with the hosts each finds, the client's names
/// and their addresses, the explanation.
const MOST_QUESTIONS: usize = 1 + MAX_LOOKUP_TERMS * (1 + MAX_MX_HOSTS) + 1 + MAX_PTR_NAMES + 1;

fuzz_target!(|input: &[u8]| {
    let _ = SpfRecord::parse(input);
    let mut lines = input.split(|&b| b == b'\n');
    let local_part = lines.next().unwrap_or_default();
    let helo = lines.next().unwrap_or_default();
    let mail_from = [local_part, b"@a.example"].concat();
    for client in [
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, 3)),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ] {
        let zones = Ledger::new(zones(client, lines.clone()), usize::MAX);
        let request = SpfRequest {
            client,
            helo,
            mail_from: &ReversePath::new(&mail_from),
            receiver: "mx.example.net",
            now: 0,
            fetch_explanation: true,
        };
        assert_within_limits(&block_on(check_mail_from(&zones, &request)));
        assert!(zones.asked().len() <= MOST_QUESTIONS);
        assert_within_limits(&block_on(check_helo(&zones, &request)));
    }
});

/// Each name has its line as TXT record, all names as mail exchanges, and an address;
/// the client has all of them as its names.
fn zones<'a>(client: IpAddr, texts: impl Iterator<Item = &'a [u8]>) -> Zones {
    let mut zones = Zones::new();
    let names: Vec<_> = NAMES
        .iter()
        .filter_map(|n| DnsName::from_octets(n.as_bytes()))
        .collect();
    let exchanges = names.iter().map(|name| DnsRecord::Mx {
        preference: 10,
        exchange: name.clone(),
    });
    let exchanges = ZoneData::Records(exchanges.collect());
    for (name, text) in names.iter().zip(texts) {
        zones.add_txt(name.clone(), text);
        zones.set(name.clone(), RecordType::Mx, exchanges.clone());
        let address = DnsRecord::A(Ipv4Addr::new(192, 0, 2, u8::from(text.len() % 2 == 0) + 3));
        zones.set(name.clone(), RecordType::A, ZoneData::Records(vec![address]));
    }
    let pointers = names.into_iter().map(DnsRecord::Ptr).collect();
    zones.set(
        DnsName::reverse(client),
        RecordType::Ptr,
        ZoneData::Records(pointers),
    );
    zones
}

fn assert_within_limits(outcome: &SpfOutcome) {
    assert!(outcome.lookup_terms <= MAX_LOOKUP_TERMS + 1);
    assert!(outcome.void_lookups <= MAX_VOID_LOOKUPS + 1);
    assert!(outcome.steps.len() <= MAX_STEPS + 1);
    let texts = [&outcome.mechanism, &outcome.explanation, &outcome.problem];
    let steps = outcome
        .steps
        .iter()
        .map(|s| format!("{} {} {}", s.domain, s.term, s.outcome));
    for text in steps.chain(texts.into_iter().flatten().cloned()) {
        assert!(
            text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()),
            "{text:?}"
        );
    }
}

/// Nothing here waits for anything outside itself; joined futures need a few rounds.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    let mut future = pin!(future);
    for _ in 0..1_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("the check does not end");
}
