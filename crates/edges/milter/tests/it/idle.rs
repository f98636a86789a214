//! What connections cost that have nothing to say.

use std::process::Command;

use landmarc_milter::ServerOptions;
use landmarc_testkit::mta::{Mail, Mta};

use crate::recorder::{Directory, Recorder, Running, Script};

const CONNECTIONS: usize = 300;
const ALONE: &str = "LANDMARC_MILTER_TEST_ALONE";

/// Measured in a process of its own: other tests would be measured with it.
#[test]
fn idle_connections_are_cheap() {
    if std::env::var_os(ALONE).is_some() {
        return measure();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "idle::idle_connections_are_cheap", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{printed}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(printed.contains("1 passed"), "{printed}");
}

/// Each connection has delivered a message with a large body before it rests.
fn measure() {
    let directory = Directory::new();
    let recorder = Recorder::new(Script::default());
    let server = Running::start_on(&directory.socket(), recorder, ServerOptions::default());
    let mut mail = Mail::plain();
    mail.body = vec![b'x'; 100_000];
    // What is paid once, whatever the number of connections.
    let mut connections: Vec<Mta> = (0..20).map(|_| Mta::connect(&server.address).unwrap()).collect();
    for mta in &mut connections {
        mta.deliver(&mail).unwrap();
    }
    let before = resident_octets();
    for number in 0..CONNECTIONS {
        // Of every length, that the last of it lies anywhere in a buffer.
        mail.body.resize(100_000 + 61 * number, b'x');
        let mut mta = Mta::connect(&server.address).unwrap();
        mta.deliver(&mail).unwrap();
        connections.push(mta);
    }
    let each = resident_octets().saturating_sub(before) / CONNECTIONS;
    println!("{each} octets a connection, the MTA's side included");
    // A buffer that is kept would cost 16 KiB alone.
    assert!(each < 14 * 1024, "{each} octets a connection");
}

fn resident_octets() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4_096
}
