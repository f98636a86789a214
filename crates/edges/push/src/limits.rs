//! How much one client may take.

use std::time::Duration;

use landmarc_net::{HttpLimits, HttpTimeouts};

/// Bounds of a server, all of its sockets together. The defaults are for a fleet: some dozens of
/// hosts, each with one connection, that send a few megabytes now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushLimits {
    /// Connections at once of clients that have shown a certificate; the requests of one more are
    /// answered 503.
    pub connections: usize,
    /// Connections at once of those that have not yet; one more is closed without a word.
    pub handshakes: usize,
    /// Segments at once that are held in memory, read or taken; further ones wait until they are
    /// read, and are answered 503 after [`HttpTimeouts::body`].
    pub taken_at_once: usize,
    /// Octets of a segment; past it the answer is 413.
    pub segment_octets: usize,
    /// What a request may have before its body; past it the answer is 431.
    pub http: HttpLimits,
    /// From connecting to the end of the TLS handshake.
    pub handshake_timeout: Duration,
    /// How long a client may take over a request and its answer.
    pub timeouts: HttpTimeouts,
    /// How long the taker may take.
    pub taking_timeout: Duration,
    /// How long a segment under way may take at shutdown.
    pub shutdown_grace: Duration,
}

impl Default for PushLimits {
    fn default() -> Self {
        Self {
            connections: 64,
            handshakes: 32,
            taken_at_once: 4,
            segment_octets: 16 * 1024 * 1024,
            http: HttpLimits {
                header_octets: 16 * 1024,
                headers: 32,
            },
            handshake_timeout: Duration::from_secs(10),
            timeouts: HttpTimeouts {
                header: Duration::from_secs(10),
                stall: Duration::from_secs(30),
                // 16 MiB at half a megabit a second.
                body: Duration::from_secs(300),
                answer: Duration::from_secs(10),
                // Longer than the pause between two segments of a busy host.
                idle: Duration::from_secs(75),
            },
            // Longer than a transaction of a busy database takes.
            taking_timeout: Duration::from_secs(120),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}
