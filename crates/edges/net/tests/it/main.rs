//! The net crate from outside: real sockets, and those who attack them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod sockets;
