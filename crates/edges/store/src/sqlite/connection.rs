//! Opening the file: who it belongs to, how it is used, and whether it is still there.

use std::fs::{self, File, OpenOptions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::error::engine;
use super::migrations;
use crate::error::{StoreError, io_error as io};

/// How long another writer (`store expire` on the command line) is waited for: its transactions
/// are short. Mail does not wait for it longer than decision D13 allows.
pub(crate) const BUSY: Duration = Duration::from_secs(1);
/// How long one waits that gives way to a service under load. SQLite does not queue those who wait:
/// each asks again every tenth of a second, and may find the store locked by the next batch.
pub(crate) const BUSY_SERVICE: Duration = Duration::from_mins(1);
/// How often the recorder asks for the lock while another has it: mail waits behind it, and who writes beside
/// it is brief.
const ASK_AGAIN: Duration = Duration::from_millis(2);
/// The `auto_vacuum` that gives free pages back when it is told to.
const INCREMENTAL: i64 = 2;
/// Prepared statements kept by a connection: more than there are.
const STATEMENTS: usize = 64;
/// Page cache of a connection, in KiB: the ends of the tables and the tally of the day.
const CACHE_KIB: i64 = 16 << 10;
/// What the write-ahead log is cut to after a checkpoint, in octets.
const WAL_KEPT: i64 = 16 << 20;
/// Who may read it: the service and its group. It tells who writes to whom (decision D37).
const MODE: u32 = 0o640;

/// Opens for writing; makes the file and its directory, and brings the schema up to date.
pub(super) fn open_to_write(path: &Path, busy: Duration) -> Result<Connection, StoreError> {
    let fresh = prepare_file(path)?;
    if !fresh {
        // Before anything is written: whose is it?
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        migrations::version(&connection, path)?;
    }
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection
        .busy_timeout(busy)
        .map_err(engine(path, "prepare for writing"))?;
    set_up(&connection).map_err(engine(path, "prepare for writing"))?;
    migrations::migrate(&mut connection, path)?;
    sync_directory(path)?;
    Ok(connection)
}

/// Lets a connection wait for another writer as long as [`BUSY`], and ask much more often than SQLite does by
/// itself: there it is a tenth of a second in the end, all that mail is to wait.
pub(super) fn ask_again_soon(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    connection
        .busy_handler(Some(|times: i32| {
            let goes_on = ASK_AGAIN.saturating_mul(times.unsigned_abs()) < BUSY;
            if goes_on {
                std::thread::sleep(ASK_AGAIN);
            }
            goes_on
        }))
        .map_err(engine(path, "prepare for writing"))
}

/// Opens for reading, and tells the version. Nothing is made, changed or repaired.
pub(super) fn open_to_read(path: &Path) -> Result<(Connection, u32), StoreError> {
    if !path.exists() {
        return Err(StoreError::Missing {
            path: path.to_owned(),
        });
    }
    let (connection, version) = match versioned(path, connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)) {
        Err(StoreError::Engine { .. }) if is_closed(path) => versioned(path, connect_to_closed(path))?,
        other => other?,
    };
    match version {
        0 => Err(StoreError::Missing {
            path: path.to_owned(),
        }),
        version => Ok((connection, version)),
    }
}

fn versioned(
    path: &Path,
    connection: Result<Connection, StoreError>,
) -> Result<(Connection, u32), StoreError> {
    let connection = connection?;
    let version = migrations::version(&connection, path)?;
    Ok((connection, version))
}

/// Whether nobody has the store open: the last one to close it removes the log beside it.
fn is_closed(path: &Path) -> bool {
    matches!(fs::exists(beside(path, "-wal")), Ok(false))
}

/// Opens a store that nobody has open where we may make no files beside it: a backup on a
/// read-only disk, or that of a stopped service with the rights of its group. SQLite reads a store
/// in WAL mode only with its log, unless it is told that nothing is going to change.
fn connect_to_closed(path: &Path) -> Result<Connection, StoreError> {
    check_plain(path)?;
    let mut uri = String::from("file:");
    for octet in path.as_os_str().as_bytes() {
        match octet {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*octet)),
            octet if octet.is_ascii_alphanumeric() => uri.push(char::from(*octet)),
            octet => uri.push_str(&format!("%{octet:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let uri = PathBuf::from(uri);
    set_limits(Connection::open_with_flags(
        &uri,
        flags | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    ))
    .map_err(engine(path, "open the store"))
}

/// Makes an empty file and its directory where there are none; whether it has.
fn prepare_file(path: &Path) -> Result<bool, StoreError> {
    if let Some(directory) = path.parent().filter(|one| !one.as_os_str().is_empty()) {
        fs::create_dir_all(directory).map_err(io(directory, "make the directory"))?;
    }
    make_file(path)
}

/// Makes an empty file that is for the service and its group; whether there was none.
pub(super) fn make_file(path: &Path) -> Result<bool, StoreError> {
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(path)
    {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(io(path, "make")(error)),
    }
}

/// Refuses what is no plain file, or has something beside it that is none: to open a FIFO is to wait until somebody
/// opens its other end. That nothing is there, or cannot be looked at, SQLite says by itself.
fn check_plain(path: &Path) -> Result<(), StoreError> {
    for ending in ["", "-journal", "-wal", "-shm"] {
        let path = beside(path, ending);
        if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
            return Err(StoreError::NotPlain { path });
        }
    }
    Ok(())
}

fn connect(path: &Path, mode: OpenFlags) -> Result<Connection, StoreError> {
    check_plain(path)?;
    // Without SQLITE_OPEN_URI: a path is a path, whatever is in it.
    let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    set_limits(Connection::open_with_flags(path, flags)).map_err(engine(path, "open the store"))
}

fn set_limits(opened: rusqlite::Result<Connection>) -> rusqlite::Result<Connection> {
    let connection = opened?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    let vacuum: i64 = connection.query_row("PRAGMA auto_vacuum", [], |row| row.get(0))?;
    if vacuum != INCREMENTAL {
        // Takes effect in an empty file only; in others it would wait for the lock to write for nothing.
        connection.pragma_update(None, "auto_vacuum", INCREMENTAL)?;
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // We do it ourselves when nobody waits (`Sqlite::tidy`).
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", WAL_KEPT)
}

pub(super) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    let sync = || File::open(directory)?.sync_all();
    sync().map_err(io(directory, "sync"))
}

/// Which files these are: of the database, its write-ahead log and its index, device and inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    paths: [PathBuf; 3],
    found: [Option<(u64, u64)>; 3],
}

impl Identity {
    pub(super) fn of(path: &Path) -> Self {
        let paths = [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")];
        let found = [0, 1, 2].map(|place: usize| paths.get(place).and_then(|path| inode(path)));
        Self { paths, found }
    }

    /// Whether others who open the store find the same files.
    pub(super) fn holds(&self) -> bool {
        let pairs = self.paths.iter().zip(&self.found);
        // One that was not there at the time may have come since.
        pairs
            .into_iter()
            .all(|(path, found)| found.is_none() || inode(path) == *found)
    }

    /// Whether the database itself is the same; those beside it may not be.
    pub(super) fn file_holds(&self) -> bool {
        let [path, ..] = &self.paths;
        let [found, ..] = &self.found;
        found.is_some() && inode(path) == *found
    }
}

/// Device and inode of a file.
pub(super) fn inode(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// What tells a file from a copy of it.
pub(super) fn inode_of(path: &Path) -> i64 {
    inode(path).map_or(0, |(_, inode)| inode.cast_signed())
}

/// The file beside the database whose name ends so.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
