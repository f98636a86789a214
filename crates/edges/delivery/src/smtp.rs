//! Messages over SMTP (RFC 5321) to one relay, on connections that are used again.
//!
//! Implements STARTTLS (RFC 3207), AUTH PLAIN and LOGIN (RFC 4954), SIZE (RFC 1870),
//! PIPELINING (RFC 2920), enhanced codes (RFC 2034). Not: HELO, since a relay that knows no
//! EHLO is none of this century; 8BITMIME and CHUNKING, which our messages do not need; DSN,
//! since bounces come to a return path that tells which message they are about.

mod connection;
pub mod limits;
mod reply;
mod session;
mod text;
mod tls;
mod transaction;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use landmarc_mail::DomainName;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};

use crate::outcome::{DeliveryFailure, DeliveryOutcome, DeliveryStage};
use crate::{RelayLogin, Submission, TlsMode, TransportError};
use reply::{Deadline, NoReply};
use session::{SessionTerms, SmtpSession};
pub use tls::{CaError, SYSTEM_ROOTS, check_ca_file};
use transaction::Sent;

/// Messages by SMTP.
pub(crate) struct Smtp {
    relay: RelayAddress,
    terms: SessionTerms,
    /// Connections that wait for the next message; no more than messages were on their way
    /// at once.
    idle: Mutex<Vec<SmtpSession>>,
}

/// Where the relay is.
#[derive(Debug)]
pub(crate) struct RelayAddress {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl fmt::Display for RelayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.parse() {
            Ok(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            _ => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp")
            .field("relay", &self.relay)
            .field("tls", &self.terms.mode)
            .finish_non_exhaustive()
    }
}

impl Smtp {
    pub(crate) fn new(
        relay: RelayAddress,
        mode: TlsMode,
        ca_file: Option<&Path>,
        login: Option<RelayLogin>,
        hello: String,
    ) -> Result<Self, TransportError> {
        if !is_host(&hello) {
            return Err(TransportError::Hello(hello));
        }
        let terms = SessionTerms {
            // Also without TLS this is where a name that is none is found.
            encryption: tls::Encryption::new(&relay.host, mode, ca_file)?,
            hello: hello_argument(hello),
            mode,
            login,
        };
        Ok(Self {
            relay,
            terms,
            idle: Mutex::default(),
        })
    }

    /// Hands one message over. `grace` is how long the answer to its final dot may take.
    pub(crate) async fn deliver(
        &self,
        submission: &Submission<'_>,
        deadline: Instant,
        grace: Duration,
    ) -> DeliveryOutcome {
        let clock = Deadline { deadline };
        if let Some(session) = self.kept().await
            && let Some(outcome) = self.send(session, submission, clock, grace).await
        {
            return outcome;
        }
        let opened = match connect(&self.relay, clock).await {
            Ok(stream) => {
                let is_loopback = is_loopback(&stream);
                SmtpSession::open(Box::new(stream), is_loopback, &self.terms, clock).await
            }
            Err(failure) => Err(failure),
        };
        let session = match opened {
            Ok(session) => session,
            Err(failure) => return DeliveryOutcome::RelayUnusable(failure),
        };
        let outcome = self.send(session, submission, clock, grace).await;
        // A connection that was just made is not stale.
        let closed = || NoReply::Closed("the connection was closed".to_owned());
        outcome.unwrap_or_else(|| DeliveryOutcome::Deferred(closed().into_failure(DeliveryStage::Mail)))
    }

    /// Sends the message, and keeps the connection if another can follow; none when the
    /// relay had left it.
    async fn send(
        &self,
        mut session: SmtpSession,
        submission: &Submission<'_>,
        clock: Deadline,
        grace: Duration,
    ) -> Option<DeliveryOutcome> {
        let handed = session.send(submission, clock, grace).await;
        if !session.is_usable {
            drop(session);
        } else if session.messages < limits::MESSAGES_PER_CONNECTION {
            self.idle().push(session);
        } else {
            session.quit().await;
        }
        match handed {
            Sent::Over(outcome) => Some(outcome),
            Sent::Stale => None,
        }
    }

    /// A connection from before that is worth a try.
    async fn kept(&self) -> Option<SmtpSession> {
        loop {
            let session = self.idle().pop()?;
            if session.last_used.elapsed() < limits::IDLE {
                return Some(session);
            }
            session.quit().await;
        }
    }

    pub(crate) async fn close(&self) {
        let sessions = std::mem::take(&mut *self.idle());
        for session in sessions {
            session.quit().await;
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<SmtpSession>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connects to the first address of the relay that answers.
async fn connect(relay: &RelayAddress, clock: Deadline) -> Result<TcpStream, DeliveryFailure> {
    let failed = |words: String| DeliveryFailure::new(DeliveryStage::Connect, &format!("{relay}: {words}"));
    let limit = clock.limit(limits::CONNECT);
    let addresses = match timeout(limit, lookup_host((relay.host.as_str(), relay.port))).await {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Err(_) => return Err(failed(NoReply::Silence(limit).words())),
    };
    connect_first(addresses, clock).await.map_err(failed)
}

async fn connect_first(
    addresses: impl Iterator<Item = SocketAddr>,
    clock: Deadline,
) -> Result<TcpStream, String> {
    let mut reason = "the name has no address".to_owned();
    for address in addresses.take(limits::ADDRESSES) {
        match connect_to(address, clock.limit(limits::CONNECT)).await {
            Ok(stream) => return Ok(stream),
            Err(words) => reason = words,
        }
    }
    Err(reason)
}

async fn connect_to(address: SocketAddr, limit: Duration) -> Result<TcpStream, String> {
    let stream = match timeout(limit, TcpStream::connect(address)).await {
        Ok(connected) => connected.map_err(|error| error.to_string())?,
        Err(_) => return Err(NoReply::Silence(limit).words()),
    };
    // A command is one piece and then waited for: nothing to gather here.
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    Ok(stream)
}

/// Whether nobody can listen on the way.
fn is_loopback(stream: &TcpStream) -> bool {
    let peer = stream.peer_addr().map(|address| address.ip().to_canonical());
    peer.is_ok_and(|address| address.is_loopback())
}

fn is_host(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || text.is_ascii() && DomainName::parse(text).is_ok()
}

/// A name, or an address as RFC 5321 §4.1.3 writes it.
fn hello_argument(hello: String) -> String {
    match hello.parse() {
        Ok(IpAddr::V4(address)) => format!("[{address}]"),
        Ok(IpAddr::V6(address)) => format!("[IPv6:{address}]"),
        Err(_) => hello,
    }
}

#[cfg(test)]
mod tests;
