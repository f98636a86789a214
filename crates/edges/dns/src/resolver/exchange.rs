//! One question and one server: over UDP, and over TCP when the answer is too long.
//!
//! A socket for each question, connected: the kernel then chooses a port at random and
//! drops what others send (RFC 5452 §9.2), and a server that is not there is known at
//! once by its ICMP refusal, not only by silence. Names go to other hosts in random case.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use landmarc_auth::lookup::LookupError;
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

/// What came of asking one server.
pub(super) struct Exchange {
    pub(super) reply: Reply,
    /// The server answers in another case than it is asked, and cannot be asked over TCP.
    pub(super) loses_case: bool,
}

/// What came over UDP.
enum UdpAnswer {
    Reply(Reply),
    /// The answer is truncated, or somebody tries to pass for the server: TCP is next.
    UseTcp,
    /// An answer with the name in another case. Somebody guesses, or the server does not keep the
    /// case of names: over TCP it need not.
    OtherCase,
}

/// Asks the server; sends again after each `wait` without an answer. An answer to an
/// earlier packet counts, however late it comes. Ends after [`UDP_SENDS`] waits at the
/// latest, once more as many where the server loses case; over TCP it is the caller who ends it.
pub(super) async fn ask(server: SocketAddr, packet: &Packet, wait: Duration) -> Exchange {
    let reply = match ask_udp(server, packet, wait).await {
        Ok(UdpAnswer::Reply(reply)) => Ok(reply),
        Ok(UdpAnswer::UseTcp) => ask_tcp(server, packet).await,
        Ok(UdpAnswer::OtherCase) => return ask_in_lower_case(server, packet, wait).await,
        Err(error) => Err(error),
    };
    Exchange {
        reply: reply.unwrap_or_else(|error| failed(&error)),
        loses_case: false,
    }
}

/// After an answer in another case: over TCP, and only where that fails, over UDP with the name in
/// lower case. Who forges answers cannot make TCP fail.
async fn ask_in_lower_case(server: SocketAddr, packet: &Packet, wait: Duration) -> Exchange {
    let over_tcp = timeout(wait, ask_tcp(server, packet)).await;
    let failure = match over_tcp.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(reply) => {
            return Exchange {
                reply,
                loses_case: false,
            };
        }
        Err(error) => failed(&error),
    };
    let answer = match Packet::new(&packet.question) {
        Some(plain) => ask_udp(server, &plain, wait).await,
        None => Ok(UdpAnswer::UseTcp),
    };
    let (reply, loses_case) = match answer {
        Ok(UdpAnswer::Reply(reply)) => (reply, true),
        Ok(UdpAnswer::UseTcp | UdpAnswer::OtherCase) => (failure, false),
        Err(error) => (failed(&error), false),
    };
    Exchange { reply, loses_case }
}

async fn ask_udp(server: SocketAddr, packet: &Packet, wait: Duration) -> io::Result<UdpAnswer> {
    let local: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(local).await?;
    socket.connect(server).await?;
    let mut foreign = 0;
    for _ in 0..UDP_SENDS {
        socket.send(&packet.octets).await?;
        if let Ok(answer) = timeout(wait, receive(&socket, packet, &mut foreign)).await {
            return answer;
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// Waits for the answer among whatever arrives; time is the caller's limit.
async fn receive(socket: &UdpSocket, packet: &Packet, foreign: &mut usize) -> io::Result<UdpAnswer> {
    let mut buffer = [0; UDP_BUFFER_OCTETS];
    while *foreign < MAX_FOREIGN {
        let length = socket.recv(&mut buffer).await?;
        let datagram = buffer.get(..length).unwrap_or_default();
        match wire::read(datagram, packet) {
            Received::Foreign => *foreign += 1,
            Received::Truncated => return Ok(UdpAnswer::UseTcp),
            Received::Reply(_) if !wire::keeps_case(datagram, packet) => return Ok(UdpAnswer::OtherCase),
            Received::Reply(reply) => return Ok(UdpAnswer::Reply(reply)),
        }
    }
    Ok(UdpAnswer::UseTcp)
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

#[cfg(test)]
mod tests {
    use landmarc_auth::lookup::{Answer, Question};
    use landmarc_testkit::dns_server::DnsServer;
    use landmarc_testkit::txt_zones;

    use super::*;

    /// An alternating case, however the name is written in the zone.
    const BITS: u64 = 0xAAAA_AAAA_AAAA_AAAA;

    fn is_found(reply: &Reply) -> bool {
        matches!(
            reply,
            Reply::Final {
                answer: Answer::Records(_),
                ..
            }
        )
    }

    async fn asked(server: &DnsServer, packet: &Packet) -> usize {
        let exchange = ask(server.addr(), packet, Duration::from_secs(5)).await;
        assert!(is_found(&exchange.reply), "{:?}", exchange.reply);
        assert!(!exchange.loses_case);
        server.log().len()
    }

    #[tokio::test]
    async fn an_answer_in_another_case_is_fetched_over_tcp() {
        let question = Question::txt(landmarc_testkit::dns_name("example.com"));
        let random = Packet::with_random_case(&question, BITS).unwrap();
        let plain = Packet::new(&question).unwrap();
        assert_ne!(random.octets[12..], plain.octets[12..]);
        for (lowers, packet, questions) in [(false, &random, 1), (true, &random, 2), (true, &plain, 1)] {
            let server = DnsServer::start(txt_zones(&[("example.com", "x")]));
            server.set_lowers_names(lowers);
            assert_eq!(asked(&server, packet).await, questions, "{lowers}");
        }
    }

    #[tokio::test]
    async fn a_server_that_loses_case_and_has_no_tcp_is_asked_in_lower_case() {
        let server = DnsServer::start_without_tcp(txt_zones(&[("example.com", "x")]));
        let question = Question::txt(landmarc_testkit::dns_name("example.com"));
        let packet = Packet::with_random_case(&question, BITS).unwrap();
        assert_eq!(asked(&server, &packet).await, 1);
        server.set_lowers_names(true);
        let exchange = ask(server.addr(), &packet, Duration::from_secs(5)).await;
        assert!(is_found(&exchange.reply), "{:?}", exchange.reply);
        assert!(exchange.loses_case);
        assert_eq!(server.log().len(), 3, "in random case, and in lower case");
    }

    #[tokio::test]
    async fn a_server_whose_tcp_is_silent_is_asked_in_lower_case_after_one_wait() {
        let server = DnsServer::start_without_tcp(txt_zones(&[("example.com", "x")]));
        server.set_lowers_names(true);
        let silent = tokio::net::TcpListener::bind(server.addr()).await.unwrap();
        let question = Question::txt(landmarc_testkit::dns_name("example.com"));
        let packet = Packet::with_random_case(&question, BITS).unwrap();
        let exchange = ask(server.addr(), &packet, Duration::from_millis(500)).await;
        assert!(
            is_found(&exchange.reply) && exchange.loses_case,
            "{:?}",
            exchange.reply
        );
        drop(silent);
    }
}
