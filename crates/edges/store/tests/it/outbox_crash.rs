//! kill -9 at any time, and two processes at once: every report is there once, and every delivery is sent
//! by one at a time and marked or free again.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use landmarc_store::{DeliveryState, NewReport, Outbox, OutboxFilter, Put, StoreLocation};

use crate::bed::{Bed, server, suite};
use crate::crash::{kill_at_random, rounds_of};
use crate::letters::{LEASE, NOW, claim, outbox, part, to};
use crate::samples::reader;

suite!(
    kill_9_leaves_every_report_once_and_every_delivery_marked_or_free,
    no_delivery_is_claimed_twice_by_processes_that_ask_at_once,
);

const STORE: &str = "LANDMARC_OUTBOX_OF_CHILD";
const ROUND: &str = "LANDMARC_ROUND_OF_CHILD";
const ROUNDS: u64 = 20;
/// On a server each takes longer.
const ROUNDS_ON_A_SERVER: u64 = 6;
/// Policy domains of a round, each with reports in two parts for two destinations: more than are handed over.
const DOMAINS: u64 = 100_000;

fn kill_9_leaves_every_report_once_and_every_delivery_marked_or_free(bed: &Bed) {
    let mut told = BTreeSet::new();
    let rounds = bed
        .server()
        .map_or_else(|| rounds_of(ROUNDS), |_| ROUNDS_ON_A_SERVER);
    for round in 0..rounds {
        let mut child = child_of(bed, round);
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        while !text.contains("delivered") {
            assert_ne!(output.read_line(&mut text).unwrap(), 0, "the child ended: {text}");
        }
        kill_at_random(&mut child);
        output.read_to_string(&mut text).unwrap();
        // The last line may be cut off.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        told.extend(
            whole
                .lines()
                .filter_map(|line| line.strip_prefix('#'))
                .map(str::to_owned),
        );
    }
    check(bed, &told);
    finish(bed);
}

/// What was answered is there, and nothing is there twice or in part.
fn check(bed: &Bed, told: &BTreeSet<String>) {
    let reader = reader(bed);
    let all = OutboxFilter {
        limit: usize::MAX,
        ..OutboxFilter::default()
    };
    let deliveries = reader.deliveries(&all).unwrap();
    let mut letters: BTreeMap<&str, BTreeSet<(u32, &str)>> = BTreeMap::new();
    for one in &deliveries {
        let is_new = letters
            .entry(&one.report.policy_domain)
            .or_default()
            .insert((one.report.part, &one.destination));
        assert!(is_new, "twice: {one:?}");
        let body = reader.report_body(one.report.number).unwrap().unwrap();
        assert_eq!(body, body_of(&one.report.report_id), "{}", one.report.report_id);
    }
    for (domain, letters) in &letters {
        assert_eq!(letters.len(), 4, "both parts to both destinations: {domain}");
    }
    let is_delivered = |line: &str| {
        let delivered = |one: &landmarc_store::Delivery| {
            line == format!("delivered {}", one.number) && one.state == DeliveryState::Delivered
        };
        deliveries.iter().any(delivered)
    };
    for line in told {
        match line.strip_prefix("put ") {
            Some(domain) => assert!(letters.contains_key(domain), "answered, and not stored: {domain}"),
            None => assert!(is_delivered(line), "answered, and not marked: {line}"),
        }
    }
    assert_eq!(reader.status().unwrap().outbox.reports, letters.len() as u64 * 2);
}

/// What was under lease at the end of a round is free when the lease is over: all of it can be delivered.
fn finish(bed: &Bed) {
    let mut outbox = outbox(bed);
    let later = NOW + (ROUNDS + 2) * LEASE;
    loop {
        let claimed = claim(&mut outbox, "the last", later, 1_000);
        if claimed.is_empty() {
            break;
        }
        for one in claimed {
            assert!(outbox.delivered(one.number, "250", later).unwrap());
        }
    }
    let status = reader(bed).status().unwrap().outbox;
    assert_eq!((status.queued, status.deferred, status.given_up), (0, 0, 0));
    assert_eq!(status.delivered, status.reports * 2);
}

/// The store, as another process is told of it.
fn name_of(bed: &Bed) -> String {
    match bed.server() {
        Some(server) => server.to_string(),
        None => bed.directory().store().display().to_string(),
    }
}

fn place_of(name: &str) -> StoreLocation {
    if name.contains("://") {
        server(name).into()
    } else {
        PathBuf::from(name).into()
    }
}

fn child_of(bed: &Bed, round: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "outbox_crash::child",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(STORE, name_of(bed))
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// No test of its own: the process that is killed. Without its environment it has nothing to do.
#[test]
fn child() {
    let (Ok(store), Ok(round)) = (std::env::var(STORE), std::env::var(ROUND)) else {
        return;
    };
    let round: u64 = round.parse().unwrap();
    let mut outbox = Outbox::open(place_of(&store), std::time::Duration::from_mins(1)).unwrap();
    let now_ms = NOW + round * LEASE;
    for number in 0..DOMAINS {
        // The last domains of the round before come again, as after a restart in the middle of a day.
        let number = (round * DOMAINS + number).saturating_sub(5);
        put(&mut outbox, number, now_ms);
        send_some(&mut outbox, &round.to_string(), now_ms);
    }
}

fn put(outbox: &mut Outbox, number: u64, now_ms: u64) {
    let domain = format!("{number}.example");
    let reports = [1, 2].map(|one| {
        let new = part(&domain, one);
        NewReport {
            body: body_of(&new.report_id),
            deliveries: vec![to(&format!("a@{domain}")), to(&format!("b@{domain}"))],
            ..new
        }
    });
    let put = outbox.put_all(&reports, now_ms).unwrap();
    let known = put.iter().filter(|one| **one == Put::AlreadyThere).count();
    assert!(known == 0 || known == 2, "both parts or none: {put:?}");
    say(&format!("put {domain}"));
}

/// One in a hundred is larger than what is written at once.
fn body_of(report_id: &str) -> Vec<u8> {
    let is_large = report_id.ends_with("50.example");
    report_id.repeat(if is_large { 80_000 } else { 20 }).into_bytes()
}

fn send_some(outbox: &mut Outbox, owner: &str, now_ms: u64) {
    for one in claim(outbox, owner, now_ms, 3) {
        if one.number.0.is_multiple_of(5) {
            assert!(
                outbox
                    .deferred(one.number, owner, "451 later", now_ms + LEASE)
                    .unwrap()
            );
        } else {
            assert!(outbox.delivered(one.number, "250 Ok", now_ms).unwrap());
            say(&format!("delivered {}", one.number));
        }
    }
}

/// One write, one line: the pipe is what tells answered from not.
fn say(what: &str) {
    let line = format!("\n#{what}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

const CLAIMS: &str = "LANDMARC_CLAIMS_OF_CHILD";
/// Letters for the senders to fight about.
const LETTERS: u64 = 1_500;
/// Those that each of the three takes: nobody takes all of it before the others have begun.
const SHARE: u64 = LETTERS / 3;

fn no_delivery_is_claimed_twice_by_processes_that_ask_at_once(bed: &Bed) {
    let mut outbox = outbox(bed);
    for first in 0..LETTERS / 100 {
        let letters = (0..100)
            .map(|one| to(&format!("{one}@{first}.example")))
            .collect();
        let new = NewReport {
            deliveries: letters,
            ..part(&format!("{first}.example"), 1)
        };
        outbox.put_all(&[new], NOW).unwrap();
    }
    let senders: Vec<_> = ["one", "two", "three"]
        .map(|owner| sender(bed, owner))
        .into_iter()
        .collect();
    let mut claimed = BTreeMap::new();
    for sender in senders {
        let output = sender.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        for number in text.lines().filter_map(|line| line.strip_prefix('#')) {
            *claimed.entry(number.to_owned()).or_insert(0) += 1;
        }
    }
    assert_eq!(claimed.len() as u64, LETTERS);
    assert!(claimed.values().all(|times| *times == 1), "{claimed:?}");
    assert_eq!(outbox.owners().unwrap().len(), 3, "each of them got some");
}

fn sender(bed: &Bed, owner: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "outbox_crash::sending_child",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(STORE, name_of(bed))
        .env(CLAIMS, owner)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// No test of its own: one of the processes that claim at once.
#[test]
fn sending_child() {
    let (Ok(store), Ok(owner)) = (std::env::var(STORE), std::env::var(CLAIMS)) else {
        return;
    };
    let mut outbox = Outbox::open(place_of(&store), std::time::Duration::from_mins(1)).unwrap();
    let mut taken = 0;
    while taken < SHARE && outbox.counts(NOW).unwrap().due > 0 {
        for one in claim(&mut outbox, &owner, NOW, 10) {
            say(&one.number.to_string());
            taken += 1;
        }
        std::thread::yield_now();
    }
}
