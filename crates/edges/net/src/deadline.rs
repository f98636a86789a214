//! How long a client of an HTTP server is waited for.
//!
//! One deadline for each connection, set anew by what happens on it. A client that sends its request drop by drop
//! does not move it, and a body has an end by which it must be here.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// How long a client may take over each part of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpTimeouts {
    /// From the first octet of a request to the end of its header section; and after connecting, to that first octet.
    pub header: Duration,
    /// Without an octet of the body.
    pub stall: Duration,
    /// For all of the body.
    pub body: Duration,
    /// For the client to take the answer.
    pub answer: Duration,
    /// Between an answer and the next request.
    pub idle: Duration,
}

/// The deadline of one connection. Clones are the same.
#[derive(Clone, Debug)]
pub struct ConnectionDeadline {
    timeouts: HttpTimeouts,
    state: watch::Sender<DeadlineState>,
}

#[derive(Clone, Copy, Debug)]
struct DeadlineState {
    phase: Phase,
    deadline: Instant,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing: the last answer is given.
    Idle,
    /// A header section comes in.
    Header,
    /// A body comes in, and has to be here by then.
    Body(Instant),
    /// The server is at work.
    Work,
    /// The answer is on its way.
    Answer,
}

impl ConnectionDeadline {
    /// Of a client that has just connected.
    #[must_use]
    pub fn new(timeouts: HttpTimeouts) -> Self {
        let state = DeadlineState {
            phase: Phase::Header,
            deadline: Instant::now() + timeouts.header,
        };
        Self {
            timeouts,
            state: watch::Sender::new(state),
        }
    }

    /// What `work` comes to; nothing when the deadline passes first.
    pub async fn limit<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            output = work => Some(output),
            () = self.expired() => None,
        }
    }

    /// Done when the deadline has passed.
    async fn expired(&self) {
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

    /// The body follows.
    pub fn body(&self) {
        let now = Instant::now();
        let end = now + self.timeouts.body;
        self.set(Phase::Body(end), end.min(now + self.timeouts.stall));
    }

    /// The server is at work, for so long at most.
    pub fn work(&self, limit: Duration) {
        self.set(Phase::Work, Instant::now() + limit);
    }

    /// The answer is found. The client is idle once the system has taken all of it, so it is written in one piece.
    pub fn answer(&self) {
        self.set(Phase::Answer, Instant::now() + self.timeouts.answer);
    }

    fn set(&self, phase: Phase, deadline: Instant) {
        self.state.send_replace(DeadlineState { phase, deadline });
    }

    fn on_read(&self) {
        let now = Instant::now();
        self.state.send_if_modified(|state| match state.phase {
            Phase::Idle => {
                *state = DeadlineState {
                    phase: Phase::Header,
                    deadline: now + self.timeouts.header,
                };
                true
            }
            Phase::Body(end) => {
                state.deadline = end.min(now + self.timeouts.stall);
                // Only later than before: `expired` looks again when the earlier one has passed.
                false
            }
            Phase::Header | Phase::Work | Phase::Answer => false,
        });
    }

    /// The system has taken all that was written.
    fn on_flush(&self) {
        self.state.send_if_modified(|state| {
            let ends = state.phase == Phase::Answer;
            if ends {
                *state = DeadlineState {
                    phase: Phase::Idle,
                    deadline: Instant::now() + self.timeouts.idle,
                };
            }
            ends
        });
    }
}

/// A stream that moves the deadline of its connection.
#[derive(Debug)]
pub struct TimedStream<IO> {
    stream: IO,
    deadline: ConnectionDeadline,
}

impl<IO> TimedStream<IO> {
    /// Of this connection.
    pub const fn new(stream: IO, deadline: ConnectionDeadline) -> Self {
        Self { stream, deadline }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for TimedStream<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.deadline.on_read();
        }
        read
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for TimedStream<IO> {
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
            self.deadline.on_flush();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
