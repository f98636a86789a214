//! The milter crate from outside: real sockets, the scripted MTA of the test kit, and
//! handlers that write down what they are told.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod codec;
mod conversation;
mod crowd;
mod edits;
mod idle;
mod malformed;
mod misfortune;
mod negotiation;
mod one_write;
mod recorder;
mod statistics;
