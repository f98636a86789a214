//! A copy of the store while it is written.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::connection::{beside, make_file, sync_directory};
use super::error::engine;
use super::{migrations, spool};
use crate::error::{StoreError, io_error as io};

/// Pages of one step, between which progress is told.
const PAGES: i32 = 256;
/// How long a step waits when the copy is held by someone else, and how often it does.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSES: u32 = 50;

/// Copies to a file beside the destination, which takes its name when it is whole and on disk.
pub(super) fn copy(
    from: &Connection,
    path: &Path,
    to: &Path,
    progress: impl FnMut(u64, u64),
) -> Result<(), StoreError> {
    let partial = beside(to, ".partial");
    // Left over from one that was interrupted.
    remove(&partial).map_err(named(to))?;
    let copied = copy_pages(from, path, to, &partial, progress).and_then(|()| put_in_place(&partial, to));
    if copied.is_err() {
        // The first error is the one to tell.
        let _ = remove(&partial);
    }
    copied
}

fn copy_pages(
    from: &Connection,
    path: &Path,
    to: &Path,
    partial: &Path,
    progress: impl FnMut(u64, u64),
) -> Result<(), StoreError> {
    // Held open for as long as it lasts, this keeps the state to be copied: else each write of the
    // recorder would make the copy begin anew, and it would never end.
    let snapshot = Transaction::new_unchecked(from, TransactionBehavior::Deferred)
        .map_err(engine(path, "begin a copy"))?;
    snapshot
        .query_row("SELECT count(*) FROM migration", [], |_| Ok(()))
        .map_err(engine(path, "begin a copy"))?;
    // Not readable by more people than the store is.
    make_file(partial).map_err(named(to))?;
    let mut copy = Connection::open_with_flags(partial, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .map_err(engine(to, "make a copy"))?;
    copy_steps(&snapshot, &mut copy, to, progress)?;
    // The log of the store may be cut again while the copy is looked through.
    drop(snapshot);
    if !is_sound(&copy).map_err(engine(path, "check a copy"))? {
        return Err(StoreError::Damaged {
            path: path.to_owned(),
            what: "page",
        });
    }
    // Restored, it is another host: else it would give out numbers again that the store has given out since.
    forget_identity(&copy, to)?;
    // The copy came with the mark of a write-ahead log, and whoever reads it would leave one
    // beside it. The service sets the mark again when it is restored.
    copy.pragma_update(None, "journal_mode", "DELETE")
        .map_err(engine(to, "finish a copy"))
}

/// Pages are copied as they are, and a damaged store must not take the place of its last backup.
fn is_sound(copy: &Connection) -> rusqlite::Result<bool> {
    let found: String = copy.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok(found == "ok")
}

fn forget_identity(copy: &Connection, to: &Path) -> Result<(), StoreError> {
    if migrations::version(copy, to)? < migrations::FLEET {
        return Ok(());
    }
    spool::account::forget_identity(copy).map_err(engine(to, "finish a copy"))
}

/// Names the file that was asked for: nobody has heard of the one beside it.
fn named(to: &Path) -> impl Fn(StoreError) -> StoreError {
    move |error| match error {
        StoreError::Io { doing, source, .. } => io(to, doing)(source),
        other => other,
    }
}

fn copy_steps(
    from: &Connection,
    copy: &mut Connection,
    to: &Path,
    mut progress: impl FnMut(u64, u64),
) -> Result<(), StoreError> {
    let backup = Backup::new(from, copy).map_err(engine(to, "make a copy"))?;
    let mut pauses = 0;
    loop {
        let step = backup.step(PAGES).map_err(engine(to, "make a copy"))?;
        let now = backup.progress();
        let whole = u64::try_from(now.pagecount).unwrap_or(0);
        progress(
            whole - u64::try_from(now.remaining).unwrap_or(0).min(whole),
            whole,
        );
        match step {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            _ if pauses < PAUSES => {
                pauses += 1;
                std::thread::sleep(PAUSE);
            }
            _ => {
                return Err(io(to, "make a copy in")(std::io::ErrorKind::ResourceBusy.into()));
            }
        }
    }
}

fn put_in_place(partial: &Path, to: &Path) -> Result<(), StoreError> {
    let sync = |path: &Path| File::open(path)?.sync_all();
    sync(partial).map_err(io(to, "sync"))?;
    fs::rename(partial, to).map_err(io(to, "put the copy in place of"))?;
    sync_directory(to)
}

fn remove(path: &Path) -> Result<(), StoreError> {
    for ending in ["", "-journal", "-wal", "-shm"] {
        let path = beside(path, ending);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io(&path, "remove")(error));
            }
            _ => {}
        }
    }
    Ok(())
}
