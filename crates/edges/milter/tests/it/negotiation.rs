//! Every combination of what an MTA may offer.

use std::io;

use landmarc_milter::{Actions, Edit, Response, ServerOptions, Verdict};
use landmarc_testkit::mta::{self, Mail, Mta, Offer};

use crate::recorder::{Directory, Recorder, Running, Script};

/// The flags that spare an answer, one for each step, then SKIP and the leading blank.
const FLAGS: [u32; 11] = [
    0x1000, 0x2000, 0x4000, 0x8000, 0x1_0000, 0x2_0000, 0x80, 0x4_0000, 0x8_0000, 0x400, 0x10_0000,
];

/// One message with every kind of step; the answer that the MTA takes for the verdict.
fn deliver(address: &str, protocol: u32) -> io::Result<mta::Outcome> {
    let offer = Offer {
        protocol,
        ..Offer::POSTFIX
    };
    let mut mta = Mta::connect_with(address, offer)?;
    assert_eq!(mta.agreed.protocol, protocol, "all of these are of use");
    let mail = Mail::plain();
    mta.greet(&mail)?;
    mta.wire.send(b'U', b"XYZZY\0")?;
    if protocol & 0x2_0000 == 0 {
        assert_eq!(mta.wire.receive()?.code, b'c');
    }
    let outcome = mta.deliver(&mail)?;
    mta.quit()?;
    Ok(outcome)
}

#[test]
fn a_reject_is_heard_as_a_reject_whatever_steps_are_answered() {
    let directory = Directory::new();
    let script = Script::verdict(Verdict::Reject);
    let server = Running::start_on(
        &directory.socket(),
        Recorder::new(script),
        ServerOptions::default(),
    );
    for combination in 0..1_u32 << FLAGS.len() {
        let protocol = FLAGS
            .iter()
            .enumerate()
            .filter(|(bit, _)| combination >> bit & 1 == 1)
            .fold(0, |protocol, (_, flag)| protocol | flag);
        let outcome = deliver(&server.address, protocol);
        let outcome = outcome.unwrap_or_else(|error| panic!("{protocol:#x}: {error}"));
        assert_eq!(
            (outcome.verdict, outcome.step),
            (mta::Verdict::Reject, b'E'),
            "{protocol:#x}"
        );
    }
    let log = server.recorder.log();
    let told = |line: &str| log.iter().filter(|told| *told == line).count();
    assert_eq!(told("end_of_message i=4Fb1"), 2_048);
    // With or without the blank on the wire, the handler is told the same.
    assert_eq!(told("header Subject: a test"), 2_048);
    assert_eq!(told("body Hello\\r\\n"), 2_048);
}

#[test]
fn every_version_from_two_up_is_spoken() {
    let server = Running::start(Script::default());
    for (version, spoken) in [(2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (7, 6)] {
        let offer = Offer {
            version,
            ..Offer::POSTFIX
        };
        let mut mta = Mta::connect_with(&server.address, offer).unwrap();
        assert_eq!(mta.agreed.version, spoken);
        assert_eq!(mta.deliver(&Mail::plain()).unwrap().verdict, mta::Verdict::Accept);
        mta.quit().unwrap();
    }
    let offer = Offer {
        version: 1,
        ..Offer::POSTFIX
    };
    let error = Mta::connect_with(&server.address, offer).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn m02_only_granted_actions_are_used_and_the_rest_is_told() {
    let edits = vec![
        Edit::AddHeader {
            name: "X".into(),
            value: "v".into(),
        },
        Edit::DeleteHeader {
            name: "Subject".into(),
            nth: 1,
        },
        Edit::Quarantine("held".into()),
        Edit::AddRcpt("<a@example.com>".into()),
    ];
    let needed = [
        (Actions::ADD_HEADERS, "h"),
        (Actions::CHANGE_HEADERS, "m"),
        (Actions::QUARANTINE, "q"),
        (Actions::ADD_RECIPIENTS, "+"),
    ];
    let script = Script {
        response: Response {
            edits,
            verdict: Verdict::Accept,
        },
        ..Script::default()
    };
    for combination in 0..16_u32 {
        let server = Running::start(script.clone());
        let granted = needed
            .iter()
            .enumerate()
            .filter(|(bit, _)| combination >> bit & 1 == 1)
            .fold(Actions::default(), |granted, (_, (action, _))| {
                granted.union(*action)
            });
        let offer = Offer {
            actions: granted.bits(),
            ..Offer::POSTFIX
        };
        let mut mta = Mta::connect_with(&server.address, offer).unwrap();
        let outcome = mta.deliver(&Mail::plain()).unwrap();
        assert_eq!(outcome.verdict, mta::Verdict::Accept);
        assert_eq!(
            outcome.edits.len(),
            combination.count_ones() as usize,
            "{granted}"
        );
        let refused = ServerOptions::default().actions.without(granted);
        assert_eq!(server.recorder.log()[1], format!("negotiated, refused {refused}"));
        mta.quit().unwrap();
    }
}

#[test]
fn m03_macros_are_asked_for_by_stage() {
    let server = Running::start(Script::default());
    let mta = Mta::connect(&server.address).unwrap();
    let list = |stage: u32| {
        mta.agreed
            .macros
            .iter()
            .find(|(of, _)| *of == stage)
            .map(|(_, list)| list.as_str())
    };
    assert!(list(0).unwrap().split(' ').any(|name| name == "{client_addr}"));
    assert!(list(2).unwrap().split(' ').any(|name| name == "{auth_authen}"));
    assert_eq!(list(5), Some("i"));
    let offer = Offer {
        actions: Offer::POSTFIX.actions & !mta::SET_MACRO_LIST,
        ..Offer::POSTFIX
    };
    let mta = Mta::connect_with(&server.address, offer).unwrap();
    assert!(mta.agreed.macros.is_empty());
}
