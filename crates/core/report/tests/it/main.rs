//! Tests of this crate from outside.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod aggregate_common;
mod aggregate_decisions;
mod aggregate_golden;
mod aggregate_properties;
mod aggregate_rows;
mod bounce;
mod destination;
mod failure_common;
mod failure_conformance;
mod failure_letter;
mod letter;
mod letter_names;
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
mod xsd;
