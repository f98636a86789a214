//! The connection below SMTP: commands out, replies in, both within limits.
//!
//! A reply is taken line by line, so that what comes behind it stays for the next one and replies to
//! pipelined commands are read one by one (RFC 2920).

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Duration, timeout};

use super::limits::{REPLY_LINE_OCTETS, REPLY_LINES};
use super::reply::{NoReply, SmtpReply};

/// Octets read from the stream at a time.
const BUFFER_OCTETS: usize = 4 * 1024;

/// What SMTP can run over.
pub(super) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// A connection to the relay.
pub(super) struct SmtpConnection {
    stream: Box<dyn ByteStream>,
    /// What was read and is not yet used.
    buffer: Vec<u8>,
}

impl SmtpConnection {
    pub(super) fn new(stream: Box<dyn ByteStream>) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// The bare stream. What was read and not used is thrown away: behind the answer
    /// to STARTTLS it comes from whoever can write into the plain connection, and must not
    /// be taken for what the relay says inside TLS (RFC 3207 §4.2).
    pub(super) fn into_stream(self) -> Box<dyn ByteStream> {
        self.stream
    }

    /// Writes octets.
    pub(super) async fn write(&mut self, octets: &[u8], limit: Duration) -> Result<(), NoReply> {
        let written = async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        };
        match timeout(limit, written).await {
            Ok(written) => written.map_err(|error| failed(&error)),
            Err(_) => Err(NoReply::Silence(limit)),
        }
    }

    /// Reads the next reply.
    pub(super) async fn read(&mut self, limit: Duration) -> Result<SmtpReply, NoReply> {
        SmtpReply::parse(&self.read_octets(limit).await?)
    }

    /// Sends a command, with its CRLF, and reads the reply to it.
    pub(super) async fn command(&mut self, line: &str, limit: Duration) -> Result<SmtpReply, NoReply> {
        self.write(line.as_bytes(), limit).await?;
        self.read(limit).await
    }

    /// Reads the lines of the next reply.
    pub(super) async fn read_octets(&mut self, limit: Duration) -> Result<Vec<u8>, NoReply> {
        let reply = timeout(limit, self.reply()).await;
        reply.unwrap_or(Err(NoReply::Silence(limit)))
    }

    async fn reply(&mut self) -> Result<Vec<u8>, NoReply> {
        let mut reply = Vec::new();
        for _ in 0..REPLY_LINES {
            let line = self.line().await?;
            reply.extend_from_slice(&line);
            // RFC 5321 §4.2.1: all lines but the last have a hyphen behind the code.
            if line.get(3) != Some(&b'-') {
                return Ok(reply);
            }
        }
        Err(NoReply::Garbage("a reply without end".to_owned()))
    }

    /// The next line, with its end, if it may be one of a reply.
    async fn line(&mut self) -> Result<Vec<u8>, NoReply> {
        loop {
            let end = self.buffer.iter().position(|&octet| octet == b'\n');
            let octets = end.map_or(self.buffer.len(), |at| at + 1);
            if octets > REPLY_LINE_OCTETS {
                return Err(NoReply::Garbage("a reply line without end".to_owned()));
            }
            // The end of what is no reply is not waited for.
            if !self.buffer.iter().take(octets.min(3)).all(u8::is_ascii_digit) {
                return Err(NoReply::garbage(self.buffer.get(..octets).unwrap_or_default()));
            }
            if end.is_some() {
                return Ok(self.buffer.drain(..octets).collect());
            }
            self.buffer.reserve(BUFFER_OCTETS);
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) => return Err(NoReply::Closed("the connection was closed".to_owned())),
                Ok(_) => {}
                Err(error) => return Err(failed(&error)),
            }
        }
    }
}

fn failed(error: &std::io::Error) -> NoReply {
    NoReply::Closed(format!("the connection failed: {error}"))
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(1);

    /// The replies among these octets, and what ends them.
    async fn replies(octets: &[u8]) -> (Vec<String>, NoReply) {
        let (mut far, near) = duplex(1024 * 1024);
        far.write_all(octets).await.unwrap();
        drop(far);
        let mut connection = SmtpConnection::new(Box::new(near));
        let mut replies = Vec::new();
        loop {
            match connection.read_octets(LIMIT).await {
                Ok(reply) => replies.push(String::from_utf8(reply).unwrap()),
                Err(broken) => return (replies, broken),
            }
        }
    }

    #[tokio::test]
    async fn replies_come_one_at_a_time() {
        let (replies, broken) = replies(b"250-a\r\n250 b\r\n354 c\r\n250\n42").await;
        assert_eq!(replies, ["250-a\r\n250 b\r\n", "354 c\r\n", "250\n"]);
        insta::assert_snapshot!(broken.words(), @"the connection was closed");
    }

    #[tokio::test]
    async fn a_line_may_have_so_many_octets_and_no_more() {
        let longest = [b"250 ", &vec![b'x'; REPLY_LINE_OCTETS - 6][..], b"\r\n"].concat();
        assert_eq!(replies(&longest).await.0.len(), 1);
        let (none, broken) = replies(&[b"250 x", &longest[4..]].concat()).await;
        assert_eq!(
            (none.len(), broken.words()),
            (0, "a reply line without end".to_owned())
        );
    }

    #[tokio::test]
    async fn a_reply_may_have_so_many_lines_and_no_more() {
        let longest = [b"250-\r\n".repeat(REPLY_LINES - 1), b"250 \r\n".to_vec()].concat();
        // The limits are those of one reply.
        assert_eq!(replies(&longest.repeat(2)).await.0.len(), 2);
        let (none, broken) = replies(&[&b"250-\r\n"[..], &longest].concat()).await;
        assert_eq!(
            (none.len(), broken.words()),
            (0, "a reply without end".to_owned())
        );
    }

    #[tokio::test]
    async fn the_end_of_what_is_no_reply_is_not_waited_for() {
        for octets in [&b"S"[..], b"25x", b"\r\n", b"250-a\r\nb"] {
            let (mut far, near) = duplex(64);
            far.write_all(octets).await.unwrap();
            let broken = SmtpConnection::new(Box::new(near)).read(LIMIT).await.unwrap_err();
            assert!(matches!(broken, NoReply::Garbage(_)), "{broken:?}");
        }
    }

    #[tokio::test]
    async fn what_is_behind_a_reply_goes_with_the_connection() {
        let (mut far, near) = duplex(64);
        far.write_all(b"220 go\r\n250 forged\r\n").await.unwrap();
        let mut connection = SmtpConnection::new(Box::new(near));
        assert_eq!(connection.read(LIMIT).await.unwrap().code, 220);
        far.write_all(b"inside").await.unwrap();
        let mut rest = connection.into_stream();
        drop(far);
        let mut left = Vec::new();
        rest.read_to_end(&mut left).await.unwrap();
        assert_eq!(left, b"inside");
    }
}
