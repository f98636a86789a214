//! A day of a large mail host through the recording path: what it takes on disk and in memory, and
//! how long the questions of an operator take afterwards.
//!
//! `cargo bench -p landmarc-store --bench day -- [MESSAGES] [DIRECTORY]`; ten million messages
//! without arguments, which take some minutes and two gigabytes.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures are rounded"
)]

mod common;
#[path = "common/sender.rs"]
mod sender;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use landmarc_store::{Day, LogFilter, Reader, Recorder, RecorderOptions};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use crate::common::{MIDNIGHT, cpu_seconds, remove, tables};
use crate::sender::{author_domain, client, message, queue_id, short_id};

/// Messages that wait for the disk at any time.
const IN_FLIGHT: usize = 256;
/// The growth is told so many times.
const STEPS: u64 = 10;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|one| !one.starts_with("--"))
        .collect();
    let messages = arguments.first().and_then(|one| one.parse().ok());
    let messages: u64 = messages.unwrap_or(10_000_000);
    let directory = arguments.get(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let path = directory.join(format!("day-{}.db", std::process::id()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let making = making(messages);
    println!("making a message takes {making:.1} us, which is not counted");
    runtime.block_on(record(&path, messages, making));
    sizes(&path, messages);
    questions(&path, messages);
    remove(&path);
}

/// CPU time that making a message takes, in microseconds.
fn making(messages: u64) -> f64 {
    let before = cpu_seconds();
    let count = 20_000;
    for number in 0..count {
        std::hint::black_box(message(number, messages));
    }
    (cpu_seconds() - before) / count as f64 * 1e6
}

async fn record(path: &Path, messages: u64, making: f64) {
    let mut options = RecorderOptions::at(path);
    options.answer_timeout = Duration::from_mins(5);
    let recorder = Arc::new(Recorder::open(options).expect("a store"));
    println!("messages, distinct rows, distinct traces, file in MB, memory in MB, CPU us a message");
    for step in 0..STEPS {
        let cpu = cpu_seconds();
        let (first, last) = (messages * step / STEPS, messages * (step + 1) / STEPS);
        run(&recorder, first..last, messages).await;
        let each = (cpu_seconds() - cpu) / (last - first) as f64 * 1e6 - making;
        let status = Reader::open(path)
            .and_then(|reader| reader.status())
            .expect("a status");
        println!(
            "{last:>9}  {:>7}  {:>7}  {:>6.0}  {:>4}  {each:.1}",
            status.distinct_rows,
            status.traces,
            status.file_bytes as f64 / 1e6,
            memory("VmRSS:"),
        );
    }
    println!("most memory at any time: {} MB", memory("VmHWM:"));
    let recorder = Arc::into_inner(recorder).expect("nobody else has it");
    println!("{:?}", recorder.close(Duration::from_mins(5)));
}

async fn run(recorder: &Arc<Recorder>, numbers: std::ops::Range<u64>, messages: u64) {
    let next = Arc::new(AtomicU64::new(numbers.start));
    let tasks: Vec<_> = (0..IN_FLIGHT)
        .map(|_| {
            let (recorder, next) = (Arc::clone(recorder), Arc::clone(&next));
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    if number >= numbers.end {
                        return;
                    }
                    recorder.record(message(number, messages)).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
}

/// Memory of this process in megabytes.
fn memory(which: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has this file");
    let line = status.lines().find_map(|line| line.strip_prefix(which));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.expect("a number of kilobytes") / 1_000
}

fn sizes(path: &Path, messages: u64) {
    let status = Reader::open(path)
        .and_then(|reader| reader.status())
        .expect("a status");
    println!("{status:#?}");
    println!("table, octets in all, octets a message, octets a distinct row");
    for (table, octets) in tables(path) {
        println!(
            "{table:15} {octets:>12} {:>7.2} {:>7.1}",
            octets / messages as f64,
            octets / status.distinct_rows as f64
        );
    }
}

fn questions(path: &Path, messages: u64) {
    let day = Day::at(MIDNIGHT);
    let middle = messages / 2;
    let (common, rare) = (author_domain(0), author_domain(20_000));
    let filter = |change: fn(&mut LogFilter)| {
        let mut filter = LogFilter::default();
        change(&mut filter);
        filter
    };
    let mut of_common = filter(|_| {});
    of_common.domain = Some(common.clone());
    let mut of_rare = filter(|_| {});
    of_rare.domain = Some(rare.clone());
    let mut of_client = filter(|_| {});
    let one = client(0, 0);
    of_client.client = Some(one..=one);
    let mut of_nobody = filter(|_| {});
    let nobody = std::net::IpAddr::from([203, 0, 113, 255]);
    of_nobody.client = Some(nobody..=nobody);
    let mut of_an_hour = of_nobody.clone();
    of_an_hour.since_ms = Some(MIDNIGHT + 12 * 3_600_000);
    of_an_hour.until_ms = Some(MIDNIGHT + 13 * 3_600_000);
    let failed = filter(|filter| filter.result = Some("fail".to_owned()));
    let rejected = filter(|filter| filter.disposition = Some("reject".to_owned()));
    println!("question: found, cold, warm");
    time(path, "explain, by queue id", |reader| {
        explain(reader, &queue_id(middle))
    });
    time(path, "explain, by short id", |reader| {
        explain(reader, &short_id(middle))
    });
    time(path, "explain, the newest message", |reader| {
        explain(reader, &short_id(messages - 1))
    });
    time(path, "explain, an id never given", |reader| {
        explain(reader, "nothing")
    });
    time(path, "log, the last hundred", |reader| {
        log(reader, &LogFilter::default())
    });
    time(path, "log, the largest domain", |reader| log(reader, &of_common));
    time(path, "log, a rare domain", |reader| log(reader, &of_rare));
    time(path, "log, result fail", |reader| log(reader, &failed));
    time(path, "log, disposition reject", |reader| log(reader, &rejected));
    time(path, "log, a client", |reader| log(reader, &of_client));
    time(path, "log, a client never seen, the whole day", |reader| {
        log(reader, &of_nobody)
    });
    time(path, "log, a client never seen, one hour", |reader| {
        log(reader, &of_an_hour)
    });
    time(path, "tally of the largest domain", |reader| {
        tally(reader, day, &common)
    });
    time(path, "tally of a rare domain", |reader| tally(reader, day, &rare));
    time(path, "policy domains", |reader| {
        reader.policy_domains(day).expect("read").len() as u64
    });
    time(path, "hits of rules", |reader| {
        reader
            .rule_hits()
            .expect("read")
            .iter()
            .map(|rule| rule.hits)
            .sum()
    });
    time(path, "status", |reader| {
        reader.status().expect("read").observations
    });
}

fn explain(reader: &Reader, id: &str) -> u64 {
    reader.explain(id).expect("read").len() as u64
}

fn log(reader: &Reader, filter: &LogFilter) -> u64 {
    reader.log(filter).expect("read").len() as u64
}

fn tally(reader: &Reader, day: Day, domain: &str) -> u64 {
    reader.tally(day, domain).expect("read").len() as u64
}

/// Asks with nothing of the file in memory, opening included, and once more.
fn time(path: &Path, what: &str, ask: impl Fn(&Reader) -> u64) {
    let file = File::open(path).expect("the store");
    file.sync_all().expect("synced");
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).expect("forgotten");
    let began = Instant::now();
    let reader = Reader::open(path).expect("the store");
    let found = ask(&reader);
    let cold = began.elapsed();
    let began = Instant::now();
    ask(&reader);
    let warm = began.elapsed();
    println!(
        "{what:40} {found:>9} {:>9.2} ms {:>9.2} ms",
        cold.as_secs_f64() * 1e3,
        warm.as_secs_f64() * 1e3
    );
}
