//! Deadlines, with time that is set forward; what TLS carries, without TLS.

use std::time::Duration;

use landmarc_net::HttpTimeouts;
use tokio::io::{DuplexStream, duplex};
use tokio::time::{Instant, sleep};

use super::*;
use crate::answer::{PushRefusal, SegmentReply};
use crate::beat::{BeatMessage, BeatReply};
use crate::limits::PushLimits;

const HEAD: &[u8] = b"POST /spool/v1/segment HTTP/1.1\r\nHost: collector\r\nContent-Length: 7\r\n\r\n";
const SEGMENT: &[u8] = b"segment";
/// What the taker is a minute at work with.
const WORK: &[u8] = b"a minut";
/// What it never gets done with.
const ENDLESS: &[u8] = b"forever";

fn limits() -> PushLimits {
    PushLimits {
        taken_at_once: 1,
        handshake_timeout: Duration::from_secs(5),
        timeouts: HttpTimeouts {
            header: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            body: Duration::from_secs(300),
            answer: Duration::from_secs(20),
            idle: Duration::from_secs(75),
        },
        taking_timeout: Duration::from_secs(120),
        ..PushLimits::default()
    }
}

struct Slow;

impl SegmentReceiver for Slow {
    async fn segment(&self, _from: ClientName, segment: Vec<u8>) -> Result<SegmentReply, PushRefusal> {
        if segment == WORK {
            sleep(Duration::from_secs(60)).await;
        } else if segment == ENDLESS {
            std::future::pending::<()>().await;
        }
        Ok(SegmentReply::default())
    }

    async fn beat(&self, _from: ClientName, _beat: BeatMessage) -> Result<BeatReply, PushRefusal> {
        Ok(BeatReply::default())
    }
}

/// A server, and those who come to it.
struct TestServer {
    shared: Arc<Handler<Slow>>,
    stop: watch::Sender<bool>,
}

impl TestServer {
    fn open() -> Self {
        Self {
            shared: Arc::new(Handler::new(Slow, limits())),
            stop: watch::channel(false).0,
        }
    }

    fn connect(&self) -> Client {
        // Less than an answer, so that it is not written to nobody.
        let (ours, theirs) = duplex(64);
        let (shared, stopped) = (Arc::clone(&self.shared), self.stop.subscribe());
        tokio::spawn(async move {
            let client = ClientName {
                names: vec!["mx1.example.org".to_owned()],
                fingerprint: String::new(),
            };
            converse(ours, &client, Admission::Served, &shared, stopped).await;
        });
        Client(theirs)
    }
}

struct Client(DuplexStream);

impl Client {
    async fn say(&mut self, octets: &[u8]) {
        self.0.write_all(octets).await.unwrap();
    }

    /// The status of an answer, read to its end.
    async fn status(&mut self) -> String {
        let mut answer = String::new();
        while !answer.ends_with("}\n") {
            let octet = self.0.read_u8().await;
            answer.push(char::from(
                octet.unwrap_or_else(|error| panic!("{error} after {answer:?}")),
            ));
        }
        answer.chars().skip("HTTP/1.1 ".len()).take(3).collect()
    }

    /// The seconds until it is closed, and what was said before.
    async fn end(mut self) -> (u64, String) {
        let start = Instant::now();
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).await.unwrap();
        (start.elapsed().as_secs(), String::from_utf8(rest).unwrap())
    }

    /// Sends these octets one by one, each after this pause; the seconds until nobody reads.
    async fn drip(mut self, octets: &[u8], pause: Duration) -> u64 {
        let start = Instant::now();
        for octet in octets.iter().cycle() {
            if self.0.write_all(&[*octet]).await.is_err() {
                break;
            }
            sleep(pause).await;
        }
        start.elapsed().as_secs()
    }
}

/// Before there is a client, there is the time of a handshake; whether nothing comes, or drops do.
#[tokio::test(start_paused = true)]
async fn a_handshake_has_its_time_and_no_more() {
    let config = rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        // It never comes to a certificate.
        .with_cert_resolver(Arc::new(rustls::server::ResolvesServerCertUsingSni::new()));
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let shared = Arc::new(Handler::new(
        Slow,
        PushLimits {
            handshakes: 2,
            ..limits()
        },
    ));
    let (_stop, stopped) = watch::channel(false);
    let connect = || {
        let (ours, theirs) = duplex(64);
        let peer = Peer::Tcp(([192, 0, 2, 1], 25).into());
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        tokio::spawn(serve(ours, peer, acceptor, shared, stopped.clone()));
        Client(theirs)
    };
    let silent = connect();
    let mut slow = connect();
    // A record of TLS with a handshake message of 16 KiB to come.
    slow.say(b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc").await;
    assert_eq!(silent.end().await, (5, String::new()));
    assert_eq!(
        slow.drip(b"\0", Duration::from_millis(100)).await,
        0,
        "it began with the other"
    );
    assert_eq!(shared.handshakes.available_permits(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_left_after_the_time_of_a_header_section() {
    let server = TestServer::open();
    assert_eq!(server.connect().end().await, (10, String::new()));
}

#[tokio::test(start_paused = true)]
async fn a_header_section_that_comes_drop_by_drop_has_the_time_of_one() {
    let server = TestServer::open();
    let seconds = server
        .connect()
        .drip(b"X: y\r\n", Duration::from_millis(500))
        .await;
    assert_eq!(seconds, 10);
}

#[tokio::test(start_paused = true)]
async fn a_segment_that_stops_coming_is_left() {
    let server = TestServer::open();
    let mut client = server.connect();
    client.say(HEAD).await;
    sleep(Duration::from_secs(29)).await;
    client.say(b"seg").await;
    assert_eq!(client.end().await, (30, String::new()));
}

#[tokio::test(start_paused = true)]
async fn a_segment_that_comes_drop_by_drop_has_an_end() {
    let server = TestServer::open();
    let mut client = server.connect();
    let head = String::from_utf8(HEAD.to_vec()).unwrap();
    client.say(head.replace(": 7", ": 70000").as_bytes()).await;
    assert_eq!(client.drip(b"x", Duration::from_millis(100)).await, 300);
}

#[tokio::test(start_paused = true)]
async fn a_slow_segment_within_its_time_is_taken() {
    let server = TestServer::open();
    let mut client = server.connect();
    client.say(HEAD).await;
    for octet in SEGMENT {
        sleep(Duration::from_secs(29)).await;
        client.say(&[*octet]).await;
    }
    assert_eq!(client.status().await, "200");
}

#[tokio::test(start_paused = true)]
async fn the_taker_has_its_time_and_no_more() {
    let server = TestServer::open();
    let mut client = server.connect();
    client.say(&[HEAD, WORK].concat()).await;
    assert_eq!(client.status().await, "200");
    client.say(&[HEAD, ENDLESS].concat()).await;
    assert_eq!(client.end().await, (120, String::new()));
}

/// One place, and a taker that is not done: the next one waits for as long as a segment may take.
#[tokio::test(start_paused = true)]
async fn who_finds_no_place_in_time_is_told_to_come_again() {
    let server = TestServer::open();
    let mut first = server.connect();
    first.say(&[HEAD, WORK].concat()).await;
    sleep(Duration::from_secs(1)).await;
    let mut second = server.connect();
    second.say(&[HEAD, SEGMENT].concat()).await;
    assert_eq!(second.status().await, "200", "the first is done in a minute");

    let mut others = Vec::new();
    for _ in 0..4 {
        let mut other = server.connect();
        other.say(&[HEAD, ENDLESS].concat()).await;
        // One after the other, each with the whole time of the taker.
        sleep(Duration::from_millis(1)).await;
        others.push(other);
    }
    let mut last = others.pop().unwrap();
    assert_eq!(last.status().await, "503");
}

#[tokio::test(start_paused = true)]
async fn a_client_may_be_idle_between_segments() {
    let server = TestServer::open();
    let mut client = server.connect();
    for _ in 0..3 {
        client.say(&[HEAD, SEGMENT].concat()).await;
        assert_eq!(client.status().await, "200");
        sleep(Duration::from_secs(74)).await;
    }
    client.say(&[HEAD, SEGMENT].concat()).await;
    assert_eq!(client.status().await, "200");
    assert_eq!(client.end().await, (75, String::new()));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_the_answer_is_left() {
    let server = TestServer::open();
    let mut client = server.connect();
    client.say(&[HEAD, SEGMENT].concat()).await;
    sleep(Duration::from_secs(21)).await;
    let (seconds, rest) = client.end().await;
    assert_eq!(seconds, 0);
    assert_eq!(rest.len(), 64, "all that had room: {rest:?}");
}

#[tokio::test(start_paused = true)]
async fn a_segment_under_way_is_taken_when_we_stop() {
    let server = TestServer::open();
    let mut client = server.connect();
    client.say(&[HEAD, WORK].concat()).await;
    sleep(Duration::from_secs(1)).await;
    server.stop.send_replace(true);
    assert_eq!(client.status().await, "200");
    assert_eq!(client.end().await, (0, String::new()));
}

#[tokio::test(start_paused = true)]
async fn an_idle_client_is_left_at_once_when_we_stop() {
    let server = TestServer::open();
    let mut client = server.connect();
    client.say(&[HEAD, SEGMENT].concat()).await;
    assert_eq!(client.status().await, "200");
    server.stop.send_replace(true);
    assert_eq!(client.end().await, (0, String::new()));
}
