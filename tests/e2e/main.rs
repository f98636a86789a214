//! End to end: a real Postfix in front of us, a real socket everywhere.
//!
//! A tier of its own: it needs root and the unpacked `postfix` package, both of which
//! `scripts/test` sees to. Where they are absent, each test says so and ends.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

mod binary;
mod check;
mod config;
mod conformance;
mod dkim;
mod fleet;
mod http;
mod interfaces;
mod liars;
mod load;
mod local;
mod migrate;
mod outbox;
mod pages;
mod parity;
mod postfix_clients;
mod postfix_dns;
mod postfix_harness;
mod postfix_header;
mod postfix_service;
mod postfix_verdicts;
mod puzzles;
mod records;
mod rules;
mod seen;
mod serve;
mod service;
mod skipping;
mod systemd;
mod world;
