//! One request, from its head to its answer.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http_body_util::Full;
use hyper::body::Body;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use landmarc_net::{ConnectionDeadline, next_data, read_away};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::SEGMENT_PATH;
use crate::answer::{PushRefusal, SegmentReceiver, SegmentReply};
use crate::beat::{BEAT_PATH, BeatMessage, BeatReply, MAX_BEAT_OCTETS};
use crate::certificate::ClientName;
use crate::limits::PushLimits;

/// When a client that found no room is to come again.
const WHEN_BUSY: Duration = Duration::from_secs(5);

/// How long a body past the limit is read before its client is answered. Who is cut off while it sends may never see the
/// answer; who announces a body and sends none is not waited for.
const READ_AWAY: Duration = Duration::from_secs(1);

/// Answers the requests of all clients.
pub(crate) struct Handler<T> {
    taker: T,
    pub(crate) limits: PushLimits,
    /// One for each segment that may be in memory.
    segments: Semaphore,
    /// One for each client that is served.
    pub(crate) served: Semaphore,
    /// One for each client that has not shown a certificate yet.
    pub(crate) handshakes: Semaphore,
}

/// Whether a connection is among those that are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Served,
    /// The limit of connections was reached when it came.
    Full,
}

impl<T: SegmentReceiver> Handler<T> {
    pub(crate) fn new(taker: T, limits: PushLimits) -> Self {
        Self {
            taker,
            limits,
            segments: Semaphore::new(limits.taken_at_once.max(1)),
            served: Semaphore::new(limits.connections),
            handshakes: Semaphore::new(limits.handshakes),
        }
    }

    /// The answer to a request, whatever comes of it.
    pub(crate) async fn respond<B>(
        &self,
        request: Request<B>,
        client: &ClientName,
        admission: Admission,
        deadline: &ConnectionDeadline,
    ) -> Response<Full<Bytes>>
    where
        B: Body<Data: Buf> + Unpin,
    {
        let (head, mut body) = request.into_parts();
        // Such a client has not begun to send.
        let is_waiting = head.headers.contains_key(header::EXPECT);
        let request = Request::from_parts(head, ());
        match self.serve(&request, &mut body, client, admission, deadline).await {
            Ok(object) => answer(StatusCode::OK, &object),
            Err(problem) => {
                tracing::debug!(%client, %problem, "a request of another host is refused");
                if !is_waiting {
                    deadline.body();
                    let reading = read_away(&mut body, self.limits.segment_octets);
                    match problem {
                        // What is left of the body is not waited for: the connection ends.
                        Problem::TooLarge { .. } | Problem::Barred(_) => {
                            drop(timeout(READ_AWAY, reading).await);
                        }
                        _ => reading.await,
                    }
                }
                problem.response()
            }
        }
    }

    async fn serve<B>(
        &self,
        request: &Request<()>,
        body: &mut B,
        client: &ClientName,
        admission: Admission,
        deadline: &ConnectionDeadline,
    ) -> Result<Value, Problem>
    where
        B: Body<Data: Buf> + Unpin,
    {
        let resource = resource(request)?;
        if admission == Admission::Full {
            return Err(Problem::Busy);
        }
        self.taker.admits(client).map_err(Problem::Barred)?;
        let client = client.clone();
        match resource {
            Resource::Segment => self
                .segment(body, client, deadline)
                .await
                .map(|reply| json!(reply)),
            Resource::Beat => self.beat(body, client, deadline).await.map(|reply| json!(reply)),
        }
    }

    async fn segment<B>(
        &self,
        body: &mut B,
        client: ClientName,
        deadline: &ConnectionDeadline,
    ) -> Result<SegmentReply, Problem>
    where
        B: Body<Data: Buf> + Unpin,
    {
        // Room for the answer that there is none.
        let timeouts = self.limits.timeouts;
        deadline.work(timeouts.body + timeouts.answer);
        let permit = timeout(timeouts.body, self.segments.acquire()).await;
        // The semaphore is never closed.
        let Ok(Ok(_permit)) = permit else {
            return Err(Problem::Busy);
        };
        deadline.body();
        let segment = read(body, self.limits.segment_octets).await?;
        deadline.work(self.limits.taking_timeout);
        self.taker
            .segment(client, segment)
            .await
            .map_err(Problem::Refused)
    }

    /// A beat is small, and needs no permit.
    async fn beat<B>(
        &self,
        body: &mut B,
        client: ClientName,
        deadline: &ConnectionDeadline,
    ) -> Result<BeatReply, Problem>
    where
        B: Body<Data: Buf> + Unpin,
    {
        deadline.body();
        let beat = BeatMessage::from_json(&read(body, MAX_BEAT_OCTETS).await?).map_err(Problem::NoBeat)?;
        deadline.work(self.limits.taking_timeout);
        self.taker.beat(client, beat).await.map_err(Problem::Refused)
    }
}

/// What a request is about.
#[derive(Clone, Copy, Debug)]
enum Resource {
    Segment,
    Beat,
}

/// What can be said of a request before its body.
fn resource(request: &Request<()>) -> Result<Resource, Problem> {
    let resource = match request.uri().path() {
        SEGMENT_PATH => Resource::Segment,
        BEAT_PATH => Resource::Beat,
        _ => return Err(Problem::NotFound),
    };
    if request.method() != Method::POST {
        return Err(Problem::OtherMethod);
    }
    let encoding = request.headers().get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|name| !name.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Problem::Encoded);
    }
    Ok(resource)
}

/// Reads a segment. Memory grows with the octets that come, not with those that are announced.
async fn read<B: Body<Data: Buf> + Unpin>(body: &mut B, limit: usize) -> Result<Vec<u8>, Problem> {
    let too_large = Problem::TooLarge { limit };
    if usize::try_from(body.size_hint().lower()).map_or(true, |announced| announced > limit) {
        return Err(too_large);
    }
    let mut segment = Vec::new();
    while let Some(data) = next_data(body).await {
        let data = data.map_err(|_| Problem::CutOff)?;
        if data.remaining() > limit.saturating_sub(segment.len()) {
            return Err(too_large);
        }
        segment.put(data);
    }
    if segment.is_empty() {
        return Err(Problem::Empty);
    }
    Ok(segment)
}

/// Why a segment is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("there is no such resource")]
    NotFound,
    #[error("this resource is for POST")]
    OtherMethod,
    #[error("the body is encoded once more")]
    Encoded,
    #[error("the request has no body")]
    Empty,
    #[error("this is no beat: {0}")]
    NoBeat(&'static str),
    #[error("the body was cut off")]
    CutOff,
    #[error("the body has more than {limit} octets")]
    TooLarge { limit: usize },
    #[error("too many hosts send at once")]
    Busy,
    #[error("{}", .0.error())]
    Refused(PushRefusal),
    /// The client may hand on nothing, whatever it is.
    #[error("{}", .0.error())]
    Barred(PushRefusal),
}

impl PushRefusal {
    fn error(&self) -> &str {
        match self {
            Self::Unreadable { error, .. } | Self::Forbidden { error, .. } | Self::Away { error, .. } => {
                error
            }
        }
    }
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::Empty | Self::NoBeat(_) | Self::CutOff | Self::Refused(PushRefusal::Unreadable { .. }) => {
                StatusCode::BAD_REQUEST
            }
            Self::Refused(PushRefusal::Forbidden { .. }) | Self::Barred(_) => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::OtherMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Encoded => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Busy | Self::Refused(PushRefusal::Away { .. }) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn remedy(&self) -> &str {
        match self {
            Self::NotFound | Self::OtherMethod => {
                "POST segments to /spool/v1/segment, and beats to /spool/v1/beat"
            }
            Self::Encoded => "send the segment as it is, without Content-Encoding",
            Self::Empty => "send a segment or a beat as the body",
            Self::CutOff => "send as many octets as Content-Length says",
            Self::NoBeat(_) | Self::TooLarge { .. } => "bring both sides to the same release",
            Self::Refused(PushRefusal::Unreadable { remedy, .. } | PushRefusal::Forbidden { remedy, .. })
            | Self::Barred(PushRefusal::Unreadable { remedy, .. } | PushRefusal::Forbidden { remedy, .. }) => {
                remedy
            }
            Self::Busy | Self::Refused(PushRefusal::Away { .. }) | Self::Barred(PushRefusal::Away { .. }) => {
                "try again later"
            }
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy => Some(WHEN_BUSY),
            Self::Refused(PushRefusal::Away { retry_after, .. }) => Some(*retry_after),
            _ => None,
        }
    }

    fn response(&self) -> Response<Full<Bytes>> {
        let object = json!({"error": self.to_string(), "remedy": self.remedy()});
        let mut response = answer(self.status(), &object);
        let headers = response.headers_mut();
        if let Some(pause) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(pause.as_secs().max(1)));
        }
        if *self == Self::OtherMethod {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        if matches!(self, Self::Busy | Self::TooLarge { .. } | Self::Barred(_)) {
            close(headers);
        }
        response
    }
}

/// The client comes again on another connection, or not at all.
fn close(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
}

fn answer(status: StatusCode, object: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(format!("{object}\n").into()));
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
