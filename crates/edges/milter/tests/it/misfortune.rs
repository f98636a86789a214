//! What goes wrong around a session, and inside it.

use std::io;
use std::time::{Duration, Instant};

use landmarc_milter::{ServerOptions, Verdict};
use landmarc_net::Drained;
use landmarc_testkit::mta::{self, Mail, Mta, Offer, Wire};

use crate::recorder::{Directory, Recorder, Running, Script, await_that};

const SHORT: Duration = Duration::from_millis(150);

fn short_of_patience() -> ServerOptions {
    ServerOptions {
        stall_timeout: SHORT,
        ..ServerOptions::default()
    }
}

fn working(work: Duration) -> Script {
    Script {
        work,
        ..Script::default()
    }
}

/// An MTA that has told a message and waits for its verdict.
fn waiting_mta(server: &Running) -> Mta {
    let mut mta = Mta::connect(&server.address).unwrap();
    let mail = Mail::plain();
    mta.greet(&mail).unwrap();
    mta.tell_up_to_body(&mail).unwrap();
    mta.wire.send(b'E', b"").unwrap();
    server.recorder.await_line("end_of_message");
    mta
}

#[test]
fn a_stall_within_a_message_or_a_packet_ends_the_session() {
    let server = Running::start_with(Script::default(), short_of_patience());
    // Never a word; half a packet; half a message.
    let mut silent = Wire::open(&server.address).unwrap();
    let mut halting = Mta::connect(&server.address).unwrap();
    halting.wire.send_raw(&[0, 0, 0, 9, b'H']).unwrap();
    let mut dreaming = Mta::connect(&server.address).unwrap();
    dreaming.greet(&Mail::plain()).unwrap();
    dreaming.tell_up_to_body(&Mail::plain()).unwrap();
    assert!(silent.is_closed());
    assert!(halting.wire.is_closed());
    assert!(dreaming.wire.is_closed());
    server.recorder.await_line("abort");
}

#[test]
fn between_messages_an_mta_may_take_its_time() {
    let server = Running::start_with(Script::default(), short_of_patience());
    let mut mta = Mta::connect(&server.address).unwrap();
    mta.deliver(&Mail::plain()).unwrap();
    std::thread::sleep(3 * SHORT);
    assert_eq!(mta.deliver(&Mail::plain()).unwrap().verdict, mta::Verdict::Accept);
    mta.quit().unwrap();
}

#[test]
fn but_not_forever() {
    let options = ServerOptions {
        idle_timeout: SHORT,
        ..ServerOptions::default()
    };
    let server = Running::start_with(Script::default(), options);
    let mut mta = Mta::connect(&server.address).unwrap();
    mta.deliver(&Mail::plain()).unwrap();
    let since = Instant::now();
    assert!(mta.wire.is_closed());
    assert!(since.elapsed() >= SHORT / 2);
    assert!(!server.recorder.log().contains(&"abort".to_owned()));
}

#[test]
fn progress_is_told_while_a_message_is_judged() {
    let options = ServerOptions {
        progress_interval: Duration::from_millis(20),
        ..short_of_patience()
    };
    let script = Script {
        work: 3 * SHORT,
        ..Script::verdict(Verdict::Reject)
    };
    let server = Running::start_with(script, options);
    let mut mta = Mta::connect(&server.address).unwrap();
    let outcome = mta.deliver(&Mail::plain()).unwrap();
    assert_eq!(outcome.verdict, mta::Verdict::Reject);
    assert!(outcome.progress >= 3, "{outcome:?}");
    mta.quit().unwrap();
}

#[test]
fn an_interval_of_nothing_or_forever_is_no_bug() {
    for progress_interval in [Duration::ZERO, Duration::MAX] {
        let options = ServerOptions {
            progress_interval,
            ..ServerOptions::default()
        };
        let server = Running::start_with(working(SHORT), options);
        let mut mta = Mta::connect(&server.address).unwrap();
        assert_eq!(mta.deliver(&Mail::plain()).unwrap().verdict, mta::Verdict::Accept);
        mta.quit().unwrap();
    }
}

#[test]
fn an_mta_that_goes_while_a_message_is_judged_ends_the_judging() {
    let server = Running::start(working(Duration::from_secs(3_600)));
    let mta = waiting_mta(&server);
    drop(mta);
    server.recorder.await_line("abort");
    assert!(!server.recorder.log().contains(&"worked".to_owned()));
}

#[test]
fn what_comes_while_a_message_is_judged_is_kept_for_later() {
    let server = Running::start(working(SHORT));
    let mut mta = waiting_mta(&server);
    mta.wire.send(b'H', b"early\0").unwrap();
    assert_eq!(mta.wire.receive().unwrap().code, b'a');
    server.recorder.await_line("helo early");
    mta.quit().unwrap();
}

#[test]
fn a_panic_costs_its_own_connection_a_tempfail_and_no_other_anything() {
    let events = [
        "connect",
        "negotiated",
        "connected",
        "helo",
        "mail",
        "rcpt",
        "header",
        "end_of_headers",
        "body",
        "end_of_message",
        "worked",
    ];
    for event in events {
        for offer in [Offer::POSTFIX, Offer::SENDMAIL_8_12] {
            let script = Script {
                work: Duration::from_millis(1),
                panics_at: Some(event),
                ..Script::default()
            };
            let server = Running::start(script);
            let mut mta = Mta::connect_with(&server.address, offer).unwrap();
            let outcome = mta.deliver(&Mail::plain()).unwrap();
            assert_eq!(outcome.verdict, mta::Verdict::TempFail, "{event}");
            // And the connection is not closed under the next message.
            let again = Mail::plain();
            mta.abort().unwrap();
            assert_eq!(
                mta.deliver(&again).unwrap().verdict,
                mta::Verdict::TempFail,
                "{event}"
            );
            mta.quit().unwrap();
        }
    }
}

#[test]
fn a_panic_in_abort_harms_nobody() {
    let script = Script {
        panics_at: Some("abort"),
        ..Script::default()
    };
    let server = Running::start(script);
    let mut mta = Mta::connect(&server.address).unwrap();
    let mail = Mail::plain();
    mta.greet(&mail).unwrap();
    mta.tell_up_to_body(&mail).unwrap();
    mta.abort().unwrap();
    assert_eq!(mta.deliver(&mail).unwrap().verdict, mta::Verdict::TempFail);
    let mut other = Mta::connect(&server.address).unwrap();
    assert_eq!(other.deliver(&mail).unwrap().verdict, mta::Verdict::Accept);
}

#[test]
fn connections_past_the_limit_wait_for_their_turn() {
    let options = ServerOptions {
        max_sessions: 2,
        ..ServerOptions::default()
    };
    let directory = Directory::new();
    // By TCP, those that began no message would be dropped for it.
    let server = Running::start_on(&directory.socket(), Recorder::new(Script::default()), options);
    let first = Mta::connect(&server.address).unwrap();
    let _second = Mta::connect(&server.address).unwrap();
    let address = server.address.clone();
    let third = std::thread::spawn(move || {
        let mut mta = Mta::connect(&address)?;
        mta.deliver(&Mail::plain())
    });
    std::thread::sleep(SHORT);
    assert!(!third.is_finished(), "a third was served");
    first.quit().unwrap();
    assert_eq!(third.join().unwrap().unwrap().verdict, mta::Verdict::Accept);
}

#[test]
fn a_shutdown_lets_messages_end_and_sends_the_idle_home() {
    let options = ServerOptions {
        shutdown_grace: Duration::from_secs(20),
        ..ServerOptions::default()
    };
    let mut server = Running::start_with(Script::verdict(Verdict::Reject), options);
    let mut idle = Mta::connect(&server.address).unwrap();
    let mut fresh = Wire::open(&server.address).unwrap();
    let mut busy = Mta::connect(&server.address).unwrap();
    busy.greet(&Mail::plain()).unwrap();
    busy.tell_up_to_body(&Mail::plain()).unwrap();
    server.recorder.await_line("end_of_headers");
    server.shut_down();
    assert!(idle.wire.is_closed());
    assert!(fresh.is_closed());
    await_that("a closed door", || Wire::open(&server.address).is_err());
    assert_eq!(busy.finish(&Mail::plain()).unwrap().verdict, mta::Verdict::Reject);
    assert!(busy.wire.is_closed());
    let drained = server.join();
    assert_eq!(drained.cut, 0);
    assert!(drained.finished >= 1, "{drained:?}");
}

#[test]
fn a_shutdown_does_not_wait_past_its_grace() {
    let options = ServerOptions {
        shutdown_grace: SHORT,
        ..ServerOptions::default()
    };
    let mut server = Running::start_with(Script::default(), options);
    let mut busy = Mta::connect(&server.address).unwrap();
    busy.greet(&Mail::plain()).unwrap();
    busy.tell_up_to_body(&Mail::plain()).unwrap();
    server.recorder.await_line("end_of_headers");
    let drained = server.join();
    assert_eq!(drained, Drained { finished: 0, cut: 1 });
    let gone = busy.finish(&Mail::plain()).map_err(|error| error.kind());
    assert!(
        matches!(
            gone,
            Err(io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
        ),
        "{gone:?}"
    );
}
