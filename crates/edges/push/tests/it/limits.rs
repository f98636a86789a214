//! Each limit, at it and one past it.

use std::sync::atomic::Ordering;

use landmarc_net::HttpLimits;
use landmarc_push::{PushError, PushLimits};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::port::{GATED, Port, post, status};

#[tokio::test]
async fn a_segment_at_the_limit_and_one_octet_past_it() {
    let limits = PushLimits {
        segment_octets: 100_000,
        ..PushLimits::default()
    };
    let port = Port::open(limits).await;
    assert_eq!(port.send(&vec![b'x'; 100_000]).await.unwrap().messages, 100_000);
    let error = port.send(&vec![b'x'; 100_001]).await.unwrap_err();
    assert!(
        matches!(error, PushError::TooLarge { octets: 100_001, .. }),
        "{error:?}"
    );
    assert!(!error.is_final(), "the limit may be another one tomorrow");
    insta::assert_snapshot!(
        error.to_string().replace(&port.url(), "URL"),
        @"URL takes no segment of 100001 octets: the body has more than 100000 octets"
    );
    assert_eq!(port.taken.lengths(), [100_000]);
}

/// Without a length that is announced, what comes is counted.
#[tokio::test]
async fn chunks_at_the_limit_and_one_octet_past_it() {
    const HEAD: &str =
        "POST /spool/v1/segment HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let limits = PushLimits {
        segment_octets: 20,
        ..PushLimits::default()
    };
    let port = Port::open(limits).await;
    for (last, code) in [("", 200), ("1\r\nx\r\n", 413)] {
        let request = format!("{HEAD}a\r\n0123456789\r\na\r\n0123456789\r\n{last}0\r\n\r\n");
        assert_eq!(port.connect().await.status_of(request).await, code);
    }
    assert_eq!(port.taken.lengths(), [20]);
}

/// What is announced takes no memory before it comes.
#[tokio::test]
async fn a_length_beyond_all_bounds_is_refused_at_once() {
    let port = Port::open(PushLimits::default()).await;
    let mut raw = port.connect().await;
    raw.say("POST /spool/v1/segment HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9999999999999\r\n\r\n")
        .await;
    assert_eq!(status(&raw.answer().await), 413);
}

/// A body that is announced and does not come holds up nothing: 413, and the connection ends.
#[tokio::test]
async fn a_body_past_the_limit_is_refused_before_it_comes() {
    let limit = PushLimits::default().segment_octets;
    let port = Port::open(PushLimits::default()).await;
    for length in [limit + 1, usize::MAX / 2 + 1] {
        let mut raw = port.connect().await;
        raw.say(format!(
            "POST /spool/v1/segment HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
        ))
        .await;
        let begun = std::time::Instant::now();
        let answer = raw.answer().await;
        assert_eq!(status(&answer), 413, "{length}");
        let head = answer.to_lowercase();
        assert!(head.contains("connection: close"), "{answer}");
        assert!(begun.elapsed().as_secs() < 8, "far below the time of a segment");
    }
}

/// On a connection that is open, too: nothing of a segment is taken any more.
#[tokio::test]
async fn who_is_not_admitted_is_refused_before_its_body() {
    let port = Port::open(PushLimits::default()).await;
    let mut raw = port.connect().await;
    assert_eq!(raw.status_of(post(b"x", "")).await, 200);
    port.taken.bars.store(true, Ordering::SeqCst);
    raw.say("POST /spool/v1/segment HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n")
        .await;
    let answer = raw.answer().await;
    assert_eq!(status(&answer), 403, "{answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    assert!(answer.contains("is barred"), "{answer}");
    assert_eq!(raw.rest().await, "");
    assert_eq!(port.taken.lengths(), [1]);
    port.taken.bars.store(false, Ordering::SeqCst);
    assert_eq!(port.send(b"x").await.unwrap().messages, 1);
}

#[tokio::test]
async fn a_header_section_at_the_limit_and_one_octet_past_it() {
    let limits = PushLimits {
        http: HttpLimits {
            header_octets: 1,
            headers: 32,
        },
        ..PushLimits::default()
    };
    let port = Port::open(limits).await;
    // A smaller limit than this is taken as this. The body counts as far as it is read with it.
    for (octets, code) in [
        (HttpLimits::LEAST_HEADER_OCTETS, "200"),
        (HttpLimits::LEAST_HEADER_OCTETS + 1, "431"),
    ] {
        let bare = post(b"x", "X: \r\nConnection: close\r\n");
        let filling = "x".repeat(octets - (bare.len() - 1));
        let mut raw = port.connect().await;
        raw.say(post(b"x", &format!("X: {filling}\r\nConnection: close\r\n")))
            .await;
        let answer = raw.rest().await;
        assert_eq!(answer.get(9..12), Some(code), "{octets} octets: {answer}");
    }
}

#[tokio::test]
async fn header_fields_at_the_limit_and_one_past_it() {
    let limits = PushLimits {
        http: HttpLimits {
            header_octets: 16 * 1024,
            headers: 10,
        },
        ..PushLimits::default()
    };
    let port = Port::open(limits).await;
    for (fields, code) in [(10, "200"), (11, "431")] {
        let mut raw = port.connect().await;
        let others = "X: y\r\n".repeat(fields - 3);
        raw.say(post(b"x", &format!("Connection: close\r\n{others}")))
            .await;
        assert_eq!(raw.rest().await.get(9..12), Some(code), "{fields} fields");
    }
}

#[tokio::test]
async fn a_connection_at_the_limit_and_one_past_it() {
    let limits = PushLimits {
        connections: 2,
        ..PushLimits::default()
    };
    let port = Port::open(limits).await;
    let mut first = port.connect().await;
    let mut second = port.connect().await;
    for raw in [&mut first, &mut second] {
        assert_eq!(raw.status_of(post(b"x", "")).await, 200);
    }
    let error = port.send(b"one too many").await.unwrap_err();
    assert_eq!(
        error.retry_after().map(|pause| pause.as_secs()),
        Some(5),
        "{error:?}"
    );
    insta::assert_snapshot!(
        error.to_string().replace(&port.url(), "URL"),
        @"URL cannot take segments now: too many hosts send at once"
    );
    // One that goes makes room; when that is seen is up to the system.
    second.cut();
    while port.send(b"room").await.is_err() {}
    assert_eq!(
        first.status_of(post(b"x", "")).await,
        200,
        "the others were not disturbed"
    );
}

#[tokio::test]
async fn a_handshake_at_the_limit_and_one_past_it() {
    let limits = PushLimits {
        handshakes: 2,
        ..PushLimits::default()
    };
    let port = Port::open(limits).await;
    let first = TcpStream::connect(port.address).await.unwrap();
    let second = TcpStream::connect(port.address).await.unwrap();
    let mut third = TcpStream::connect(port.address).await.unwrap();
    // Connections are accepted in their order: the third one is closed, the others wait.
    assert_eq!(third.read(&mut [0; 16]).await.unwrap_or(0), 0);
    drop((first, second));
    while port.send(b"room").await.is_err() {}
}

#[tokio::test]
async fn segments_in_memory_at_the_limit_and_one_past_it() {
    let limits = PushLimits {
        taken_at_once: 2,
        ..PushLimits::default()
    };
    let port = Port::open(limits).await;
    let send = || {
        let client = port.client();
        tokio::spawn(async move { client.send(GATED).await })
    };
    let sent = [send(), send(), send(), send()];
    while port.taken.at_gate.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    // Whatever the others do, no third one is read before one of the two is done.
    for done in 0..4 {
        assert_eq!(port.taken.lengths().len(), done);
        port.taken.gate.add_permits(1);
        while port.taken.lengths().len() == done {
            assert!(port.taken.at_gate.load(Ordering::SeqCst) <= 2);
            tokio::task::yield_now().await;
        }
    }
    for one in sent {
        assert!(one.await.unwrap().is_ok());
    }
}
