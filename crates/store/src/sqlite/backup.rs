//! A copy of the store while it is written.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::connection::{beside, engine, io, make_file};
use crate::error::StoreError;

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
    remove(&partial)?;
    let copied = copy_pages(from, path, &partial, progress).and_then(|()| put_in_place(&partial, to));
    if copied.is_err() {
        // The first error is the one to tell.
        let _ = remove(&partial);
    }
    copied
}

fn copy_pages(
    from: &Connection,
    path: &Path,
    partial: &Path,
    mut progress: impl FnMut(u64, u64),
) -> Result<(), StoreError> {
    // Held open for as long as it lasts, this keeps the state to be copied: else each write of the
    // recorder would make the copy begin anew, and it would never end.
    let snapshot = Transaction::new_unchecked(from, TransactionBehavior::Deferred)
        .map_err(engine(path, "begin a copy"))?;
    snapshot
        .query_row("SELECT count(*) FROM migration", [], |_| Ok(()))
        .map_err(engine(path, "begin a copy"))?;
    // Not readable by more people than the store is.
    make_file(partial)?;
    let mut copy = Connection::open_with_flags(partial, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .map_err(engine(partial, "make a copy"))?;
    let backup = Backup::new(&snapshot, &mut copy).map_err(engine(partial, "make a copy"))?;
    let mut pauses = 0;
    loop {
        let step = backup.step(PAGES).map_err(engine(partial, "make a copy"))?;
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
                return Err(io(partial, "make a copy in")(
                    std::io::ErrorKind::ResourceBusy.into(),
                ));
            }
        }
    }
}

fn put_in_place(partial: &Path, to: &Path) -> Result<(), StoreError> {
    let sync = |path: &Path| File::open(path)?.sync_all();
    sync(partial).map_err(io(partial, "sync"))?;
    fs::rename(partial, to).map_err(io(to, "put the copy in place of"))?;
    let directory = to.parent().filter(|one| !one.as_os_str().is_empty());
    let directory = directory.unwrap_or_else(|| Path::new("."));
    sync(directory).map_err(io(directory, "sync"))
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
