//! The engine on SQLite. No other module knows SQL or that there is a file.
//!
//! One connection writes, in WAL mode with `synchronous=FULL`: a transaction that is committed is
//! on disk. Readers have connections of their own and never wait for the writer, nor it for them.

mod backup;
mod batch;
mod blocks;
mod connection;
mod expire;
mod interned;
mod journal;
mod log;
mod migrations;
mod reading;
mod stories;
mod tally;
mod write;

pub(crate) use connection::{BUSY, BUSY_SERVICE};
pub(crate) use reading::Reading;
pub(crate) use write::Sqlite;
