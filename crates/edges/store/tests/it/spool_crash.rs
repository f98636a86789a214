//! kill -9 of who records and of who exports: what was answered is in the tally, and in the files once.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use landmarc_store::{Recorded, Recorder, Segment};

use crate::crash::{kill_at_random, rounds_of};
use crate::hosts::{Contents, PATIENCE, ROOM, apply, collector, files, spool, spooling};
use crate::samples::{Directory, MIDNIGHT, from};

const RECORDER: &str = "LANDMARC_STORE_OF_RECORDER";
const EXPORTER: &str = "LANDMARC_STORE_OF_EXPORTER";
const FIRST: &str = "LANDMARC_FIRST_OF_RECORDER";
const ROUNDS: u64 = 20;
/// Numbers of a round: more than it can record.
const NUMBERS: u64 = 1_000_000;
/// Messages that wait for the disk at any time.
const TASKS: u64 = 16;

#[test]
fn kill_9_of_recorder_and_exporter_loses_nothing_and_doubles_nothing() {
    let (host, fleet) = (Directory::new(), Directory::new());
    let mut answered = BTreeSet::new();
    for round in 0..rounds_of(ROUNDS) {
        let mut exporter = child(EXPORTER, &host, 0);
        let before = answered.len();
        answered.extend(run_and_kill(&host, round));
        assert!(answered.len() > before, "round {round} recorded something");
        if round % 2 == 0 {
            kill_at_random(&mut exporter);
        } else {
            exporter.kill().unwrap();
            exporter.wait().unwrap();
        }
    }
    spool(&host).export(host.path().join("out")).unwrap();
    let segments = files(&host.path().join("out"));
    let whole = segments
        .iter()
        .filter(|path| path.extension().is_some_and(|one| one == "segment"));
    let mut collector = collector(&fleet);
    let mut entries = 0;
    for path in whole {
        let octets = std::fs::read(path).unwrap();
        entries += Segment::read(&octets).unwrap().entries();
        apply(&mut collector, &octets);
    }
    let (there, here) = (Contents::of(&host), Contents::of(&fleet));
    assert_eq!(there.messages(), there.log.len() as u64);
    assert!(there.log.len() >= answered.len() && entries > 0);
    let stored: BTreeSet<u64> = crate::samples::reader(&host)
        .log(&landmarc_store::LogFilter {
            limit: usize::MAX,
            ..Default::default()
        })
        .unwrap()
        .iter()
        .map(|row| row.id.parse().unwrap())
        .collect();
    let missing: Vec<_> = answered.difference(&stored).collect();
    assert_eq!(missing, [&0; 0], "answered, and not stored");
    assert_eq!(there, here, "in the fleet each of them once");
}

/// The numbers whose records were answered *committed* before the end.
fn run_and_kill(directory: &Directory, round: u64) -> Vec<u64> {
    let mut child = child(RECORDER, directory, round * NUMBERS);
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

fn child(role: &str, directory: &Directory, first: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "spool_crash::child_of_test",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(role, directory.path())
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// No test of its own: the processes that the test above starts and kills. Without its environment it is one of
/// the tests that are run, and has nothing to do.
#[test]
fn child_of_test() {
    if let Ok(directory) = std::env::var(EXPORTER) {
        export_for_ever(std::path::Path::new(&directory));
    }
    let (Ok(directory), Ok(first)) = (std::env::var(RECORDER), std::env::var(FIRST)) else {
        return;
    };
    let store = std::path::Path::new(&directory).join("landmarc.db");
    let first: u64 = first.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let recorder = Arc::new(Recorder::open(spooling(store, ROOM)).unwrap());
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| tokio::spawn(record_for_ever(Arc::clone(&recorder), first + task)))
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

fn export_for_ever(directory: &std::path::Path) -> ! {
    let store = directory.join("landmarc.db");
    let mut spool = landmarc_store::Spool::open(store, "mx1.example", PATIENCE).unwrap();
    loop {
        spool.export(directory.join("out")).unwrap();
    }
}

async fn record_for_ever(recorder: Arc<Recorder>, first: u64) {
    for number in (first..).step_by(TASKS as usize) {
        let mut one = from(number, &format!("{}.example", number % 50));
        one.at_ms = MIDNIGHT;
        one.id = number.to_string();
        one.rule = Some("all".to_owned());
        one.trace = format!("message {}", number % 100).into();
        assert_eq!(recorder.record(one).await, Recorded::Committed);
        // One write, one line: the pipe is what tells answered from not.
        let line = format!("\n#{number}\n");
        std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
    }
}
