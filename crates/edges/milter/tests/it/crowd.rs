//! More connections than there are places: who is served.

use std::time::{Duration, Instant};

use landmarc_milter::ServerOptions;
use landmarc_testkit::mta::{Mail, Mta, Verdict};

use crate::recorder::{Directory, Recorder, Running, Script, await_that};

const PLACES: usize = 4;

fn options() -> ServerOptions {
    ServerOptions {
        max_sessions: PLACES,
        ..ServerOptions::default()
    }
}

/// Takes all places, as any user of this host can.
fn crowd(server: &Running, connect: impl Fn(&str) -> Mta) -> Vec<Mta> {
    let crowd = (0..PLACES).map(|_| connect(&server.address)).collect();
    await_that("all places are taken", || {
        server.gauge.read().connections.open == PLACES as u64
    });
    crowd
}

#[test]
fn connections_that_only_negotiate_make_room_for_mail() {
    let server = Running::start_with(Script::default(), options());
    let mut silent = crowd(&server, |address| Mta::connect(address).unwrap());
    let mut mta = Mta::connect(&server.address).unwrap();
    assert_eq!(mta.deliver(&Mail::plain()).unwrap().verdict, Verdict::Accept);
    // The oldest of them, and no other.
    assert!(silent[0].wire.is_closed());
    assert_eq!(server.gauge.read().connections.dropped, 1);
    for held in &mut silent[1..] {
        assert_eq!(held.deliver(&Mail::plain()).unwrap().verdict, Verdict::Accept);
    }
}

#[test]
fn connections_that_send_an_octet_now_and_then_make_room_for_mail() {
    let server = Running::start_with(Script::default(), options());
    let mut trickling = crowd(&server, |address| {
        let mut mta = Mta::connect(address).unwrap();
        mta.greet(&Mail::plain()).unwrap();
        mta
    });
    // The beginning of a packet `M`, one octet each time.
    for octet in [0, 0, 0, 8] {
        for mta in &mut trickling {
            mta.wire.send_raw(&[octet]).unwrap();
        }
    }
    let mut served = Vec::new();
    for _ in 0..PLACES {
        let mut mta = Mta::connect(&server.address).unwrap();
        assert_eq!(mta.deliver(&Mail::plain()).unwrap().verdict, Verdict::Accept);
        served.push(mta);
    }
    assert_eq!(server.gauge.read().connections.dropped, PLACES as u64);
}

#[test]
fn a_connection_within_a_message_keeps_its_place() {
    let server = Running::start_with(Script::default(), options());
    let mail = Mail::plain();
    let mut busy = crowd(&server, |address| {
        let mut mta = Mta::connect(address).unwrap();
        mta.greet(&mail).unwrap();
        mta.tell_up_to_body(&mail).unwrap();
        mta
    });
    await_that("all have begun", || {
        let log = server.recorder.log();
        log.iter().filter(|line| line.starts_with("mail ")).count() == PLACES
    });
    let waiting = std::thread::spawn({
        let address = server.address.clone();
        move || {
            Mta::connect(&address)
                .unwrap()
                .deliver(&Mail::plain())
                .unwrap()
                .verdict
        }
    });
    for mta in &mut busy {
        assert_eq!(mta.finish(&mail).unwrap().verdict, Verdict::Accept);
    }
    assert_eq!(server.gauge.read().connections.dropped, 0);
    // One that ends makes room, as ever.
    busy.pop().unwrap().quit().unwrap();
    assert_eq!(waiting.join().unwrap(), Verdict::Accept);
}

#[test]
fn connections_that_began_and_aborted_a_message_make_room_for_mail() {
    let all = 20;
    let options = ServerOptions {
        max_sessions: all,
        ..ServerOptions::default()
    };
    let server = Running::start_with(Script::default(), options);
    let mail = Mail::plain();
    let mut connections: Vec<Mta> = (0..all)
        .map(|_| {
            let mut mta = Mta::connect(&server.address).unwrap();
            mta.greet(&mail).unwrap();
            mta.tell_up_to_body(&mail).unwrap();
            mta
        })
        .collect();
    for mta in &mut connections[1..] {
        mta.abort().unwrap();
    }
    await_that("all but one have aborted", || {
        let log = server.recorder.log();
        log.iter().filter(|line| line.starts_with("abort")).count() == all - 1
    });
    // All of them have had their second together: none is waited for alone.
    let begun = Instant::now();
    let mut served = Vec::new();
    for _ in 1..all {
        let mut mta = Mta::connect(&server.address).unwrap();
        assert_eq!(mta.deliver(&mail).unwrap().verdict, Verdict::Accept);
        served.push(mta);
    }
    assert_eq!(server.gauge.read().connections.dropped, all as u64 - 1);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    // The one in the middle of a message keeps its place.
    assert_eq!(connections[0].finish(&mail).unwrap().verdict, Verdict::Accept);
}

#[test]
fn connections_by_a_unix_socket_are_not_dropped_for_others() {
    let directory = Directory::new();
    let recorder = Recorder::new(Script::default());
    let server = Running::start_on(&directory.socket(), recorder, options());
    let mut silent = crowd(&server, |address| Mta::connect(address).unwrap());
    let waiting = std::thread::spawn({
        let address = server.address.clone();
        move || {
            Mta::connect(&address)
                .unwrap()
                .deliver(&Mail::plain())
                .unwrap()
                .verdict
        }
    });
    for mta in &mut silent {
        assert_eq!(mta.deliver(&Mail::plain()).unwrap().verdict, Verdict::Accept);
    }
    silent.pop().unwrap().quit().unwrap();
    assert_eq!(waiting.join().unwrap(), Verdict::Accept);
    assert_eq!(server.gauge.read().connections.dropped, 0);
}
