//! The port as its clients see it, over real sockets.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

mod alone;
mod client;
mod limits;
mod malformed;
mod pages;
