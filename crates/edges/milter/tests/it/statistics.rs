//! What is counted of sessions.

use landmarc_milter::{MilterStatistics, ServerOptions};
use landmarc_net::AcceptStatistics;
use landmarc_testkit::mta::{Mail, Mta};

use crate::recorder::{Running, Script, await_that};

#[test]
fn sessions_are_counted_while_they_last_and_after() {
    let mut server = Running::start(Script::default());
    assert_eq!(server.gauge.read().connections.accepted, 0);
    let mut first = Mta::connect(&server.address).unwrap();
    let second = Mta::connect(&server.address).unwrap();
    await_that("two sessions", || server.gauge.read().connections.open == 2);
    first.deliver(&Mail::plain()).unwrap();
    first.quit().unwrap();
    await_that("one session", || server.gauge.read().connections.open == 1);
    second.quit().unwrap();
    await_that("none", || server.gauge.read().connections.open == 0);
    let expected = MilterStatistics {
        connections: AcceptStatistics {
            limit: 10_000,
            accepted: 2,
            accepting: true,
            ..AcceptStatistics::default()
        },
        ..MilterStatistics::default()
    };
    assert_eq!(server.gauge.read(), expected);
    server.join();
    assert!(
        !server.gauge.read().connections.accepting,
        "its sockets are closed"
    );
}

#[test]
fn sessions_that_end_early_are_counted_by_whose_doing_it_was() {
    let server = Running::start(Script::default());
    let mut babbler = Mta::connect(&server.address).unwrap();
    babbler.wire.send_raw(b"\0\0\0\x01Z").unwrap();
    assert!(babbler.wire.is_closed());
    let mut leaver = Mta::connect(&server.address).unwrap();
    leaver.greet(&Mail::plain()).unwrap();
    leaver.tell_up_to_body(&Mail::plain()).unwrap();
    drop(leaver);
    await_that("both ends", || server.gauge.read().connections.open == 0);
    let statistics = server.gauge.read();
    assert_eq!((statistics.protocol_errors, statistics.interrupted), (1, 1));
}

#[test]
fn a_panic_is_counted_once_however_much_mail_it_costs() {
    let script = Script {
        panics_at: Some("mail"),
        ..Script::default()
    };
    let server = Running::start(script);
    let mut mta = Mta::connect(&server.address).unwrap();
    mta.deliver(&Mail::plain()).unwrap();
    mta.abort().unwrap();
    mta.deliver(&Mail::plain()).unwrap();
    mta.quit().unwrap();
    assert_eq!(server.gauge.read().panics, 1);
}

#[test]
fn that_all_sessions_are_taken_is_counted_each_time() {
    let options = ServerOptions {
        max_sessions: 1,
        ..ServerOptions::default()
    };
    let server = Running::start_with(Script::default(), options);
    for times in 1..=2 {
        let mta = Mta::connect(&server.address).unwrap();
        await_that("no more room", || server.gauge.read().connections.full == times);
        mta.quit().unwrap();
        await_that("room again", || server.gauge.read().connections.open == 0);
    }
}
