//! rspamd counts, the service reads, the reports say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use landmarc_intake::aggregate::{ReadLimits, read};
use landmarc_store::Day;
use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::tools::{Folder, wait_for};

use super::site::{Redis, Rspamd, messages, sums, today, zones};
use super::{Row, Sums, row, tallied};
use crate::binary::landmarc;
use crate::service::{Service, Socket};

/// What reports need beside the reader.
pub(super) const REPORTING: &str =
    "report.email = \"dmarc@reports.example\"\nreport.organization = \"Reports\"\n";

/// Checklist R1, R4, R7, R9, R11: 200 messages through real rspamd. Half of them are read while the other half is yet
/// to come; in the end the tally has the sums of what was sent, the reports have them, and so would those of
/// rspamd have.
#[test]
fn r9_what_rspamd_counts_is_read_while_it_counts_more() {
    let dns = DnsServer::start(zones());
    let Some(redis) = Redis::start() else { return };
    let Some(rspamd) = Rspamd::start(&redis, &dns) else {
        return;
    };
    let settings = format!(
        "{REPORTING}rspamd.servers = [\"{}\"]\nrspamd.interval = \"1s\"\n",
        redis.address()
    );
    let mut service = Service::start("rspamd-reads", Socket::Inet, dns.addr(), &settings);
    let first_day = today();
    let all = messages(200);
    let (early, late) = all.split_at(100);
    early.iter().for_each(|message| rspamd.judge(message));
    wait_until_tallied(&service, first_day, &sums(early));
    late.iter().for_each(|message| rspamd.judge(message));
    let expected = sums(&all);
    wait_until_tallied(&service, first_day, &expected);
    assert_eq!(expected.values().sum::<u64>(), 200);
    let line = service.wait_for_line("records of rspamd");
    for key in [
        "keys=",
        "records=",
        "messages=",
        "known=",
        "broken=0",
        "waiting=0",
    ] {
        assert!(line.contains(key), "{line}");
    }
    let days = days_since(first_day);
    // The same by another interface: nothing is counted twice.
    let digest = redis.digest();
    let again = import(&service, &[]);
    assert_eq!(
        (again["new"].as_u64(), again["known"].as_u64()),
        (Some(0), Some(200)),
        "{again}"
    );
    assert_eq!(redis.digest(), digest, "nothing was changed in Redis");
    let distinct: BTreeSet<u64> = by_domain(&expected).into_values().collect();
    assert_eq!(distinct, [20, 40, 60, 80].into());
    assert_eq!(rspamd.reports(&names(&days), zones()), taken_is_none(&expected));
    service.terminate();
    assert!(service.wait_for_end().success());
    assert_eq!(reported(&service, &days), expected);
}

/// The whole of Redis by the command alone, with the policies as they are known without DNS.
#[test]
fn r9_records_are_imported_by_a_command() {
    let dns = DnsServer::start(zones());
    let Some(redis) = Redis::start() else { return };
    let Some(rspamd) = Rspamd::start(&redis, &dns) else {
        return;
    };
    let service = Service::start("rspamd-imports", Socket::Inet, dns.addr(), REPORTING);
    let first_day = today();
    let all = messages(40);
    all.iter().for_each(|message| rspamd.judge(message));
    let server = redis.address();
    let rehearsed = import(&service, &["--redis", &server, "--dry-run"]);
    assert_eq!(rehearsed["new"], 40, "{rehearsed}");
    assert_eq!(tallied(&service.database(), &days_since(first_day)), Sums::new());
    let imported = import(&service, &["--redis", &server, "--no-dns"]);
    assert_eq!(imported["new"], 40, "{imported}");
    assert_eq!(tallied(&service.database(), &days_since(first_day)), sums(&all));
    let words = landmarc(line(&service, &["--redis", &server]));
    assert_eq!((words.code, words.stderr.as_str()), (0, ""));
    assert!(
        words.stdout.starts_with("imported 0 messages, 40 counted before"),
        "{}",
        words.stdout
    );
}

/// A service that is told of Redis by a reload reads it at once, and again when the settings change.
#[test]
fn r4_a_reload_takes_up_other_servers() {
    let dns = DnsServer::start(zones());
    let Some(redis) = Redis::start() else { return };
    let day = today();
    let date = format_day(day);
    let name = format!("dmarc_rpt;alpha.example;mailto:dmarc@alpha.example;{date}");
    let member = "192.0.2.7,pass,fail,none,,alpha.example,,,,,alpha.example,pass";
    redis.ask(&["ZINCRBY", &name, "3", member]);
    redis.ask(&["SADD", &format!("dmarc_idx;{date}"), &name]);
    let service = Service::start("rspamd-reload", Socket::Inet, dns.addr(), "");
    let on = format!(
        "rspamd.servers = [\"{}\"]\nrspamd.interval = \"1d\"\n",
        redis.address()
    );
    assert!(service.reload(&on).contains("configuration reloaded"));
    let line = service.wait_for_line("records of rspamd");
    assert!(line.contains("messages=3 known=0"), "{line}");
    // Not for another day, unless something has changed.
    let other = on.replace("\"1d\"", "\"12h\"");
    assert!(service.reload(&other).contains("configuration reloaded"));
    service.wait_for_line("messages=0 known=3");
}

/// The days from this one to now: a test may run at midnight.
pub(super) fn days_since(first: Day) -> Vec<Day> {
    let last = today();
    if last == first {
        vec![first]
    } else {
        vec![first, last]
    }
}

#[track_caller]
pub(super) fn wait_until_tallied(service: &Service, first_day: Day, expected: &Sums) {
    let seen = wait_for(|| (tallied(&service.database(), &days_since(first_day)) == *expected).then_some(()));
    let tallied = tallied(&service.database(), &days_since(first_day));
    assert!(
        seen.is_some(),
        "not {expected:#?}\nbut {tallied:#?}\n{}",
        service.log().join("\n")
    );
}

/// The arguments of an import with the settings of this service.
pub(super) fn line(service: &Service, options: &[&str]) -> Vec<String> {
    let settings = service.settings_file().display().to_string();
    let words = ["migrate", "rspamd", "--settings", &settings];
    words
        .iter()
        .chain(options)
        .map(|word| (*word).to_owned())
        .collect()
}

/// What an import comes to.
#[track_caller]
pub(super) fn import(service: &Service, options: &[&str]) -> serde_json::Value {
    let ran = landmarc(line(service, &[options, &["--json"]].concat()));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.json()
}

fn by_domain(sums: &Sums) -> BTreeMap<String, u64> {
    let mut by_domain = BTreeMap::new();
    for ((policy_domain, ..), count) in sums {
        *by_domain.entry(policy_domain.clone()).or_default() += count;
    }
    by_domain
}

/// The same as rspamd tells it, which does not know the disposition `pass` of RFC 9990.
fn taken_is_none(sums: &Sums) -> Sums {
    let each = sums.clone().into_iter().map(|(mut row, count)| {
        if row.5 == "pass" {
            "none".clone_into(&mut row.5);
        }
        (row, count)
    });
    let sums: Sums = each.collect();
    assert_eq!(sums.values().sum::<u64>(), 200, "no two rows have become one");
    sums
}

fn names(days: &[Day]) -> Vec<String> {
    days.iter().map(|day| format_day(*day)).collect()
}

/// As rspamd writes it.
pub(super) fn format_day(day: Day) -> String {
    landmarc_migrate::rspamd::RspamdDay::at(day.begins_s()).to_string()
}

/// The rows of the reports that would go out about these days, each valid by the schema of RFC 9990.
fn reported(service: &Service, days: &[Day]) -> Sums {
    let folder = Folder::new("rspamd-reports");
    let settings = service.settings_file().display().to_string();
    let mut sums = Sums::new();
    for day in days {
        let date = format_day(*day);
        let date = format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]);
        let directory = folder.path().join(&date);
        let path = directory.display().to_string();
        let ran = landmarc([
            "outbox",
            "send",
            "--config",
            &settings,
            "--day",
            &date,
            "--dry-run",
            "--output-dir",
            &path,
        ]);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        for (row, count) in rows_in(&directory) {
            *sums.entry(row).or_default() += count;
        }
    }
    sums
}

fn rows_in(directory: &Path) -> Vec<(Row, u64)> {
    let entries = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.to_string_lossy().ends_with(".xml.gz"));
    files.flat_map(|path| rows_of(&path)).collect()
}

fn rows_of(path: &Path) -> Vec<(Row, u64)> {
    let reading = read(&std::fs::read(path).unwrap(), &ReadLimits::default()).unwrap();
    assert!(reading.deviations.is_empty(), "{:?}", reading.deviations);
    let policy_domain = reading.report.policy.domain;
    let each = reading.report.rows.iter().map(|one| {
        let key = &one.key;
        let aligned = (
            key.spf_alignment.as_str() == "pass",
            key.dkim_alignment.as_str() == "pass",
        );
        let client = key.source_ip.to_string();
        let disposition = key.disposition.as_str();
        (
            row(&policy_domain, &key.header_from, &client, aligned, disposition),
            one.count,
        )
    });
    each.collect()
}
