//! Encrypted connections, and those that should have been.

use std::path::PathBuf;

use landmarc_delivery::{AgentOptions, DeliveryAgent, TlsMode, Transport, TransportError};
use landmarc_testkit::relay::{CA_PEM, Certificate, Relay, Script, Tls as Offered};

use crate::support::{RECIPIENT, Scratch, post, submission, told, transport_to};

use Certificate::{Good, OtherName};

fn transport(relay: &Relay, mode: TlsMode, ca: PathBuf) -> Transport {
    let mut transport = transport_to(relay);
    if let Transport::Smtp { tls, ca_file, .. } = &mut transport {
        *tls = mode;
        *ca_file = Some(ca);
    }
    transport
}

/// What comes of a message, and whether it went inside TLS.
async fn deliver(offered: Offered, mode: TlsMode, ca: &str) -> (&'static str, String, Option<bool>) {
    let relay = Relay::start(Script {
        tls: offered,
        ..Script::default()
    });
    let scratch = Scratch::new("ca");
    let ca = scratch.file("ca.pem", ca.as_bytes());
    let (kind, reason) = told(
        &post(transport(&relay, mode, ca), 1)
            .deliver(submission(RECIPIENT))
            .await,
    );
    let message = relay.messages().into_iter().next();
    if message.is_none() {
        let begun = relay
            .commands()
            .iter()
            .any(|command| command.line.starts_with("MAIL"));
        assert!(!begun, "the envelope is as secret as the message");
    }
    (kind, reason, message.map(|message| message.tls))
}

#[tokio::test]
async fn what_is_asked_for_and_what_is_offered() {
    use Offered::{Broken, Implicit, Injecting, Refused, StartTls};
    let delivered = |tls| ("delivered", "", Some(tls));
    let unusable = |reason| ("relay unusable", reason, None);
    let not_offered = unusable("STARTTLS: the relay does not offer STARTTLS, without which nothing is sent");
    let refused = unusable("STARTTLS: 454 4.7.0 TLS not available");
    let not_for_name = "its certificate is not for 127.0.0.1 (set report.delivery.relay";
    for (offered, mode, expected) in [
        (Offered::None, TlsMode::None, delivered(false)),
        (StartTls(Good), TlsMode::None, delivered(false)),
        (Offered::None, TlsMode::Opportunistic, delivered(false)),
        (StartTls(Good), TlsMode::Opportunistic, delivered(true)),
        (StartTls(OtherName), TlsMode::Opportunistic, delivered(true)),
        // Not offered is one thing; offered and not kept is another.
        (Refused, TlsMode::Opportunistic, refused),
        (Broken, TlsMode::Opportunistic, unusable("STARTTLS: TLS failed: ")),
        (Offered::None, TlsMode::Required, not_offered),
        (StartTls(Good), TlsMode::Required, delivered(true)),
        (StartTls(OtherName), TlsMode::Required, unusable(not_for_name)),
        (Refused, TlsMode::Required, refused),
        (Broken, TlsMode::Required, unusable("STARTTLS: TLS failed: ")),
        (Injecting(Good), TlsMode::Required, delivered(true)),
        (Implicit(Good), TlsMode::Implicit, delivered(true)),
        (Implicit(OtherName), TlsMode::Implicit, unusable(not_for_name)),
        (
            Offered::None,
            TlsMode::Implicit,
            unusable("greeting: TLS failed: it does not speak TLS on this port"),
        ),
    ] {
        let (kind, reason, tls) = deliver(offered, mode, CA_PEM).await;
        let case = format!("{offered:?}, {mode:?}: {reason}");
        assert_eq!((kind, tls), (expected.0, expected.2), "{case}");
        assert!(reason.contains(expected.1), "{case}");
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_where_it_is_checked() {
    // Another server's certificate is no authority.
    let other = include_str!("../../../../testkit/src/relay/certificates/other.pem");
    let (kind, reason, _) = deliver(Offered::StartTls(Good), TlsMode::Required, other).await;
    assert_eq!(kind, "relay unusable");
    let words =
        "STARTTLS: TLS failed: its certificate is signed by nobody we trust (set report.delivery.ca_file)";
    assert_eq!(reason, words);
    let (kind, _, tls) = deliver(Offered::StartTls(Good), TlsMode::Opportunistic, other).await;
    assert_eq!((kind, tls), ("delivered", Some(true)));
}

#[tokio::test]
async fn what_was_said_before_tls_counts_for_nothing() {
    let relay = Relay::start(Script {
        tls: Offered::Injecting(Good),
        ..Script::default()
    });
    let scratch = Scratch::new("ca");
    let ca = scratch.file("ca.pem", CA_PEM.as_bytes());
    let post = post(transport(&relay, TlsMode::Required, ca), 1);
    assert_eq!(told(&post.deliver(submission(RECIPIENT)).await).0, "delivered");
    let commands = relay.commands();
    let seen: Vec<_> = commands
        .iter()
        .map(|command| (command.line.split(' ').next().unwrap_or_default(), command.tls))
        .collect();
    let expected = ["EHLO", "STARTTLS"].map(|verb| (verb, false)).into_iter();
    let inside = ["EHLO", "MAIL", "RCPT", "DATA"].map(|verb| (verb, true));
    assert_eq!(seen, expected.chain(inside).collect::<Vec<_>>());
    // The injected answer had neither: what counts is the one inside.
    assert!(commands[3].pipelined && commands[3].line.contains("SIZE="));
}

#[test]
fn a_file_without_authorities_is_refused_at_once() {
    let relay = Relay::start(Script::default());
    let scratch = Scratch::new("ca");
    let file = scratch.file(
        "ca.pem",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let options = |ca| AgentOptions {
        transport: transport(&relay, TlsMode::Required, ca),
        connections: 1,
        timeout: std::time::Duration::from_secs(1),
    };
    let error = DeliveryAgent::new(options(file)).unwrap_err();
    assert!(matches!(error, TransportError::Ca(_)));
    let words = error.to_string();
    let (_path, words) = words.rsplit_once('"').unwrap();
    insta::assert_snapshot!(words, @" has no certificate of an authority in PEM form");
    assert!(error.remedy().contains("ca_file"));
}
