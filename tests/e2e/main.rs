//! End to end: a real Postfix in front of us, a real socket everywhere.
//!
//! A tier of its own: it needs root and the unpacked `postfix` package, both of which
//! `scripts/test` sees to. Where they are absent, each test says so and ends.

mod binary;
mod conformance;
mod harness;
mod postfix_harness;
