//! One batch, one transaction.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::blocks::{self, BLOCK};
use super::connection::{self, Identity, beside, engine};
use super::expire;
use super::interned::{Interned, address};
use crate::day::{as_integer, hour_of};
use crate::engine::{Engine, Step};
use crate::error::StoreError;
use crate::maintenance::{Expired, Keep};
use crate::prepared::Kept;
use crate::queue::Batch;

/// The write-ahead log is written back when it is longer than this, in octets: often enough that
/// it stays in the page cache of the system, seldom enough that a page which changes with each
/// batch is written back once for many.
const WAL_LONG: u64 = 16 << 20;

/// The writing connection and what it remembers.
#[derive(Debug)]
pub(crate) struct Sqlite {
    connection: Connection,
    path: PathBuf,
    identity: Identity,
    interned: Interned,
    /// The number of the next observation; none when it has to be looked up.
    next: Option<i64>,
    /// The block of the next observation when last there was no full block left to index.
    indexed_to: Option<i64>,
    /// What SQLite counts up when another connection has written.
    foreign_writes: i64,
}

impl Sqlite {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = connection::open_to_write(path)?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            identity: Identity::of(path),
            interned: Interned::new(),
            next: None,
            indexed_to: None,
            foreign_writes: 0,
        })
    }

    fn transact(&mut self, batch: &Batch) -> rusqlite::Result<()> {
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        let foreign_writes = foreign_writes(&transaction)?;
        if foreign_writes != self.foreign_writes {
            // `store expire` in another process may have removed what we remember.
            self.interned.forget();
            self.next = None;
            self.foreign_writes = foreign_writes;
        }
        let first = match self.next {
            Some(next) => next,
            None => blocks::next_number(&transaction)?,
        };
        let next = write_observations(&transaction, &mut self.interned, batch, first)?;
        write_tallies(&transaction, &mut self.interned, batch)?;
        transaction.commit()?;
        self.next = Some(next);
        Ok(())
    }

    fn step(&mut self, keep: &Keep, done: &mut Expired) -> rusqlite::Result<Step> {
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        let step = expire::step(&transaction, keep, done)?;
        transaction.commit()?;
        // Giving pages back rewrites the end of the file.
        if step == Step::Done {
            expire::give_back(&self.connection, keep, done)
        } else {
            Ok(step)
        }
    }
}

impl Engine for Sqlite {
    fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let written = self.transact(batch);
        if written.is_err() {
            self.interned.forget();
            self.next = None;
        }
        written.map_err(engine(&self.path, "write a batch"))
    }

    fn in_place(&self) -> bool {
        self.identity.holds()
    }

    fn tidy(&mut self) -> Result<(), StoreError> {
        let block = self.next.map(blocks::block_of);
        if let Some(next) = self.next
            && block != self.indexed_to
        {
            // One at a time: it takes as long as a large batch.
            let sealed = blocks::seal_one(&self.connection, next);
            let more = sealed.map_err(engine(&self.path, "index a block"))?;
            self.indexed_to = if more { None } else { block };
        }
        let long = fs::metadata(beside(&self.path, "-wal")).is_ok_and(|wal| wal.len() > WAL_LONG);
        if long {
            // Does what it can beside readers of older states, and waits for none of them.
            self.connection
                .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
                .map_err(engine(&self.path, "write back the log"))?;
        }
        Ok(())
    }

    fn expire(&mut self, keep: &Keep, done: &mut Expired) -> Result<Step, StoreError> {
        // What goes may be something we remember the number of.
        self.interned.forget();
        self.step(keep, done)
            .map_err(engine(&self.path, "remove what has expired"))
    }
}

/// `data_version` changes when another connection has committed; asked inside the transaction,
/// it holds for all of it.
fn foreign_writes(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("PRAGMA data_version")?
        .query_row([], |row| row.get(0))
}

/// Appends the observations; the number of the next one.
fn write_observations(
    connection: &Connection,
    interned: &mut Interned,
    batch: &Batch,
    first: i64,
) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO observation (id, at_ms, queue_id, short_id, client, outcome, trace, questions, ms) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let mut insert = connection.prepare_cached(sql)?;
    let mut hours = BTreeMap::new();
    let mut number = first;
    for kept in batch.records.iter().filter_map(|one| one.prepared.kept.as_ref()) {
        let outcome = interned.outcome(connection, kept)?;
        let trace = trace_of(connection, interned, kept)?;
        insert.execute(params![
            number,
            as_integer(kept.at_ms),
            kept.queue_id,
            kept.short_id,
            kept.client.map(address),
            outcome,
            trace,
            kept.questions,
            kept.ms
        ])?;
        hours.entry(hour_of(kept.at_ms)).or_insert((number, number)).1 = number;
        number += 1;
    }
    let sql = "INSERT INTO hour (hour, first, last) VALUES (?1, ?2, ?3) ON CONFLICT (hour) DO UPDATE \
               SET first = min(first, excluded.first), last = max(last, excluded.last)";
    let mut upsert = connection.prepare_cached(sql)?;
    for (hour, (first, last)) in hours {
        upsert.execute((hour, first, last))?;
    }
    debug_assert!(number - first <= BLOCK, "a batch is shorter than a block");
    Ok(number)
}

fn trace_of(connection: &Connection, interned: &mut Interned, kept: &Kept) -> rusqlite::Result<Option<i64>> {
    let trace = kept.trace.as_ref();
    trace
        .map(|trace| interned.trace(connection, kept.day(), trace))
        .transpose()
}

fn write_tallies(connection: &Connection, interned: &mut Interned, batch: &Batch) -> rusqlite::Result<()> {
    let sql = "INSERT INTO tally (day, policy_domain, reporting_row, count) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (day, policy_domain, reporting_row) DO UPDATE SET count = count + excluded.count";
    let mut upsert = connection.prepare_cached(sql)?;
    for (counted, count) in batch.tallies().into_values() {
        let (row, policy_domain) = interned.row(connection, &counted)?;
        upsert.execute((counted.day.0, policy_domain, row, as_integer(count)))?;
    }
    Ok(())
}
