//! How much one client may take.

use std::time::Duration;

use landmarc_net::HttpTimeouts;

/// Bounds of a server, all of its sockets together. The defaults are for monitoring: a few clients
/// that ask a short question now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebLimits {
    /// Connections at once; one more is answered 503 and closed.
    pub connections: usize,
    /// Octets of a request before its body: request line and header section. At least
    /// [`HttpLimits::LEAST_HEADER_OCTETS`](landmarc_net::HttpLimits::LEAST_HEADER_OCTETS); past it the answer is 431.
    pub header_octets: usize,
    /// Header fields of a request; past it the answer is 431.
    pub headers: usize,
    /// Octets of the request target, path and query; past it the answer is 414.
    pub target_octets: usize,
    /// How long a client may take over sending a request, and after connecting may be silent.
    pub header_timeout: Duration,
    /// How long an answer may take to be found, after which it is 503; and how long the client may
    /// take over reading it.
    pub request_timeout: Duration,
    /// How long a client may be silent after an answer.
    pub idle_timeout: Duration,
    /// How long an answer under way may take at shutdown.
    pub shutdown_grace: Duration,
}

impl WebLimits {
    /// No body of a request is read.
    pub(crate) const fn timeouts(&self) -> HttpTimeouts {
        HttpTimeouts {
            header: self.header_timeout,
            stall: self.header_timeout,
            body: self.header_timeout,
            answer: self.request_timeout.saturating_mul(2),
            idle: self.idle_timeout,
        }
    }
}

impl Default for WebLimits {
    fn default() -> Self {
        Self {
            connections: 64,
            header_octets: 16 * 1024,
            headers: 64,
            target_octets: 2 * 1024,
            header_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(10),
            // Longer than the minute between two questions of most monitoring.
            idle_timeout: Duration::from_secs(75),
            shutdown_grace: Duration::from_secs(2),
        }
    }
}
