//! The recording room as its users see it.
//!
//! A test called `child` is no test of its own: it is the process that the tests beside it start.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
#![allow(clippy::cast_possible_truncation, reason = "their numbers are small")]

mod assembly;
mod beside;
mod claiming;
mod crash;
mod days;
mod importing;
mod letters;
mod maintenance;
mod operator;
mod outbox;
mod outbox_crash;
mod outbox_trouble;
mod outbox_upkeep;
mod reading;
mod recording;
mod samples;
mod size;
mod suppression;
mod trouble;
mod two;
mod versions;
