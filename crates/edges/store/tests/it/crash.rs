//! kill -9 at any time: what was answered is there, and nothing is there twice.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use landmarc_store::{Day, LogFilter, Recorded, Recorder};

use crate::samples::{Directory, MIDNIGHT, counted, from, patient, reader};

const STORE: &str = "LANDMARC_STORE_OF_CHILD";
const FIRST: &str = "LANDMARC_FIRST_OF_CHILD";
const ROUNDS: u64 = 20;
/// Numbers of a round: more than it can record.
const NUMBERS: u64 = 1_000_000;
/// Messages that wait for the disk at any time.
const TASKS: u64 = 32;
const DOMAINS: u64 = 50;

#[test]
fn kill_9_loses_nothing_that_was_answered_and_doubles_nothing() {
    let directory = Directory::new();
    let mut answered = BTreeSet::new();
    let rounds = rounds_of(ROUNDS);
    for round in 0..rounds {
        let before = answered.len();
        answered.extend(run_and_kill(&directory, round));
        assert!(answered.len() > before, "round {round} recorded something");
    }
    let reader = reader(&directory);
    let all = LogFilter {
        limit: usize::MAX,
        ..LogFilter::default()
    };
    let rows = reader.log(&all).unwrap();
    let stored: BTreeSet<u64> = rows.iter().map(|row| row.id.parse().unwrap()).collect();
    assert_eq!(stored.len(), rows.len(), "none twice");
    let missing: Vec<_> = answered.difference(&stored).collect();
    assert_eq!(missing, [&0; 0], "answered, and not stored");
    let more = stored.len() - answered.len();
    assert!(
        more as u64 <= rounds * TASKS,
        "{more} stored that nobody waited for"
    );

    let mut expected = BTreeMap::new();
    for number in &stored {
        *expected.entry(domain(*number)).or_insert(0) += 1;
    }
    let day = Day::at(MIDNIGHT);
    for (domain, messages) in expected {
        let tally = reader.tally(day, &domain).unwrap();
        assert_eq!(
            tally.iter().map(|(_, count)| count).sum::<u64>(),
            messages,
            "{domain}"
        );
    }
    assert_eq!(counted(&reader, day), rows.len() as u64);
    assert_eq!(reader.rule_hits().unwrap()[0].hits, rows.len() as u64);
}

/// How often a process is killed: a quarter of the full number in `scripts/test fast`.
pub(crate) fn rounds_of(full: u64) -> u64 {
    let is_fast = std::env::var("NEXTEST_PROFILE").is_ok_and(|profile| profile == "fast");
    if is_fast { full / 4 } else { full }
}

fn domain(number: u64) -> String {
    format!("{}.example", number % DOMAINS)
}

/// The numbers whose records were answered *committed* before the end.
fn run_and_kill(directory: &Directory, round: u64) -> Vec<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture", "--test-threads=1"])
        .env(STORE, directory.store())
        .env(FIRST, (round * NUMBERS).to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    while !text.contains('#') {
        assert_ne!(output.read_line(&mut text).unwrap(), 0, "the child ended: {text}");
    }
    kill_at_random(&mut child);
    output.read_to_string(&mut text).unwrap();
    // The last line may be cut off.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole
        .lines()
        .filter_map(|line| line.strip_prefix('#')?.parse().ok())
        .collect()
}

pub(crate) fn kill_at_random(child: &mut Child) {
    let mut octets = [0_u8; 1];
    std::fs::File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut octets)
        .unwrap();
    std::thread::sleep(Duration::from_micros(u64::from(octets[0]) * 700));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// No test of its own: the process that the test above starts and kills. Without its
/// environment it is one of the tests that are run, and has nothing to do.
#[test]
fn child() {
    let (Ok(store), Ok(first)) = (std::env::var(STORE), std::env::var(FIRST)) else {
        return;
    };
    let first: u64 = first.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let recorder = Arc::new(Recorder::open(patient(store)).unwrap());
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| tokio::spawn(record_for_ever(Arc::clone(&recorder), first + task)))
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

async fn record_for_ever(recorder: Arc<Recorder>, first: u64) {
    for number in (first..).step_by(TASKS as usize) {
        let mut one = from(number, &domain(number));
        one.at_ms = MIDNIGHT;
        one.id = number.to_string();
        one.rule = Some("all".to_owned());
        one.trace = format!("message {number}").into();
        assert_eq!(recorder.record(one).await, Recorded::Committed);
        // One write, one line: the pipe is what tells answered from not.
        let line = format!("\n#{number}\n");
        std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
    }
}
