//! Whatever an MTA sends, the codec and the session behind it neither panic nor
//! write anything but whole packets.
//!
//! The first four octets are the protocol flags that the MTA offers; the rest follows
//! an honest negotiation as it is, so that conversations get somewhere.

#![no_main]

use landmarc_milter::session::{Context, serve};
use landmarc_milter::{Arguments, Edit, Macros, Response, ServerOptions, Service, Session, Verdict};
use landmarc_net::Peer;
use libfuzzer_sys::fuzz_target;

/// Answers with what it is told, so that the encoder meets foreign octets, too.
#[derive(Default)]
struct Echo(Response);

impl Service for Echo {
    type Session = Self;

    fn connect(&self, _peer: &Peer) -> Self {
        Self::default()
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

impl Session for Echo {
    async fn mail(&mut self, path: &[u8], arguments: Arguments<'_>, macros: &Macros) {
        let argument = arguments.map(text).last().unwrap_or_default();
        self.0.edits.push(Edit::Quarantine(argument));
        self.0.edits.push(Edit::AddRcpt(text(path)));
        let _ = macros.ip("client_addr");
    }

    async fn header(&mut self, name: &[u8], value: &[u8]) {
        let (name, value) = (text(name), text(value));
        let nth = u32::try_from(value.len()).unwrap_or(0);
        self.0.edits.push(Edit::DeleteHeader {
            name: name.clone(),
            nth,
        });
        self.0.edits.push(Edit::ChangeHeader {
            name: name.clone(),
            nth,
            value: value.clone(),
        });
        self.0.edits.push(Edit::InsertHeader {
            index: nth,
            name,
            value,
        });
    }

    async fn body(&mut self, chunk: &[u8]) {
        if let [high, low, rest @ ..] = chunk {
            self.0.verdict = Verdict::Reply {
                code: u16::from_be_bytes([*high, *low]),
                enhanced: text(rest.get(..5).unwrap_or_default()),
                text: text(rest),
            };
        }
    }

    async fn end_of_message(&mut self, _macros: &Macros) -> Response {
        std::mem::take(&mut self.0)
    }

    fn abort(&mut self) {
        self.0 = Response::default();
    }
}

/// Whether these are packets, one after the other, and nothing else.
fn are_packets(mut octets: &[u8]) -> bool {
    while let Some((length, rest)) = octets.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        match rest.split_at_checked(length) {
            Some((packet, after)) if !packet.is_empty() => octets = after,
            _ => return false,
        }
    }
    octets.is_empty()
}

fuzz_target!(|octets: &[u8]| {
    let Some((protocol, rest)) = octets.split_first_chunk::<4>() else {
        return;
    };
    let stream = [b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff", &protocol[..], rest].concat();
    let options = ServerOptions {
        // Small, that the fuzzer can reach them.
        packet_limit: 300,
        header_limit: 100,
        ..ServerOptions::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime needs nothing but memory");
    let mut written = Vec::new();
    let io = tokio::io::join(&stream[..], &mut written);
    let _ = runtime.block_on(serve(io, &Echo::default(), Peer::Unix, &Context::new(options)));
    assert!(are_packets(&written), "{}", written.escape_ascii());
});
