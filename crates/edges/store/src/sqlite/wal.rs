//! The write-ahead log: when it is written back into the file.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, Row};

use super::connection::{Identity, beside};
use super::error::engine;
use crate::error::StoreError;

/// The write-ahead log is written back when it is longer than this, in octets: often enough that
/// it stays in the page cache of the system, seldom enough that a page which changes with each
/// batch is written back once for many.
pub(super) const WAL_LONG: u64 = 16 << 20;

/// Writes back the write-ahead log, where it is longer than so many octets. Does what it can
/// beside readers of older states, and waits for none of them.
pub(super) fn write_back(connection: &Connection, path: &Path, longer_than: u64) -> Result<(), StoreError> {
    let log = fs::metadata(beside(path, "-wal"));
    if log.is_ok_and(|log| log.len() > longer_than) {
        connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
            .map_err(engine(path, "write back the log"))?;
    }
    Ok(())
}

/// Where only the files beside the database are gone: brings what was written there into it. Closing it would
/// do so too, without a word; and what is written again then would be in the store twice.
pub(super) fn migrate_deleted_file(connection: &Connection, identity: &Identity) -> bool {
    let is_busy = |row: &Row<'_>| row.get::<_, bool>(0);
    identity.file_holds()
        && matches!(
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], is_busy),
            Ok(false)
        )
}
