//! The stream to the MTA: frames in, answers out, and how long to wait for either.

use std::future::pending;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::{SessionError, Stage};
use crate::codec::{Decoder, Frame};
use crate::options::ServerOptions;

/// Octets of buffer for a connection that has nothing to say: ten thousand of them
/// cost 5 MB.
const IDLE_BUFFER: usize = 512;

/// Octets of buffer for one that is telling a message. A body needs no more; a header
/// field may let it grow up to its limit.
const BUSY_BUFFER: usize = 16 * 1024;

/// How long a connection at rest is still listened to when it is to end: the MTA may have
/// begun a message in packets that are not answered, and that we have yet to read. Once only:
/// an MTA with one message after the other would else keep us up, and be cut off in the last.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// What came of waiting for the MTA.
#[derive(Debug)]
pub(super) enum Received {
    Frame(Frame),
    /// The MTA closed the stream between two packets.
    Closed,
    /// Nothing, for longer than an MTA may be idle.
    Silence,
    /// We are to come to an end.
    Shutdown,
}

pub(super) struct Wire<IO> {
    io: IO,
    buffer: BytesMut,
    /// Whether the buffer is larger than one for a connection at rest. Its capacity does
    /// not tell: that is only what is left of it.
    grown: bool,
    decoder: Decoder,
    /// When the first octet of the packet came that has not ended yet.
    packet_since: Option<Instant>,
    shutdown: watch::Receiver<bool>,
    /// Until when the connection is listened to at rest, once it is to end.
    last_words: Option<Instant>,
    stall_timeout: Duration,
    idle_timeout: Duration,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Wire<IO> {
    pub(super) fn new(io: IO, options: &ServerOptions, shutdown: watch::Receiver<bool>) -> Self {
        Self {
            io,
            buffer: BytesMut::new(),
            grown: false,
            decoder: Decoder::new(options.packet_limit, options.header_limit),
            packet_since: None,
            shutdown,
            last_words: None,
            stall_timeout: options.stall_timeout,
            idle_timeout: options.idle_timeout,
        }
    }

    /// The next frame. Within a message the MTA must not stall, and a packet that has
    /// begun must be whole in that time, however its octets trickle: the SMTP client sets
    /// the pace of the packets, but not of what is inside one. Between messages the MTA
    /// may take its time, and a shutdown may end the conversation.
    pub(super) async fn receive(&mut self, stage: Stage) -> Result<Received, SessionError> {
        loop {
            if let Some(frame) = self.decoder.next(&mut self.buffer)? {
                if !matches!(frame, Frame::Body { ends: false, .. }) {
                    self.packet_since = None;
                }
                return Ok(Received::Frame(frame));
            }
            let within_packet = self.decoder.is_within_packet(&self.buffer);
            let at_rest = !within_packet && !stage.is_within_message();
            let may_idle = at_rest && stage != Stage::New;
            self.make_room(at_rest);
            let limit = if may_idle {
                self.idle_timeout
            } else if within_packet {
                let since = *self.packet_since.get_or_insert_with(Instant::now);
                self.stall_timeout.saturating_sub(since.elapsed())
            } else {
                self.stall_timeout
            };
            let Self {
                io,
                buffer,
                shutdown,
                last_words,
                ..
            } = self;
            let read = tokio::select! {
                // What has come already is heard.
                biased;
                read = timeout(limit, io.read_buf(buffer)) => read,
                () = requested(shutdown, last_words), if at_rest => return Ok(Received::Shutdown),
            };
            match read {
                Err(_elapsed) if may_idle => return Ok(Received::Silence),
                Err(_elapsed) => return Err(SessionError::Stalled(self.stall_timeout)),
                Ok(Err(error)) => return Err(SessionError::Read(error)),
                Ok(Ok(0)) if within_packet => return Err(SessionError::CutOff),
                Ok(Ok(0)) => return Ok(Received::Closed),
                Ok(Ok(_)) => {}
            }
        }
    }

    /// Sends octets as one write, as far as the system takes them as one.
    pub(super) async fn say(&mut self, octets: &[u8]) -> Result<(), SessionError> {
        let write = async {
            self.io.write_all(octets).await?;
            self.io.flush().await
        };
        match timeout(self.stall_timeout, write).await {
            Err(_elapsed) => Err(SessionError::Stalled(self.stall_timeout)),
            Ok(written) => written.map_err(SessionError::Write),
        }
    }

    /// Comes back when the MTA says something though it should wait, which is kept for
    /// later; or with the error that it is gone.
    pub(super) async fn stirs(&mut self) -> Result<(), SessionError> {
        self.make_room(false);
        match self.io.read_buf(&mut self.buffer).await {
            Ok(0) => Err(SessionError::Gone),
            Ok(_) => Ok(()),
            Err(error) => Err(SessionError::Read(error)),
        }
    }

    /// Room to read into. A buffer that a message has used is given back when the
    /// connection comes to rest.
    fn make_room(&mut self, at_rest: bool) {
        if at_rest && self.grown {
            self.buffer = BytesMut::with_capacity(IDLE_BUFFER);
            self.grown = false;
        } else if at_rest {
            self.buffer.reserve(IDLE_BUFFER);
        } else if self.buffer.capacity() - self.buffer.len() < IDLE_BUFFER {
            self.buffer.reserve(BUSY_BUFFER);
            self.grown = true;
        }
    }
}

/// Done when a connection at rest is to end.
async fn requested(shutdown: &mut watch::Receiver<bool>, last_words: &mut Option<Instant>) {
    if shutdown.wait_for(|requested| *requested).await.is_err() {
        // Nobody is left who could ask for it.
        pending::<()>().await;
    }
    let until = *last_words.get_or_insert_with(|| Instant::now() + LAST_WORDS);
    sleep_until(until).await;
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;
    use crate::codec::Code;

    fn wire(io: tokio::io::DuplexStream) -> Wire<tokio::io::DuplexStream> {
        Wire::new(io, &ServerOptions::default(), watch::channel(false).1)
    }

    #[tokio::test]
    async fn a_connection_at_rest_holds_a_small_buffer_only() {
        let (mut mta, ours) = tokio::io::duplex(1 << 20);
        let mut wire = wire(ours);
        let mut stream = [&[0, 1, 0, 1, b'B'][..], &[b'x'; 0x1_0000]].concat();
        stream.extend_from_slice(&[0, 0, 0, 1, b'A']);
        mta.write_all(&stream).await.unwrap();
        let mut largest = 0;
        loop {
            let heard = wire.receive(Stage::Body).await.unwrap();
            largest = largest.max(wire.buffer.capacity());
            if matches!(heard, Received::Frame(Frame::Packet(Code::Abort, _))) {
                break;
            }
        }
        assert!(largest <= 2 * BUSY_BUFFER, "{largest}");
        let rest = timeout(Duration::from_millis(1), wire.receive(Stage::Idle)).await;
        assert!(rest.is_err() && wire.buffer.capacity() <= IDLE_BUFFER && !wire.grown);
    }

    /// A packet of 100 octets, one of them a second.
    #[tokio::test(start_paused = true)]
    async fn a_packet_that_trickles_in_has_no_more_time_than_a_silent_one() {
        for (code, pause, whole) in [
            (b'H', 1, true),
            (b'B', 1, true),
            (b'H', 7, false),
            (b'B', 7, false),
        ] {
            let (mut mta, ours) = tokio::io::duplex(64);
            let trickle = tokio::spawn(async move {
                mta.write_all(&[0, 0, 0, 100, code]).await.unwrap();
                for _ in 0..99 {
                    sleep(Duration::from_secs(pause)).await;
                    if mta.write_all(b"x").await.is_err() {
                        return;
                    }
                }
                pending::<()>().await;
            });
            let mut wire = wire(ours);
            let begun = Instant::now();
            let end = loop {
                match wire.receive(Stage::Body).await {
                    Ok(Received::Frame(Frame::Body { ends: false, .. })) => {}
                    end => break end,
                }
            };
            if whole {
                assert!(matches!(end, Ok(Received::Frame(_))), "{end:?}");
                // The next one has all its time again.
                let silence = wire.receive(Stage::Body).await;
                assert!(matches!(silence, Err(SessionError::Stalled(_))), "{silence:?}");
                assert_eq!(begun.elapsed().as_secs(), 99 + 600);
            } else {
                assert!(matches!(end, Err(SessionError::Stalled(_))), "{end:?}");
                assert_eq!(begun.elapsed().as_secs(), 600);
            }
            trickle.abort();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_has_begun_unheard_is_heard_before_the_shutdown() {
        for (late, heard) in [(false, true), (true, false)] {
            let (mut mta, ours) = tokio::io::duplex(64);
            let (_stop, stopped) = watch::channel(true);
            let mut wire = Wire::new(ours, &ServerOptions::default(), stopped);
            let told = async {
                sleep(LAST_WORDS / 2 + if late { LAST_WORDS } else { Duration::ZERO }).await;
                mta.write_all(&[0, 0, 0, 1, b'A']).await.is_ok()
            };
            let (end, _) = tokio::join!(wire.receive(Stage::Idle), told);
            assert_eq!(matches!(end, Ok(Received::Frame(_))), heard, "{end:?}");
            assert_eq!(matches!(end, Ok(Received::Shutdown)), late, "{end:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_mta_that_goes_on_and_on_is_heard_out_once() {
        let (mut mta, ours) = tokio::io::duplex(64);
        let talk = tokio::spawn(async move {
            while mta.write_all(&[0, 0, 0, 1, b'A']).await.is_ok() {
                sleep(LAST_WORDS * 3 / 4).await;
            }
        });
        let (_stop, stopped) = watch::channel(true);
        let mut wire = Wire::new(ours, &ServerOptions::default(), stopped);
        let begun = Instant::now();
        let mut packets = 0;
        while let Received::Frame(_) = wire.receive(Stage::Idle).await.unwrap() {
            packets += 1;
        }
        assert_eq!((packets, begun.elapsed()), (2, LAST_WORDS));
        talk.abort();
    }

    #[tokio::test]
    async fn an_end_within_a_packet_is_not_an_end_between_two() {
        let (mut mta, ours) = tokio::io::duplex(64);
        mta.write_all(&[0, 0, 0, 9, b'H', b'm']).await.unwrap();
        drop(mta);
        assert!(matches!(
            wire(ours).receive(Stage::Idle).await,
            Err(SessionError::CutOff)
        ));
        let (mta, ours) = tokio::io::duplex(64);
        drop(mta);
        assert!(matches!(
            wire(ours).receive(Stage::Idle).await,
            Ok(Received::Closed)
        ));
    }
}
