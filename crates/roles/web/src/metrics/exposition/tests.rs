//! The page as Prometheus reads it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::super::Metrics;
use super::*;
use landmarc_filter::Skipped;
use landmarc_import::rspamd::RspamdReading;
use landmarc_receiver::seen::Seen;
use landmarc_runtime::metrics::Counters;

fn sources() -> Sources {
    let milter = landmarc_milter::MilterStatistics {
        connections: landmarc_net::AcceptStatistics {
            open: 3,
            limit: 5,
            accepted: 40,
            full: 1,
            dropped: 7,
            accept_failures: 2,
            accepting: true,
        },
        protocol_errors: 4,
        interrupted: 5,
        panics: 6,
    };
    let dns = resolver::ResolverStatistics {
        questions: 70,
        cache_hits: 71,
        joined: 72,
        ends: resolver::QueryEnd::ALL.map(|end| match end {
            resolver::QueryEnd::Records => (end, 80),
            resolver::QueryEnd::NoData => (end, 81),
            resolver::QueryEnd::NxDomain => (end, 82),
            _ => (end, 1),
        }),
        in_flight: 9,
    };
    let store = landmarc_store::RecorderStatistics {
        recorded: 90,
        committed: 91,
        later: 92,
        dropped_traces: 93,
        dropped_observations: 94,
        dropped_tallies: 95,
        dropped_rule_hits: 96,
        queue_length: 97,
        queue_bytes: 98,
        commits: 99,
        failures: 100,
        folded_messages: 101,
        evicted_traces: 102,
        evicted_observations: 103,
        evicted_tally_rows: 104,
        file_bytes: Some(13 << 30),
        max_bytes: Some(16 << 30),
        spool_lost: landmarc_store::RecordLosses::default(),
        last_error: None,
        state: landmarc_store::RecorderState::Degraded,
    };
    Sources {
        milter: Some(milter),
        dns: Some(dns),
        name_servers: vec![
            ("127.0.0.1:53".parse().unwrap(), true),
            ("[::1]:53".parse().unwrap(), false),
        ],
        store: Some(store),
        header_memory: Some((65_536, 268_435_456)),
        seen: Some(SeenStatus {
            seen: Seen::Known(Arc::default()),
            read_ms: 1_795_190_400_250,
            failures: 2,
        }),
        process: Process {
            cpu_seconds: Some(1.5),
            resident_bytes: Some(20 << 20),
            open_files: Some(17),
            max_open_files: Some(16_384),
        },
    }
}

fn metrics() -> Metrics {
    let metrics = Metrics::new(SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_190_400_250));
    for (dmarc, disposition, action) in [
        ("pass", "pass", "accept"),
        ("fail", "none", "accept"),
        ("fail", "none", "tempfail"),
    ] {
        let labels = [("dmarc", dmarc), ("disposition", disposition), ("action", action)];
        metrics.filter.messages.get_or_create(&labels).inc();
    }
    let count = |counters: &Counters<1>, label, value| counters.get_or_create(&[(label, value)]).inc();
    count(&metrics.filter.enforced_action, "action", "reject");
    count(&metrics.filter.spf, "result", "pass");
    count(&metrics.filter.spf, "result", "fail");
    count(&metrics.filter.dkim, "result", "pass");
    count(&metrics.filter.arc, "result", "none");
    metrics.filter.rfc7489_differences.inc();
    metrics.filter.rule_hits.add("partner \"A\"\\B");
    metrics.filter.skipped(Skipped::Authenticated);
    metrics.filter.failed("store");
    metrics.reporter.report(landmarc_store::ReportKind::Aggregate);
    metrics.reporter.delivery("delivered");
    metrics.reporter.delivery("deferred");
    metrics.reporter.failure_report("limited");
    metrics.reporter.outbox(landmarc_store::OutboxCounts {
        queued: 7,
        deferred: 2,
        ..landmarc_store::OutboxCounts::default()
    });
    let reading = RspamdReading {
        records: 12,
        broken: 1,
        ..RspamdReading::default()
    };
    metrics.rspamd.read(&reading, 1_795_190_460);
    of_fleet(&metrics);
    for seconds in [0.0008, 0.012, 30.0] {
        metrics.filter.seconds.observe(seconds);
    }
    metrics.filter.questions.observe(6.0);
    metrics.filter.questions.observe(0.0);
    metrics
}

fn of_fleet(metrics: &Metrics) {
    let applied = landmarc_store::Applied {
        messages: 11,
        of_reported_days: 2,
        ..landmarc_store::Applied::default()
    };
    let fleet = &metrics.fleet;
    fleet.shipped(&applied);
    fleet.failed();
    fleet.taken(&applied);
    fleet.refused();
    fleet.spool(&landmarc_store::SpoolStatus {
        messages: 12,
        octets: 3_456,
        // In the far future: it waits for no time yet.
        oldest_ms: Some(u64::MAX),
        lost: landmarc_store::RecordLosses {
            traces: 4,
            observations: 3,
            tallies: 2,
            rule_hits: 1,
        },
        ..landmarc_store::SpoolStatus::default()
    });
}

#[test]
fn the_page_with_everything_on_it() {
    let page = metrics().encode(sources());
    let page = page.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    insta::assert_snapshot!(with_rows_in_order(&page));
}

/// The counters of one family are printed in no order of their own.
fn with_rows_in_order(page: &str) -> String {
    let lines: Vec<&str> = page.lines().collect();
    let is_row = |line: &str| line.contains('{') && !line.contains("{le=");
    let families = lines.chunk_by(|one, next| is_row(one) && is_row(next));
    let sorted = families.flat_map(|rows| {
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        rows
    });
    sorted.map(|line| format!("{line}\n")).collect()
}

/// While the service starts and after its end there is less to tell.
#[test]
fn what_is_not_there_is_left_out() {
    let page = metrics().encode(Sources::default());
    for absent in [
        "landmarc_milter",
        "dns_answers",
        "store_",
        "process_open_fds",
        "header_memory",
    ] {
        assert!(
            !page.contains(&format!("landmarc_{absent}")) && !page.contains(absent),
            "{absent} is in {page}"
        );
    }
    assert!(page.contains("landmarc_messages_total{"));
    assert!(page.ends_with("# EOF\n"));
}

/// OpenMetrics 1.0: each family is described before its samples, which follow in one piece, and
/// named by its type and unit.
#[test]
fn every_metric_is_described_and_named_as_is_the_habit() {
    let page = metrics().encode(sources());
    let mut families = BTreeSet::new();
    let (mut name, mut kind, mut help) = (String::new(), String::new(), String::new());
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        match line.splitn(4, ' ').collect::<Vec<_>>()[..] {
            ["#", "EOF"] => assert_eq!(lines.peek(), None, "the end is the end"),
            ["#", "HELP", family, words] => {
                assert!(families.insert(family.to_owned()), "{family} is told twice");
                assert!(words.ends_with('.'), "{line}");
                (name, help) = (family.to_owned(), words.to_owned());
            }
            ["#", "TYPE", family, of] => {
                assert_eq!(family, name, "HELP goes before TYPE");
                family_is_well_named(family, of);
                of.clone_into(&mut kind);
            }
            ["#", "UNIT", family, unit] => {
                assert_eq!(family, name);
                assert!(family.ends_with(&format!("_{unit}")), "{line}");
            }
            _ => sample_belongs(line, &name, &kind),
        }
    }
    assert!(!help.is_empty() && families.len() > 35, "{families:?}");
}

fn family_is_well_named(family: &str, kind: &str) {
    assert!(
        family.starts_with("landmarc_") || family.starts_with("process_"),
        "{family}"
    );
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    assert!(family.chars().all(is_plain), "{family}");
    for wrong in [
        "_total",
        "_count",
        "_sum",
        "_bucket",
        "_ms",
        "_milliseconds",
        "_kb",
        "_octets",
    ] {
        assert!(!family.ends_with(wrong), "{family}");
    }
    assert!(
        ["counter", "gauge", "histogram", "info"].contains(&kind),
        "{family} {kind}"
    );
}

fn sample_belongs(line: &str, family: &str, kind: &str) {
    let (name, value) = line.rsplit_once(' ').unwrap();
    let name = name.split('{').next().unwrap();
    let suffix = name
        .strip_prefix(family)
        .unwrap_or_else(|| panic!("{line} is not of {family}"));
    let suffixes: &[&str] = match kind {
        "counter" => &["_total"],
        "gauge" => &[""],
        "info" => &["_info"],
        _ => &["_sum", "_count", "_bucket"],
    };
    assert!(suffixes.contains(&suffix), "{line} of a {kind}");
    assert!(value.parse::<f64>().is_ok_and(|value| value >= 0.0), "{line}");
}

/// Alerts and dashboard ask for metrics that exist.
#[test]
fn what_contrib_asks_for_is_on_the_page() {
    let page = metrics().encode(sources());
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    let names: BTreeSet<&str> = samples.filter_map(|line| line.split(['{', ' ']).next()).collect();
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for text in [
        include_str!("../../../../../../contrib/prometheus/landmarc.rules.yml"),
        include_str!("../../../../../../contrib/prometheus/landmarc.test.yml"),
        include_str!("../../../../../../contrib/grafana/landmarc.json"),
    ] {
        let asked = text
            .split(|c| !is_of_name(c))
            .filter(|word| word.starts_with("landmarc_") || word.starts_with("process_"));
        let asked: BTreeSet<_> = asked.collect();
        assert!(asked.len() > 10, "{asked:?}");
        for name in asked {
            assert!(names.contains(name), "there is no metric {name}");
        }
    }
}

/// Every metric is explained to operators, and no other.
#[test]
fn the_documentation_names_each_metric() {
    let documented = include_str!("../../../../../../docs/monitoring.md");
    let page = metrics().encode(sources());
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    let names: BTreeSet<&str> = samples
        .filter_map(|line| line.split(['{', ' ']).next())
        .map(|name| {
            name.trim_end_matches("_sum")
                .trim_end_matches("_count")
                .trim_end_matches("_bucket")
        })
        .collect();
    for name in &names {
        assert!(
            documented.contains(&format!("`{name}")),
            "{name} is not in docs/monitoring.md"
        );
    }
    let rows = documented.lines().filter_map(|line| line.strip_prefix("- `"));
    let in_rows = rows.filter_map(|row| row.split(['{', '`']).next());
    for name in in_rows.filter(|name| name.starts_with("landmarc_") || name.starts_with("process_")) {
        assert!(names.contains(name), "docs/monitoring.md tells of {name}");
    }
}
