//! Where hosts stand: each at a place of its own, or all on loopback.

use super::network::Network;

/// Where hosts stand.
pub(super) trait Ground {
    /// Does something at a place: sockets that are made, threads and processes that are started, are there.
    fn within<T: Send>(&self, place: &str, does: impl FnOnce() -> T + Send) -> T;
}

/// Where everybody else is, too.
pub(super) struct Loopback;

impl Ground for Loopback {
    fn within<T: Send>(&self, _: &str, does: impl FnOnce() -> T + Send) -> T {
        does()
    }
}

impl Ground for Network {
    fn within<T: Send>(&self, place: &str, does: impl FnOnce() -> T + Send) -> T {
        // Its own of that name.
        Self::within(self, place, does)
    }
}
