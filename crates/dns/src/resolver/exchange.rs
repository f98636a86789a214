//! One question and one server: over UDP, and over TCP when the answer is too long.
//!
//! A socket for each question, connected: the kernel then chooses a port at random and
//! drops what others send (RFC 5452 §9.2), and a server that is not there is known at
//! once by its ICMP refusal, not only by silence.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use auth::lookup::LookupError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::wire::{self, Packet, Received, Reply};

/// Packets sent over UDP to one server for one question.
pub(super) const UDP_SENDS: u32 = 3;

/// Packets that are no answer to ours, on one socket, before UDP is given up for the
/// question: somebody is guessing. RFC 5452 §9.3 allows to ask over TCP then, where there
/// is nothing to guess.
const MAX_FOREIGN: usize = 16;

/// More than we announce: some servers send more than they are allowed to.
const UDP_BUFFER_OCTETS: usize = 4096;

/// Asks the server; sends again after each `wait` without an answer. An answer to an
/// earlier packet counts, however late it comes. Ends after [`UDP_SENDS`] waits at the
/// latest; over TCP it is the caller who ends it.
pub(super) async fn ask(server: SocketAddr, packet: &Packet, wait: Duration) -> Reply {
    match ask_udp(server, packet, wait).await {
        Ok(Some(reply)) => reply,
        Ok(None) => ask_tcp(server, packet).await.unwrap_or_else(|e| failed(&e)),
        Err(error) => failed(&error),
    }
}

/// `None` when it is to be asked over TCP: the answer is truncated, or somebody tries to
/// pass for the server.
async fn ask_udp(server: SocketAddr, packet: &Packet, wait: Duration) -> io::Result<Option<Reply>> {
    let local: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(local).await?;
    socket.connect(server).await?;
    let mut foreign = 0;
    for _ in 0..UDP_SENDS {
        socket.send(&packet.octets).await?;
        if let Ok(reply) = timeout(wait, receive(&socket, packet, &mut foreign)).await {
            return reply;
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// Waits for the answer among whatever arrives; time is the caller's limit.
async fn receive(socket: &UdpSocket, packet: &Packet, foreign: &mut usize) -> io::Result<Option<Reply>> {
    let mut buffer = [0; UDP_BUFFER_OCTETS];
    while *foreign < MAX_FOREIGN {
        let length = socket.recv(&mut buffer).await?;
        match wire::read(buffer.get(..length).unwrap_or_default(), packet) {
            Received::Foreign => *foreign += 1,
            Received::Truncated => return Ok(None),
            Received::Reply(reply) => return Ok(Some(reply)),
        }
    }
    Ok(None)
}

/// RFC 7766 §8: two octets of length before each message. One question a connection;
/// answers too long for UDP are rare.
async fn ask_tcp(server: SocketAddr, packet: &Packet) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(packet.octets.len()).map_err(io::Error::other)?;
    let framed = [&length.to_be_bytes(), packet.octets.as_slice()].concat();
    stream.write_all(&framed).await?;
    let mut octets = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut octets).await?;
    Ok(match wire::read(&octets, packet) {
        Received::Reply(reply) => reply,
        Received::Foreign | Received::Truncated => Reply::Failed(LookupError::BadAnswer),
    })
}

fn failed(error: &io::Error) -> Reply {
    Reply::Failed(match error.kind() {
        io::ErrorKind::TimedOut => LookupError::Timeout,
        // The server hung up before the end of its answer.
        io::ErrorKind::UnexpectedEof => LookupError::BadAnswer,
        _ => LookupError::Unreachable,
    })
}
