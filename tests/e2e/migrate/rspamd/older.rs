//! Records of older releases, as those document them.

use landmarc_testkit::dns_server::DnsServer;

use super::running::{REPORTING, import, line};
use super::site::{Redis, zones};
use super::{Sums, row, tallied};
use crate::binary::landmarc;
use crate::service::{Service, Socket};

use landmarc_store::Day;

/// Yesterday: a day that is over and not reported.
fn yesterday() -> Day {
    super::site::today().back(1)
}

/// Checklist R5, R6, R4: lists of the first releases and of 1.3, with a prefix of the site. A message that came
/// twice in a second stands there twice, and counts twice.
#[test]
fn r5_r6_lists_are_read_with_equal_lines_counted() {
    let dns = DnsServer::start(zones());
    let Some(redis) = Redis::start() else { return };
    let service = Service::start("rspamd-lists", Socket::Inet, dns.addr(), REPORTING);
    let day = yesterday();
    let at = day.begins_s() + 3_600;
    let push = |key: &str, line: String| redis.ask(&["LPUSH", key, &line]);
    push("dmarc_alpha.example", format!("{at},192.0.2.7,true,false"));
    push("dmarc_alpha.example", format!("{at},192.0.2.7,true,false"));
    push(
        "dmarc_alpha.example",
        format!("{},198.51.100.66,false,false", at + 1),
    );
    push(
        "dmarc_gamma.example",
        format!("{at},2001:db8::1,false,false,reject"),
    );
    push("dmarc_gamma.example", format!("{at},192.0.2.7,false,true,none"));
    // Things of other programs under the same prefix.
    redis.ask(&["SET", "dmarc_counter", "7"]);
    redis.ask(&["SADD", "dmarc_set", "a"]);
    let server = redis.address();
    let imported = import(&service, &["--redis", &server]);
    assert_eq!(
        (&imported["new"], &imported["keys"]),
        (&5.into(), &2.into()),
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
            2,
        ),
        (
            row(
                "alpha.example",
                "alpha.example",
                "198.51.100.66",
                (false, false),
                "none",
            ),
            1,
        ),
        (
            row(
                "gamma.example",
                "gamma.example",
                "2001:db8::1",
                (false, false),
                "reject",
            ),
            1,
        ),
        (
            row(
                "gamma.example",
                "gamma.example",
                "192.0.2.7",
                (false, true),
                "pass",
            ),
            1,
        ),
    ]
    .into();
    assert_eq!(tallied(&service.database(), &[day]), expected);
    // One line more, equal to two that are known.
    push("dmarc_alpha.example", format!("{at},192.0.2.7,true,false"));
    let imported = import(&service, &["--redis", &server]);
    assert_eq!(
        (&imported["new"], &imported["known"]),
        (&1.into(), &5.into()),
        "{imported}"
    );
    // Where reports go, no list says; DNS does.
    let reader = landmarc_store::Reader::open(service.database()).unwrap();
    let rows = reader.tally(day, "gamma.example").unwrap();
    assert!(rows.iter().all(|(row, _)| row.published.p == "reject"));
    assert!(
        rows.iter()
            .all(|(row, _)| row.published.rua == ["mailto:Dmarc@gamma.example"])
    );
    // Another prefix is another site's.
    push("mx1:dmarc:beta.example", format!("{at},192.0.2.7,true,true,none"));
    let imported = import(&service, &["--redis", &server, "--key-prefix", "mx1:dmarc:"]);
    assert_eq!(
        (&imported["new"], &imported["keys"]),
        (&1.into(), &1.into()),
        "{imported}"
    );
}

/// Checklist R8: hashes of 2.x, by the day alone and all at once; their keys name the Author Domain.
#[test]
fn r8_hashes_are_read_by_their_index() {
    let dns = DnsServer::start(zones());
    let Some(redis) = Redis::start() else { return };
    let service = Service::start("rspamd-hashes", Socket::Inet, dns.addr(), REPORTING);
    let day = yesterday();
    let date = super::running::format_day(day);
    let before = super::running::format_day(day.back(1));
    for (date, author, count) in [(&date, "mail.gamma.example", "4"), (&before, "beta.example", "2")] {
        let key = format!("dmarc;{author};{date}");
        let field = format!("192.0.2.7,fail,fail,quarantine,sampled_out,{author},,{author},,,,softfail");
        redis.ask(&["HINCRBY", &key, &field, count]);
        redis.ask(&["SADD", &format!("dmarc_idx;{date}"), &key]);
    }
    let server = redis.address();
    let iso = format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]);
    let imported = import(&service, &["--redis", &server, "--day", &iso]);
    assert_eq!(
        (&imported["new"], &imported["keys"]),
        (&4.into(), &1.into()),
        "{imported}"
    );
    let expected: Sums = [(
        row(
            "gamma.example",
            "mail.gamma.example",
            "192.0.2.7",
            (false, false),
            "quarantine",
        ),
        4,
    )]
    .into();
    assert_eq!(tallied(&service.database(), &[day]), expected);
    let imported = import(&service, &["--redis", &server]);
    assert_eq!(
        (&imported["new"], &imported["known"]),
        (&2.into(), &4.into()),
        "{imported}"
    );
    let reader = landmarc_store::Reader::open(service.database()).unwrap();
    let rows = reader.tally(day, "gamma.example").unwrap();
    let reasons: Vec<_> = rows.iter().flat_map(|(row, _)| &row.reasons).collect();
    assert_eq!(reasons, [&("other".to_owned(), "sampled out by pct".to_owned())]);
}

/// Ten broken records cost ten records: each is told with its key, its place and what can be done.
#[test]
fn broken_records_are_told_and_the_others_are_imported() {
    let dns = DnsServer::start(zones());
    let Some(redis) = Redis::start() else { return };
    let service = Service::start("rspamd-broken", Socket::Inet, dns.addr(), REPORTING);
    let date = super::running::format_day(yesterday());
    let at = yesterday().begins_s();
    let lines = [
        "",
        "x",
        "1,2,3",
        "soon,192.0.2.7,true,true",
        "1,192.0.2.256,true,true",
    ];
    for broken in lines {
        redis.ask(&["LPUSH", "dmarc_alpha.example", broken]);
    }
    redis.ask(&[
        "LPUSH",
        "dmarc_alpha.example",
        &format!("{at},192.0.2.7,true,true,none"),
    ]);
    let key = format!("dmarc_rpt;alpha.example;mailto:dmarc@alpha.example;{date}");
    let members = [
        ("1", "192.0.2.7,pass,fail,none,,alpha.example,,,,,pass"),
        (
            "1",
            "192.0.2.7,pass,fail,discard,,alpha.example,,,,,a.example,pass",
        ),
        ("1", "192.0.2.7,pass,fail,none,,no domain,,,,,a.example,pass"),
        (
            "1.5",
            "192.0.2.7,pass,fail,none,,alpha.example,,,,,a.example,pass",
        ),
        (
            "1",
            "192.0.2.7,pass,fail,none,,alpha.example,,,,,a.example,perhaps",
        ),
        ("2", "192.0.2.8,pass,fail,none,,alpha.example,,,,,a.example,pass"),
    ];
    for (score, member) in members {
        redis.ask(&["ZADD", &key, score, member]);
    }
    redis.ask(&["SADD", &format!("dmarc_idx;{date}"), &key]);
    let server = redis.address();
    let ran = landmarc(line(&service, &["--redis", &server]));
    assert_eq!(ran.code, 65, "{}", ran.stderr);
    assert!(ran.stdout.starts_with("imported 3 messages"), "{}", ran.stdout);
    assert!(ran.stdout.contains("10 broken"), "{}", ran.stdout);
    let printed = ran
        .stderr
        .lines()
        .filter(|line| line.starts_with("landmarc: key "))
        .count();
    let remedies = ran
        .stderr
        .lines()
        .filter(|line| line.starts_with("  nothing"))
        .count();
    assert_eq!((printed, remedies), (10, 10), "{}", ran.stderr);
}
