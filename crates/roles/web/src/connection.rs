//! One connection, from its first octet to its last.

use axum::Router;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use landmarc_net::{ConnectionDeadline, HttpLimits, TimedStream, serve_http};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;

use crate::limits::WebLimits;

/// What a client is told that finds all connections taken.
const NO_ROOM: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 29\r\nRetry-After: 1\r\nConnection: close\r\n\r\nAll connections are in use.\r\n";

/// Serves requests until the client has had enough, its time is over, or `stopped` says so; then
/// an answer under way is still given.
pub(crate) async fn serve<IO>(stream: IO, pages: Router, limits: WebLimits, stopped: watch::Receiver<bool>)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let deadline = ConnectionDeadline::new(limits.timeouts());
    let pages = TowerToHyperService::new(pages);
    let respond = async |request| {
        deadline.work(2 * limits.request_timeout);
        let Ok(answer) = pages.call(request).await;
        answer
    };
    let head = HttpLimits {
        header_octets: limits.header_octets,
        headers: limits.headers,
    };
    let stream = TimedStream::new(stream, deadline.clone());
    let served = deadline.limit(serve_http(stream, respond, &deadline, head, stopped));
    if let Some(Err(error)) = served.await {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}

/// Tells a client that there are too many.
pub(crate) async fn refuse(mut stream: impl AsyncWrite + Unpin) {
    // So few octets find room in the buffer of the system at once; if not, the client is none.
    let _ = stream.write_all(NO_ROOM).await;
    let _ = stream.shutdown().await;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};
    use tokio::time::{Instant, sleep};

    use super::*;

    const REQUEST: &[u8] = b"GET /short HTTP/1.1\r\nHost: localhost\r\n\r\n";
    /// More than all buffers on the way hold.
    const LONG: usize = 1024 * 1024;

    fn limits() -> WebLimits {
        WebLimits {
            header_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(75),
            ..WebLimits::default()
        }
    }

    struct Client {
        stream: DuplexStream,
        stop: watch::Sender<bool>,
    }

    fn connect() -> Client {
        let (ours, stream) = duplex(1024);
        let (stop, stopped) = watch::channel(false);
        let pages = Router::new()
            .route("/short", get(|| async { "short" }))
            .route("/long", get(|| async { "x".repeat(LONG) }))
            .route("/slow", get(|| async { sleep(Duration::from_secs(5)).await }));
        tokio::spawn(serve(ours, pages, limits(), stopped));
        Client { stream, stop }
    }

    impl Client {
        async fn say(&mut self, octets: &[u8]) {
            self.stream.write_all(octets).await.unwrap();
        }

        /// Reads an answer of no more than 4 KiB.
        async fn answer(&mut self) -> String {
            let mut answer = vec![0; 4096];
            let read = self.stream.read(&mut answer).await.unwrap();
            String::from_utf8_lossy(&answer[..read]).into_owned()
        }

        /// The seconds until it is closed, without reading before.
        async fn seconds_until_the_end(mut self) -> u64 {
            let start = Instant::now();
            // What is written when nobody reads any more is an error.
            while self.stream.write_all(b"").await.is_ok()
                && self.stream.read(&mut [0; 1024]).await.unwrap() > 0
            {}
            start.elapsed().as_secs()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_is_left_after_the_time_of_a_header_section() {
        assert_eq!(connect().seconds_until_the_end().await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_comes_drop_by_drop_has_the_time_of_one() {
        let mut client = connect();
        let start = Instant::now();
        for octet in REQUEST.iter().cycle() {
            if client.stream.write_all(&[*octet]).await.is_err() {
                break;
            }
            sleep(Duration::from_millis(800)).await;
        }
        assert_eq!(start.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_request_has_the_same_time_from_its_first_octet() {
        let mut client = connect();
        client.say(REQUEST).await;
        assert!(client.answer().await.ends_with("short"));
        sleep(Duration::from_secs(60)).await;
        client.say(b"G").await;
        assert_eq!(client.seconds_until_the_end().await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_may_be_idle_between_requests() {
        let mut client = connect();
        for _ in 0..3 {
            client.say(REQUEST).await;
            assert!(client.answer().await.ends_with("short"));
            sleep(Duration::from_secs(74)).await;
        }
        client.say(REQUEST).await;
        assert!(client.answer().await.ends_with("short"));
        assert_eq!(client.seconds_until_the_end().await, 75);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_the_answer_is_left() {
        let mut client = connect();
        client.say(b"GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        sleep(Duration::from_secs(41)).await;
        let mut rest = Vec::new();
        client.stream.read_to_end(&mut rest).await.unwrap();
        assert!(rest.len() < LONG, "{}", rest.len());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_under_way_is_given_when_we_stop() {
        let mut client = connect();
        client.say(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        sleep(Duration::from_secs(1)).await;
        client.stop.send_replace(true);
        assert!(client.answer().await.starts_with("HTTP/1.1 200 OK\r\n"));
        assert_eq!(client.seconds_until_the_end().await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_client_is_left_at_once_when_we_stop() {
        let mut client = connect();
        client.say(REQUEST).await;
        client.answer().await;
        client.stop.send_replace(true);
        assert_eq!(client.seconds_until_the_end().await, 0);
    }

    #[tokio::test]
    async fn the_answer_to_one_too_many_is_one() {
        let (ours, mut theirs) = duplex(1024);
        refuse(ours).await;
        let mut answer = String::new();
        theirs.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
        assert!(
            head.contains(&format!("Content-Length: {}\r\n", body.len())),
            "{answer}"
        );
    }
}
