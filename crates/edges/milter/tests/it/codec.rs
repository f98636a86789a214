//! What the scripted MTA's encoder writes, our decoder reads; and no octets whatever
//! bring it down.

use bytes::{Bytes, BytesMut};
use landmarc_milter::codec::{Code, Command, Decoder, Frame, Offer, smtp_reply};
use landmarc_milter::session::{Context, serve};
use landmarc_milter::{Actions, Edit, Protocol, ServerOptions};
use landmarc_net::Peer;
use landmarc_testkit::mta::packet;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::recorder::{Recorder, Script};

/// Octets of a text on the wire: anything but NUL.
fn text() -> impl Strategy<Value = Vec<u8>> {
    vec(1..=255_u8, 0..40)
}

/// Reads a stream that comes in pieces of `step` octets; parts of a body are joined.
fn read(stream: &[u8], step: usize) -> Vec<Frame> {
    let mut decoder = Decoder::new(1_000, 1_000);
    let mut buffer = BytesMut::new();
    let mut frames = Vec::new();
    for piece in stream.chunks(step) {
        buffer.extend_from_slice(piece);
        while let Some(frame) = decoder.next(&mut buffer).unwrap() {
            match (frames.last_mut(), frame) {
                (
                    Some(Frame::Body {
                        part: whole,
                        ends: whole_ends,
                    }),
                    Frame::Body { part, ends },
                ) if !*whole_ends => {
                    *whole = [&whole[..], &part[..]].concat().into();
                    *whole_ends = ends;
                }
                (_, frame) => frames.push(frame),
            }
        }
    }
    frames
}

fn command(code: u8, content: &[u8], step: usize) -> Command {
    match &read(&packet(code, content), step)[..] {
        [Frame::Packet(code, content)] => Command::read(*code, content.clone()).unwrap(),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn an_offer_is_read_as_written(version: u32, actions: u32, protocol: u32, step in 1..20_usize) {
        let content = [version, actions, protocol].map(u32::to_be_bytes).concat();
        let offer = Offer {
            version,
            actions: Actions::from_bits(actions),
            protocol: Protocol::from_bits(protocol),
        };
        prop_assert_eq!(command(b'O', &content, step), Command::Negotiate(offer));
    }

    #[test]
    fn a_field_is_read_as_written(name in text(), value in vec(any::<u8>(), 0..200), step in 1..300_usize) {
        let content = [&name[..], b"\0", &value, b"\0"].concat();
        let expected = Command::Header { name: name.into(), value: value.into() };
        prop_assert_eq!(command(b'L', &content, step), expected);
    }

    #[test]
    fn a_path_and_its_arguments_are_read_as_written(path in text(), arguments in vec(text(), 0..5)) {
        let rest: Vec<u8> = arguments.iter().flat_map(|text| [&text[..], b"\0"].concat()).collect();
        let content = [&path[..], b"\0", &rest].concat();
        let Command::Mail { path: read, arguments: told } = command(b'M', &content, 7) else {
            return Err(TestCaseError::fail("no MAIL"));
        };
        prop_assert_eq!(&read[..], &path[..]);
        let told: Vec<&[u8]> = landmarc_milter::Arguments::new(&told).collect();
        prop_assert_eq!(told, arguments);
    }

    #[test]
    fn a_client_address_is_read_as_written(address: std::net::IpAddr, port: u16, prefix: bool) {
        let family = if address.is_ipv4() { b'4' } else { b'6' };
        let prefix = if prefix && address.is_ipv6() { "IPv6:" } else { "" };
        let content = [b"mx\0", &[family][..], &port.to_be_bytes(), format!("{prefix}{address}\0").as_bytes()].concat();
        let Command::Connect(info) = command(b'C', &content, 3) else {
            return Err(TestCaseError::fail("no CONNECT"));
        };
        prop_assert_eq!(info.address, landmarc_milter::PeerAddress::Ip(address, port));
    }

    #[test]
    fn a_stream_is_cut_alike_however_it_comes(chunks in vec((0..4_usize, vec(any::<u8>(), 0..60)), 0..8), step in 1..100_usize) {
        let stream: Vec<u8> = chunks
            .iter()
            .flat_map(|(kind, content)| packet([b'B', b'H', b'L', b'E'][*kind], content))
            .collect();
        prop_assert_eq!(read(&stream, step), read(&stream, usize::MAX));
    }

    #[test]
    fn no_octets_bring_the_decoder_down(stream in vec(any::<u8>(), 0..200), code in 0..15_usize) {
        let mut buffer = BytesMut::from(&stream[..]);
        let mut decoder = Decoder::new(100, 100);
        while let Ok(Some(frame)) = decoder.next(&mut buffer) {
            if let Frame::Packet(code, content) = frame {
                let _ = Command::read(code, content);
            }
        }
        let code = Code::from_octet(b"ODCHMRTLNBEAQKU"[code]).unwrap();
        let _ = Command::read(code, Bytes::from(stream));
    }

    #[test]
    fn no_conversation_brings_a_session_down(packets in vec((0..16_usize, vec(any::<u8>(), 0..30)), 0..30), keep in 0..2_000_usize) {
        let offer = [6, 0x1ff, 0].map(u32::to_be_bytes).concat();
        let mut stream = packet(b'O', &offer);
        for (kind, mut content) in packets {
            let code = b"DCHMRTLNBEAQKUMR"[kind];
            // Half of them well-formed, that the conversation gets somewhere.
            if kind % 2 == 0 && code != b'C' {
                content.extend_from_slice(b"\0x\0");
            }
            stream.extend(packet(code, &content));
        }
        stream.truncate(keep);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let recorder = Recorder::new(Script::default());
        let context = Context::new(ServerOptions::default());
        let io = tokio::io::join(&stream[..], Vec::new());
        let _ = runtime.block_on(serve(io, &recorder, Peer::Unix, &context));
    }

    #[test]
    fn a_reply_is_always_one_the_mta_can_send(code in 400..600_u16, enhanced in ".{0,12}", text in "(?s).{0,700}") {
        let reply = String::from_utf8(smtp_reply(code, &enhanced, &text).unwrap()).unwrap();
        let lines: Vec<&str> = reply.split("\r\n").collect();
        prop_assert!(lines.len() <= 32);
        for (number, line) in lines.iter().enumerate() {
            let separator = if number + 1 == lines.len() { ' ' } else { '-' };
            let start = format!("{code}{separator}");
            prop_assert!(line.starts_with(&start));
            prop_assert!(line.replace("%%", "%").len() + 2 <= 512);
            prop_assert!(!line.replace("%%", "").contains('%'));
            prop_assert!(line.bytes().all(|b| (b' '..=b'~').contains(&b)));
        }
    }

    #[test]
    fn an_edit_is_one_packet_and_one_field(name in "[!-9;-~]{1,20}", value in "(?s).{0,80}", index: u32) {
        use landmarc_milter::codec::{Capabilities, reply};
        let offer = Offer { version: 6, actions: Actions::KNOWN, protocol: Protocol::KNOWN };
        let capabilities = Capabilities::agree(&offer, Actions::KNOWN).unwrap();
        let response = landmarc_milter::Response {
            edits: vec![Edit::InsertHeader { index, name: name.clone(), value }],
            verdict: landmarc_milter::Verdict::Accept,
        };
        let mut out = Vec::new();
        prop_assert!(reply::write_response(&response, &capabilities, &mut out).is_empty());
        let length = u32::from_be_bytes(out[..4].try_into().unwrap()) as usize;
        prop_assert_eq!(&out[4 + length..], b"\0\0\0\x01a");
        let content = &out[9..4 + length];
        prop_assert_eq!(content.iter().filter(|b| **b == 0).count(), 2);
        let value = &content[name.len() + 1..content.len() - 1];
        prop_assert!(!value.contains(&b'\r'));
        for (at, _) in value.iter().enumerate().filter(|(_, b)| **b == b'\n') {
            prop_assert!(matches!(value[at + 1], b' ' | b'\t'));
        }
    }
}
