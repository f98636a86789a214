//! Ports for programs that have to be told theirs.

// Helpers of tests fail as tests do.
#![allow(clippy::panic)]

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};

/// Below those that the system gives to clients, any of which could take one in the meantime.
const PORTS: RangeInclusive<u16> = 20_000..=32_000;

/// Those that are ours until this process ends, by their locks.
static OURS: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A port that is free on loopback, and that no test of another process takes.
pub(crate) fn free_port() -> u16 {
    let owner = nix::unistd::geteuid();
    let claims = std::env::temp_dir().join(format!("landmarc-e2e-ports-{owner}"));
    fs::create_dir_all(&claims).unwrap_or_else(|error| panic!("{}: {error}", claims.display()));
    let mut ours = OURS.lock().unwrap_or_else(PoisonError::into_inner);
    // Each process begins elsewhere: a port that was just closed is nobody's first choice.
    let begin = usize::try_from(std::process::id()).unwrap_or(0) % usize::from(PORTS.end() - PORTS.start());
    for port in PORTS.skip(begin).chain(PORTS) {
        let path = claims.join(port.to_string());
        let claim = File::create(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // Whoever holds the lock has the port, or is about to.
        if claim.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            ours.push(claim);
            return port;
        }
    }
    panic!("no port of {PORTS:?} is free");
}
