//! The connection that keeps the outbox, and how it shares the store with the recorder.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::connection::{self, Identity};
use super::error::row_error;
use super::statements::Statements;
use super::wal::{WAL_LONG, migrate_deleted_file, write_back};
use crate::error::StoreError;
use crate::sql::SqlError;

/// Least time between two transactions: longer than the recorder pauses before it asks for the lock again.
pub(super) const LEAST_WAY: Duration = Duration::from_millis(5);
/// Most time between two transactions: one that took long had to wait for the disk.
pub(super) const MOST_WAY: Duration = Duration::from_millis(100);

/// A writing connection beside that of the recorder, and where it leads.
pub(crate) struct SecondaryConnection {
    path: PathBuf,
    busy_timeout: Duration,
    /// None after trouble: the next call opens the store anew.
    open: Option<Open>,
    /// Before this the recorder may be first.
    gives_way_until: Option<Instant>,
}

struct Open {
    connection: Connection,
    identity: Identity,
}

impl SecondaryConnection {
    /// `busy_timeout` is how long another writer is waited for.
    pub(crate) fn open(path: &Path, busy_timeout: Duration) -> Result<Self, StoreError> {
        let mut secondary = Self {
            path: path.to_owned(),
            busy_timeout,
            open: None,
            gives_way_until: None,
        };
        secondary.opened()?;
        Ok(secondary)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The connection, opened anew when there is none or when its file was removed.
    fn opened(&mut self) -> Result<&Open, StoreError> {
        if self.open.as_ref().is_some_and(|open| !open.identity.holds()) {
            self.open = None;
        }
        match &mut self.open {
            Some(open) => Ok(open),
            none => {
                let connection = connection::open_to_write(&self.path, self.busy_timeout)?;
                let identity = Identity::of(&self.path);
                Ok(none.insert(Open { connection, identity }))
            }
        }
    }

    /// Does it in one durable transaction. When the file was removed meanwhile, once again in the next one.
    pub(crate) fn write<T>(
        &mut self,
        doing: &'static str,
        work: impl Fn(&Statements<'_>) -> Result<T, SqlError>,
    ) -> Result<T, StoreError> {
        self.give_way();
        let done = self.attempt(doing, TransactionBehavior::Immediate, &work)?;
        let in_place =
            |open: &Open| open.identity.holds() || migrate_deleted_file(&open.connection, &open.identity);
        if !self.open.as_ref().is_some_and(in_place) {
            self.open = None;
            return self.attempt(doing, TransactionBehavior::Immediate, &work);
        }
        // The recorder does it as well, but there may be no recorder, or no mail for it.
        if let Some(open) = &self.open {
            // What was asked for is done; where this fails, somebody does it after the next batch.
            let _ = write_back(&open.connection, &self.path, WAL_LONG);
        }
        Ok(done)
    }

    /// After a transaction the next one waits as long as the last one took: mail that came meanwhile is
    /// recorded first. Deliveries that come one by one wait for nothing.
    fn give_way(&self) {
        if let Some(until) = self.gives_way_until {
            std::thread::sleep(until.saturating_duration_since(Instant::now()));
        }
    }

    /// Asks in one transaction, so that all answers are about the same state.
    pub(crate) fn read<T>(
        &mut self,
        doing: &'static str,
        ask: impl Fn(&Statements<'_>) -> Result<T, SqlError>,
    ) -> Result<T, StoreError> {
        self.attempt(doing, TransactionBehavior::Deferred, &ask)
    }

    fn attempt<T>(
        &mut self,
        doing: &'static str,
        behavior: TransactionBehavior,
        work: &impl Fn(&Statements<'_>) -> Result<T, SqlError>,
    ) -> Result<T, StoreError> {
        let connection = &self.opened()?.connection;
        let mut held = Duration::ZERO;
        let mut within = || -> Result<T, SqlError> {
            let transaction = Transaction::new_unchecked(connection, behavior)?;
            let began = Instant::now();
            let done = work(&Statements(&transaction))?;
            transaction.commit()?;
            held = began.elapsed();
            Ok(done)
        };
        let done = within().map_err(|error| row_error(&self.path, doing, error.into()));
        if matches!(behavior, TransactionBehavior::Immediate) {
            self.gives_way_until = Some(Instant::now() + held.clamp(LEAST_WAY, MOST_WAY));
        }
        if done.is_err() {
            self.open = None;
        }
        done
    }
}
