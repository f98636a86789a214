//! Who gets as far as HTTP, and what the others are told.

use std::sync::Arc;

use landmarc_push::{PushError, PushLimits};

use crate::pki::Pki;
use crate::port::{Port, client, post};

/// What is told, and what can be done.
#[track_caller]
fn told<T: std::fmt::Debug>(result: Result<T, PushError>) -> (String, String) {
    let error = result.unwrap_err();
    (error.to_string(), error.remedy())
}

#[tokio::test]
async fn the_taker_is_told_who_sends() {
    let port = Port::open(PushLimits::default()).await;
    let files = port.pki.mx1();
    port.client_with(&files).send(&b"segment"[..]).await.unwrap();
    let segments = port.taken.segments.lock().unwrap();
    let (client, length) = &segments[0];
    assert_eq!(*length, 7);
    assert_eq!(client.names, ["mx1.example.org", "mx1"]);
    assert_eq!(client.fingerprint, port.pki.fingerprint(&files.certificate_file));
    assert_eq!(client.to_string(), "mx1.example.org");
}

#[tokio::test]
async fn a_certificate_without_names_is_known_by_its_fingerprint() {
    let port = Port::open(PushLimits::default()).await;
    let files = port.pki.named("nameless", "IP:192.0.2.1");
    port.client_with(&files).send(&b"segment"[..]).await.unwrap();
    let segments = port.taken.segments.lock().unwrap();
    assert_eq!(
        segments[0].0.to_string(),
        port.pki.fingerprint(&files.certificate_file)
    );
}

/// Sixteen names are kept, and a seventeenth is not.
#[tokio::test]
async fn names_of_a_certificate_at_the_limit_and_one_past_it() {
    let port = Port::open(PushLimits::default()).await;
    for (count, kept) in [(16, 16), (17, 16)] {
        let names: Vec<String> = (0..count)
            .map(|number| format!("DNS:mx{number}.example.org"))
            .collect();
        let files = port.pki.named(&format!("names{count}"), &names.join(","));
        port.client_with(&files).send(&b"segment"[..]).await.unwrap();
        let segments = port.taken.segments.lock().unwrap();
        assert_eq!(segments.last().unwrap().0.names.len(), kept);
    }
}

#[tokio::test]
async fn without_a_certificate_there_is_no_http() {
    let port = Port::open(PushLimits::default()).await;
    let twelve = port.try_connect(None, &[&rustls::version::TLS12]).await;
    assert!(twelve.is_err(), "TLS 1.2 looks at it within the handshake");
    // In TLS 1.3 the client is done before the server looks.
    let mut thirteen = port.try_connect(None, &[&rustls::version::TLS13]).await.unwrap();
    thirteen.say(post(b"segment", "")).await;
    let error = thirteen.error().await;
    assert!(error.contains("CertificateRequired"), "{error}");
    assert!(port.taken.lengths().is_empty());
}

#[tokio::test]
async fn the_certificate_of_another_authority_is_refused() {
    let port = Port::open(PushLimits::default()).await;
    let stranger = port.pki.stranger("DNS:mx1.example.org");
    let (error, remedy) = told(port.client_with(&stranger).send(&b"segment"[..]).await);
    insta::assert_snapshot!(
        error.replace(&port.url(), "URL"),
        @"URL does not accept our certificate: it does not know the authority that has signed it"
    );
    insta::assert_snapshot!(
        remedy,
        @"give this host a certificate that the authority of the other side has signed, and that has not expired"
    );
    let twelve = port
        .try_connect(Some(&stranger), &[&rustls::version::TLS12])
        .await;
    assert!(twelve.is_err());
    assert!(port.taken.lengths().is_empty());
}

/// However much is sent before the server has looked at the certificate, the reason arrives.
#[tokio::test]
async fn who_sends_much_hears_the_reason_too() {
    let port = Port::open(PushLimits::default()).await;
    let stranger = port.pki.stranger("DNS:mx1.example.org");
    let error = port
        .client_with(&stranger)
        .send(vec![b'x'; 32 * 1024])
        .await
        .unwrap_err();
    assert!(matches!(error, PushError::OurCertificate { .. }), "{error:?}");
}

#[tokio::test]
async fn an_expired_certificate_is_refused_on_either_side() {
    let port = Port::open(PushLimits::default()).await;
    let expired = port.pki.expired("DNS:localhost");
    let (error, _) = told(port.client_with(&expired).send(&b"segment"[..]).await);
    insta::assert_snapshot!(
        error.replace(&port.url(), "URL"),
        @"URL does not accept our certificate: it has expired"
    );
    assert!(port.taken.lengths().is_empty());

    let other = Port::open_with(
        port.pki.clone(),
        expired,
        PushLimits::default(),
        ([127, 0, 0, 1], 0).into(),
    )
    .await;
    let (error, remedy) = told(other.send(b"segment").await);
    insta::assert_snapshot!(
        error.replace(&other.url(), "URL"),
        @"the certificate of URL is not accepted: it has expired"
    );
    assert_eq!(remedy, "renew it");
}

#[tokio::test]
async fn a_server_of_another_authority_gets_nothing() {
    let pki = Arc::new(Pki::new());
    let stranger = pki.stranger("DNS:localhost");
    let port = Port::open_with(pki, stranger, PushLimits::default(), ([127, 0, 0, 1], 0).into()).await;
    let (error, remedy) = told(port.send(b"segment").await);
    insta::assert_snapshot!(
        error.replace(&port.url(), "URL"),
        @"the certificate of URL is not accepted: it is signed by nobody we trust"
    );
    insta::assert_snapshot!(
        remedy,
        @"put the authority that has signed it into the file of authorities of this host"
    );
}

#[tokio::test]
async fn a_server_of_another_name_gets_nothing() {
    let port = Port::open(PushLimits::default()).await;
    let pki = &port.pki;
    let elsewhere = pki.named("elsewhere", "DNS:elsewhere.example.org");
    let other = Port::open_with(
        pki.clone(),
        elsewhere,
        PushLimits::default(),
        ([127, 0, 0, 1], 0).into(),
    )
    .await;
    let (error, remedy) = told(other.send(b"segment").await);
    insta::assert_snapshot!(
        error.replace(&other.url(), "URL"),
        @"the certificate of URL is not accepted: it is for another host"
    );
    insta::assert_snapshot!(
        remedy,
        @"push to a name that the certificate is for, or give the other side one for this name"
    );
    // An address counts where the certificate names it.
    let by_address = format!("https://127.0.0.1:{}", port.address.port());
    assert!(
        client(&by_address, &pki.mx1())
            .send(&b"segment"[..])
            .await
            .is_ok()
    );
}

/// A session that is taken up again would go by the certificate that it began with.
#[tokio::test]
async fn certificates_are_looked_at_in_every_connection() {
    let port = Port::open(PushLimits::default()).await;
    let client = port.client();
    client.send(&b"segment"[..]).await.unwrap();
    // The same host is a stranger from now on: the authority is another one.
    std::fs::copy(port.pki.path("other-ca.pem"), port.pki.path("ca.pem")).unwrap();
    port.tls.reload().unwrap();
    client.send(&b"segment"[..]).await.unwrap();
    let error = port
        .try_connect(Some(&port.pki.files_of("mx1")), rustls::DEFAULT_VERSIONS)
        .await
        .map(|_| ())
        .unwrap_err();
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
}
