//! How much one client may take.

use std::time::Duration;

use landmarc_net::HttpTimeouts;

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
    /// read, and are answered 503 after [`PushLimits::body_timeout`].
    pub taken_at_once: usize,
    /// Octets of a segment; past it the answer is 413.
    pub segment_octets: usize,
    /// Octets of a request before its body: request line and header section. At least
    /// [`HttpLimits::LEAST_HEADER_OCTETS`](landmarc_net::HttpLimits::LEAST_HEADER_OCTETS); past it the answer is 431.
    pub header_octets: usize,
    /// Header fields of a request; past it the answer is 431.
    pub headers: usize,
    /// From connecting to the end of the TLS handshake.
    pub handshake_timeout: Duration,
    /// From the first octet of a request to the end of its header section; and after the handshake,
    /// to that first octet.
    pub header_timeout: Duration,
    /// How long a client may be silent amid a segment.
    pub stall_timeout: Duration,
    /// How long all of a segment may take to come.
    pub body_timeout: Duration,
    /// How long the taker may take.
    pub taking_timeout: Duration,
    /// How long the client may take over reading the answer.
    pub answer_timeout: Duration,
    /// How long a client may be silent after an answer.
    pub idle_timeout: Duration,
    /// How long a segment under way may take at shutdown.
    pub shutdown_grace: Duration,
}

impl PushLimits {
    pub(crate) const fn timeouts(&self) -> HttpTimeouts {
        HttpTimeouts {
            header: self.header_timeout,
            stall: self.stall_timeout,
            body: self.body_timeout,
            answer: self.answer_timeout,
            idle: self.idle_timeout,
        }
    }
}

impl Default for PushLimits {
    fn default() -> Self {
        Self {
            connections: 64,
            handshakes: 32,
            taken_at_once: 4,
            segment_octets: 16 * 1024 * 1024,
            header_octets: 16 * 1024,
            headers: 32,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(30),
            // 16 MiB at half a megabit a second.
            body_timeout: Duration::from_secs(300),
            // Longer than a transaction of a busy database takes.
            taking_timeout: Duration::from_secs(120),
            answer_timeout: Duration::from_secs(10),
            // Longer than the pause between two segments of a busy host.
            idle_timeout: Duration::from_secs(75),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}
