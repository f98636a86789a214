//! Both sides, over real sockets and real certificates.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

mod certificates;
mod files;
mod limits;
mod pki;
mod port;
mod segments;
mod strangers;
