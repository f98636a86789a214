//! How long a client is waited for.
//!
//! One deadline for each connection, set anew by what happens on it. A client that sends its request
//! drop by drop does not move it, and a segment has an end by which it must be here.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::limits::Limits;

/// The patience with one client. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    limits: Limits,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    moment: Moment,
    deadline: Instant,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// Nothing: the last answer is given.
    Idle,
    /// A header section comes in.
    Head,
    /// A segment comes in, and has to be here by then.
    Segment(Instant),
    /// We are at work.
    Work,
    /// The answer is on its way.
    Answer,
}

impl Patience {
    /// With a client that has just shaken hands.
    pub(crate) fn new(limits: Limits) -> Self {
        let state = State {
            moment: Moment::Head,
            deadline: Instant::now() + limits.header_timeout,
        };
        Self {
            limits,
            state: watch::Sender::new(state),
        }
    }

    /// Ends when it is at its end.
    pub(crate) async fn at_its_end(&self) {
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

    /// The segment follows.
    pub(crate) fn segment(&self) {
        let now = Instant::now();
        let end = now + self.limits.body_timeout;
        self.set(Moment::Segment(end), end.min(now + self.limits.stall_timeout));
    }

    /// It is our turn, for so long.
    pub(crate) fn work(&self, duration: Duration) {
        self.set(Moment::Work, Instant::now() + duration);
    }

    /// The answer is found.
    pub(crate) fn answer(&self) {
        self.set(Moment::Answer, Instant::now() + self.limits.answer_timeout);
    }

    fn set(&self, moment: Moment, deadline: Instant) {
        self.state.send_replace(State { moment, deadline });
    }

    fn octets_came(&self) {
        let now = Instant::now();
        self.state.send_if_modified(|state| match state.moment {
            Moment::Idle => {
                *state = State {
                    moment: Moment::Head,
                    deadline: now + self.limits.header_timeout,
                };
                true
            }
            Moment::Segment(end) => {
                state.deadline = end.min(now + self.limits.stall_timeout);
                // It is only put off: whoever waits for it looks again when it is over.
                false
            }
            Moment::Head | Moment::Work | Moment::Answer => false,
        });
    }

    /// The system has taken all that was written.
    fn flushed(&self) {
        self.state.send_if_modified(|state| {
            let ends = state.moment == Moment::Answer;
            if ends {
                *state = State {
                    moment: Moment::Idle,
                    deadline: Instant::now() + self.limits.idle_timeout,
                };
            }
            ends
        });
    }
}

/// A stream that tells when octets come, and when all are gone.
#[derive(Debug)]
pub(crate) struct Watched<IO> {
    stream: IO,
    patience: Patience,
}

impl<IO> Watched<IO> {
    pub(crate) fn new(stream: IO, patience: Patience) -> Self {
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
