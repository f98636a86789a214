//! The recording room as its users see it.
//!
//! `child` in `crash` is no test of its own: it is the process that is killed there.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
#![allow(clippy::cast_possible_truncation, reason = "their numbers are small")]

mod crash;
mod maintenance;
mod reading;
mod recording;
mod samples;
mod size;
mod trouble;
mod two;
mod versions;
