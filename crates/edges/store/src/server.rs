//! A database that a fleet shares, on PostgreSQL or MariaDB (decisions D15, D16).
//!
//! What is asked of it stands in plain SQL behind the crate's trait `Sql`. This module knows how to reach a
//! server, what to believe of its answers, and what to do about those that did not come; it knows nothing of mail.
//!
//! * `address` says where a database is, `pool` holds connections to it, `wire` talks on one of them.
//! * `work` is done in a transaction, again where that may help; what a lost answer means stands there. `session` is
//!   that transaction for those who work in it, `many` what they say of many rows at once.
//! * `errors` puts what goes wrong into words, each with a remedy.
//! * `migrations` makes the tables, on command only: the user of the service needs no right to make any.
//! * `apply` writes what hosts recorded, each entry once: `fold` puts together what some of them write, `tables` and `upsert` add
//!   many rows at a time, `known` remembers what is there already, `hosts` what has come from whom, `late` what came after
//!   the report.
//! * `tally`, `reporting`, `log` and `status` read; `import` adds what other programs counted; `expire` removes, and `lock`
//!   keeps it apart from those who write.
//!
//! Nothing here is asynchronous to the outside. Each call works on a thread of its own that waits, so that it may be made from
//! anywhere, and costs some 30 us beside the way to the server and back.
//!
//! Not implemented: several hosts in one address, client certificates, connections by way of a pool that does not keep a session
//! for a transaction.

mod address;
pub(crate) mod apply;
mod engine;
mod errors;
mod expire;
mod fold;
mod grants;
mod hosts;
pub(crate) mod import;
mod known;
mod late;
mod lock;
mod log;
mod many;
mod migrations;
mod options;
mod phrase;
mod pool;
mod reporting;
mod session;
mod status;
mod tables;
mod tally;
#[cfg(test)]
mod tests;
pub(crate) mod trouble;
mod upsert;
mod wire;
mod work;

use std::fmt;
use std::sync::Arc;

use crate::error::StoreError;
use crate::sql::SqlError;
use crate::sync::lock_ignoring_poison;

pub use address::{NoServerAddress, ServerAddress};
pub use engine::ServerEngine;
pub use grants::{Accounts, grants};
pub use migrations::Migrated;
pub use options::{DatabaseEncryption, DatabaseOptions};
pub(crate) use session::ServerSession;
pub use trouble::Trouble;

use work::{Inner, Kind};

/// A database of a server. Clones share its connections. It is shown as its address, which has no password.
#[derive(Clone)]
pub struct DatabaseServer {
    inner: Arc<Inner>,
}

impl DatabaseServer {
    /// Remembers where it is; nothing is asked of it yet. Its connections are waited for on a thread `store-server`.
    ///
    /// # Errors
    /// When the system has no thread or no randomness left.
    pub fn new(options: DatabaseOptions) -> Result<Self, StoreError> {
        let inner = Arc::new(Inner::new(options)?);
        Ok(Self { inner })
    }

    /// Reaches it and compares the versions of the schema; the one that is there.
    ///
    /// # Errors
    /// When it cannot be reached or does not let us in, and when its tables are of an earlier version, of a later
    /// one or of another program, or are not there yet.
    pub fn check(&self) -> Result<u32, StoreError> {
        self.inner.check()
    }

    /// Brings its tables up to date, or makes them. Several hosts may do so at a time: one of them does.
    ///
    /// # Errors
    /// When it cannot be reached, when the tables are of a later version or another program's, and when the user has no
    /// right to make tables. What was done of the step before stays on MariaDB, and is gone on with the next time;
    /// PostgreSQL does each step or nothing of it.
    pub fn migrate(&self) -> Result<Migrated, StoreError> {
        self.inner.migrate()
    }

    /// Whose it is.
    #[must_use]
    pub fn engine(&self) -> ServerEngine {
        self.address().engine()
    }

    /// Where it is, and who asks.
    #[must_use]
    pub fn address(&self) -> &ServerAddress {
        self.inner.address()
    }

    /// Asks; all answers are about one state.
    pub(crate) fn read<T: Send>(
        &self,
        doing: &'static str,
        work: impl FnMut(&ServerSession) -> Result<T, SqlError> + Send,
    ) -> Result<T, StoreError> {
        self.inner.run(doing, Kind::Read, work)
    }

    /// Writes to the outbox: nobody else does meanwhile, and times can be put on the server's clock.
    pub(crate) fn write<T: Send>(
        &self,
        doing: &'static str,
        work: impl FnMut(&ServerSession) -> Result<T, SqlError> + Send,
    ) -> Result<T, StoreError> {
        let _one = lock_ignoring_poison(&self.inner.writing);
        self.inner.run(doing, Kind::Write, work)
    }

    /// Writes beside others what may be written twice and is there once.
    pub(crate) fn transact<T: Send>(
        &self,
        doing: &'static str,
        work: impl FnMut(&ServerSession) -> Result<T, SqlError> + Send,
    ) -> Result<T, StoreError> {
        self.inner.run(doing, Kind::Transact, work)
    }
}

impl fmt::Display for DatabaseServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address().fmt(f)
    }
}

impl fmt::Debug for DatabaseServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({self})")
    }
}
