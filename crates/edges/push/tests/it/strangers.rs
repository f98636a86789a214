//! Those who are no landmarc: at our port, and at the URL we are told to push to.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use landmarc_push::{Client, ClientTls, PushError, PushLimits, Timeouts};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::pki::Pki;
use crate::port::{GATED, Port, client};

#[tokio::test]
async fn garbage_in_place_of_tls_ends_its_connection_only() {
    let port = Port::open(PushLimits::default()).await;
    for garbage in [
        &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        b"EHLO mx1.example.org\r\n",
        &[0; 600],
        &[0xff; 600],
        // A record of TLS that says it is longer than there may be.
        b"\x16\x03\x01\xff\xff",
        // A handshake message of no kind.
        b"\x16\x03\x01\x00\x04\x63\x00\x00\x00",
    ] {
        let mut stream = TcpStream::connect(port.address).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        // At most an alert comes back, of seven octets.
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.len() <= 7, "{}", answer.escape_ascii());
    }
    assert!(port.send(b"segment").await.is_ok());
    assert_eq!(port.taken.lengths(), [7]);
}

#[tokio::test]
async fn a_handshake_that_is_cut_off_ends_its_connection_only() {
    let port = Port::open(PushLimits::default()).await;
    let mut stream = TcpStream::connect(port.address).await.unwrap();
    // The beginning of a ClientHello.
    stream
        .write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        .await
        .unwrap();
    drop(stream);
    assert!(port.send(b"segment").await.is_ok());
}

#[tokio::test]
async fn a_port_without_tls_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = [0; 64];
        let _ = stream.read(&mut hello).await;
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
    });
    let pki = Pki::new();
    let error = send_to(address, &pki).await;
    assert!(matches!(error, PushError::NotTls { .. }), "{error:?}");
}

#[tokio::test]
async fn a_port_that_nobody_listens_at_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = send_to(address, &Pki::new()).await;
    assert!(matches!(error, PushError::Unreachable { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!("cannot reach https://localhost:{}", address.port())
    );
}

/// With the certificate of the collector, and an answer that ends the connection.
async fn answering(pki: &Pki, answer: String) -> SocketAddr {
    let files = pki.collector();
    let chain = CertificateDer::pem_file_iter(&files.certificate_file).unwrap();
    let key = PrivateKeyDer::from_pem_file(&files.key_file).unwrap();
    let config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.flatten().collect(), key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"segment") {
            request.push(stream.read_u8().await.unwrap());
        }
        // A client that has read enough does not read the rest.
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    });
    address
}

async fn send_to(address: SocketAddr, pki: &Pki) -> PushError {
    let url = format!("https://localhost:{}", address.port());
    client(&url, &pki.mx1()).send(&b"segment"[..]).await.unwrap_err()
}

fn http(status: &str, fields: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{fields}\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn an_answer_that_is_not_ours_takes_nothing() {
    let pki = Pki::new();
    for status in [
        "200 OK",
        "204 No Content",
        "301 Moved",
        "400 Bad Request",
        "404 Not Found",
    ] {
        let body = if status.starts_with("204") { "" } else { "<html>" };
        let error = send_to(answering(&pki, http(status, "", body)).await, &pki).await;
        assert!(
            matches!(error, PushError::NotLandmarc { .. }),
            "{status}: {error:?}"
        );
        assert!(!error.is_final(), "nothing is given up on the word of a stranger");
    }
}

#[tokio::test]
async fn a_proxy_whose_other_side_is_away_is_tried_again() {
    let pki = Pki::new();
    for (fields, pause) in [
        ("", None),
        ("Retry-After: 60\r\n", Some(60)),
        ("Retry-After: 3600\r\n", Some(3600)),
        // Nobody is kept away for longer than an hour.
        ("Retry-After: 3601\r\n", Some(3600)),
        ("Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n", None),
        ("Retry-After: -1\r\n", None),
    ] {
        let answer = http("502 Bad Gateway", fields, "<html>");
        let error = send_to(answering(&pki, answer).await, &pki).await;
        assert!(matches!(error, PushError::Later { .. }), "{error:?}");
        assert_eq!(
            error.retry_after().map(|pause| pause.as_secs()),
            pause,
            "{fields}"
        );
        let words = error.to_string();
        let (_url, words) = words.split_once(' ').unwrap();
        insta::allow_duplicates! {
            insta::assert_snapshot!(words, @"cannot take segments now: HTTP status 502");
        }
    }
}

/// 64 KiB of an answer are read.
#[tokio::test]
async fn an_answer_at_the_limit_and_one_octet_past_it() {
    let pki = Pki::new();
    let reply = r#"{"batches":1,"known":0,"messages":1}"#;
    for (octets, is_read) in [(64 * 1024, true), (64 * 1024 + 1, false)] {
        let body = format!("{reply}{}", " ".repeat(octets - reply.len()));
        let address = answering(&pki, http("200 OK", "", &body)).await;
        let url = format!("https://localhost:{}", address.port());
        let sent = client(&url, &pki.mx1()).send(&b"segment"[..]).await;
        assert_eq!(sent.is_ok(), is_read, "{sent:?}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_none() {
    let pki = Pki::new();
    let answer = http("200 OK", "", r#"{"batches":1,"known":0,"messages":1}"#);
    for length in [0, 5, 20, answer.len() - 1] {
        let address = answering(&pki, answer[..length].to_owned()).await;
        let error = send_to(address, &pki).await;
        assert!(
            matches!(error, PushError::Unreachable { .. }),
            "{length}: {error:?}"
        );
    }
}

/// Nothing comes, however long one waits: so the wait here is a short one.
const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_host_that_never_shakes_hands_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let tls = ClientTls::load(&Pki::new().mx1()).unwrap();
    let timeouts = Timeouts {
        connect: SHORT,
        ..Timeouts::default()
    };
    let error = Client::new(&url, &tls, timeouts)
        .unwrap()
        .send(&b"segment"[..])
        .await
        .unwrap_err();
    match error {
        PushError::Unreachable { source, .. } => assert_eq!(source.kind(), ErrorKind::TimedOut),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_host_that_never_answers_is_given_up() {
    let port = Port::open(PushLimits::default()).await;
    let tls = ClientTls::load(&port.pki.mx1()).unwrap();
    let timeouts = Timeouts {
        request: SHORT,
        ..Timeouts::default()
    };
    let client = Client::new(&port.url(), &tls, timeouts).unwrap();
    let error = client.send(GATED).await.unwrap_err();
    assert!(
        matches!(error, PushError::Slow { waited: SHORT, .. }),
        "{error:?}"
    );
}
