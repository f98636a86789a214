//! The MTA's side of the milter protocol, made for thousands of connections at once: a
//! connection at rest costs a socket and nothing more.
//!
//! It speaks as a current Postfix does, and insists that no step but the last is answered.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::letter::Letter;
use super::packets::{CHUNK, Packets};

/// The flags by which no step but the end of the message is answered, and blanks are kept.
const SILENT: u32 = 0x1000 | 0x2000 | 0x4000 | 0x8000 | 0x80 | 0x4_0000 | 0x8_0000 | 0x10_0000;
/// What is gathered before it is written.
const WRITE: usize = 64 * 1024;
/// The longest wait for anything: for what hangs, not for what is slow.
const PATIENCE: Duration = Duration::from_secs(120);
/// Octets of an answer that no filter needs.
const ANSWER_LIMIT: usize = 1 << 20;

/// A connection to the service.
pub(super) struct Client {
    stream: TcpStream,
    /// What is yet to be written.
    pub(super) out: Packets,
    greeted: bool,
}

/// What the service said at the end of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// The packet that decides: `a`, `c`, `r`, `t`, `d` or `y`.
    pub(super) code: u8,
    /// The reply of a `y`: `550 5.7.1 …`.
    pub(super) reply: String,
    /// Whether the message is to be held.
    pub(super) held: bool,
    /// The Authentication-Results that it is to be given.
    pub(super) results: String,
}

impl Client {
    /// Connects and says nothing.
    pub(super) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = in_time(TcpStream::connect(address)).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            out: Packets::default(),
            greeted: false,
        })
    }

    /// Connects and negotiates.
    pub(super) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let mut client = Self::open(address).await?;
        client.out.offer();
        client.flush().await?;
        let (code, content) = client.receive().await?;
        let word = content.get(8..12).and_then(|octets| octets.try_into().ok());
        match word.map(u32::from_be_bytes) {
            Some(protocol) if code == b'O' && protocol & SILENT == SILENT => Ok(client),
            _ => Err(unexpected(code, &content)),
        }
    }

    /// Delivers a message, as that of a new SMTP connection.
    pub(super) async fn deliver(&mut self, letter: &Letter) -> io::Result<Answer> {
        self.fields(letter).await?;
        self.end_of_headers().await?;
        self.body(&letter.body).await?;
        self.finish(letter).await
    }

    /// The envelope and the header fields; more may follow.
    pub(super) async fn fields(&mut self, letter: &Letter) -> io::Result<()> {
        self.begin();
        self.out.envelope(letter);
        for (name, value) in &letter.fields {
            self.out.header(name, value);
            if self.out.0.len() > WRITE {
                self.write().await?;
            }
        }
        self.flush().await
    }

    pub(super) async fn end_of_headers(&mut self) -> io::Result<()> {
        self.out.end_of_headers();
        self.flush().await
    }

    /// A new SMTP connection and no message yet.
    pub(super) async fn greet(&mut self, letter: &Letter) -> io::Result<()> {
        self.begin();
        self.out.greeting(letter);
        self.flush().await
    }

    fn begin(&mut self) {
        if self.greeted {
            // The SMTP connection before it is over.
            self.out.add(b'K', &[]);
        }
        self.greeted = true;
    }

    /// Some of the body, in chunks of their own.
    pub(super) async fn body(&mut self, octets: &[u8]) -> io::Result<()> {
        for chunk in octets.chunks(CHUNK) {
            self.out.add(b'B', &[chunk]);
            self.write().await?;
        }
        self.flush().await
    }

    /// The end of the message, and the answer.
    pub(super) async fn finish(&mut self, letter: &Letter) -> io::Result<Answer> {
        self.out.end_of_message(letter);
        self.flush().await?;
        let mut answer = Answer::default();
        loop {
            let (code, content) = self.receive().await?;
            match code {
                b'i' => answer.results.push_str(&results(&content)),
                b'q' => answer.held = true,
                b'p' | b'm' => {}
                b'a' | b'c' | b'r' | b't' | b'd' | b'y' => {
                    answer.code = code;
                    answer.reply = text(content.strip_suffix(b"\0").unwrap_or(&content));
                    return Ok(answer);
                }
                _ => return Err(unexpected(code, &content)),
            }
        }
    }

    /// Ends the conversation, and waits until the service has ended it as well.
    pub(super) async fn quit(mut self) -> io::Result<()> {
        self.out.add(b'Q', &[]);
        self.flush().await?;
        match self.receive().await {
            Ok((code, content)) => Err(unexpected(code, &content)),
            Err(error) if is_end(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Waits until the service has closed the connection; what it says before is thrown away.
    pub(super) async fn ends(&mut self) -> io::Result<()> {
        let mut scrap = [0; 4096];
        loop {
            match in_time(self.stream.read(&mut scrap)).await {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if is_end(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Says no more, and still listens.
    pub(super) async fn hang_up(&mut self) {
        // Where the service has closed the connection already, there is nothing to hang up.
        let _ = self.stream.shutdown().await;
    }

    /// Whether the service has neither said anything nor closed the connection.
    pub(super) fn is_at_rest(&self) -> bool {
        let nothing = self.stream.try_read(&mut [0; 1]);
        nothing.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Writes all there is to write.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        self.write().await?;
        // One at rest shall cost nothing.
        self.out = Packets::default();
        Ok(())
    }

    async fn write(&mut self) -> io::Result<()> {
        in_time(self.stream.write_all(&self.out.0)).await?;
        self.out.0.clear();
        Ok(())
    }

    async fn receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let length = in_time(self.stream.read_u32()).await?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if !(1..=ANSWER_LIMIT).contains(&length) {
            return Err(io::Error::other(format!("an answer of {length} octets")));
        }
        let mut packet = vec![0; length];
        in_time(self.stream.read_exact(&mut packet)).await?;
        let code = packet.remove(0);
        Ok((code, packet))
    }
}

impl Answer {
    /// The code of the SMTP reply; none where the message is accepted.
    pub(super) fn smtp_code(&self) -> Option<&str> {
        (self.code == b'y').then(|| self.reply.get(..3).unwrap_or(&self.reply))
    }

    /// Whether a method came to this: `("dmarc", "pass")`.
    pub(super) fn says(&self, method: &str, result: &str) -> bool {
        let said = format!("{method}={result}");
        self.results
            .split_ascii_whitespace()
            .any(|word| word.trim_end_matches(';') == said)
    }
}

/// The value of an inserted Authentication-Results field (an index, a name and a value); of
/// another field nothing.
fn results(content: &[u8]) -> String {
    let mut texts = content.get(4..).unwrap_or_default().split(|&octet| octet == 0);
    match (texts.next(), texts.next()) {
        (Some(b"Authentication-Results"), Some(value)) => text(value),
        _ => String::new(),
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// Whether the service has closed the connection, or died.
pub(super) fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

fn unexpected(code: u8, content: &[u8]) -> io::Error {
    let content = content.escape_ascii();
    io::Error::other(format!("{:?} {content} has no business here", char::from(code)))
}

async fn in_time<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, "the service hangs");
    timeout(PATIENCE, work).await.map_err(|_| late())?
}
