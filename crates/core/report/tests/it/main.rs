//! Tests of this crate from outside.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod aggregate_common;
mod aggregate_decisions;
mod aggregate_golden;
mod aggregate_mail;
mod aggregate_properties;
mod aggregate_rows;
mod destination;
mod failure_common;
mod failure_mail;
mod mail_names;
mod xsd;
