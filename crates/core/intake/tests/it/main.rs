//! Tests of this crate from outside.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod bounce;
mod failure_conformance;
mod reading_common;
mod reading_conformance;
mod reading_documents;
mod reading_files;
mod reading_heads;
mod reading_hostile;
mod reading_limits;
mod reading_mail;
mod reading_records;
mod reading_zoo;
