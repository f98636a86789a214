//! Messages on their way: to a relay that goes wrong where it is told to, to programs, and
//! into directories; and signed before.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod directory;
mod faults;
mod reuse;
mod sendmail;
mod sign;
mod smtp;
mod support;
mod tls;
