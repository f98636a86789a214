//! The integration tests of landmarc-auth, in one binary.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

mod arc_chain;
mod arc_conformance;
mod dkim_attacks;
mod dkim_conformance;
mod dkim_keys;
mod dkim_rfc8463;
mod dkim_sign;
mod dkim_stream;
mod dkim_substance;
mod dkim_support;
mod dkim_vectors;
mod questions;
mod spf_limits;
mod spf_outcome;
mod spf_properties;
mod spf_suite;
mod spf_support;
mod spf_vectors;
