//! How long a client is waited for.
//!
//! One deadline for each connection, set anew by what happens on it: octets come in, a request is
//! complete, its answer is on its way. A client that sends or reads drop by drop does not move it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
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
    /// A request comes in.
    Request,
    /// An answer is looked for and written.
    Answer,
    /// All of an answer is written, but not yet taken by the system.
    Flush,
}

impl Patience {
    /// With a client that has just connected.
    pub(crate) fn new(limits: Limits) -> Self {
        let state = State {
            moment: Moment::Request,
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
            tokio::select! {
                biased;
                // We hold the sender, so there is always one more change to wait for.
                _ = state.changed() => {}
                () = sleep_until(deadline) => return,
            }
        }
    }

    /// The first octets of a request: from here on its time runs.
    fn octets_came(&self) {
        self.state.send_if_modified(|state| {
            let begins = state.moment == Moment::Idle;
            if begins {
                *state = State {
                    moment: Moment::Request,
                    deadline: Instant::now() + self.limits.header_timeout,
                };
            }
            begins
        });
    }

    /// A request is complete. Finding the answer and reading it have a time each.
    pub(crate) fn answering(&self) {
        self.state.send_replace(State {
            moment: Moment::Answer,
            deadline: Instant::now() + 2 * self.limits.request_timeout,
        });
    }

    /// The answer is written; its time goes on until the client has made room for it.
    fn written(&self) {
        self.state.send_modify(|state| state.moment = Moment::Flush);
    }

    /// The system has taken all that was written.
    fn flushed(&self) {
        self.state.send_if_modified(|state| {
            let ends = state.moment == Moment::Flush;
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

/// The body of an answer; when it is dropped, all of it is written.
#[derive(Debug)]
pub(crate) struct Answer {
    body: Body,
    patience: Patience,
}

impl Answer {
    pub(crate) fn new(body: Body, patience: Patience) -> Self {
        Self { body, patience }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.patience.written();
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
