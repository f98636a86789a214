//! Messages, and the ways they go.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use landmarc_delivery::{
    AgentOptions, DeliveryAgent, DeliveryFailure, DeliveryOutcome, Submission, TlsMode, Transport,
};
use landmarc_testkit::relay::Relay;

pub(crate) const RETURN_PATH: &str = "reports+r42@receiver.example";
pub(crate) const RECIPIENT: &str = "dmarc@author.example";
pub(crate) const MESSAGE: &[&[u8]] = &[b"Subject: a\r\n", b"\r\n", b"text\r\n"];

/// To this relay, without TLS.
pub(crate) fn transport_to(relay: &Relay) -> Transport {
    Transport::Smtp {
        host: relay.address().ip().to_string(),
        port: relay.address().port(),
        tls: TlsMode::None,
        ca_file: None,
        login: None,
        hello: "mail.receiver.example".to_owned(),
    }
}

/// A post of that way, for so many messages at once. A message may take a minute: more than
/// a test ever does.
pub(crate) fn post(transport: Transport, connections: usize) -> DeliveryAgent {
    let options = AgentOptions {
        transport,
        connections,
        timeout: Duration::from_secs(60),
    };
    DeliveryAgent::new(options).unwrap()
}

/// A message to this recipient.
pub(crate) fn submission(recipient: &str) -> Submission<'_> {
    Submission {
        return_path: RETURN_PATH,
        recipient,
        message: MESSAGE,
        file_name: "report",
    }
}

/// The reply to a message that was delivered.
pub(crate) fn delivered(outcome: DeliveryOutcome) -> String {
    match outcome {
        DeliveryOutcome::Delivered { reply } => reply,
        other => panic!("not delivered: {other:?}"),
    }
}

/// Which kind of outcome it is, with the reason.
pub(crate) fn told(outcome: &DeliveryOutcome) -> (&'static str, String) {
    let kind = match outcome {
        DeliveryOutcome::Delivered { .. } => "delivered",
        DeliveryOutcome::Deferred(_) => "deferred",
        DeliveryOutcome::Unanswered(_) => "unanswered",
        DeliveryOutcome::RelayUnusable(_) => "relay unusable",
        DeliveryOutcome::Refused(_) => "refused",
    };
    (
        kind,
        outcome
            .failure()
            .map(DeliveryFailure::to_string)
            .unwrap_or_default(),
    )
}

/// A directory of this test alone, gone when it ends.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = format!("landmarc-delivery-{}-{number}-{name}", std::process::id());
        let path = std::env::temp_dir().join(path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is in the temporary directory.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
