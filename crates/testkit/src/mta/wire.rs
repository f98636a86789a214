//! Packets over a socket.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How long the scripted MTA waits for an answer before the test has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Octets of an answer that no filter needs.
const ANSWER_LIMIT: usize = 1 << 20;

/// What a filter sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// What it is.
    pub code: u8,
    /// What it says.
    pub content: Vec<u8>,
}

/// The octets of one packet.
#[must_use]
pub fn packet(code: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 1).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], &[code], content].concat()
}

/// A connection to a filter.
#[derive(Debug)]
pub struct Wire(Stream);

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Wire {
    /// Connects to `inet:host:port`, `inet:port@host`, `inet6:port@host` or `unix:/path`; says nothing.
    ///
    /// # Errors
    /// When that fails.
    pub fn open(address: &str) -> io::Result<Self> {
        let stream = match address.split_once(':') {
            Some(("unix", path)) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Stream::Unix(stream)
            }
            Some(("inet" | "inet6", rest)) => {
                let (port, host) = match (rest.split_once('@'), rest.rsplit_once(':')) {
                    (Some(port_and_host), _) => port_and_host,
                    (None, Some((host, port))) => (port, host),
                    (None, None) => (rest, "127.0.0.1"),
                };
                let host = host.trim_matches(['[', ']']);
                let port: u16 = port.parse().map_err(io::Error::other)?;
                let stream = TcpStream::connect((host, port))?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
                Stream::Tcp(stream)
            }
            _ => return Err(io::Error::other(format!("{address:?} is no socket"))),
        };
        Ok(Self(stream))
    }

    /// Sends one packet.
    ///
    /// # Errors
    /// When the filter is gone.
    pub fn send(&mut self, code: u8, content: &[u8]) -> io::Result<()> {
        self.send_raw(&packet(code, content))
    }

    /// Sends octets as they are.
    ///
    /// # Errors
    /// When the filter is gone.
    pub fn send_raw(&mut self, octets: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Stream::Tcp(stream) => stream.write_all(octets),
            Stream::Unix(stream) => stream.write_all(octets),
        }
    }

    /// The next packet.
    ///
    /// # Errors
    /// `UnexpectedEof` when the filter closed the connection, `TimedOut` or
    /// `WouldBlock` when it says nothing, `InvalidData` when it is none.
    pub fn receive(&mut self) -> io::Result<Packet> {
        let mut head = [0; 5];
        self.read_exact(&mut head)?;
        let [a, b, c, d, code] = head;
        let size = u32::from_be_bytes([a, b, c, d]).checked_sub(1);
        let size = size.and_then(|size| usize::try_from(size).ok());
        let size = size.filter(|size| *size <= ANSWER_LIMIT).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a packet that is none: {head:?}"),
            )
        })?;
        let mut content = vec![0; size];
        self.read_exact(&mut content)?;
        Ok(Packet { code, content })
    }

    /// Whether the filter has closed the connection, or does so within the time that
    /// an answer may take; what it says before is thrown away.
    pub fn is_closed(&mut self) -> bool {
        loop {
            match self.receive() {
                Ok(_) => {}
                Err(error) => {
                    return matches!(
                        error.kind(),
                        io::ErrorKind::UnexpectedEof
                            | io::ErrorKind::ConnectionReset
                            | io::ErrorKind::BrokenPipe
                    );
                }
            }
        }
    }

    fn read_exact(&mut self, octets: &mut [u8]) -> io::Result<()> {
        match &mut self.0 {
            Stream::Tcp(stream) => stream.read_exact(octets),
            Stream::Unix(stream) => stream.read_exact(octets),
        }
    }
}

/// Takes content apart from its front.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*number))
    }

    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let nul = self.0.iter().position(|b| *b == 0)?;
        let (text, rest) = self.0.split_at_checked(nul)?;
        self.0 = rest.get(1..)?;
        Some(text)
    }
}

pub(super) fn unexpected(answer: &Packet) -> io::Error {
    let message = format!(
        "the filter sent \"{}\" {:?}, which has no business here",
        char::from(answer.code),
        answer.content.escape_ascii().to_string()
    );
    io::Error::new(io::ErrorKind::InvalidData, message)
}
