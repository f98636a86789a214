//! The connection below SMTP, handed out a line at a time and within limits.
//!
//! Replies are read by `mail-send`, which asks for octets, takes the first reply out of
//! what it gets, and drops the rest. So it never gets more than one line here: what comes
//! behind a reply stays for the next one, and replies to pipelined commands can be read
//! one by one. What it has no limit for, lines without end, has one here.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::limits::{REPLY_LINE_OCTETS, REPLY_LINES};

/// Octets read from the connection at a time.
const BUFFER_OCTETS: usize = 4 * 1024;
/// Octets of the last line that are kept, to be quoted when it is no reply.
const QUOTED_OCTETS: usize = 120;

/// What SMTP can run over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
    /// How much of the buffer was handed out.
    taken: usize,
    lines: usize,
    line_octets: usize,
    last_line: Vec<u8>,
    closed: bool,
}

impl Wire {
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            taken: 0,
            lines: 0,
            line_octets: 0,
            last_line: Vec::new(),
            closed: false,
        }
    }

    /// The limits of a reply begin anew.
    pub(super) fn expect_reply(&mut self) {
        self.lines = 0;
        self.line_octets = 0;
        self.last_line.clear();
    }

    /// Whether the other side has hung up.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// The beginning of the last line that was read, and whether there was one.
    pub(super) fn last_line(&self) -> &[u8] {
        &self.last_line
    }

    /// The bare connection. What was read and not used is thrown away: behind the answer
    /// to STARTTLS it comes from whoever can write into the plain connection, and must not
    /// be taken for what the relay says inside TLS (RFC 3207 §4.2).
    pub(super) fn into_stream(self) -> Box<dyn Stream> {
        self.stream
    }

    /// The next octets, up to a line end and at most `limit`; none when there are none yet.
    fn take(&mut self, limit: usize) -> io::Result<&[u8]> {
        let waiting = self.buffer.get(self.taken..).unwrap_or_default();
        let line = waiting
            .iter()
            .position(|&b| b == b'\n')
            .map_or(waiting.len(), |at| at + 1);
        let piece = waiting.get(..line.min(limit)).unwrap_or_default();
        if self.line_octets == 0 && !piece.is_empty() {
            self.last_line.clear();
        }
        let room = QUOTED_OCTETS.saturating_sub(self.last_line.len());
        self.last_line
            .extend_from_slice(piece.get(..room).unwrap_or(piece));
        self.taken += piece.len();
        self.line_octets += piece.len();
        if self.line_octets > REPLY_LINE_OCTETS {
            return Err(over_limit("a reply line without end"));
        }
        if piece.ends_with(b"\n") {
            self.line_octets = 0;
            self.lines += 1;
            if self.lines > REPLY_LINES {
                return Err(over_limit("a reply without end"));
            }
        }
        Ok(piece)
    }

    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.taken = 0;
        self.buffer.resize(BUFFER_OCTETS, 0);
        let mut room = ReadBuf::new(&mut self.buffer);
        let polled = Pin::new(&mut self.stream).poll_read(context, &mut room);
        let filled = room.filled().len();
        self.buffer.truncate(filled);
        ready!(polled)?;
        self.closed = filled == 0;
        Poll::Ready(Ok(()))
    }
}

fn over_limit(words: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, words)
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.taken >= self.buffer.len() {
            match self.poll_fill(context) {
                Poll::Ready(Ok(())) => {}
                // The buffer is empty again, so nothing of it can be taken for a reply.
                other => return other,
            }
        }
        let piece = self.take(out.remaining())?;
        out.put_slice(piece);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// What is handed out of these octets, read by read, and the error that ends it.
    async fn reads(octets: &[u8]) -> (Vec<String>, Option<String>) {
        let (mut far, near) = duplex(1024 * 1024);
        far.write_all(octets).await.unwrap();
        drop(far);
        let mut wire = Wire::new(Box::new(near));
        let mut pieces = Vec::new();
        let mut room = [0; 1024];
        loop {
            match wire.read(&mut room).await {
                Ok(0) => break,
                Ok(n) => pieces.push(String::from_utf8(room[..n].to_vec()).unwrap()),
                Err(error) => return (pieces, Some(error.to_string())),
            }
        }
        assert!(wire.is_closed());
        (pieces, None)
    }

    #[tokio::test]
    async fn lines_come_one_at_a_time() {
        let (pieces, error) = reads(b"250-a\r\n250 b\r\n354 c\r\n42").await;
        assert_eq!(pieces, ["250-a\r\n", "250 b\r\n", "354 c\r\n", "42"]);
        assert_eq!(error, None);
    }

    #[tokio::test]
    async fn a_line_may_have_so_many_octets_and_no_more() {
        let longest = [&vec![b'x'; REPLY_LINE_OCTETS - 2][..], b"\r\n"].concat();
        assert_eq!(reads(&longest).await.1, None);
        assert_eq!(
            reads(&[b"x", &longest[..]].concat()).await.1.as_deref(),
            Some("a reply line without end")
        );
    }

    #[tokio::test]
    async fn a_reply_may_have_so_many_lines_and_no_more() {
        let longest = b"250-\r\n".repeat(REPLY_LINES);
        assert_eq!(reads(&longest).await.1, None);
        assert_eq!(
            reads(&b"250-\r\n".repeat(REPLY_LINES + 1)).await.1.as_deref(),
            Some("a reply without end")
        );
    }

    #[tokio::test]
    async fn the_limits_are_those_of_one_reply() {
        let (mut far, near) = duplex(1024 * 1024);
        let lines = b"250-\r\n".repeat(REPLY_LINES);
        far.write_all(&[&lines[..], &lines, b"bare"].concat())
            .await
            .unwrap();
        let mut wire = Wire::new(Box::new(near));
        for _ in 0..2 {
            wire.expect_reply();
            let mut reply = vec![0; lines.len()];
            wire.read_exact(&mut reply).await.unwrap();
            assert_eq!(reply, lines);
        }
        assert_eq!(wire.last_line(), b"250-\r\n");
        // What is behind stays with the wire and goes with it.
        far.write_all(b"inside").await.unwrap();
        let mut rest = wire.into_stream();
        drop(far);
        let mut left = Vec::new();
        rest.read_to_end(&mut left).await.unwrap();
        assert_eq!(left, b"inside");
    }
}
