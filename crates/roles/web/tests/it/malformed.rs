//! What is no HTTP, or more of it at once than is usual.

use landmarc_web::WebLimits;

use crate::client::{Port, Reply};

#[tokio::test]
async fn garbage_ends_its_connection_only() {
    let port = Port::open(WebLimits::default()).await;
    let mut bystander = port.connect().await;
    bystander.say("GET /heal").await;
    for octets in [
        &b"\0\0\0\rO\0\0\0\x06"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"EHLO mail.example\r\n\r\n",
        b"GET /metrics\r\n\r\n",
        b"GET /metrics HTTP/3.7\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"GET /met\xffrics HTTP/1.1\r\nHost: localhost\r\n\r\n\xff",
        b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        let mut client = port.connect().await;
        client.say(octets).await;
        let said = client.rest().await;
        let is_refusal = said.is_empty() || (400..500).contains(&Reply::read(&said).code);
        assert!(is_refusal, "{} is answered {said}", octets.escape_ascii());
        assert!(!said.contains("x_total"), "{}", octets.escape_ascii());
    }
    bystander
        .say("thz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await;
    assert_eq!(Reply::read(&bystander.rest().await).body, "ok\n");
}

#[tokio::test]
async fn requests_that_come_at_once_are_answered_in_their_order() {
    let port = Port::open(WebLimits::default()).await;
    let mut client = port.connect().await;
    let request = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n");
    let all = [
        request("/healthz", ""),
        request("/nothing", ""),
        request("/readyz", "Connection: close\r\n"),
        request("/metrics", ""),
    ];
    client.say(all.concat()).await;
    let said = client.rest().await;
    let codes: Vec<_> = said.matches("HTTP/1.1 ").collect();
    assert_eq!(codes.len(), 3, "after the last one nothing is answered: {said}");
    let places = ["ok\n", "There is no such page.", "milter ok\n"].map(|words| said.find(words));
    assert!(places.is_sorted() && places[0].is_some(), "{said}");
}

/// Octets after the header section that the request does not announce are the next request, and
/// those it does announce are not.
#[tokio::test]
async fn a_body_is_never_taken_for_a_request() {
    let port = Port::open(WebLimits::default()).await;
    let smuggled = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for framing in [
        format!("Content-Length: {}", smuggled.len()),
        "Transfer-Encoding: chunked".to_owned(),
    ] {
        let mut client = port.connect().await;
        let request = format!(
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{framing}\r\n\r\n{smuggled}"
        );
        client.say(request).await;
        let said = client.rest().await;
        assert!(!said.contains("x_total"), "{framing}: {said}");
    }
}

#[tokio::test]
async fn a_client_that_has_said_all_is_still_answered() {
    let port = Port::open(WebLimits::default()).await;
    let stream = tokio::net::TcpStream::connect(port.address).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    tokio::io::AsyncWriteExt::write_all(&mut writing, b"GET /healthz HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    drop(writing);
    let mut said = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut reading, &mut said)
        .await
        .unwrap();
    assert_eq!(Reply::read(&said).body, "ok\n");
}
