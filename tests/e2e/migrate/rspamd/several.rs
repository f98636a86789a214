//! Sites with more than one Redis.

use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::tools::wait_for;

use super::running::{days_since, format_day, import};
use super::site::{Redis, today, zones};
use super::{Sums, row, tallied};
use crate::service::{Service, Socket};

/// Checklist R4: records that were shared out by domain, and a domain that has some on both servers, are added
/// up; a replica is the same records once more, and is read once.
#[test]
fn r4_servers_are_added_up_and_replicas_are_read_once() {
    let dns = DnsServer::start(zones());
    let (Some(one), Some(two), Some(replica)) = (Redis::start(), Redis::start(), Redis::start()) else {
        return;
    };
    let service = Service::start("rspamd-several", Socket::Inet, dns.addr(), "");
    let (day, date) = (today(), format_day(today()));
    let member = |client: &str| format!("{client},pass,fail,none,,alpha.example,,,,,alpha.example,pass");
    let key = format!("dmarc_rpt;alpha.example;mailto:dmarc@alpha.example;{date}");
    for (redis, client, count) in [
        (&one, "192.0.2.7", "3"),
        (&two, "192.0.2.7", "4"),
        (&two, "192.0.2.8", "1"),
    ] {
        redis.ask(&["ZINCRBY", &key, count, &member(client)]);
        redis.ask(&["SADD", &format!("dmarc_idx;{date}"), &key]);
    }
    replica.ask(&["REPLICAOF", "127.0.0.1", &one.port.to_string()]);
    let copied = wait_for(|| (replica.ask(&["ZCARD", &key]) == "1").then_some(()));
    assert!(copied.is_some(), "the replica has what the first server has");
    let servers = [&one, &replica, &two].map(Redis::address);
    let [first, second, third] = &servers;
    let imported = import(&service, &["--redis", first, second, third]);
    assert_eq!(
        (&imported["new"], &imported["keys"]),
        (&8.into(), &1.into()),
        "{imported}"
    );
    let expected: Sums = [
        (
            row(
                "alpha.example",
                "alpha.example",
                "192.0.2.7",
                (true, false),
                "pass",
            ),
            7,
        ),
        (
            row(
                "alpha.example",
                "alpha.example",
                "192.0.2.8",
                (true, false),
                "pass",
            ),
            1,
        ),
    ]
    .into();
    assert_eq!(tallied(&service.database(), &days_since(day)), expected);
    // The replica alone has no more than is known.
    let imported = import(&service, &["--redis", second]);
    assert_eq!(imported["new"], 0, "{imported}");
}

/// While `rspamadm dmarc_report` works, what it reports from has another name, and rspamd begins a new key.
#[test]
fn r11_what_rspamadm_is_reporting_counts_with_what_comes_after() {
    let dns = DnsServer::start(zones());
    let Some(redis) = Redis::start() else { return };
    let service = Service::start("rspamd-renamed", Socket::Inet, dns.addr(), "");
    let date = format_day(today());
    let member = "192.0.2.7,pass,fail,none,,alpha.example,,,,,alpha.example,pass";
    let key = format!("dmarc_rpt;alpha.example;mailto:dmarc@alpha.example;{date}");
    let index = format!("dmarc_idx;{date}");
    redis.ask(&["ZINCRBY", &key, "5", member]);
    redis.ask(&["SADD", &index, &key]);
    assert_eq!(import(&service, &["--redis", &redis.address()])["new"], 5);
    redis.ask(&["RENAME", &key, &format!("{key}_processing")]);
    redis.ask(&["RENAME", &index, &format!("{index}_processing")]);
    redis.ask(&[
        "SADD",
        &format!("{index}_processing"),
        &format!("{key}_processing"),
    ]);
    redis.ask(&["ZINCRBY", &key, "2", member]);
    redis.ask(&["SADD", &index, &key]);
    let imported = import(&service, &["--redis", &redis.address()]);
    assert_eq!(
        (&imported["new"], &imported["known"]),
        (&2.into(), &5.into()),
        "{imported}"
    );
}
