//! DMARC by the vectors of RFC 9989's digest, by the conformance sets, and by what other
//! programs got wrong.

mod alignment_vectors;
mod common;
mod conformance;
mod error_vectors;
mod faults;
mod limits;
mod policy_vectors;
mod properties;
mod record_vectors;
mod seeds;
mod walk_vectors;
