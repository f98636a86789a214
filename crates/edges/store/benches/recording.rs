//! What recording costs, in CPU time of the process, and what it takes on disk.
//!
//! `cargo bench -p landmarc-store --bench recording -- [MESSAGES] [DIRECTORY] [--spool]`; a million messages without
//! arguments. With `--spool` all of it waits to be handed over as well.
//! CPU time is quoted because it depends little on what else the machine does.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures are rounded"
)]

mod common;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use landmarc_observation::{Observation, PublishedPolicy, TallyRow};
use landmarc_store::{Day, LogFilter, Reader, Recorder, RecorderOptions, Retention, SpoolLimits};

use crate::common::{MIDNIGHT, cpu_seconds, mix, remove, tables};

/// Distinct rows of the tally, and of every hundred messages one has a trace of its own.
const ROWS: u64 = 6_700;
/// Messages recorded before the clock starts.
const WARM: u64 = 30_000;
/// Messages made at a time.
const CHUNK: usize = 50_000;
const IN_FLIGHT: [usize; 5] = [1, 8, 32, 128, 2_000];

fn main() {
    let numbers: Vec<String> = std::env::args()
        .skip(1)
        .filter(|one| !one.starts_with("--"))
        .collect();
    let messages = numbers
        .first()
        .and_then(|one| one.parse().ok())
        .unwrap_or(1_000_000);
    let directory = numbers.get(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let spool = std::env::args()
        .any(|one| one == "--spool")
        .then_some(SpoolLimits {
            bytes: u64::MAX >> 1,
            observations: true,
        });
    let path = directory.join(format!("recording-{}.db", std::process::id()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    for in_flight in IN_FLIGHT {
        let count = if in_flight == 1 { 2_000 } else { 20_000 };
        remove(&path);
        runtime.block_on(record(&path, count, in_flight, spool));
    }
    remove(&path);
    runtime.block_on(record(&path, messages, 2_000, spool));
    sizes(&path, messages + WARM);
    questions(&path, messages);
    runtime.block_on(expire(&path));
    remove(&path);
}

/// Records so many messages, with so many waiting for the disk at any time. Making them is not counted.
async fn record(path: &Path, messages: u64, in_flight: usize, spool: Option<SpoolLimits>) {
    let mut options = RecorderOptions::at(path);
    options.spool = spool;
    options.answer_timeout = Duration::from_mins(1);
    let recorder = Arc::new(Recorder::open(options).expect("a store"));
    // What everyone has seen before is in the store: the figures are those of a day, not of its first second.
    run(
        &recorder,
        (0..WARM).map(|number| message(number, messages)).collect(),
        2_000,
    )
    .await;
    let commits = recorder.statistics().commits;
    let (mut wall, mut cpu, mut slowest) = (Duration::ZERO, 0.0, Duration::ZERO);
    for first in (WARM..WARM + messages).step_by(CHUNK) {
        let last = (WARM + messages).min(first + CHUNK as u64);
        let chunk = (first..last).map(|number| message(number, messages)).collect();
        let (began, cpu_before) = (Instant::now(), cpu_seconds());
        slowest = slowest.max(run(&recorder, chunk, in_flight).await);
        wall += began.elapsed();
        cpu += cpu_seconds() - cpu_before;
    }
    let commits = recorder.statistics().commits - commits;
    println!(
        "{messages} messages, {in_flight} in flight: {:.0} per CPU second ({:.1} us each), {:.0} per second, \
         {:.1} a transaction, slowest {slowest:.1?}",
        messages as f64 / cpu,
        cpu / messages as f64 * 1e6,
        messages as f64 / wall.as_secs_f64(),
        messages as f64 / commits as f64,
    );
}

/// Records these; how long the slowest answer took.
async fn run(recorder: &Arc<Recorder>, messages: Vec<Observation>, in_flight: usize) -> Duration {
    let messages = Arc::new(Mutex::new(messages.into_iter()));
    let tasks: Vec<_> = (0..in_flight)
        .map(|_| {
            let (recorder, messages) = (Arc::clone(recorder), Arc::clone(&messages));
            tokio::spawn(async move {
                let mut slowest = Duration::ZERO;
                loop {
                    let Some(message) = messages.lock().expect("no panic").next() else {
                        return slowest;
                    };
                    let began = Instant::now();
                    recorder.record(message).await;
                    slowest = slowest.max(began.elapsed());
                }
            })
        })
        .collect();
    let mut slowest = Duration::ZERO;
    for task in tasks {
        slowest = slowest.max(task.await.expect("no panic"));
    }
    slowest
}

fn sizes(path: &Path, messages: u64) {
    let status = Reader::open(path)
        .and_then(|reader| reader.status())
        .expect("a status");
    println!("{status:#?}");
    let spool = Reader::open(path)
        .and_then(|reader| reader.spool())
        .expect("what waits");
    println!("waiting to be handed over: {spool:?}");
    let tables = tables(path);
    let total: f64 = tables.iter().map(|(_, octets)| octets).sum();
    println!("octets a message:");
    for (table, octets) in &tables {
        println!(
            "  {table:15} {:8.2}  ({octets:.0} in all)",
            octets / messages as f64
        );
    }
    println!("  {:15} {:8.2}", "all", total / messages as f64);
    let rows = tables
        .iter()
        .filter(|(table, _)| ["text", "reporting_row", "tally"].contains(&table.as_str()));
    println!(
        "octets a distinct row: {:.0}",
        rows.map(|(_, octets)| octets).sum::<f64>() / status.distinct_rows as f64
    );
}

fn questions(path: &Path, messages: u64) {
    let reader = Reader::open(path).expect("the store");
    let middle = messages / 2;
    let by_domain = LogFilter {
        domain: Some("sender17.example".to_owned()),
        ..LogFilter::default()
    };
    let by_result = LogFilter {
        disposition: Some("reject".to_owned()),
        ..LogFilter::default()
    };
    let never = IpAddr::from([198, 51, 100, 200]);
    let by_client = LogFilter {
        client: Some(never..=never),
        ..LogFilter::default()
    };
    time("explain by queue id", || {
        reader.explain(&queue_id(middle)).expect("found").len()
    });
    time("explain by short id", || {
        reader.explain(&short_id(middle)).expect("found").len()
    });
    time("explain, the newest", || {
        reader.explain(&short_id(messages - 1)).expect("found").len()
    });
    time("explain, none such", || {
        reader.explain("nothing").expect("asked").len()
    });
    time("log, the last hundred", || {
        reader.log(&LogFilter::default()).expect("read").len()
    });
    time("log of a domain", || reader.log(&by_domain).expect("read").len());
    time("log of a disposition", || {
        reader.log(&by_result).expect("read").len()
    });
    time("log of a client never seen", || {
        reader.log(&by_client).expect("read").len()
    });
    let day = Day::at(MIDNIGHT);
    time("policy domains", || {
        reader.policy_domains(day).expect("read").len()
    });
    time("tally of a domain", || {
        reader.tally(day, "sender17.example").expect("read").len()
    });
    let copy = path.with_extension("copy");
    time("backup", || reader.backup(&copy, |_, _| ()).map_or(0, |()| 1));
    remove(&copy);
}

async fn expire(path: &Path) {
    let recorder = Recorder::open(RecorderOptions::at(path)).expect("the store");
    let (wall, cpu) = (Instant::now(), cpu_seconds());
    let expired = recorder
        .expire(Retention::standard(MIDNIGHT + 500 * 86_400_000))
        .await
        .expect("expired");
    println!(
        "expire everything: {:.2?}, {:.2} CPU s: {expired:?}",
        wall.elapsed(),
        cpu_seconds() - cpu
    );
}

fn time(what: &str, ask: impl Fn() -> usize) {
    let began = Instant::now();
    let found = ask();
    println!("{what}: {found} in {:.2?}", began.elapsed());
}

/// A message of a mix like that of a mail host: few senders send most.
fn message(number: u64, messages: u64) -> Observation {
    let random = mix(number);
    // The square makes some rows common and most rare.
    let share = (random >> 40) as f64 / (1_u64 << 24) as f64;
    let row = (share * share * ROWS as f64) as u64;
    let domain = format!("sender{}.example", row % 1_300);
    let client = IpAddr::from([192, 0, (row >> 8) as u8, row as u8]);
    let passed = !row.is_multiple_of(5);
    let result = |good: &str, bad: &str| if passed { good } else { bad }.to_owned();
    let trace = if random.is_multiple_of(100) { number } else { row };
    Observation {
        at_ms: MIDNIGHT + number * 86_400_000 / (messages + WARM),
        queue_id: queue_id(number),
        id: short_id(number),
        client: Some(client),
        author_domain: Some(domain.clone()),
        spf: result("pass", "fail"),
        dkim: result("pass", "none"),
        arc: "none".to_owned(),
        dmarc: result("pass", "fail"),
        policy_domain: Some(domain.clone()),
        policy: Some("reject".to_owned()),
        disposition: result(
            "pass",
            if row.is_multiple_of(10) {
                "reject"
            } else {
                "quarantine"
            },
        ),
        action: "accept".to_owned(),
        enforced_action: result("accept", "quarantine"),
        overrides: Vec::new(),
        rule: None,
        cause: result(
            "an aligned signature passed",
            "no Authenticated Identifier is aligned",
        ),
        questions: 4 + (row % 7) as u32,
        ms: 5 + (random % 120) as u32,
        trace: trace_text(trace, &domain, client),
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
            source_ip: client,
            disposition: result("pass", "quarantine"),
            dkim_aligned: passed,
            spf_aligned: passed,
            reasons: Vec::new(),
            header_from: domain.clone(),
            envelope_from: Some(format!("bounce.{domain}")),
            envelope_to: None,
            dkim: vec![(domain.clone(), "s1".to_owned(), result("pass", "fail"))],
            spf: Some((
                format!("bounce.{domain}"),
                "mfrom".to_owned(),
                result("pass", "fail"),
            )),
            incidental: false,
        }),
    }
}

/// As Postfix makes them when `enable_long_queue_ids` is off: nothing in them is in order.
fn queue_id(number: u64) -> String {
    format!("{:010X}", mix(number ^ 0x5555) & 0xff_ffff_ffff)
}

fn short_id(number: u64) -> String {
    format!("{:09x}", mix(number) & 0xf_ffff_ffff)
}

fn trace_text(number: u64, domain: &str, client: IpAddr) -> Arc<str> {
    let mut text = format!("message {number} from {client}: the Author Domain is {domain}\n");
    for step in 0..20 {
        text.push_str(&format!(
            "step {step}: asked _dmarc.{domain} for TXT, answered {:x} after {} ms, which says that nothing is wrong\n",
            mix(number * 31 + step),
            mix(step ^ number) % 90
        ));
    }
    text.into()
}
