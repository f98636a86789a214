//! What tests share: cases, zones, messages, random numbers, and (feature `server`) a DNS server, a scripted MTA and
//! a scripted relay on loopback; (feature `tools`) programs of others, (feature `databases`) the servers among them.

pub mod cases;
#[cfg(feature = "databases")]
pub mod databases;
#[cfg(feature = "server")]
pub mod dns_server;
pub mod message;
#[cfg(feature = "server")]
pub mod mta;
pub mod needs;
pub mod random;
#[cfg(feature = "server")]
pub mod relay;
#[cfg(feature = "tools")]
pub mod tools;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use landmarc_auth::lookup::{DnsName, Zones};

/// Runs a future that never waits for anything outside itself, as all of the core
/// does over zones in memory.
///
/// # Panics
/// When it does wait: then the test needs a runtime.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    let mut future = pin!(future);
    // Joined futures may need a few rounds; none of them ever waits for an event.
    for _ in 0..1_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    unreachable!("the future waits for something that zones in memory do not have")
}

/// Zones from TXT records alone: `("example.com", "v=spf1 -all")`.
#[must_use]
pub fn txt_zones(records: &[(&str, &str)]) -> Zones {
    let mut zones = Zones::new();
    for (name, text) in records {
        zones.add_txt(dns_name(name), text.as_bytes());
    }
    zones
}

/// A name that is known to be one.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn dns_name(text: &str) -> DnsName {
    DnsName::from_octets(text.as_bytes()).unwrap_or_else(|| unreachable!("{text:?} is no DNS name"))
}
