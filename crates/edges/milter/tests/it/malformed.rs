//! Streams that no MTA sends. Each ends its own session; none disturbs another, none
//! gets an answer that could pass for a verdict.

use landmarc_testkit::mta::{Mail, Mta, Verdict, Wire, packet};

use crate::recorder::{Running, Script, await_that};

fn offer() -> Vec<u8> {
    packet(b'O', &[6_u32, 0x1ff, 0x1f_ffff].map(u32::to_be_bytes).concat())
}

/// An honest beginning, up to the envelope.
fn begun() -> Vec<u8> {
    [
        offer(),
        packet(b'C', b"mx\x004\x00\x19192.0.2.1\0"),
        packet(b'H', b"mx\0"),
        packet(b'M', b"<a@b>\0"),
        packet(b'R', b"<c@d>\0"),
    ]
    .concat()
}

fn with(start: Vec<u8>, rest: &[u8]) -> Vec<u8> {
    [start, rest.to_vec()].concat()
}

/// Name, stream, and whether the stream simply ends there (the MTA hangs up).
fn streams() -> Vec<(&'static str, Vec<u8>, bool)> {
    let in_body = || with(with(begun(), &packet(b'L', b"A\0 b\0")), &packet(b'N', b""));
    let closed = |name, octets| (name, octets, false);
    let hung_up = |name, octets| (name, octets, true);
    vec![
        closed("a packet of length 0", vec![0, 0, 0, 0]),
        closed("length 0 within a conversation", with(offer(), &[0, 0, 0, 0])),
        closed("length 0 within a message", with(begun(), &[0, 0, 0, 0])),
        closed("the longest length there is", vec![0xff, 0xff, 0xff, 0xff, b'O']),
        closed("a negotiation of 256 KiB and one", with(vec![0, 4, 0, 2], b"O")),
        closed(
            "a body chunk past the hard limit",
            with(in_body(), &[1, 0, 0, 2, b'B']),
        ),
        closed(
            "a header field past the hard limit",
            with(begun(), &[1, 0, 0, 2, b'L']),
        ),
        closed("a huge MAIL", with(offer(), &[0, 4, 0, 2, b'M'])),
        closed("an unknown command", with(offer(), &packet(b'Z', b""))),
        closed("a command of code 0", with(offer(), &packet(0, b""))),
        closed("a command of code 255", with(begun(), &packet(255, b"abc"))),
        closed("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
        closed("SMTP", b"EHLO mx.example.com\r\n".to_vec()),
        closed("TLS", vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
        closed("an empty negotiation", packet(b'O', b"")),
        closed("a negotiation cut off", packet(b'O', &[0, 0, 0, 6, 0, 0, 1])),
        closed("a version of another age", packet(b'O', &[0; 12])),
        closed("no negotiation", packet(b'C', b"mx\0U")),
        closed("macros before the negotiation", packet(b'D', b"Cj\0mx\0")),
        closed("two negotiations", with(offer(), &offer())),
        closed("macros for nothing", with(offer(), &packet(b'D', b""))),
        closed("CONNECT without end of name", with(offer(), &packet(b'C', b"mx"))),
        closed("CONNECT without family", with(offer(), &packet(b'C', b"mx\0"))),
        closed(
            "CONNECT of an unknown family",
            with(offer(), &packet(b'C', b"mx\0X")),
        ),
        closed(
            "CONNECT without port",
            with(offer(), &packet(b'C', b"mx\x004\x00")),
        ),
        closed(
            "CONNECT without end of address",
            with(offer(), &packet(b'C', b"mx\x004\x00\x19192.0.2.1")),
        ),
        closed(
            "CONNECT from no address",
            with(offer(), &packet(b'C', b"mx\x004\x00\x19192.0.2\0")),
        ),
        closed("CONNECT twice", with(begun(), &packet(b'C', b"mx\0U"))),
        closed("HELO without end", with(offer(), &packet(b'H', b"mx"))),
        closed("MAIL without path", with(offer(), &packet(b'M', b""))),
        closed(
            "MAIL without end of argument",
            with(offer(), &packet(b'M', b"<>\0SIZE=1")),
        ),
        closed("RCPT before MAIL", with(offer(), &packet(b'R', b"<a@b>\0"))),
        closed("DATA before MAIL", with(offer(), &packet(b'T', b""))),
        closed("a field before MAIL", with(offer(), &packet(b'L', b"A\0b\0"))),
        closed("body before MAIL", with(offer(), &packet(b'B', b"x"))),
        closed("an end before MAIL", with(offer(), &packet(b'E', b""))),
        closed("a field without value", with(begun(), &packet(b'L', b"Subject"))),
        closed(
            "a field without end of value",
            with(begun(), &packet(b'L', b"Subject\0x")),
        ),
        closed(
            "body before the end of headers",
            with(begun(), &packet(b'B', b"x")),
        ),
        closed(
            "an end before the end of headers",
            with(begun(), &packet(b'E', b"")),
        ),
        closed("RCPT in the body", with(in_body(), &packet(b'R', b"<a@b>\0"))),
        closed("a field in the body", with(in_body(), &packet(b'L', b"A\0b\0"))),
        closed("two ends of headers", with(in_body(), &packet(b'N', b""))),
        hung_up("nothing", Vec::new()),
        hung_up("half a length", vec![0, 0]),
        hung_up("a length alone", vec![0, 0, 0, 13]),
        hung_up("half a negotiation", offer()[..9].to_vec()),
        hung_up("an envelope alone", begun()),
        hung_up(
            "half a field",
            with(begun(), &packet(b'L', b"Subject\0 hello\0")[..9]),
        ),
        hung_up(
            "half a body chunk",
            with(in_body(), &packet(b'B', &[b'x'; 100])[..50]),
        ),
        hung_up("a message without end", in_body()),
    ]
}

#[test]
fn each_ends_its_own_session_and_no_other() {
    let server = Running::start(Script::default());
    let mut bystander = Mta::connect(&server.address).unwrap();
    bystander.greet(&Mail::plain()).unwrap();
    bystander.tell_up_to_body(&Mail::plain()).unwrap();
    let streams = streams();
    assert!(streams.len() >= 50);
    for (name, octets, hangs_up) in streams {
        let mut wire = Wire::open(&server.address).unwrap();
        wire.send_raw(&octets).unwrap();
        if !hangs_up {
            while let Ok(answer) = wire.receive() {
                assert_eq!(answer.code, b'O', "{name}: an answer to what was no question");
            }
            assert!(wire.is_closed(), "{name}");
        }
        drop(wire);
        let mut honest = Mta::connect(&server.address).unwrap();
        assert_eq!(
            honest.deliver(&Mail::plain()).unwrap().verdict,
            Verdict::Accept,
            "{name}"
        );
        honest.quit().unwrap();
    }
    assert_eq!(bystander.finish(&Mail::plain()).unwrap().verdict, Verdict::Accept);
    bystander.quit().unwrap();
}

#[test]
fn a_message_that_breaks_off_is_told_to_its_session() {
    let server = Running::start(Script::default());
    let within_message = streams()
        .into_iter()
        .filter(|(_, octets, _)| octets.windows(6).any(|window| window == b"M<a@b>"))
        .map(|(_, octets, _)| octets);
    let mut expected = 0;
    for octets in within_message {
        let mut wire = Wire::open(&server.address).unwrap();
        wire.send_raw(&octets).unwrap();
        // To hang up on an answer would reset the connection, and lose what was sent.
        assert_eq!(wire.receive().unwrap().code, b'O');
        expected += 1;
    }
    let aborted = || {
        server
            .recorder
            .log()
            .iter()
            .filter(|line| *line == "abort")
            .count()
    };
    assert!(expected > 10);
    await_that("an abort for each", || aborted() == expected);
}
