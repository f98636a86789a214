//! Whole conversations over real sockets.

use landmarc_milter::{ServerOptions, Verdict};
use landmarc_testkit::mta::{self, Mail, Mta, Offer, Outcome};

use crate::recorder::{Directory, Recorder, Running, Script};

fn accepted() -> Outcome {
    Outcome {
        verdict: mta::Verdict::Accept,
        step: b'E',
        edits: Vec::new(),
        progress: 0,
        skipped: false,
    }
}

#[test]
fn a_message_is_told_from_its_first_word_to_its_last() {
    let server = Running::start(Script::default());
    let mut mta = Mta::connect(&server.address).unwrap();
    assert_eq!(mta.deliver(&Mail::plain()).unwrap(), accepted());
    mta.quit().unwrap();
    assert_eq!(
        server.recorder.log(),
        [
            "connect",
            "negotiated, refused none",
            "connected mx.example.com Ip(192.0.2.1, 40000) j=mail.example.net",
            "helo mx.example.com",
            "mail <author@example.com> [\"SIZE=7\"] i=4Fb1",
            "rcpt <reader@example.net>",
            "header From: author@example.com",
            "header To: reader@example.net",
            "header Subject: a test",
            "end_of_headers",
            "body Hello\\r\\n",
            "end_of_message i=4Fb1",
        ]
    );
}

#[test]
fn it_is_the_same_over_a_unix_socket_and_over_ipv6() {
    let directory = Directory::new();
    for address in [directory.socket(), "inet6:0@[::1]".to_owned()] {
        let server = Running::start_on(
            &address,
            Recorder::new(Script::default()),
            ServerOptions::default(),
        );
        let mut mta = Mta::connect(&server.address).unwrap();
        assert_eq!(mta.deliver(&Mail::plain()).unwrap(), accepted(), "{address}");
        mta.quit().unwrap();
    }
}

#[test]
fn it_is_the_same_with_an_mta_that_waits_at_every_step() {
    let new = Running::start(Script::default());
    Mta::connect(&new.address)
        .unwrap()
        .deliver(&Mail::plain())
        .unwrap();
    let old = Running::start(Script::default());
    let mut mta = Mta::connect_with(&old.address, Offer::SENDMAIL_8_12).unwrap();
    assert_eq!(mta.agreed.version, 2);
    assert_eq!(mta.deliver(&Mail::plain()).unwrap(), accepted());
    mta.quit().unwrap();
    let mut expected = new.recorder.log();
    "negotiated, refused QUARANTINE".clone_into(&mut expected[1]);
    assert_eq!(old.recorder.log(), expected);
}

#[test]
fn every_verdict_reaches_the_mta() {
    let reply = Verdict::Reply {
        code: 550,
        enhanced: "5.7.1".into(),
        text: "100% refused\nsee example.com".into(),
    };
    let said = mta::Verdict::Reply("550-5.7.1 100%% refused\r\n550 5.7.1 see example.com".to_owned());
    for (verdict, heard) in [
        (Verdict::Accept, mta::Verdict::Accept),
        (Verdict::Continue, mta::Verdict::Continue),
        (Verdict::Reject, mta::Verdict::Reject),
        (Verdict::TempFail, mta::Verdict::TempFail),
        (Verdict::Discard, mta::Verdict::Discard),
        (reply, said),
    ] {
        for offer in [Offer::POSTFIX, Offer::SENDMAIL_8_12] {
            let server = Running::start(Script::verdict(verdict.clone()));
            let mut mta = Mta::connect_with(&server.address, offer).unwrap();
            let outcome = mta.deliver(&Mail::plain()).unwrap();
            assert_eq!(
                (outcome.verdict, outcome.step),
                (heard.clone(), b'E'),
                "{verdict:?}"
            );
            mta.quit().unwrap();
        }
    }
}

#[test]
fn messages_follow_each_other_on_one_connection() {
    let server = Running::start(Script::default());
    let mut mta = Mta::connect(&server.address).unwrap();
    for number in 0..3 {
        let mut mail = Mail::plain();
        // The last one comes without a queue id: it must not inherit one.
        mail.macros.retain(|(name, _)| number < 2 || name != "i");
        mail.mail_from = format!("<{number}@example.com>");
        assert_eq!(mta.deliver(&mail).unwrap(), accepted());
    }
    mta.quit().unwrap();
    let log = server.recorder.log();
    let ends: Vec<&str> = log
        .iter()
        .filter(|line| line.starts_with("end_of_m") || line.starts_with("connect"))
        .map(String::as_str)
        .collect();
    assert_eq!(
        ends[2..],
        [
            "end_of_message i=4Fb1",
            "end_of_message i=4Fb1",
            "end_of_message i=-"
        ]
    );
}

#[test]
fn an_aborted_message_leaves_the_connection_to_the_next() {
    let server = Running::start(Script::default());
    let mut mta = Mta::connect(&server.address).unwrap();
    let mail = Mail::plain();
    mta.greet(&mail).unwrap();
    // Between messages there is nothing to drop, and nothing is said of it.
    mta.abort().unwrap();
    mta.tell_up_to_body(&mail).unwrap();
    mta.abort().unwrap();
    mta.abort().unwrap();
    assert_eq!(mta.deliver(&mail).unwrap(), accepted());
    mta.quit().unwrap();
    let log = server.recorder.log();
    assert_eq!(log.iter().filter(|line| *line == "abort").count(), 1, "{log:?}");
}

#[test]
fn a_new_mail_or_greeting_drops_the_message_before_it() {
    for code in [b'M', b'H'] {
        let server = Running::start(Script::default());
        let mut mta = Mta::connect(&server.address).unwrap();
        mta.deliver(&Mail::plain()).unwrap();
        mta.wire.send(b'D', b"Mi\0first\0").unwrap();
        mta.wire.send(b'M', b"<first@example.com>\0").unwrap();
        mta.wire.send(b'D', b"Ri\0first\0").unwrap();
        mta.wire.send(b'R', b"<reader@example.net>\0").unwrap();
        mta.wire.send(b'D', b"Mi\0second\0").unwrap();
        if code == b'H' {
            mta.wire.send(b'H', b"again\0").unwrap();
            mta.wire.send(b'D', b"Mi\0second\0").unwrap();
        }
        mta.wire.send(b'M', b"<second@example.com>\0").unwrap();
        mta.wire.send(b'N', b"").unwrap();
        mta.wire.send(b'E', b"").unwrap();
        assert_eq!(mta.wire.receive().unwrap().code, b'a');
        mta.quit().unwrap();
        let log = server.recorder.log();
        assert_eq!(log.iter().filter(|line| *line == "abort").count(), 1, "{log:?}");
        assert!(
            log.contains(&"mail <second@example.com> [] i=second".to_owned()),
            "{log:?}"
        );
        assert_eq!(log.last().unwrap(), "end_of_message i=second");
    }
}

#[test]
fn another_smtp_connection_may_follow_without_a_new_negotiation() {
    let server = Running::start(Script::default());
    let mut mta = Mta::connect(&server.address).unwrap();
    let mut mail = Mail::plain();
    mta.deliver(&mail).unwrap();
    mta.wire.send(b'K', b"").unwrap();
    mail.macros.clear();
    mta.greet(&mail).unwrap();
    assert_eq!(mta.deliver(&mail).unwrap(), accepted());
    mta.quit().unwrap();
    let log = server.recorder.log();
    assert_eq!(log.iter().filter(|line| *line == "connect").count(), 2);
    assert_eq!(
        log.iter().filter(|line| line.starts_with("negotiated")).count(),
        2
    );
    assert!(
        log.contains(&"connected mx.example.com Ip(192.0.2.1, 40000) j=-".to_owned()),
        "{log:?}"
    );
}

#[test]
fn a_body_arrives_whole_whatever_its_chunks() {
    let mut mail = Mail::plain();
    mail.body = b"0123456789abcdef".repeat(20_000);
    for chunk in [65_535, 1_000, 70_001] {
        let server = Running::start(Script::default());
        let mut mta = Mta::connect(&server.address).unwrap();
        mta.chunk = chunk;
        assert_eq!(mta.deliver(&mail).unwrap(), accepted());
        mta.quit().unwrap();
        let octets: usize = server
            .recorder
            .log()
            .iter()
            .filter_map(|line| body_size(line))
            .sum();
        assert_eq!(octets, mail.body.len());
    }
}

fn body_size(line: &str) -> Option<usize> {
    let rest = line.strip_prefix("body ")?;
    match rest.strip_prefix('(') {
        Some(rest) => rest.split(' ').next()?.parse().ok(),
        None => Some(rest.len()),
    }
}

#[test]
fn the_end_of_a_message_may_bring_the_last_of_its_body() {
    let server = Running::start(Script::default());
    let mut mta = Mta::connect(&server.address).unwrap();
    let mail = Mail::plain();
    mta.greet(&mail).unwrap();
    mta.tell_up_to_body(&mail).unwrap();
    mta.wire.send(b'E', b"the end\r\n").unwrap();
    assert_eq!(mta.wire.receive().unwrap().code, b'a');
    mta.quit().unwrap();
    assert!(server.recorder.log().contains(&"body the end\\r\\n".to_owned()));
}

#[test]
fn a_session_that_wants_no_body_gets_none_and_says_so_where_it_may() {
    let mut mail = Mail::plain();
    mail.body = vec![b'x'; 200_000];
    let nr_body = 0x8_0000;
    let skip = 0x400;
    for (protocol, skipped) in [
        (Offer::POSTFIX.protocol & !nr_body, true),
        (Offer::POSTFIX.protocol & !nr_body & !skip, false),
        (Offer::POSTFIX.protocol, false),
    ] {
        let script = Script {
            no_body: true,
            ..Script::default()
        };
        let server = Running::start(script);
        let offer = Offer {
            protocol,
            ..Offer::POSTFIX
        };
        let mut mta = Mta::connect_with(&server.address, offer).unwrap();
        assert_eq!(
            mta.deliver(&mail).unwrap(),
            Outcome {
                skipped,
                ..accepted()
            }
        );
        mta.quit().unwrap();
        assert!(!server.recorder.log().iter().any(|line| line.starts_with("body")));
    }
}

#[test]
fn a_header_field_of_a_megabyte_and_more_still_gets_a_verdict() {
    let limit = 1024 * 1024;
    let mut mail = Mail::plain();
    // Name, NUL, value, NUL.
    let value = |size: usize| [b" ".to_vec(), vec![b'x'; size - 4]].concat();
    for size in [limit, limit + 1, 5 * limit] {
        mail.fields.push((b"X".to_vec(), value(size)));
    }
    let server = Running::start(Script::default());
    let mut mta = Mta::connect(&server.address).unwrap();
    assert_eq!(mta.deliver(&mail).unwrap(), accepted());
    mta.quit().unwrap();
    let log = server.recorder.log();
    assert!(
        log.contains(&format!("header X:({} octets)", limit - 3)),
        "{log:?}"
    );
    assert!(
        log.contains(&format!("header_too_long X {}", limit + 1)),
        "{log:?}"
    );
    assert!(
        log.contains(&format!("header_too_long X {}", 5 * limit)),
        "{log:?}"
    );
}

#[test]
fn a_hundred_thousand_header_fields_are_told_one_by_one() {
    let mut mail = Mail::plain();
    mail.fields = vec![(b"X".to_vec(), b" y".to_vec()); 100_000];
    let server = Running::start(Script::default());
    let mut mta = Mta::connect(&server.address).unwrap();
    assert_eq!(mta.deliver(&mail).unwrap(), accepted());
    let log = server.recorder.log();
    assert_eq!(log.iter().filter(|line| *line == "header X: y").count(), 100_000);
}

#[test]
fn m06_a_client_without_address_is_told_as_unknown() {
    let server = Running::start(Script::default());
    let mut mta = Mta::connect(&server.address).unwrap();
    let mut mail = Mail::plain();
    mail.client = None;
    mta.deliver(&mail).unwrap();
    assert!(server.recorder.log()[2].contains("Unknown"));
}
