//! The side that sends segments.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{self, HeaderMap};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::{AlertDescription, CertificateError, InvalidMessage};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::SEGMENT_PATH;
use crate::answer::{ErrorReply, SegmentReply};
use crate::beat::{BEAT_PATH, BeatMessage, BeatReply};
use crate::error::PushError;
use crate::tls::ClientTls;
use crate::url::PushUrl;

/// Addresses of the other host that are tried, one after the other.
const MAX_ADDRESSES: usize = 8;

/// Octets of an answer; ours have some hundred.
const MAX_ANSWER_OCTETS: usize = 64 * 1024;

/// The longest pause that the other side may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

const OCTETS: &str = "application/octet-stream";
const JSON: &str = "application/json";

/// How long the other side is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To look its name up; and for each of its addresses, to connect and to shake hands.
    pub connect: Duration,
    /// From the first octet of a segment to the last one of the answer.
    pub request: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            // As long as a server lets a segment come, and more than it takes over it.
            request: Duration::from_secs(420),
        }
    }
}

/// Sends segments to one other host, one at a time, over a connection that is kept. Clones share it.
#[derive(Clone)]
pub struct Client(Arc<ClientShared>);

struct ClientShared {
    target: PushUrl,
    connector: TlsConnector,
    timeouts: Timeouts,
    kept: Mutex<Option<Connection>>,
}

impl Client {
    /// For this URL, of the form `https://host[:port][/]`. Nothing is connected yet.
    ///
    /// # Errors
    /// [`PushError::Url`].
    pub fn new(url: &str, tls: &ClientTls, timeouts: Timeouts) -> Result<Self, PushError> {
        Ok(Self(Arc::new(ClientShared {
            target: PushUrl::parse(url)?,
            connector: tls.connector(),
            timeouts,
            kept: Mutex::new(None),
        })))
    }

    /// Where it sends to.
    pub fn url(&self) -> &str {
        &self.0.target.url
    }

    /// Sends a segment. After an error it may have been taken all the same; sent again, it comes
    /// as known. To be called within a tokio runtime; a call that is dropped closes the connection.
    ///
    /// # Errors
    /// Why it was not taken, and whether it ever will be ([`PushError::is_final`]).
    pub async fn send(&self, segment: impl Into<Bytes>) -> Result<SegmentReply, PushError> {
        self.post(SEGMENT_PATH, OCTETS, segment.into()).await
    }

    /// Says how far behind this host is; what the other side has of it. As for [`send`](Self::send).
    ///
    /// # Errors
    /// Why it was not heard.
    pub async fn beat(&self, beat: &BeatMessage) -> Result<BeatReply, PushError> {
        self.post(BEAT_PATH, JSON, json!(beat).to_string().into()).await
    }

    /// What the answer 200 to this one says.
    async fn post<T: DeserializeOwned>(
        &self,
        path: &'static str,
        kind: &'static str,
        body: Bytes,
    ) -> Result<T, PushError> {
        let answer = self.exchange(Question { path, kind, body }).await?;
        serde_json::from_slice(&answer).map_err(|_| self.0.not_landmarc(StatusCode::OK))
    }

    async fn exchange(&self, question: Question) -> Result<Bytes, PushError> {
        let mut kept = self.0.kept.lock().await;
        if let Some(connection) = kept.take() {
            match self.0.ask(connection, &question, &mut kept).await {
                // The other side may have closed it just now, or been started anew: that says
                // nothing of the next one.
                Err(PushError::Unreachable { .. }) => {}
                answered => return answered,
            }
        }
        let connection = self.0.connect().await?;
        self.0.ask(connection, &question, &mut kept).await
    }
}

impl fmt::Display for Client {
    /// Where it sends to.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.target.url)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.0.target.url).finish()
    }
}

/// What is to be posted.
struct Question {
    path: &'static str,
    /// Of the body.
    kind: &'static str,
    body: Bytes,
}

/// A connection that waits for a request.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// How the connection ends.
    ended: JoinHandle<Result<(), hyper::Error>>,
}

impl ClientShared {
    async fn connect(&self) -> Result<Connection, PushError> {
        let stream = self.reach().await?;
        // It exchanges nothing yet.
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.broken(error))?;
        Ok(Connection {
            sender,
            ended: tokio::spawn(connection),
        })
    }

    /// The first address that shakes hands; of several that do not, why the last did not.
    async fn reach(&self) -> Result<TlsStream<TcpStream>, PushError> {
        let mut problem =
            self.unreachable(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        for address in self.addresses().await? {
            match timeout(self.timeouts.connect, self.shake_hands(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => problem = self.tls_problem(error),
                Err(_) => problem = self.unreachable(io::ErrorKind::TimedOut.into()),
            }
        }
        Err(problem)
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>, PushError> {
        let asked = lookup_host((self.target.host.as_str(), self.target.port));
        match timeout(self.timeouts.connect, asked).await {
            Ok(Ok(found)) => Ok(found.take(MAX_ADDRESSES).collect()),
            Ok(Err(error)) => Err(self.unreachable(error)),
            Err(_) => Err(self.unreachable(io::ErrorKind::TimedOut.into())),
        }
    }

    async fn shake_hands(&self, address: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        self.connector.connect(self.target.server.clone(), stream).await
    }

    /// Asks once. The connection is kept where it can be asked again.
    async fn ask(
        &self,
        mut connection: Connection,
        question: &Question,
        kept: &mut Option<Connection>,
    ) -> Result<Bytes, PushError> {
        let exchange = async {
            match self.exchange(&mut connection.sender, question).await {
                Ok(answer) => Ok((answer, connection)),
                Err(error) => Err(self.reason(error, connection).await),
            }
        };
        let waited = self.timeouts.request;
        let slow = |_| PushError::Slow {
            url: self.target.url.clone(),
            waited,
        };
        let (answer, connection) = timeout(waited, exchange).await.map_err(slow)??;
        *kept = Some(connection);
        self.read(answer, question.body.len())
    }

    async fn exchange(
        &self,
        sender: &mut SendRequest<Full<Bytes>>,
        question: &Question,
    ) -> Result<Answer, Box<dyn Error + Send + Sync>> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(question.path)
            .header(header::HOST, &self.target.authority)
            .header(header::CONTENT_TYPE, question.kind)
            .body(Full::new(question.body.clone()))?;
        sender.ready().await?;
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = match Limited::new(body, MAX_ANSWER_OCTETS).collect().await {
            Ok(body) => body.to_bytes(),
            // No answer of ours, so what it says does not matter.
            Err(error) if error.is::<LengthLimitError>() => Bytes::new(),
            Err(error) => return Err(error),
        };
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }

    /// Why there was no answer. TLS 1.3 lets a client begin before the server has looked at its
    /// certificate; so an alert may come at any time, and be known to the connection alone.
    async fn reason(&self, error: Box<dyn Error + Send + Sync>, connection: Connection) -> PushError {
        drop(connection.sender);
        let ended = connection.ended.await;
        let of_connection = ended.ok().and_then(Result::err);
        let found = alert(&*error).or_else(|| of_connection.as_ref().and_then(|error| alert(error)));
        match found {
            Some(alert) => self.our_certificate(alert),
            None => self.broken(error),
        }
    }

    /// What an answer comes to.
    fn read(&self, answer: Answer, octets: usize) -> Result<Bytes, PushError> {
        if answer.status == StatusCode::OK {
            return Ok(answer.body);
        }
        let url = self.target.url.clone();
        let status = answer.status;
        let reply = ErrorReply::from_json(&answer.body);
        let (error, remedy) = match (&reply, answer.status.is_server_error()) {
            (Some(reply), _) => (reply.error.clone(), reply.remedy.clone()),
            // A proxy before it whose other side is away says so in words of its own.
            (None, true) => (format!("HTTP status {}", status.as_u16()), String::new()),
            (None, false) => return Err(self.not_landmarc(status)),
        };
        Err(match status {
            StatusCode::BAD_REQUEST => PushError::Refused { url, error, remedy },
            StatusCode::FORBIDDEN => PushError::Forbidden { url, error, remedy },
            StatusCode::PAYLOAD_TOO_LARGE => PushError::TooLarge { url, octets, error },
            status if status.is_server_error() => PushError::Later {
                url,
                error,
                retry_after: answer.retry_after(),
            },
            _ => self.not_landmarc(status),
        })
    }

    fn not_landmarc(&self, status: StatusCode) -> PushError {
        PushError::NotLandmarc {
            url: self.target.url.clone(),
            status: status.as_u16(),
        }
    }

    /// What went wrong before or during the handshake.
    fn tls_problem(&self, error: io::Error) -> PushError {
        let inner = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let url = self.target.url.clone();
        match inner {
            Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
                PushError::NotTls { url }
            }
            Some(rustls::Error::InvalidCertificate(wrong)) => {
                let (why, remedy) = in_words(wrong);
                PushError::TheirCertificate { url, why, remedy }
            }
            Some(rustls::Error::AlertReceived(alert)) => self.our_certificate(*alert),
            _ => self.unreachable(error),
        }
    }

    fn our_certificate(&self, alert: AlertDescription) -> PushError {
        PushError::OurCertificate {
            url: self.target.url.clone(),
            why: alert_in_words(alert),
        }
    }

    fn unreachable(&self, source: io::Error) -> PushError {
        PushError::Unreachable {
            url: self.target.url.clone(),
            source,
        }
    }

    fn broken(&self, error: impl Into<Box<dyn Error + Send + Sync>>) -> PushError {
        self.unreachable(io::Error::other(error))
    }
}

/// An answer, read to its end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    /// In seconds; the other form, a date, is never ours.
    fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
        let pause = Duration::from_secs(seconds.trim().parse().ok()?);
        Some(pause.min(MAX_RETRY_AFTER))
    }
}

/// The alert by which the other side ended TLS, wherever in the chain of causes it stands.
fn alert(error: &(dyn Error + 'static)) -> Option<AlertDescription> {
    let causes = std::iter::successors(Some(error), |error| cause(*error));
    // There are four: hyper's, that of the stream, and that of TLS within it.
    causes
        .take(8)
        .find_map(|cause| match cause.downcast_ref::<rustls::Error>()? {
            rustls::Error::AlertReceived(alert) => Some(*alert),
            _ => None,
        })
}

/// `io::Error` has as its source that of the error within it; the error itself is asked for.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>() {
        Some(outer) => outer.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    }
}

fn alert_in_words(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => "it got none".to_owned(),
        AlertDescription::UnknownCA => "it does not know the authority that has signed it".to_owned(),
        AlertDescription::CertificateExpired => "it has expired".to_owned(),
        AlertDescription::CertificateRevoked => "it is revoked".to_owned(),
        other => format!("TLS alert {other:?}"),
    }
}

/// What is wrong with a certificate, and what can be done.
fn in_words(wrong: &CertificateError) -> (String, &'static str) {
    use CertificateError as Wrong;
    match wrong {
        Wrong::UnknownIssuer => (
            "it is signed by nobody we trust".to_owned(),
            "put the authority that has signed it into the file of authorities of this host",
        ),
        Wrong::Expired | Wrong::ExpiredContext { .. } => ("it has expired".to_owned(), "renew it"),
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => (
            "it is not valid yet".to_owned(),
            "see whether the clocks of both hosts are right",
        ),
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => (
            "it is for another host".to_owned(),
            "push to a name that the certificate is for, or give the other side one for this name",
        ),
        other => (
            other.to_string(),
            "give the other side a certificate that an authority has signed for its name",
        ),
    }
}
