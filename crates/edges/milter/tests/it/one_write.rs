//! Edits and verdict leave in one write: two would meet Nagle and the delayed
//! acknowledgement on TCP, and cost 40 ms and more.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as Wakeup, Poll};

use landmarc_milter::session::{Context, End, serve};
use landmarc_milter::{Edit, ServerOptions};
use landmarc_net::Peer;
use landmarc_testkit::mta::packet;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::recorder::{Recorder, Script};

/// Gives out a stream of octets, and counts what is written.
struct Counted {
    stream: io::Cursor<Vec<u8>>,
    writes: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        wakeup: &mut Wakeup<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(wakeup, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(self: Pin<&mut Self>, _: &mut Wakeup<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.writes.lock().unwrap().push(octets.to_vec());
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Wakeup<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Wakeup<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What is written in answer to one message, write by write.
fn writes(protocol: u32, edits: Vec<Edit>) -> Vec<Vec<u8>> {
    let offer = [6, 0x1ff, protocol].map(u32::to_be_bytes).concat();
    let stream = [
        packet(b'O', &offer),
        packet(b'C', b"mx\0U"),
        packet(b'H', b"mx\0"),
        packet(b'M', b"<>\0"),
        packet(b'R', b"<a@b>\0"),
        packet(b'L', b"A\0 1\0"),
        packet(b'N', b""),
        packet(b'B', b"x\r\n"),
        packet(b'E', b""),
        packet(b'Q', b""),
    ]
    .concat();
    let writes = Arc::default();
    let io = Counted {
        stream: io::Cursor::new(stream),
        writes: Arc::clone(&writes),
    };
    let context = Context::new(ServerOptions::default());
    let recorder = Recorder::new(Script::edits(edits));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let end = runtime.block_on(serve(io, &recorder, Peer::Unix, &context));
    assert_eq!(end.unwrap(), End::Quit);
    writes.lock().unwrap().clone()
}

#[test]
fn edits_and_verdict_are_one_write() {
    let edits: Vec<Edit> = (1..=50)
        .map(|nth| Edit::DeleteHeader {
            name: "A".into(),
            nth,
        })
        .chain([
            Edit::InsertHeader {
                index: 0,
                name: "X".into(),
                value: "v".repeat(5_000),
            },
            Edit::Quarantine("q".into()),
        ])
        .collect();
    let writes = writes(0x1f_ffff, edits);
    assert_eq!(writes.len(), 2, "the negotiation, and the end of the message");
    assert!(writes[1].len() > 5_500 && writes[1].ends_with(b"\0\0\0\x01a"));
}

#[test]
fn nothing_is_written_that_is_not_waited_for() {
    assert_eq!(writes(0x1f_ffff, Vec::new()).len(), 2);
    assert_eq!(
        writes(0, Vec::new()).len(),
        2 + 7,
        "all steps but the last are answered by continue"
    );
}

#[test]
fn the_state_of_a_session_at_rest_is_small() {
    let recorder = Recorder::default();
    let context = Context::new(ServerOptions::default());
    let serving = serve(tokio::io::empty(), &recorder, Peer::Unix, &context);
    // Its buffer of 512 octets and the task around it come on top; ten thousand idle
    // connections are to cost some 6 KB each.
    let size = std::mem::size_of_val(&serving);
    assert!(size <= 4 * 1024, "{size} octets");
}
