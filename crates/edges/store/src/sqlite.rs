//! The engine on SQLite. No other module knows SQL or that there is a file.
//!
//! One connection records and another keeps the outbox, in WAL mode with `synchronous=FULL`: a transaction
//! that is committed is on disk. These two wait for each other, so each is brief. Readers have connections of
//! their own and never wait for a writer, nor it for them.

mod backup;
mod batch;
mod blocks;
mod collect;
mod connection;
mod error;
mod expire;
mod import;
mod interned;
mod journal;
mod log;
mod migrations;
mod reading;
mod remove;
mod reporting;
mod room;
mod secondary;
mod spool;
mod statements;
mod tally;
mod trace_budget;
mod wal;
mod write;

pub(crate) use collect::FileCollector;
pub(crate) use connection::{BUSY, BUSY_SERVICE};
pub(crate) use migrations::{FLEET, IMPORTS, RECORDING, REPORTS};
pub(crate) use reading::FileReader;
pub(crate) use secondary::SecondaryConnection;
pub use spool::Spool;
#[cfg(test)]
pub(crate) use statements::in_memory;
pub(crate) use write::Sqlite;
