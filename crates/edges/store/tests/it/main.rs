//! The store as its users see it.
//!
//! A test called `child` is no test of its own: it is the process that the tests beside it start.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
#![allow(clippy::cast_possible_truncation, reason = "their numbers are small")]

mod assembly;
mod bed;
mod beside;
mod claiming;
mod crash;
mod cutting;
mod days;
mod fleet;
mod flood;
mod hosts;
mod importing;
mod joins;
mod letters;
mod maintenance;
mod operator;
mod outbox;
mod outbox_clocks;
mod outbox_crash;
mod outbox_hosts;
mod outbox_trouble;
mod outbox_upkeep;
mod plans;
mod reading;
mod recording;
mod samples;
mod segments;
mod server_trouble;
mod ship;
mod size;
mod spool;
mod spool_crash;
mod spool_room;
mod suppression;
mod trouble;
mod two;
mod versions;
