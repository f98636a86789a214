//! The writing connection: one batch, one transaction; and what is put in order afterwards.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::batch::Remembered;
use super::connection::inode_of;
use super::connection::{self, BUSY, Identity};
use super::error::{engine, row_error};
use super::room::Room;
use super::spool::Appender;
use super::wal::{WAL_LONG, migrate_deleted_file, write_back};
use super::{blocks, expire, journal};
use crate::distinct::Folding;
use crate::engine::{Engine, JobProgress};
use crate::error::StoreError;
use crate::model::{ExpiredRecords, RecordLosses, Retention};
use crate::queue::Batch;
use crate::spool::Share;

/// The writing connection and what it remembers.
#[derive(Debug)]
pub(crate) struct Sqlite {
    connection: Connection,
    path: PathBuf,
    identity: Identity,
    remembered: Remembered,
    /// The block of the next observation when last there was no full block left to index.
    indexed_to: Option<i64>,
    /// What SQLite counts up when another connection has written.
    foreign_writes: i64,
    /// Where there is a fleet that is to hear of it.
    spool: Option<Appender>,
    /// Where one sender may make so many rows and no more.
    folding: Option<Arc<Folding>>,
    /// What is under way to make room.
    room: Room,
}

impl Sqlite {
    /// `busy` is how long another writer is waited for.
    pub(crate) fn open(path: &Path, busy: Duration) -> Result<Self, StoreError> {
        let mut connection = connection::open_to_write(path, busy)?;
        if busy == BUSY {
            connection::ask_again_soon(&mut connection, path)?;
        }
        Ok(Self {
            connection,
            path: path.to_owned(),
            identity: Identity::of(path),
            remembered: Remembered::default(),
            indexed_to: None,
            foreign_writes: 0,
            spool: None,
            folding: None,
            room: Room::default(),
        })
    }

    /// From now on rows past the limits are folded.
    pub(crate) fn folding(mut self, folding: &Arc<Folding>) -> Self {
        self.folding = Some(Arc::clone(folding));
        self
    }

    /// From now on each batch is appended to the spool as well.
    pub(crate) fn spooling(mut self, share: &Arc<Share>) -> Result<Self, StoreError> {
        let begun = Appender::begin(&self.connection, inode_of(&self.path), share);
        self.spool = Some(begun.map_err(engine(&self.path, "begin a spool"))?);
        Ok(self)
    }

    fn transact(&mut self, batch: &Batch) -> rusqlite::Result<RecordLosses> {
        let counts = batch.counts();
        let mut spool = self.spool.take();
        let folding = self.folding.clone();
        let mut folded = 0;
        let lost = self.attempt(|connection, remembered| {
            let mut counts = counts;
            if let Some(folding) = &folding {
                (counts, folded) = remembered.fold(connection, counts, folding)?;
            }
            if let Some(spool) = &mut spool {
                spool.append(connection, batch, &counts)?;
            }
            remembered.write_with(connection, batch, counts)
        });
        self.spool = spool;
        match (&folding, &lost) {
            (Some(folding), Ok(_)) => folding.committed(folded),
            (Some(folding), Err(_)) => folding.rolled_back(),
            (None, _) => {}
        }
        lost
    }

    /// Does it in one durable transaction, with what is known from earlier ones.
    pub(super) fn within<T>(
        &mut self,
        doing: &'static str,
        work: impl FnOnce(&Connection, &mut Remembered) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let done = self.attempt(work);
        if done.is_err() {
            self.remembered.forget();
        }
        done.map_err(|error| row_error(&self.path, doing, error))
    }

    fn attempt<T>(
        &mut self,
        work: impl FnOnce(&Connection, &mut Remembered) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        let foreign_writes = foreign_writes(&transaction)?;
        if foreign_writes != self.foreign_writes {
            self.remembered.check(&transaction)?;
            self.foreign_writes = foreign_writes;
        }
        let done = work(&transaction, &mut self.remembered)?;
        transaction.commit()?;
        Ok(done)
    }

    fn step(&mut self, keep: &Retention, done: &mut ExpiredRecords) -> rusqlite::Result<JobProgress> {
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        // Expiry then finds in the tally all there is of a day.
        journal::fold(&transaction)?;
        let groups = self.folding.as_ref().map(|folding| &*folding.groups);
        let step = expire::step(&transaction, keep, groups, &mut self.room, done)?;
        expire::count_step(&transaction)?;
        transaction.commit()?;
        // Giving pages back rewrites the end of the file.
        if step == JobProgress::Done {
            expire::give_back(&self.connection, keep, done)
        } else {
            Ok(step)
        }
    }

    /// One piece of work that was put off, when there is some: each takes as long as a large batch.
    fn put_in_order(&mut self) -> rusqlite::Result<()> {
        if self
            .remembered
            .journalled
            .is_none_or(|entries| entries >= journal::LONG)
        {
            journal::fold_alone(&self.connection)?;
            self.remembered.journalled = Some(0);
            return Ok(());
        }
        let block = self.remembered.next.map(blocks::block_of);
        if let Some(next) = self.remembered.next
            && block != self.indexed_to
        {
            let more = blocks::seal_one(&self.connection, next)?;
            self.indexed_to = if more { None } else { block };
        }
        Ok(())
    }
}

impl Engine for Sqlite {
    fn write(&mut self, batch: &Batch) -> Result<RecordLosses, StoreError> {
        let written = self.transact(batch);
        if written.is_err() {
            self.remembered.forget();
        }
        if let Some(spool) = &mut self.spool {
            match written {
                Ok(_) => spool.committed(),
                Err(_) => spool.rolled_back(),
            }
        }
        written.map_err(engine(&self.path, "write a batch"))
    }

    fn in_place(&self) -> bool {
        self.identity.holds()
    }

    fn migrate_deleted_file(&mut self) -> bool {
        migrate_deleted_file(&self.connection, &self.identity)
    }

    fn tidy(&mut self) -> Result<(), StoreError> {
        self.put_in_order()
            .map_err(engine(&self.path, "put in order what was written"))?;
        write_back(&self.connection, &self.path, WAL_LONG)
    }

    fn expire(&mut self, keep: &Retention, done: &mut ExpiredRecords) -> Result<JobProgress, StoreError> {
        // What goes may be something we remember the number of.
        self.remembered.forget();
        let step = self
            .step(keep, done)
            .map_err(engine(&self.path, "remove what has expired"))?;
        // Where no message comes, nobody else does it; and the file gets shorter by it, at the end.
        let all = step == JobProgress::Done && done.pages > 0;
        write_back(&self.connection, &self.path, if all { 0 } else { WAL_LONG })?;
        Ok(step)
    }
}

/// `data_version` changes when another connection has committed; asked inside the transaction,
/// it holds for all of it.
fn foreign_writes(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("PRAGMA data_version")?
        .query_row([], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::connection::beside;
    use super::*;
    use crate::Reader;
    use crate::prepared::tests::{observation, prepared};
    use crate::queue::Waiting;

    #[test]
    fn what_went_into_a_log_that_was_removed_is_brought_home_once() {
        let directory = std::env::temp_dir().join(format!("landmarc-store-home-{}", std::process::id()));
        let path = directory.join("landmarc.db");
        let mut engine = Sqlite::open(&path, Duration::ZERO).unwrap();
        let mut batch = Batch::default();
        batch.records.push(Waiting {
            prepared: prepared(observation(1)),
            waiter: None,
        });
        engine.write(&batch).unwrap();
        for ending in ["-wal", "-shm"] {
            fs::remove_file(beside(&path, ending)).unwrap();
        }
        assert!(!engine.in_place() && engine.migrate_deleted_file());
        drop(engine);
        assert_eq!(Reader::open(&path).unwrap().explain("id-1").unwrap().len(), 1);

        let mut engine = Sqlite::open(&path, Duration::ZERO).unwrap();
        engine.write(&batch).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(!engine.in_place() && !engine.migrate_deleted_file());
        fs::remove_dir_all(directory).unwrap();
    }
}
