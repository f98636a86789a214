//! The connection that an outbox is written by.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::StoreError;
use crate::place::StoreLocation;
use crate::server::DatabaseServer;
use crate::sql::{Sql, SqlError};
use crate::sqlite::SecondaryConnection;

/// Where an outbox is written: a second writing connection to a file, or the pool of a server.
///
/// One transaction writes at a time: SQLite lets in no other, and on a server each begins by locking one row. So what
/// was looked at holds until it is written.
pub(crate) enum OutboxDb {
    File(Box<SecondaryConnection>),
    Server(DatabaseServer),
}

impl OutboxDb {
    /// `busy_timeout` is how long another writer of a file is waited for.
    pub(crate) fn open(place: StoreLocation, busy_timeout: Duration) -> Result<Self, StoreError> {
        match place {
            StoreLocation::File(path) => {
                SecondaryConnection::open(&path, busy_timeout).map(|file| Self::File(file.into()))
            }
            StoreLocation::Server(server) => {
                server.check()?;
                Ok(Self::Server(server))
            }
        }
    }

    /// Does it in one durable transaction, beside which nobody else writes the outbox. It may be done again, from the
    /// beginning, where the first attempt came to nothing.
    pub(crate) fn write<T: Send>(
        &mut self,
        doing: &'static str,
        work: impl Fn(&dyn Sql) -> Result<T, SqlError> + Sync,
    ) -> Result<T, StoreError> {
        match self {
            Self::File(file) => file.write(doing, |statements| work(statements)),
            Self::Server(server) => server.write(doing, |session| work(session)),
        }
    }

    /// Asks in one transaction, so that all answers are about the same state.
    pub(crate) fn read<T: Send>(
        &mut self,
        doing: &'static str,
        ask: impl Fn(&dyn Sql) -> Result<T, SqlError> + Sync,
    ) -> Result<T, StoreError> {
        match self {
            Self::File(file) => file.read(doing, |statements| ask(statements)),
            Self::Server(server) => server.read(doing, |session| ask(session)),
        }
    }

    /// What names the place, in errors.
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Self::File(file) => file.path().to_owned(),
            Self::Server(server) => server.to_string().into(),
        }
    }
}
