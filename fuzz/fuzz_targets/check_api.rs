//! Whatever comes in by a connection of the check API, HTTP and the protocol of old alike: it is
//! answered or let go, and no message is judged that was not whole.
//!
//! The first octet says how the rest begins, so that requests get somewhere.

#![no_main]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use landmarc_interfaces::{DriveLimits, Findings, Interface, Judged, http};
use landmarc_milter::{Macros, Response, Service, Session};
use landmarc_net::{ConnectionSlot, Peer};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::sync::watch;

/// Accepts everything, and counts it.
#[derive(Clone, Default)]
struct Judge(Arc<AtomicU64>);

impl Service for Judge {
    type Session = Self;

    fn connect(&self, _peer: &Peer) -> Self {
        self.clone()
    }
}

impl Session for Judge {
    async fn end_of_message(&mut self, _macros: &Macros) -> Response {
        self.0.fetch_add(1, Ordering::Relaxed);
        Response::default()
    }
}

impl Judged for Judge {
    fn comes_by(&mut self, _interface: Interface) {}

    fn stay_out_of_reports(&mut self) {}

    fn ends_at_no_field(&mut self) {}

    fn take_findings(&mut self) -> Option<Findings> {
        Some(Findings::default())
    }
}

const BEGINNINGS: [&str; 5] = [
    "",
    "POST /v1/check HTTP/1.1\r\nHost: localhost\r\n",
    "POST /checkv2 HTTP/1.0\r\n",
    "CHECK RSPAMC/1.3\r\n",
    "POST /v1/check HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
];

/// What is answered to these octets, and how many messages were judged.
async fn asked(octets: Vec<u8>) -> (Vec<u8>, u64) {
    let judge = Judge::default();
    let judged = Arc::clone(&judge.0);
    let limits = DriveLimits {
        message_octets: 4096,
        field_octets: 256,
    };
    let site = Arc::new(http::CheckApiService::new(judge, limits, None, []));
    let (ours, mut theirs) = duplex(1024 * 1024);
    let (_stop, stopped) = watch::channel(false);
    let client = async move {
        // Who is refused may be left before all is said.
        let _ = theirs.write_all(&octets).await;
        let _ = theirs.shutdown().await;
        let mut answer = Vec::new();
        let _ = theirs.read_to_end(&mut answer).await;
        answer
    };
    let (answer, ()) = tokio::join!(
        client,
        http::serve(ours, Peer::Unix, site, stopped, ConnectionSlot::default())
    );
    (answer, judged.load(Ordering::Relaxed))
}

fuzz_target!(|octets: &[u8]| {
    let Some((&first, rest)) = octets.split_first() else {
        return;
    };
    let beginning = BEGINNINGS[usize::from(first) % BEGINNINGS.len()];
    let octets = [beginning.as_bytes(), rest].concat();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let (answer, judged) = runtime.block_on(asked(octets));
    let count = |words: &[u8]| answer.windows(words.len()).filter(|part| *part == words).count();
    let answered = count(b"\"verdict\":") + count(b"\"required_score\":") + count(b" EX_OK\r\nMetric");
    assert!(
        judged <= answered as u64,
        "each message that was judged is answered"
    );
});
