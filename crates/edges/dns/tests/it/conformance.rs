//! The suite that every `Lookup` passes: zones in memory, and the resolver over a
//! server with the same zones.

use std::time::Duration;

use landmarc_auth::lookup::{
    Answer, DnsName, DnsRecord, Existence, Lookup, LookupError, Missing, Question, RecordType, Zones,
    existence,
};
use landmarc_dns::resolver::{Asker, Resolver, ResolverOptions};
use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::{block_on, dns_name};

use crate::support::{options, resolver, texts, txt};

/// In the form of a zone file; TIMEOUT stands apart, because it takes time.
const ZONES: &str = r#"{
  "example.com": {
    "A": ["192.0.2.1", "192.0.2.2"],
    "AAAA": ["2001:db8::1"],
    "MX": [[20, "mx2.example.com"], [10, "mx1.example.com"]],
    "TXT": [["v=spf1 ", "-all"], ["second"]]
  },
  "1.2.0.192.in-addr.arpa": {"PTR": ["Host.Example.COM", "other.example.com"]},
  "127.in-addr.arpa": {"PTR": ["not-localhost.example"]},
  "localhost": {"A": ["192.0.2.80"]},
  "exists.invalid": {"A": ["192.0.2.81"]},
  "null-mx.example.com": {"MX": [[0, ""]]},
  "empty.example.com": {},
  "deep.ent.example.com": {"TXT": [["below"]]},
  "octets.example.com": {"TXT": [["\u0000\u00ff\u0080\""]]},
  "no-text.example.com": {"TXT": [[""]]},
  "a:b.%{x}.odd.example.com": {"TXT": [["colon and percent"]]},
  "\u00e9*! _.odd.example.com": {"TXT": [["octet 233, star, blank"]]},
  "alias.example.com": {"CNAME": "example.com"},
  "alias-of-alias.example.com": {"CNAME": "alias.example.com"},
  "alias-to-missing.example.com": {"CNAME": "missing.example.net"},
  "alias-to-empty.example.com": {"CNAME": "empty.example.com"},
  "alias-to-servfail.example.com": {"CNAME": "servfail.example.com"},
  "alias-of-itself.example.com": {"CNAME": "alias-of-itself.example.com"},
  "servfail.example.com": {"TXT": "SERVFAIL", "A": ["192.0.2.3"]},
  "refused.example.com": {"TXT": "REFUSED"},
  "nxdomain.example.com": {"TXT": "NXDOMAIN"},
  "nodata.example.com": {"TXT": "NODATA"},
  "all-servfail.example.com": {"*": "SERVFAIL"}
}"#;

#[test]
fn zones_in_memory_conform() {
    block_on(conforms(&zones()));
}

#[tokio::test]
async fn the_resolver_conforms() {
    let server = DnsServer::start(zones());
    conforms(&resolver(&server)).await;
}

#[tokio::test]
async fn the_lookup_of_a_message_conforms() {
    let server = DnsServer::start(zones());
    conforms(&resolver(&server).for_message(Asker::default())).await;
}

#[tokio::test]
async fn the_resolver_conforms_without_a_cache() {
    let server = DnsServer::start(zones());
    let options = ResolverOptions {
        cache_entries: 0,
        ..options(&server)
    };
    conforms(&Resolver::new(options).unwrap()).await;
}

#[tokio::test]
async fn the_resolver_conforms_where_the_server_leaves_aliases_to_it() {
    let server = DnsServer::start(zones());
    server.set_follows_aliases(false);
    conforms(&resolver(&server)).await;
}

/// Vector D33, compact denial of existence (RFC 9824): the answer to an address question
/// shows what is missing. To a question for TXT it does not, and need not.
#[tokio::test]
async fn d33_missing_names_are_seen_through_compact_denial() {
    let server = DnsServer::start(zones());
    server.set_compact_denial(true);
    let resolver = resolver(&server);
    existence_conforms(&resolver).await;
    assert_eq!(resolver.ask(&txt("missing.example.com")).await, Answer::NoData);
}

#[tokio::test]
async fn a_timeout_is_one_for_each() {
    let zones = landmarc_dns::zone_file::parse(
        r#"{"timeout.example.com": {"TXT": "TIMEOUT"}, "alias.example": {"CNAME": "timeout.example.com"}}"#,
    );
    let zones = zones.unwrap();
    let server = DnsServer::start(zones.clone());
    let short = ResolverOptions {
        question_timeout: Duration::from_millis(150),
        ..options(&server)
    };
    let resolver = Resolver::new(short).unwrap();
    for name in ["timeout.example.com", "alias.example"] {
        let expected = Answer::Failed(LookupError::Timeout);
        assert_eq!(zones.ask(&txt(name)).await, expected, "{name}");
        assert_eq!(resolver.ask(&txt(name)).await, expected, "{name}");
    }
}

#[tokio::test]
async fn an_answer_too_long_for_a_packet_comes_over_tcp() {
    let long = "a long text. ".repeat(3_000);
    let server = DnsServer::start(landmarc_testkit::txt_zones(&[("example.com", &long)]));
    assert_eq!(resolver(&server).ask(&txt("example.com")).await, texts(&[&long]));
    assert_eq!(server.log().len(), 2, "once over UDP, once over TCP");
}

#[tokio::test]
async fn an_answer_that_just_fits_does_not() {
    let long = "x".repeat(1_100);
    let server = DnsServer::start(landmarc_testkit::txt_zones(&[("example.com", &long)]));
    assert_eq!(resolver(&server).ask(&txt("example.com")).await, texts(&[&long]));
    assert_eq!(server.log().len(), 1);
}

async fn conforms(lookup: &impl Lookup) {
    for (name, record_type, expected) in expectations() {
        let name = DnsName::from_octets(name).unwrap();
        let question = Question::new(name, record_type);
        assert_eq!(lookup.ask(&question).await, expected, "{question}");
    }
    existence_conforms(lookup).await;
}

async fn existence_conforms(lookup: &impl Lookup) {
    for (name, expected) in [
        ("example.com", Existence::Exists),
        ("empty.example.com", Existence::Exists),
        ("ent.example.com", Existence::Exists),
        ("alias-to-missing.example.com", Existence::Exists),
        ("missing.example.com", Existence::NxDomain),
        (
            "all-servfail.example.com",
            Existence::Unknown(LookupError::ServFail),
        ),
    ] {
        assert_eq!(existence(lookup, &dns_name(name)).await, expected, "{name}");
    }
}

fn expectations() -> Vec<(&'static [u8], RecordType, Answer)> {
    use RecordType::{A, Aaaa, Mx, Ptr, Txt};
    let a = |addresses: &[[u8; 4]]| records(addresses.iter().map(|&a| DnsRecord::A(a.into())));
    let ptr = |names: &[&str]| records(names.iter().map(|name| DnsRecord::Ptr(dns_name(name))));
    let mx = |preference, exchange| DnsRecord::Mx { preference, exchange };
    let both = a(&[[192, 0, 2, 1], [192, 0, 2, 2]]);
    let aaaa = records([DnsRecord::Aaaa("2001:db8::1".parse().unwrap())]);
    let failed = Answer::Failed;
    let missing = Answer::NxDomain;
    vec![
        // Records of each type, in their order; names without regard to case.
        (b"example.com", A, both.clone()),
        (b"EXAMPLE.Com", A, both.clone()),
        (b"example.com.", Aaaa, aaaa.clone()),
        (
            b"example.com",
            Mx,
            records([
                mx(20, dns_name("mx2.example.com")),
                mx(10, dns_name("mx1.example.com")),
            ]),
        ),
        (b"null-mx.example.com", Mx, records([mx(0, DnsName::root())])),
        (
            b"1.2.0.192.in-addr.arpa",
            Ptr,
            ptr(&["host.example.com", "other.example.com"]),
        ),
        // Character-strings are joined, records are not; octets are any.
        (b"example.com", Txt, texts(&["v=spf1 -all", "second"])),
        (
            b"octets.example.com",
            Txt,
            records([DnsRecord::Txt((*b"\x00\xFF\x80\"").into())]),
        ),
        (b"no-text.example.com", Txt, texts(&[""])),
        (b"a:b.%{x}.odd.example.com", Txt, texts(&["colon and percent"])),
        (
            b"\xE9*! _.odd.example.com",
            Txt,
            texts(&["octet 233, star, blank"]),
        ),
        // What a resolver must not know better: DNS decides, no table of special names.
        (b"127.in-addr.arpa", Ptr, ptr(&["not-localhost.example"])),
        (b"localhost", A, a(&[[192, 0, 2, 80]])),
        (b"exists.invalid", A, a(&[[192, 0, 2, 81]])),
        // No data, an empty non-terminal, no name.
        (b"example.com", Ptr, Answer::NoData),
        (b"empty.example.com", Txt, Answer::NoData),
        (b"ent.example.com", Txt, Answer::NoData),
        (b"missing.example.com", Txt, missing(Missing::Name)),
        (b"below.missing.example.com", A, missing(Missing::Name)),
        // Aliases.
        (b"alias.example.com", A, both.clone()),
        (b"alias-of-alias.example.com", A, both),
        (b"alias-of-alias.example.com", Aaaa, aaaa),
        (b"alias.example.com", Ptr, Answer::NoData),
        (b"alias-to-empty.example.com", Txt, Answer::NoData),
        (
            b"alias-to-missing.example.com",
            Txt,
            missing(Missing::AliasTarget),
        ),
        (
            b"alias-to-servfail.example.com",
            Txt,
            failed(LookupError::ServFail),
        ),
        (b"alias-to-servfail.example.com", A, a(&[[192, 0, 2, 3]])),
        (b"alias-of-itself.example.com", Txt, failed(LookupError::ServFail)),
        // Misfortunes, of one type or of all.
        (b"servfail.example.com", Txt, failed(LookupError::ServFail)),
        (b"servfail.example.com", A, a(&[[192, 0, 2, 3]])),
        (b"refused.example.com", Txt, failed(LookupError::Refused)),
        (b"nxdomain.example.com", Txt, missing(Missing::Name)),
        (b"nodata.example.com", Txt, Answer::NoData),
        (b"all-servfail.example.com", Mx, failed(LookupError::ServFail)),
    ]
}

fn records(records: impl IntoIterator<Item = DnsRecord>) -> Answer {
    Answer::from_records(records.into_iter().collect())
}

fn zones() -> Zones {
    landmarc_dns::zone_file::parse(ZONES).unwrap()
}
