//! How long a client is waited for.
//!
//! One deadline for each connection, set anew by what happens on it. A client that sends its request
//! drop by drop does not move it, and a message has an end by which it must be here.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use landmarc_net::ConnectionSlot;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// From the first octet of a request to the end of its header section; and after connecting, to its
/// first octet.
const HEAD: Duration = Duration::from_secs(10);
/// Without an octet of the message. A mail server has it on disk.
const STALL: Duration = Duration::from_secs(60);
/// For all of the message.
const MESSAGE: Duration = Duration::from_secs(900);
/// For the judgement: longer than its own budget, `dns.message_timeout`, can be set.
const JUDGING: Duration = Duration::from_secs(600);
/// For the client to take the answer.
const ANSWER: Duration = Duration::from_secs(60);
/// Between an answer and the next request; longer than the pause between two messages of a busy server.
const IDLE: Duration = Duration::from_secs(75);

/// The patience with one client. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    state: watch::Sender<State>,
    /// Which the client may lose before its first message.
    slot: ConnectionSlot,
}

#[derive(Clone, Copy, Debug)]
struct State {
    moment: Moment,
    deadline: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Idle,
    Head,
    /// A message comes in, and has to be here by then.
    Message(Instant),
    Judging,
    /// The answer is on its way.
    Answer,
}

impl Patience {
    /// With a client that has just connected.
    pub(super) fn new(slot: ConnectionSlot) -> Self {
        let state = State {
            moment: Moment::Head,
            deadline: Instant::now() + HEAD,
        };
        Self {
            state: watch::Sender::new(state),
            slot,
        }
    }

    /// Ends when it is at its end.
    pub(super) async fn at_its_end(&self) {
        let mut state = self.state.subscribe();
        loop {
            let deadline = state.borrow_and_update().deadline;
            if deadline <= Instant::now() {
                return;
            }
            tokio::select! {
                biased;
                // We hold the sender, so there is always one more change to wait for.
                _ = state.changed() => {}
                () = sleep_until(deadline) => {}
            }
        }
    }

    /// The message follows: all that stands before it was sent.
    pub(super) fn message(&self) {
        self.slot.begin_message();
        let now = Instant::now();
        self.set(Moment::Message(now + MESSAGE), now + STALL);
    }

    /// The message is here.
    pub(super) fn judging(&self) {
        self.set(Moment::Judging, Instant::now() + JUDGING);
    }

    /// The answer is found.
    pub(super) fn answer(&self) {
        self.set(Moment::Answer, Instant::now() + ANSWER);
    }

    fn set(&self, moment: Moment, deadline: Instant) {
        self.state.send_replace(State { moment, deadline });
    }

    fn octets_came(&self) {
        self.state.send_if_modified(|state| match state.moment {
            Moment::Idle => {
                *state = State {
                    moment: Moment::Head,
                    deadline: Instant::now() + HEAD,
                };
                true
            }
            Moment::Message(end) => {
                state.deadline = end.min(Instant::now() + STALL);
                // It is only put off: whoever waits for it looks again when it is over.
                false
            }
            Moment::Head | Moment::Judging | Moment::Answer => false,
        });
    }

    /// The system has taken all that was written.
    fn flushed(&self) {
        self.state.send_if_modified(|state| {
            let ends = state.moment == Moment::Answer;
            if ends {
                *state = State {
                    moment: Moment::Idle,
                    deadline: Instant::now() + IDLE,
                };
            }
            ends
        });
    }
}

/// A stream that tells when octets come, and when all are gone.
#[derive(Debug)]
pub(super) struct Watched<IO> {
    stream: IO,
    patience: Patience,
}

impl<IO> Watched<IO> {
    pub(super) fn new(stream: IO, patience: Patience) -> Self {
        Self { stream, patience }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Watched<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.patience.octets_came();
        }
        read
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Watched<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_ready() {
            self.patience.flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
