//! HTTP/1 on one connection.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::pin::pin;

use http_body_util::BodyExt;
use hyper::body::{Body, Buf, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use crate::deadline::ConnectionDeadline;

/// Bounds of a request before its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// Octets of request line and header section. At least [`HttpLimits::LEAST_HEADER_OCTETS`]; past it the answer
    /// is 431.
    pub header_octets: usize,
    /// Header fields; past it the answer is 431.
    pub headers: usize,
}

impl HttpLimits {
    /// Fewer octets than these cannot be set: what is read at once is no less.
    pub const LEAST_HEADER_OCTETS: usize = 8 * 1024;
}

/// Answers requests until the client has had enough, or `stopped` says so; then an answer under way is still given.
///
/// `stream` is to be a [`TimedStream`](crate::TimedStream) of `deadline`, or one over it. The body of a response is
/// of one piece: the deadline takes an answer for given when all that was written is taken.
///
/// # Errors
/// When the connection breaks, or what comes is no HTTP/1.
pub async fn serve_http<IO, F, B>(
    stream: IO,
    respond: impl Fn(Request<Incoming>) -> F,
    deadline: &ConnectionDeadline,
    limits: HttpLimits,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), hyper::Error>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Response<B>>,
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
{
    let service = service_fn(|request| {
        let response = respond(request);
        async {
            let response = response.await;
            deadline.answer();
            Ok::<_, Infallible>(response)
        }
    });
    let header_octets = limits.header_octets.max(HttpLimits::LEAST_HEADER_OCTETS);
    let connection = http1::Builder::new()
        // Our own deadline is for more than the header section.
        .header_read_timeout(None)
        .max_header_size(header_octets)
        .max_buf_size(header_octets)
        .max_headers(limits.headers)
        // A client that sends all it has to say, and then its end, still reads.
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let mut stopping = false;
    loop {
        tokio::select! {
            biased;
            ended = &mut connection => return ended,
            _ = stopped.wait_for(|&stopped| stopped), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// The next octets of a body; trailers are passed over.
pub async fn next_data<B: Body + Unpin>(body: &mut B) -> Option<Result<B::Data, B::Error>> {
    loop {
        match body.frame().await?.map(Frame::into_data) {
            Ok(Ok(data)) => return Some(Ok(data)),
            Ok(Err(_trailers)) => {}
            Err(error) => return Some(Err(error)),
        }
    }
}

/// Reads what a client is still sending, up to a limit: one that is cut off while it sends may never see the answer.
pub async fn read_away<B: Body<Data: Buf> + Unpin>(body: &mut B, limit: usize) {
    let mut octets = 0_usize;
    while octets < limit
        && let Some(Ok(data)) = next_data(body).await
    {
        octets = octets.saturating_add(data.remaining());
    }
}
