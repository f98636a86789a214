//! A host whose clock is wrong by ten minutes: what waits and what is under lease goes by the clock of the server.

use std::fs;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use landmarc_store::NewReport;
use landmarc_testkit::databases::{MariaDb, PostgreSql, Setup};
use landmarc_testkit::needs::Need;

use crate::bed::{Bed, Host};
use crate::letters::{LEASE, ask, claim, destinations, outbox, report, to};

/// Where Debian has the library that sets a clock, below the directory of the architecture.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";
const TEN_MINUTES: u64 = 600_000;
/// That the clocks agree within so much, when one of them is put right.
const CLOSE: u64 = 60_000;

#[test]
fn on_postgresql_a_host_that_is_late() {
    on(PostgreSql::with, "+600", |bed, now_ms| {
        check(bed, now_ms, now_ms + TEN_MINUTES);
    });
}

#[test]
fn on_postgresql_a_host_that_is_early() {
    on(PostgreSql::with, "-600", |bed, now_ms| {
        check(bed, now_ms, now_ms - TEN_MINUTES);
    });
}

#[test]
fn on_mariadb_a_host_that_is_late() {
    on(MariaDb::with, "+600", |bed, now_ms| {
        check(bed, now_ms, now_ms + TEN_MINUTES);
    });
}

#[test]
fn on_mariadb_a_host_that_is_early() {
    on(MariaDb::with, "-600", |bed, now_ms| {
        check(bed, now_ms, now_ms - TEN_MINUTES);
    });
}

/// Runs it with a server whose clock differs from ours by so many seconds, and with our time.
fn on<H: Host + 'static>(start: fn(Setup) -> Option<H>, seconds: &str, work: impl FnOnce(&Bed, u64)) {
    let Some(library) = library() else {
        return;
    };
    let environment = [
        ("LD_PRELOAD", library.as_str()),
        ("FAKETIME", seconds),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let setup = Setup {
        environment: environment
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..Setup::default()
    };
    if let Some(host) = start(setup) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        work(&Bed::on(Arc::new(host), "clocks"), now.as_millis() as u64);
    }
}

fn library() -> Option<String> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut found = folders.map(|folder| folder.path().join(LIBRARY));
    let found = found.find(|file| file.is_file());
    if found.is_none() {
        Need::Tools.is_missing("faketime is not installed");
    }
    found.map(|file| file.display().to_string())
}

/// What happens now on our clock, and at another time on the server's.
fn check(bed: &Bed, now_ms: u64, server_ms: u64) {
    let mut outbox = outbox(bed);
    let mut letter = to("rua@example.com");
    // Differences of clocks are learnt to the millisecond, and not to the same one each time.
    letter.next_ms = now_ms - 1_000;
    let new = NewReport {
        deliveries: vec![letter],
        ..report("example.com")
    };
    outbox.put_all(&[new], now_ms).unwrap();
    assert_close(bed, "next_ms", "delivery", server_ms);
    assert!(claim(&mut outbox, "me", now_ms - CLOSE, 1).is_empty(), "not due");
    let claims = outbox.claim(&ask("me", now_ms, 1)).unwrap();
    assert_eq!(destinations(&claims.claimed), ["rua@example.com"]);
    let lease = claims.claimed[0].lease.as_ref().unwrap();
    assert_eq!(lease.until_ms, now_ms + LEASE, "on our clock");
    assert_close(bed, "lease_until_ms", "delivery", server_ms + LEASE);
    let number = claims.claimed[0].number;
    assert!(
        outbox
            .deferred(number, "me", "451 later", now_ms + 3 * LEASE)
            .unwrap()
    );
    assert_close(bed, "next_ms", "delivery", server_ms + 3 * LEASE);
    // Another host asks by the same server, whatever its own clock says.
    let mut elsewhere = crate::letters::outbox(bed.elsewhere());
    assert_eq!(elsewhere.counts(now_ms + 3 * LEASE - CLOSE).unwrap().due, 0);
    assert_eq!(elsewhere.counts(now_ms + 3 * LEASE + CLOSE).unwrap().due, 1);
    let lease = outbox.lease("reports", "me", LEASE, now_ms).unwrap().unwrap();
    assert_eq!(lease.until_ms, now_ms + LEASE, "on our clock");
    assert_close(bed, "until_ms", "lease", server_ms + LEASE);
}

fn assert_close(bed: &Bed, column: &str, table: &str, expected_ms: u64) {
    let found: u64 = bed
        .sql(&format!("SELECT {column} FROM {table}"))
        .trim()
        .parse()
        .unwrap();
    assert!(
        found.abs_diff(expected_ms) < CLOSE,
        "{column}: {found} and not {expected_ms}"
    );
}
