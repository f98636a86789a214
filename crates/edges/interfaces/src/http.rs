//! The check API: messages are judged by HTTP, and in the protocols of rspamd.
//!
//! | request | answer |
//! |---|---|
//! | `POST /v1/check`, envelope in `Landmarc-` fields | the object of `check --json`, and what to do |
//! | `POST /checkv2`, envelope as rspamd's clients send it | an object of rspamd's form |
//! | `CHECK RSPAMC/1.3`, as Exim sends it | lines |
//! | `GET /ping`, `GET /healthz`, `GET /v1/` | `pong`, `ok`, a page of help |
//!
//! The message is the body as it is, and streams through. All of them speak on the same socket: the first
//! line says which. Not implemented: HTTP/2 and TLS, which nothing on one host needs; messages that come
//! compressed (rspamc -z) or encrypted (HTTPCrypt): 415.

mod check;
mod envelope;
mod first;
mod guard;
mod problem;
mod rspamc;
mod rspamd;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use http_body_util::Full;
use hyper::body::Body;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use landmarc_milter::Service;
use landmarc_net::{
    ConnectionDeadline, ConnectionSlot, HttpLimits, HttpTimeouts, Peer, TimedStream, next_data, read_away,
    serve_http,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use crate::answer::MessageAnswer;
use crate::caller::{Caller, Interface};
use crate::drive::{Drive, DriveLimits, Powers};
use crate::findings::Judged;
use first::Language;
use guard::Guard;
use problem::{Problem, answer, text};

/// Bounds of a request before its body. As many recipients as a client of ours names fit, a thousand, however long
/// smtpd lets them be (511 octets), and each as a header field.
const LIMITS: HttpLimits = HttpLimits {
    header_octets: 1024 * 1024,
    headers: 2_048,
};

/// How long a client is waited for. A mail server has the message on disk, and may pause between two.
const TIMEOUTS: HttpTimeouts = HttpTimeouts {
    header: Duration::from_secs(10),
    stall: Duration::from_secs(60),
    body: Duration::from_secs(900),
    answer: Duration::from_secs(60),
    idle: Duration::from_secs(75),
};

/// For the judgement: longer than its own budget, `dns.message_timeout`, can be set.
const JUDGING_TIMEOUT: Duration = Duration::from_secs(600);

/// Octets of a message that are read although it is refused, so that a client that is still sending it hears
/// the answer. Clients that ask first (`Expect: 100-continue`) hear it at once.
const MAX_UNREAD_OCTETS: usize = 1024 * 1024;

/// Types of forms. They are what curl sends by itself, whose `-d` takes the line ends out of the message besides.
const FORMS: [&str; 2] = ["application/x-www-form-urlencoded", "multipart/form-data"];

/// What a page of ours is answered, for people.
const HELP: &str = include_str!("http/help.txt");

/// What clients of `/v1/check` can do: all that we can ask for is in the answer.
const ASKING: Powers = Powers {
    hold: true,
    add_recipients: true,
};

/// What clients of rspamd can do: a message that is to be put aside has to say so in its header.
const MARKING: Powers = Powers {
    hold: false,
    add_recipients: false,
};

/// What is served, and to whom.
#[derive(Debug)]
pub struct CheckApiService<V> {
    service: V,
    guard: Guard,
    limits: DriveLimits,
}

impl<V: Service<Session: Judged>> CheckApiService<V> {
    /// `secret`: what each request has to name, if there is one. `host_names`: those that this host is asked
    /// under, besides `localhost` and its addresses.
    pub fn new(
        service: V,
        limits: DriveLimits,
        secret: Option<Vec<u8>>,
        host_names: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            service,
            guard: Guard::new(secret, host_names),
            limits,
        }
    }
}

/// Serves one connection until the client has had enough, its time is over, or `stopped` says so; then
/// a message under way still gets its answer. Until a message begins, `slot` may go to another client.
pub async fn serve<V, IO>(
    stream: IO,
    peer: Peer,
    site: Arc<CheckApiService<V>>,
    stopped: watch::Receiver<bool>,
    slot: ConnectionSlot,
) where
    V: Service<Session: Judged>,
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let progress = Progress::new(slot);
    let conversation = converse(stream, peer, site, stopped, &progress);
    if progress.deadline.limit(conversation).await.is_none() {
        tracing::debug!(%peer, "a client of the check API took too long");
    }
}

/// How far a client is, by which it keeps its connection.
#[derive(Debug)]
struct Progress {
    deadline: ConnectionDeadline,
    slot: ConnectionSlot,
}

impl Progress {
    fn new(slot: ConnectionSlot) -> Self {
        let deadline = ConnectionDeadline::new(TIMEOUTS);
        Self { deadline, slot }
    }

    /// The message follows: all that stands before it was sent.
    fn message(&self) {
        self.slot.begin_message();
        self.deadline.body();
    }

    /// The message is here.
    fn judging(&self) {
        self.deadline.work(JUDGING_TIMEOUT);
    }
}

async fn converse<V, IO>(
    stream: IO,
    peer: Peer,
    site: Arc<CheckApiService<V>>,
    stopped: watch::Receiver<bool>,
    progress: &Progress,
) where
    V: Service<Session: Judged>,
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = TimedStream::new(stream, progress.deadline.clone());
    let mut stopping = stopped.clone();
    let looked = tokio::select! {
        biased;
        looked = first::look(stream) => looked,
        _ = stopping.wait_for(|stopped| *stopped) => return,
    };
    let ended = match looked {
        Ok((Language::Rspamc, stream)) => rspamc::serve(stream, peer, &site, progress)
            .await
            .map_err(|error| error.to_string()),
        Ok((Language::Http, stream)) => http(stream, peer, &site, stopped, progress)
            .await
            .map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection of the check API ended early");
    }
}

async fn http<V, IO>(
    stream: IO,
    peer: Peer,
    site: &CheckApiService<V>,
    stopped: watch::Receiver<bool>,
    progress: &Progress,
) -> Result<(), hyper::Error>
where
    V: Service<Session: Judged>,
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let respond = |request| site.respond(request, peer, progress);
    serve_http(stream, respond, &progress.deadline, LIMITS, stopped).await
}

impl<V: Service<Session: Judged>> CheckApiService<V> {
    /// The answer to a request, whatever comes of it.
    async fn respond<B>(&self, request: Request<B>, peer: Peer, progress: &Progress) -> Response<Full<Bytes>>
    where
        B: Body<Data: Buf, Error: std::fmt::Display> + Unpin,
    {
        let (head, mut body) = request.into_parts();
        let is_waiting = head.headers.contains_key(header::EXPECT);
        let request = Request::from_parts(head, ());
        let served = async {
            self.guard.check(&request, &peer)?;
            self.serve(&request, &mut body, peer, progress).await
        };
        match served.await {
            Ok(response) => response,
            Err(problem) => {
                tracing::debug!(%peer, %problem, "a request to the check API is refused");
                if !is_waiting {
                    read_away(&mut body, MAX_UNREAD_OCTETS).await;
                }
                problem.response()
            }
        }
    }

    async fn serve<B>(
        &self,
        request: &Request<()>,
        body: &mut B,
        peer: Peer,
        progress: &Progress,
    ) -> Result<Response<Full<Bytes>>, Problem>
    where
        B: Body<Data: Buf, Error: std::fmt::Display> + Unpin,
    {
        const READ: &str = "GET, HEAD";
        let is_read = [Method::GET, Method::HEAD].contains(request.method());
        let is_post = *request.method() == Method::POST;
        let begun = Instant::now();
        match request.uri().path() {
            "/v1/check" if is_post => {
                let caller = envelope::caller(request.headers(), peer);
                self.guard.check_secret(request.headers())?;
                refuse_forms(request.headers())?;
                let interface = envelope::interface(request.headers());
                // OpenSMTPD has no place for a message that is put aside.
                let powers = if interface == Interface::OpenSmtpd {
                    MARKING
                } else {
                    ASKING
                };
                let judged = self
                    .judge(interface, powers, caller?, request, body, progress)
                    .await?;
                Ok(answer(StatusCode::OK, &check::object(&judged)))
            }
            "/checkv2" if is_post => {
                self.guard.check_secret(request.headers())?;
                let mut envelope = rspamd::Envelope::new(peer);
                for (name, value) in request.headers() {
                    envelope.take(name.as_str(), value.as_bytes());
                }
                let caller = envelope.into_caller();
                let judged = self
                    .judge(Interface::Rspamd, MARKING, caller, request, body, progress)
                    .await?;
                Ok(answer(StatusCode::OK, &rspamd::object(&judged, begun.elapsed())))
            }
            "/v1/check" | "/checkv2" => Err(Problem::OtherMethod("POST")),
            "/ping" if is_read => Ok(text("pong\r\n")),
            "/healthz" if is_read => Ok(text("ok\n")),
            "/" | "/v1" | "/v1/" if is_read => Ok(text(HELP)),
            "/ping" | "/healthz" | "/" | "/v1" | "/v1/" => Err(Problem::OtherMethod(READ)),
            _ => Err(Problem::NotFound),
        }
    }

    /// Reads the message as it comes, and judges it.
    async fn judge<B>(
        &self,
        interface: Interface,
        powers: Powers,
        caller: Caller,
        request: &Request<()>,
        body: &mut B,
        progress: &Progress,
    ) -> Result<MessageAnswer, Problem>
    where
        B: Body<Data: Buf, Error: std::fmt::Display> + Unpin,
    {
        self.check_body(request.headers(), body)?;
        progress.message();
        let mut drive = Drive::begin(&self.service, interface, &caller, powers, self.limits).await;
        while let Some(data) = next_data(body).await {
            let mut data = data.map_err(|_| Problem::CutOff)?;
            drive.push(&data.copy_to_bytes(data.remaining())).await?;
        }
        progress.judging();
        Ok(drive.finish().await)
    }

    /// What can be said of a message before its first octet.
    fn check_body(&self, headers: &HeaderMap, body: &impl Body) -> Result<(), Problem> {
        let compression = headers
            .get(header::CONTENT_ENCODING)
            .or(headers.get("compression"));
        if compression.is_some_and(|name| !name.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Err(Problem::Encoded("compressed"));
        }
        // What rspamc sends with --key.
        if headers.contains_key("key") {
            return Err(Problem::Encoded("encrypted"));
        }
        let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        if kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with(b"application/json")) {
            return Err(Problem::Encoded("JSON"));
        }
        let has_length = headers.contains_key(header::CONTENT_LENGTH);
        if !has_length && !headers.contains_key(header::TRANSFER_ENCODING) {
            return Err(Problem::NoLength);
        }
        let limit = self.limits.message_octets;
        if body.size_hint().lower() > limit {
            return Err(crate::drive::DriveError::TooLarge { limit }.into());
        }
        Ok(())
    }
}

/// A form holds a message in an encoding of its own, or without its line ends: judged as it is, it would fail.
fn refuse_forms(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    let is_form = |form: &&&'static str| kind.trim().eq_ignore_ascii_case(form);
    FORMS
        .iter()
        .find(is_form)
        .map_or(Ok(()), |form| Err(Problem::Form(form)))
}

#[cfg(test)]
mod tests;
