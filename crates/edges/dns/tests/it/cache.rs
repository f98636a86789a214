//! What is asked again, and when. Time is set forward by hand.

use std::time::Duration;

use landmarc_auth::lookup::{Answer, Fault, Lookup, LookupError, Missing, Zones};
use landmarc_dns::resolver::{Asker, Resolver, ResolverOptions};
use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::txt_zones;

use crate::support::{failures, faulty, numbered, numbered_zones, options, resolver, texts, txt};

#[tokio::test]
async fn an_answer_is_kept_for_its_ttl() {
    let server = DnsServer::start(txt_zones(&[("example.com", "first")]));
    server.set_ttl(60);
    let resolver = resolver(&server);
    assert_eq!(resolver.ask(&txt("example.com")).await, texts(&["first"]));
    server.set_zones(txt_zones(&[("example.com", "second")]));
    forward(59).await;
    assert_eq!(resolver.ask(&txt("example.com")).await, texts(&["first"]));
    assert_eq!(server.log().len(), 1);
    forward(1).await;
    assert_eq!(resolver.ask(&txt("example.com")).await, texts(&["second"]));
    assert_eq!(server.log().len(), 2);
    let statistics = resolver.statistics();
    assert_eq!((statistics.questions, statistics.cache_hits), (2, 1));
}

#[tokio::test]
async fn a_ttl_of_zero_is_kept_by_nobody() {
    let server = DnsServer::start(numbered_zones(1));
    server.set_ttl(0);
    let resolver = resolver(&server);
    for _ in 0..3 {
        resolver.ask(&numbered(0)).await;
    }
    assert_eq!(server.log().len(), 3);
}

#[tokio::test]
async fn no_ttl_is_longer_than_allowed() {
    let server = DnsServer::start(numbered_zones(1));
    server.set_ttl(1_000_000);
    let options = ResolverOptions {
        max_ttl: Duration::from_secs(600),
        ..options(&server)
    };
    kept_for(600, &server, &Resolver::new(options).unwrap(), "n0.example").await;
}

#[tokio::test]
async fn a_missing_name_and_missing_data_are_kept_as_the_soa_says() {
    let server = DnsServer::start(numbered_zones(1));
    server.set_negative_ttl(30);
    let resolver = resolver(&server);
    kept_for(30, &server, &resolver, "missing.example").await;
    kept_for(30, &server, &resolver, "example").await;
}

#[tokio::test]
async fn negative_answers_are_kept_for_a_quarter_of_an_hour_at_most() {
    let server = DnsServer::start(Zones::new());
    server.set_negative_ttl(86_400);
    kept_for(900, &server, &resolver(&server), "missing.example").await;
}

#[tokio::test]
async fn failures_are_kept_for_seconds_and_heal() {
    for (fault, error) in [
        (Fault::ServFail, LookupError::ServFail),
        (Fault::Refused, LookupError::Refused),
    ] {
        let server = DnsServer::start(faulty("example.com", fault));
        let resolver = resolver(&server);
        assert_eq!(resolver.ask(&txt("example.com")).await, Answer::Failed(error));
        server.set_zones(txt_zones(&[("example.com", "healed")]));
        forward(4).await;
        assert_eq!(resolver.ask(&txt("example.com")).await, Answer::Failed(error));
        forward(1).await;
        assert_eq!(resolver.ask(&txt("example.com")).await, texts(&["healed"]));
        assert_eq!(failures(&resolver), 1);
    }
}

#[tokio::test]
async fn an_alias_to_nowhere_is_remembered_as_one() {
    let mut zones = Zones::new();
    zones.set_alias(
        landmarc_testkit::dns_name("alias.example"),
        landmarc_testkit::dns_name("missing.example"),
    );
    let server = DnsServer::start(zones);
    let resolver = resolver(&server);
    for _ in 0..2 {
        let answer = resolver.ask(&txt("alias.example")).await;
        assert_eq!(answer, Answer::NxDomain(Missing::AliasTarget));
    }
    assert_eq!(server.log().len(), 1);
}

#[tokio::test]
async fn more_names_than_entries_are_answered_all_the_same() {
    let server = DnsServer::start(numbered_zones(40));
    let options = ResolverOptions {
        cache_entries: 8,
        ..options(&server)
    };
    let resolver = Resolver::new(options).unwrap();
    for number in (0..40).chain(0..40) {
        let answer = resolver.ask(&numbered(number)).await;
        assert_eq!(answer, crate::support::numbered_answer(number));
    }
    assert_eq!(server.log().len(), 80, "none of forty is still among eight");
}

#[tokio::test]
async fn clones_share_the_cache() {
    let server = DnsServer::start(numbered_zones(1));
    let resolver = resolver(&server);
    resolver.clone().ask(&numbered(0)).await;
    resolver.for_message(Asker::default()).ask(&numbered(0)).await;
    resolver.ask(&numbered(0)).await;
    assert_eq!(server.log().len(), 1);
}

/// What metrics show: each question once, by how it ended.
#[tokio::test]
async fn questions_are_counted_by_how_they_ended() {
    let mut zones = numbered_zones(1);
    for (name, fault) in [("fails.test", Fault::ServFail), ("refuses.test", Fault::Refused)] {
        zones.set(
            landmarc_testkit::dns_name(name),
            landmarc_auth::lookup::RecordType::Txt,
            landmarc_auth::lookup::ZoneData::Fault(fault),
        );
    }
    let server = DnsServer::start(zones);
    let resolver = resolver(&server);
    for name in [
        "n0.example",
        "example",
        "missing.example",
        "fails.test",
        "refuses.test",
    ] {
        for _ in 0..2 {
            resolver.ask(&txt(name)).await;
        }
    }
    let statistics = resolver.statistics();
    let ends = statistics.ends.map(|(end, count)| (end.as_str(), count));
    let expected = [
        ("records", 1),
        ("no_data", 1),
        ("nx_domain", 1),
        ("timeout", 0),
        ("serv_fail", 1),
        ("refused", 1),
        ("bad_answer", 0),
        ("unreachable", 0),
        ("overload", 0),
    ];
    assert_eq!(ends, expected);
    assert_eq!((statistics.questions, statistics.cache_hits), (5, 5));
    assert_eq!(statistics.in_flight, 0, "all have landed");
}

async fn kept_for(seconds: u64, server: &DnsServer, resolver: &Resolver, name: &str) {
    let before = server.log().len();
    let answer = resolver.ask(&txt(name)).await;
    forward(seconds - 1).await;
    assert_eq!(resolver.ask(&txt(name)).await, answer);
    assert_eq!(server.log().len(), before + 1, "{name} is kept for {seconds} s");
    forward(1).await;
    assert_eq!(resolver.ask(&txt(name)).await, answer);
    assert_eq!(server.log().len(), before + 2, "{name} is not kept any longer");
}

/// Sets the clock of the resolver forward.
async fn forward(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}
