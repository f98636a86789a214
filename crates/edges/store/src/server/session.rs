//! A transaction on a server, as those who work in it see it.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use tokio::runtime::Handle;

use super::engine::ServerEngine;
use super::errors::Failure;
use super::options::DatabaseOptions;
use super::pool::{Lent, within};
use crate::sql::{Sql, SqlError, SqlRow, SqlValue};

/// How much longer than the server a statement is waited for: then the network is gone, or the server hangs.
const GRACE: Duration = Duration::from_secs(5);

/// A transaction on a server. After an error nothing more can be done in it.
pub(crate) struct ServerSession {
    pub(super) lent: RefCell<Lent>,
    handle: Handle,
    engine: ServerEngine,
    longest: Duration,
    /// How far the server's clock is ahead of this host's.
    pub(super) ahead_ms: i64,
    pub(super) state: Cell<State>,
}

/// What became of a transaction so far.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Sound,
    /// A statement failed: what is left is not what was meant.
    Failed,
    /// The connection was left in the middle of something, or is gone.
    Lost,
}

impl ServerSession {
    /// On a connection that is in no transaction yet.
    pub(super) fn new(lent: Lent, handle: Handle, options: &DatabaseOptions) -> Self {
        Self {
            lent: RefCell::new(lent),
            handle,
            engine: options.address.engine(),
            longest: options.statement_timeout.max(Duration::from_secs(1)) + GRACE,
            ahead_ms: 0,
            state: Cell::new(State::Sound),
        }
    }

    /// Whose server it is.
    pub(crate) fn engine(&self) -> ServerEngine {
        self.engine
    }

    pub(super) fn plain(&self, sql: &str) -> Result<(), SqlError> {
        self.ask(async |lent| Ok(lent.wire.plain(sql).await.map(drop)?))
    }

    /// One statement, and what becomes of the transaction by it.
    pub(super) fn ask<T>(
        &self,
        statement: impl AsyncFnOnce(&mut Lent) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        if self.state.get() != State::Sound {
            return Err(SqlError::Other("an error was passed over".into()));
        }
        let lent = self.lent.try_borrow_mut();
        let mut lent = lent.map_err(|_| SqlError::Other("a statement within a statement".into()))?;
        let asked = within(self.longest, statement(&mut lent));
        let answer = self
            .handle
            .block_on(asked)
            .unwrap_or_else(|late| Err(SqlError::Server(sqlx::Error::Io(late))));
        if let Err(error) = &answer {
            self.state.set(match error {
                SqlError::Server(error) if Failure::is_loss(error) => State::Lost,
                _ => State::Failed,
            });
        }
        answer
    }
}

impl Sql for ServerSession {
    fn execute(&self, sql: &str, values: &[SqlValue<'_>]) -> Result<u64, SqlError> {
        self.ask(async |lent| lent.wire.execute(sql, values).await)
    }

    fn insert(&self, sql: &str, values: &[SqlValue<'_>]) -> Result<i64, SqlError> {
        self.ask(async |lent| lent.wire.insert(sql, values).await)
    }

    fn each(
        &self,
        sql: &str,
        values: &[SqlValue<'_>],
        take: &mut dyn FnMut(&SqlRow) -> Result<bool, SqlError>,
    ) -> Result<(), SqlError> {
        let rows = self.ask(async |lent| lent.wire.rows(sql, values).await)?;
        for row in &rows {
            if !take(row)? {
                break;
            }
        }
        Ok(())
    }

    fn same_domain(&self) -> bool {
        true
    }

    fn corrected(&self, at_ms: u64) -> u64 {
        at_ms.saturating_add_signed(self.ahead_ms)
    }
}
