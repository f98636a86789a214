//! The resolver against a DNS server on loopback, beside zones in memory.

// A test that cannot go on fails by panicking, in its helpers too.
#![allow(clippy::unwrap_used)]

mod cache;
mod conformance;
mod flights;
mod servers;
mod support;
mod time;
