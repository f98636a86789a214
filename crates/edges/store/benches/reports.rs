//! What it costs to read a day for its reports, and to keep account of their letters, in CPU time of the process.
//!
//! `cargo bench -p landmarc-store --bench reports -- [DIRECTORY]`

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures are rounded"
)]

mod common;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use landmarc_observation::{Observation, PublishedPolicy, TallyRow};
use landmarc_store::{
    Claim, Day, NewDelivery, NewReport, Outbox, OutboxFilter, OutboxRetention, Put, Reader, Recorder,
    RecorderOptions, ReportKind,
};

use crate::common::{MIDNIGHT, cpu_seconds, mix, remove, tables};

const DAY_MS: u64 = 86_400_000;
/// Messages made at a time.
const CHUNK: u64 = 50_000;

/// A day: its messages, policy domains and distinct rows.
struct Shape {
    messages: u64,
    domains: u64,
    rows: u64,
}

const SHAPES: [Shape; 2] = [
    Shape {
        messages: 1_000_000,
        domains: 500,
        rows: 3_000,
    },
    Shape {
        messages: 1_000_000,
        domains: 200_000,
        rows: 300_000,
    },
];

fn main() {
    let directory = std::env::args().skip(1).find(|one| !one.starts_with("--"));
    let directory = directory.map_or_else(std::env::temp_dir, PathBuf::from);
    let path = directory.join(format!("reports-{}.db", std::process::id()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    for shape in SHAPES {
        remove(&path);
        runtime.block_on(record(&path, &shape));
        read(&path, &shape);
        runtime.block_on(record_beside(&path, &shape));
        outbox(&path, shape.domains.min(2_000));
    }
    remove(&path);
}

/// Only the tally counts here.
async fn record(path: &Path, shape: &Shape) {
    let options = RecorderOptions {
        keep_observations: false,
        answer_timeout: Duration::from_mins(1),
        ..RecorderOptions::at(path)
    };
    let recorder = Recorder::open(options).expect("a store");
    for first in (0..shape.messages).step_by(CHUNK as usize) {
        let last = shape.messages.min(first + CHUNK);
        let answers: Vec<_> = (first..last)
            .map(|number| recorder.record(message(number, shape)))
            .collect();
        for answer in answers {
            answer.await;
        }
    }
}

fn read(path: &Path, shape: &Shape) {
    let reader = Reader::open(path).expect("the store");
    for which in ["first", "second"] {
        let cpu = cpu_seconds();
        let days = reader.reporting_day(Day::at(MIDNIGHT)).expect("a day");
        let (mut domains, mut rows, mut messages) = (0_u64, 0_u64, 0_u64);
        for one in days {
            let one = one.expect("a domain");
            domains += 1;
            rows += one.rows.len() as u64;
            messages += one.rows.iter().map(|row| row.count).sum::<u64>();
        }
        assert_eq!(messages, shape.messages, "all are counted");
        let spent = cpu_seconds() - cpu;
        println!(
            "the day of {messages} messages, {domains} domains, {rows} rows, {which} time: {spent:.3} CPU s, {:.1} us a row",
            spent / rows as f64 * 1e6
        );
    }
}

/// What the recorder remembers is worth something only where letters do not make it forget.
async fn record_beside(path: &Path, shape: &Shape) {
    const BATCHES: u64 = 200;
    let options = RecorderOptions {
        keep_observations: false,
        answer_timeout: Duration::from_mins(1),
        ..RecorderOptions::at(path)
    };
    let recorder = Recorder::open(options).expect("a store");
    let mut outbox = Outbox::open(path, Duration::from_mins(1)).expect("an outbox");
    for with in [false, true] {
        let cpu = cpu_seconds();
        let mut letters = 0.0;
        for batch in 0..BATCHES {
            let answers: Vec<_> = (0..100)
                .map(|number| recorder.record(message(batch * 100 + number, shape)))
                .collect();
            for answer in answers {
                answer.await;
            }
            if with {
                let before = cpu_seconds();
                outbox.begin_day(Day(batch as u32), MIDNIGHT).expect("written");
                letters += cpu_seconds() - before;
            }
        }
        let spent = cpu_seconds() - cpu - letters;
        println!(
            "{} messages, 100 a batch, {} a letter after each: {:.1} us each",
            BATCHES * 100,
            if with { "with" } else { "without" },
            spent / (BATCHES * 100) as f64 * 1e6
        );
    }
}

fn outbox(path: &Path, reports: u64) {
    let mut outbox = Outbox::open(path, Duration::from_mins(1)).expect("an outbox");
    let now_ms = MIDNIGHT + DAY_MS;
    let time = |what: &str, times: u64, work: &mut dyn FnMut()| {
        let (wall, cpu) = (Instant::now(), cpu_seconds());
        work();
        let spent = cpu_seconds() - cpu;
        println!(
            "{what}, {times} reports: {spent:.3} CPU s, {:.0} us each, {:.2?} in all",
            spent / times as f64 * 1e6,
            wall.elapsed()
        );
    };
    let together: Vec<_> = (reports..2 * reports)
        .map(|number| report(number, now_ms))
        .collect();
    time("put, 50 at a time", reports, &mut || {
        for some in together.chunks(50) {
            outbox.put_all(some, now_ms).expect("stored");
        }
    });
    // Only the others are sent.
    outbox
        .give_up(
            &OutboxFilter {
                limit: usize::MAX,
                ..OutboxFilter::default()
            },
            "",
            now_ms,
        )
        .expect("given up");
    let all: Vec<_> = (0..reports).map(|number| [report(number, now_ms)]).collect();
    time("put, each alone", reports, &mut || {
        for one in &all {
            let put = outbox.put_all(one, now_ms).expect("stored");
            assert!(matches!(put[..], [Put::Stored(_)]), "each is new");
        }
    });
    time("put again", reports, &mut || {
        for one in &all {
            outbox.put_all(one, now_ms).expect("known");
        }
    });
    let mut claimed = Vec::new();
    time("claim, ten at a time", reports, &mut || {
        loop {
            let claim = Claim {
                now_ms,
                owner: "bench".to_owned(),
                limit: 10,
                per_host: 10,
                ..Claim::default()
            };
            let some = outbox.claim(&claim).expect("claimed").claimed;
            if some.is_empty() {
                break;
            }
            claimed.extend(some);
        }
    });
    time("body", reports, &mut || {
        for one in &claimed {
            outbox.body(one.report.number).expect("read").expect("a body");
        }
    });
    time("counts", reports, &mut || {
        outbox.counts(now_ms).expect("counted");
    });
    time("delivered", reports, &mut || {
        for one in &claimed {
            outbox
                .delivered(one.number, "250 2.0.0 Ok: queued as 4ZQ", now_ms)
                .expect("marked");
        }
    });
    let reader = Reader::open(path).expect("the store");
    time("status", reports, &mut || {
        let status = reader.status().expect("a status").outbox;
        assert_eq!(status.delivered, reports, "all of them");
    });
    time("list of one domain", reports, &mut || {
        let filter = OutboxFilter {
            policy_domain: Some("d7.example".to_owned()),
            ..OutboxFilter::default()
        };
        assert_eq!(reader.deliveries(&filter).expect("read").len(), 1);
    });
    for (table, octets) in tables(path) {
        if ["report", "delivery", "body", "chunk"].contains(&table.as_str()) {
            println!("{table}: {:.0} octets each", octets / (2 * reports) as f64);
        }
    }
    let keep = OutboxRetention {
        now_ms: now_ms + 40 * DAY_MS,
        keep_days: 30,
        forget_ms: 64 * DAY_MS,
    };
    time("expire", reports, &mut || {
        while outbox.expire(keep).expect("removed").more {}
    });
}

/// A report of about 3 KB.
fn report(number: u64, now_ms: u64) -> NewReport {
    let day = Day::at(MIDNIGHT);
    let domain = format!("d{number}.example");
    let destination = format!("dmarc@{domain}");
    NewReport {
        kind: ReportKind::Aggregate,
        report_id: format!("{:026x}", mix(number)),
        file_name: format!(
            "receiver.example!{domain}!{}!{}.xml.gz",
            day.begins_s(),
            day.ends_s()
        ),
        policy_domain: domain,
        day,
        begin_s: day.begins_s(),
        end_s: day.ends_s(),
        configuration: format!("{:016x}", mix(number + 7)),
        part: 1,
        submitter: "receiver.example".to_owned(),
        email: "dmarc@receiver.example".to_owned(),
        organization: "Receiver".to_owned(),
        facts: "x".repeat(600),
        date_ms: now_ms,
        rows: 6,
        messages: 2_000,
        body: (0..3_000).map(|place| mix(place ^ number) as u8).collect(),
        deliveries: vec![NewDelivery {
            message_id: format!("<{:026x}.abcdefgh@receiver.example>", mix(number)),
            destination,
            next_ms: now_ms,
        }],
    }
}

fn message(number: u64, shape: &Shape) -> Observation {
    let row = if number < shape.rows {
        number
    } else {
        mix(number) % shape.rows
    };
    let domain = format!("d{}.example", row % shape.domains);
    let none = || "none".to_owned();
    let pass = || "pass".to_owned();
    Observation {
        at_ms: MIDNIGHT + number * DAY_MS / shape.messages,
        queue_id: String::new(),
        id: String::new(),
        client: None,
        author_domain: None,
        spf: none(),
        dkim: none(),
        arc: none(),
        dmarc: none(),
        policy_domain: None,
        policy: None,
        disposition: none(),
        action: none(),
        enforced_action: none(),
        overrides: Vec::new(),
        rule: None,
        cause: String::new(),
        questions: 0,
        ms: 0,
        trace: Arc::from(""),
        row: Some(TallyRow {
            policy_domain: domain.clone(),
            published: PublishedPolicy {
                p: "reject".to_owned(),
                sp: "reject".to_owned(),
                adkim: "r".to_owned(),
                aspf: "r".to_owned(),
                fo: "0".to_owned(),
                discovery_method: "treewalk".to_owned(),
                rua: vec![format!("mailto:dmarc@{domain}")],
                ..PublishedPolicy::default()
            },
            source_ip: IpAddr::from([192, (row >> 16) as u8, (row >> 8) as u8, row as u8]),
            disposition: none(),
            dkim_aligned: true,
            spf_aligned: true,
            reasons: Vec::new(),
            header_from: domain.clone(),
            envelope_from: Some(format!("bounce.{domain}")),
            envelope_to: None,
            dkim: vec![(domain.clone(), "s1".to_owned(), pass())],
            spf: Some((format!("bounce.{domain}"), "mfrom".to_owned(), pass())),
            incidental: false,
        }),
    }
}
