//! The running service, asked by its check API: there is one that judges and writes down, whatever the interface.

use std::fmt::Write as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use landmarc_milter::PeerAddress;
use landmarc_net::SocketAddress;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::filter::{Judge, NoRuling, Ruling};
use super::held::{BufferedMessage, as_judged};
use crate::answer::{Added, SmtpRefusal};
use crate::caller::Caller;

/// How long the service may take, from the connection to the answer. smtpd gives its client five minutes, and
/// the client waits for as long.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(240);

/// Octets of an answer that are read. Ours lists no more than a few fields, but a sender has a hand in what was found.
const MAX_ANSWER_OCTETS: usize = 1024 * 1024;

/// Pieces of a message between the file and the socket.
const PIECES: usize = 4;

/// The check API of a running service.
#[derive(Clone)]
pub struct CheckApiClient {
    socket: SocketAddress,
    secret: Option<Vec<u8>>,
}

impl CheckApiClient {
    /// `secret`: what the service wants each request to name.
    #[must_use]
    pub fn new(socket: SocketAddress, secret: Option<Vec<u8>>) -> Self {
        Self { socket, secret }
    }

    async fn ask(&self, caller: &Caller, message: &mut BufferedMessage) -> Result<Ruling, AskError> {
        match &self.socket {
            SocketAddress::Unix(path) => {
                self.ask_over(self.connected(UnixStream::connect(path).await)?, caller, message)
                    .await
            }
            SocketAddress::Inet { host, port, .. } => {
                let host = host.as_deref().unwrap_or("localhost");
                let stream = TcpStream::connect((host, *port)).await;
                self.ask_over(self.connected(stream)?, caller, message).await
            }
        }
    }

    fn connected<IO>(&self, connected: io::Result<IO>) -> Result<IO, AskError> {
        connected.map_err(|source| AskError::Unreachable {
            socket: self.socket.to_string(),
            source,
        })
    }

    async fn ask_over<IO>(
        &self,
        stream: IO,
        caller: &Caller,
        message: &mut BufferedMessage,
    ) -> Result<Ruling, AskError>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with this question, whatever becomes of it.
        let mut connections = JoinSet::new();
        connections.spawn(connection);
        let (pieces, piped) = mpsc::channel(PIECES);
        let body = Piped {
            pieces: piped,
            left: message.message_octets(),
        };
        let answered = converse(sender, self.request(caller, body));
        let (answered, read) = tokio::join!(answered, pump(message, pieces));
        read.map_err(AskError::Held)?;
        ruling(&answered?)
    }

    fn request(&self, caller: &Caller, body: Piped) -> Request<Piped> {
        let mut request = Request::new(body);
        *request.method_mut() = hyper::Method::POST;
        *request.uri_mut() = hyper::Uri::from_static("/v1/check");
        envelope(caller, request.headers_mut());
        let headers = request.headers_mut();
        headers.insert(header::HOST, HeaderValue::from_static("localhost"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("message/rfc822"));
        if let Some(secret) = &self.secret {
            let mut token = value(&[b"Bearer ", secret.as_slice()].concat());
            token.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, token);
        }
        request
    }
}

impl Judge for CheckApiClient {
    async fn judge(&self, caller: &Caller, message: &mut BufferedMessage) -> Result<Ruling, NoRuling> {
        let asked = timeout(ANSWER_TIMEOUT, self.ask(caller, message)).await;
        let asked = asked.unwrap_or(Err(AskError::TooSlow));
        asked.map_err(|error| {
            let mut words = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                // To a string nothing fails.
                let _ = write!(words, ": {cause}");
                source = cause.source();
            }
            match error.is_of_the_message() {
                true => NoRuling::TooLarge(words),
                false => NoRuling::Away(words),
            }
        })
    }
}

/// Why the service gave no answer.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("the check API of the service cannot be reached at {socket}")]
    Unreachable { socket: String, source: io::Error },
    #[error("the check API ended the conversation")]
    Http(#[from] hyper::Error),
    #[error("the service did not answer within {} seconds", ANSWER_TIMEOUT.as_secs())]
    TooSlow,
    #[error("the message that was kept cannot be read back")]
    Held(#[source] io::Error),
    #[error("the check API refuses to judge: {status} {text}")]
    Refused { status: u16, text: String },
    #[error("the check API gives an answer that is not understood: {0}")]
    Answer(&'static str),
    #[error("the answer of the check API has more than {MAX_ANSWER_OCTETS} octets")]
    LongAnswer,
}

impl AskError {
    /// Whether another message would have been judged: this one, its envelope or the answer is too large.
    fn is_of_the_message(&self) -> bool {
        match self {
            // Content Too Large, Request Header Fields Too Large.
            Self::Refused { status, .. } => matches!(status, 413 | 431),
            Self::LongAnswer => true,
            Self::Unreachable { .. } | Self::Http(_) | Self::TooSlow | Self::Held(_) | Self::Answer(_) => {
                false
            }
        }
    }
}

async fn converse(
    mut sender: http1::SendRequest<Piped>,
    request: Request<Piped>,
) -> Result<Vec<u8>, AskError> {
    let response: Response<Incoming> = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_ANSWER_OCTETS)
        .collect()
        .await;
    let body = body.map_err(|error| match error.is::<LengthLimitError>() {
        true => AskError::LongAnswer,
        false => AskError::Answer("it is cut off"),
    })?;
    let body = body.to_bytes().to_vec();
    if status.is_success() {
        return Ok(body);
    }
    let text = String::from_utf8_lossy(&body).trim().chars().take(200).collect();
    Err(AskError::Refused {
        status: status.as_u16(),
        text,
    })
}

/// Reads the message into the pipe, for as long as somebody reads at its other end.
async fn pump(message: &mut BufferedMessage, pieces: mpsc::Sender<Bytes>) -> io::Result<()> {
    let mut lines = message.lines()?;
    while let Some(piece) = lines.next_piece()? {
        if pieces.send(as_judged(&piece).into()).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// A body of known length that is written elsewhere.
struct Piped {
    pieces: mpsc::Receiver<Bytes>,
    left: u64,
}

impl Body for Piped {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let piece = self.pieces.poll_recv(context);
        piece.map(|piece| {
            let piece = piece?;
            let octets = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            self.left = self.left.saturating_sub(octets);
            Some(Ok(Frame::data(piece)))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// The envelope in the header fields of the check API.
fn envelope(caller: &Caller, headers: &mut HeaderMap) {
    let mut add = |name: &'static str, octets: &[u8]| {
        headers.append(HeaderName::from_static(name), value(octets));
    };
    add(
        "landmarc-interface",
        crate::caller::Interface::OpenSmtpd.as_str().as_bytes(),
    );
    match &caller.client {
        PeerAddress::Ip(address, port) => {
            add("landmarc-client", address.to_string().as_bytes());
            add("landmarc-client-port", port.to_string().as_bytes());
        }
        PeerAddress::Unix(_) => add("landmarc-client", b"local"),
        PeerAddress::Unknown => {}
    }
    add("landmarc-helo", &caller.helo);
    add("landmarc-mail-from", &caller.mail_from);
    for path in &caller.rcpt_to {
        add("landmarc-rcpt-to", path);
    }
    let name = caller
        .client_name
        .as_deref()
        .filter(|_| caller.client_name_is_verified);
    for (field, known) in [
        ("landmarc-client-name", name),
        ("landmarc-user", caller.authenticated.as_deref()),
        ("landmarc-queue-id", caller.queue_id.as_deref()),
        ("landmarc-mta-name", caller.mta_name.as_deref()),
    ] {
        if let Some(known) = known {
            add(field, known.as_bytes());
        }
    }
}

/// A field value of these octets; what no field may have becomes `?`.
fn value(octets: &[u8]) -> HeaderValue {
    let allowed = octets
        .iter()
        .map(|&b| if b < b' ' || b == 0x7f { b'?' } else { b });
    let allowed: Vec<u8> = allowed.collect();
    HeaderValue::from_bytes(&allowed).unwrap_or(HeaderValue::from_static(""))
}

/// Reads the answer of the check API.
fn ruling(body: &[u8]) -> Result<Ruling, AskError> {
    let object: Value = serde_json::from_slice(body).map_err(|_| AskError::Answer("it is no JSON"))?;
    match object["verdict"].as_str() {
        Some("accept" | "quarantine") => edits(&object).map_err(|_| AskError::Answer("its edits are none")),
        Some("reject" | "tempfail") => {
            let reply = SmtpRefusal::deserialize(&object["smtp"]).ok();
            let reply = reply.filter(|reply| (400..=599).contains(&reply.code));
            Ok(Ruling {
                refusal: Some(reply.ok_or(AskError::Answer("its reply is none"))?),
                ..Ruling::default()
            })
        }
        _ => Err(AskError::Answer("its verdict is none")),
    }
}

fn edits(object: &Value) -> serde_json::Result<Ruling> {
    let added = Vec::<(String, String)>::deserialize(&object["add_header"])?;
    let added = added.into_iter().map(|(name, value)| Added { name, value });
    Ok(Ruling {
        refusal: None,
        removed: Vec::deserialize(&object["remove_header"])?,
        added: added.collect(),
        is_junk: object["action"] == "quarantine",
    })
}

#[cfg(test)]
mod tests;
