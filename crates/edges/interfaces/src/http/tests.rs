//! Requests to the check API, good and bad, over a pair of connected streams.

use std::time::Duration;

use landmarc_milter::{Response as Verdict, Verdict::Reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::findings::Findings;
use crate::scripted::Scripted;

const TCP: Peer = Peer::Tcp(std::net::SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
    1,
));

/// A client, and what serves it.
struct Client {
    stream: DuplexStream,
    stop: watch::Sender<bool>,
    served: tokio::task::JoinHandle<()>,
}

fn connect(scripted: &Scripted, secret: Option<&str>) -> Client {
    let (ours, stream) = duplex(64 * 1024);
    let limits = DriveLimits {
        message_octets: 1_000,
        ..DriveLimits::default()
    };
    let secret = secret.map(|secret| secret.as_bytes().to_vec());
    let site = Arc::new(CheckApiService::new(scripted.clone(), limits, secret, []));
    let (stop, stopped) = watch::channel(false);
    let served = tokio::spawn(serve(ours, TCP, site, stopped, ConnectionSlot::default()));
    Client { stream, stop, served }
}

impl Client {
    async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// All that is answered until the connection ends.
    async fn rest(&mut self) -> String {
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

/// The answer to one request of one connection.
async fn asked(scripted: &Scripted, secret: Option<&str>, request: &str) -> String {
    let mut client = connect(scripted, secret);
    client.say(request).await;
    let answer = client.rest().await;
    client.served.await.unwrap();
    answer
}

fn post(path: &str, fields: &str, message: &str) -> String {
    let length = message.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{fields}\r\n{message}"
    )
}

/// The code of an answer, and the `error` in its body.
fn code_and_error(answer: &str) -> (u16, String) {
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{answer:?}"));
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    (code, body["error"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_message_is_driven_as_it_comes() {
    let scripted = Scripted {
        response: Verdict {
            edits: Vec::new(),
            verdict: Reply {
                code: 550,
                enhanced: "5.7.1".to_owned(),
                text: "no".to_owned(),
            },
        },
        findings: Findings {
            json: serde_json::json!({"author_domain": "b"}),
            ..Findings::default()
        },
        ..Scripted::default()
    };
    let fields = "Landmarc-Client: 192.0.2.7\r\nLandmarc-Rcpt-To: <c@d>\r\n";
    let answer = asked(
        &scripted,
        None,
        &post("/v1/check", fields, "From: a@b\n\nhello\n"),
    )
    .await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-type: application/json\r\n"), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["author_domain"], "b");
    assert_eq!(body["verdict"], "reject");
    assert_eq!(body["smtp"]["code"], 550);
    let notes = scripted.notes();
    for note in [
        "interface http",
        "rcpt <c@d>",
        "header From: a@b",
        r"body hello\r\n",
    ] {
        assert!(notes.contains(&note.to_owned()), "{note}: {notes:?}");
    }
}

#[tokio::test]
async fn a_message_may_come_in_chunks() {
    let scripted = Scripted::default();
    let chunks = "4\r\nFrom\r\n9\r\n: a@b\n\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
    let request = format!(
        "POST /v1/check HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"
    );
    let (code, _) = code_and_error(&asked(&scripted, None, &request).await);
    assert_eq!(code, 200);
    assert!(scripted.notes().contains(&"body hello".to_owned()));
}

#[tokio::test]
async fn a_client_of_rspamd_speaks_http_1_0() {
    let scripted = Scripted::default();
    let message = "From: a@b\n\nhello\n";
    let request = format!(
        "POST /checkv2 HTTP/1.0\r\nContent-Length: {}\r\nConnection: close\r\nIp: 192.0.2.7\r\nRcpt: c@d\r\n\r\n{message}",
        message.len()
    );
    let answer = asked(&scripted, None, &request).await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    assert!(answer.contains(r#""action":"no action""#), "{answer}");
    assert!(scripted.notes().contains(&"interface rspamd".to_owned()));
    assert!(
        scripted
            .notes()
            .contains(&"negotiated hold=false add=false".to_owned())
    );
}

#[tokio::test]
async fn what_is_not_served_says_why() {
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let no_length = "POST /v1/check HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_owned();
    let other_host = post("/v1/check", "", "x").replace("localhost", "evil.example");
    let past_the_limit = post("/v1/check", "", &"x".repeat(1_001));
    for (request, expected) in [
        (
            other_host,
            (421, "this service does not go by the name in the Host field"),
        ),
        (
            post("/v1/check", "Origin: http://evil.example\r\n", "x"),
            (403, "the request comes from a web page"),
        ),
        (post("/v1/chekc", "", "x"), (404, "there is no such resource")),
        (get("/checkv2"), (405, "this resource is for POST")),
        (post("/ping", "", "x"), (405, "this resource is for GET, HEAD")),
        (no_length, (411, "the message comes without its length")),
        (past_the_limit, (413, "the message has more than 1000 octets")),
        (
            post("/checkv2", "Compression: zstd\r\n", "x"),
            (415, "the message is encoded (compressed)"),
        ),
        (
            post("/checkv2", "Content-Encoding: gzip\r\n", "x"),
            (415, "the message is encoded (compressed)"),
        ),
        (
            post("/checkv2", "Key: abc\r\n", "x"),
            (415, "the message is encoded (encrypted)"),
        ),
        (
            post(
                "/v1/check",
                "Content-Type: application/x-www-form-urlencoded\r\n",
                "x",
            ),
            (
                415,
                "the body is a form (application/x-www-form-urlencoded), not a message",
            ),
        ),
        (
            post(
                "/v1/check",
                "Content-Type: Multipart/Form-Data; boundary=x\r\n",
                "x",
            ),
            (415, "the body is a form (multipart/form-data), not a message"),
        ),
        (
            post("/v1/check", "Landmarc-Clint: 1\r\n", "x"),
            (400, "landmarc-clint: there is no such field"),
        ),
    ] {
        let scripted = Scripted::default();
        let (code, error) = code_and_error(&asked(&scripted, None, &request).await);
        assert_eq!((code, error.as_str()), expected, "{request}");
        assert!(!scripted.notes().contains(&"end_of_message".to_owned()));
    }
}

#[tokio::test]
async fn pages_for_people_and_monitoring() {
    for (path, begins) in [
        ("/ping", "pong\r\n"),
        ("/healthz", "ok\n"),
        ("/v1/", "landmarc: the check API\n"),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        // They tell nothing of mail, so nobody needs the secret.
        let answer = asked(&Scripted::default(), Some("s3cret"), &request).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(body.starts_with(begins), "{body}");
    }
}

#[tokio::test]
async fn without_the_secret_nothing_is_judged() {
    for (path, fields, expected) in [
        ("/v1/check", "", 401),
        ("/v1/check", "Authorization: Bearer wrong\r\n", 401),
        ("/v1/check", "Authorization: Bearer s3cret\r\n", 200),
        ("/checkv2", "", 401),
        ("/checkv2", "Password: s3cret\r\n", 200),
    ] {
        let scripted = Scripted::default();
        let answer = asked(&scripted, Some("s3cret"), &post(path, fields, "A: 1\n\n")).await;
        assert_eq!(code_and_error(&answer).0, expected, "{path} {fields}");
        assert_eq!(scripted.notes().is_empty(), expected == 401);
        assert_eq!(answer.contains("www-authenticate: Bearer\r\n"), expected == 401);
    }
}

#[tokio::test]
async fn chunks_past_the_limit_are_refused_as_they_come() {
    let of = |octets: usize| {
        let message = format!("A: 1\n\n{}", "x".repeat(octets - 6));
        format!(
            "POST /v1/check HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
             {octets:x}\r\n{message}\r\n0\r\n\r\n"
        )
    };
    assert_eq!(
        code_and_error(&asked(&Scripted::default(), None, &of(1_000)).await).0,
        200
    );
    assert_eq!(
        code_and_error(&asked(&Scripted::default(), None, &of(1_001)).await).0,
        413
    );
}

#[tokio::test]
async fn so_many_header_fields_and_one_more() {
    // Host, Connection, Content-Length.
    let of = |count: usize| {
        post(
            "/v1/check",
            &"Landmarc-Rcpt-To: a@b\r\n".repeat(count - 3),
            "A: 1\n\n",
        )
    };
    let at = asked(&Scripted::default(), None, &of(LIMITS.headers)).await;
    assert!(at.starts_with("HTTP/1.1 200 "), "{at}");
    let past = asked(&Scripted::default(), None, &of(LIMITS.headers + 1)).await;
    assert!(past.starts_with("HTTP/1.1 431 "), "{past}");
}

#[tokio::test]
async fn so_many_octets_of_header_fields_and_no_more() {
    let of = |octets: usize| post("/v1/check", &format!("X: {}\r\n", "x".repeat(octets)), "A: 1\n\n");
    let around = of(0).find("\r\n\r\n").unwrap() + 4;
    let at = asked(&Scripted::default(), None, &of(LIMITS.header_octets - around)).await;
    assert!(at.starts_with("HTTP/1.1 200 "), "{at}");
    // Who has had enough reads no more.
    let mut client = connect(&Scripted::default(), None);
    let _ = client.stream.write_all(of(LIMITS.header_octets).as_bytes()).await;
    let past = client.rest().await;
    assert!(past.starts_with("HTTP/1.1 431 "), "{past}");
}

#[tokio::test]
async fn a_client_that_is_gone_within_a_message_leaves_nothing() {
    let scripted = Scripted::default();
    let mut client = connect(&scripted, None);
    let request = post("/v1/check", "", "From: a@b\n\nhello\n");
    client.say(&request[..request.len() - 3]).await;
    drop(client.stream);
    client.served.await.unwrap();
    assert!(scripted.notes().contains(&"connect".to_owned()));
    assert!(!scripted.notes().contains(&"end_of_message".to_owned()));
}

/// How long a client is waited for that stops here.
async fn seconds_until_left(begins: &str) -> u64 {
    let mut client = connect(&Scripted::default(), None);
    let begun = tokio::time::Instant::now();
    client.say(begins).await;
    client.rest().await;
    client.served.await.unwrap();
    begun.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn who_is_silent_is_left() {
    assert_eq!(seconds_until_left("").await, 10);
    assert_eq!(seconds_until_left("POST /v1").await, 10);
    assert_eq!(seconds_until_left("CHECK RSPAMC/1.3\r\nIP:").await, 10);
    let whole = post("/v1/check", "", "From: a@b\n\nhello\n");
    assert_eq!(seconds_until_left(&whole[..whole.len() - 1]).await, 60);
    let kept = whole.replace("Connection: close\r\n", "");
    assert_eq!(seconds_until_left(&kept).await, 75);
}

#[tokio::test(start_paused = true)]
async fn a_message_drop_by_drop_has_an_end() {
    let mut client = connect(&Scripted::default(), None);
    let begun = tokio::time::Instant::now();
    client.say(&post("/v1/check", "", &"x".repeat(999))[..200]).await;
    while client.stream.write_all(b"x").await.is_ok() {
        // The clock is stopped, and goes on by so much once nobody has anything left to do.
        tokio::time::sleep(Duration::from_secs(50)).await;
    }
    // Looked at every 50 seconds.
    assert!(
        (900..=950).contains(&begun.elapsed().as_secs()),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn when_we_stop_who_waits_is_left_and_a_message_is_answered() {
    let mut idle = connect(&Scripted::default(), None);
    idle.say(&post("/v1/check", "", "A: 1\n\n").replace("Connection: close\r\n", ""))
        .await;
    let mut octets = [0; 4096];
    assert!(idle.stream.read(&mut octets).await.unwrap() > 0);
    let new = connect(&Scripted::default(), None);
    let mut within = connect(&Scripted::default(), None);
    let request = post("/v1/check", "", "A: 1\n\nhello");
    within.say(&request[..request.len() - 1]).await;
    // The clock is stopped: it is over when all three have taken what they were sent, and wait.
    tokio::time::sleep(Duration::from_secs(1)).await;

    let begun = tokio::time::Instant::now();
    for client in [&idle, &new, &within] {
        client.stop.send_replace(true);
    }
    idle.served.await.unwrap();
    new.served.await.unwrap();
    within.say(&request[request.len() - 1..]).await;
    assert!(within.rest().await.starts_with("HTTP/1.1 200 "));
    assert_eq!(begun.elapsed().as_secs(), 0);
}
