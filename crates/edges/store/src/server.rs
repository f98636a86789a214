//! A database that a fleet shares, on PostgreSQL or MariaDB (design D15, D16).
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
//!   many rows at a time, `known` remembers what is there already, `hosts` and `numbers` what has come from whom, `late` what came after
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
mod errors;
mod expire;
mod fold;
mod grants;
pub(crate) mod hosts;
pub(crate) mod import;
mod known;
mod late;
mod lock;
mod log;
mod many;
mod migrations;
mod numbers;
mod phrase;
mod pool;
pub(crate) mod reporting;
mod session;
mod status;
mod tables;
mod tally;
#[cfg(test)]
mod tests;
mod upsert;
mod wire;
mod work;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::error::StoreError;

pub use address::{NoServerAddress, ServerAddress};
pub use errors::Trouble;
pub use grants::{Accounts, grants};
pub(crate) use many::Column;
pub use migrations::Migrated;
pub(crate) use session::Session;

use work::Inner;

/// Who makes the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerEngine {
    /// PostgreSQL, version 13 or later.
    PostgreSql,
    /// MariaDB, version 10.6 or later.
    MariaDb,
}

impl ServerEngine {
    /// Where it listens when nothing else is said.
    fn port(self) -> u16 {
        match self {
            Self::PostgreSql => 5432,
            Self::MariaDb => 3306,
        }
    }
}

impl fmt::Display for ServerEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PostgreSql => "PostgreSQL",
            Self::MariaDb => "MariaDB",
        })
    }
}

/// Whether what is said to a server is encrypted. A socket on this host never is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// It is not.
    Off,
    /// Where the server offers it. Whoever stands between can take the offer away.
    #[default]
    Offered,
    /// Always; whoever answers is believed to be the server.
    Encrypted,
    /// Always, and the server shows a certificate for the host of its address: signed by one of these authorities
    /// (PEM), or by one that browsers trust.
    Verified {
        /// The authorities beside those that browsers trust.
        ca: Option<PathBuf>,
    },
}

/// How a server is reached, and how long it is waited for.
#[derive(Clone)]
pub struct ServerOptions {
    /// Where it is, and who asks.
    pub address: ServerAddress,
    /// The password; none where the server asks for none.
    pub password: Option<String>,
    /// Whether what is said is encrypted.
    pub tls: Tls,
    /// The most connections at a time, at least one.
    pub connections: u32,
    /// The longest that one statement may take: after that the server gives it up, and somewhat later so do we.
    pub statement_timeout: Duration,
    /// The longest wait for a connection: name, network, TLS and login.
    pub connect_timeout: Duration,
}

impl ServerOptions {
    /// Connections of one host.
    pub const CONNECTIONS: u32 = 4;
    /// The longest that a statement may take.
    pub const STATEMENT_TIMEOUT: Duration = Duration::from_mins(1);
    /// The longest wait for a connection.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

    /// This address, and for the rest what suits most.
    #[must_use]
    pub fn new(address: ServerAddress) -> Self {
        Self {
            address,
            password: None,
            tls: Tls::default(),
            connections: Self::CONNECTIONS,
            statement_timeout: Self::STATEMENT_TIMEOUT,
            connect_timeout: Self::CONNECT_TIMEOUT,
        }
    }
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions")
            .field("address", &format_args!("{}", self.address))
            .field("has_password", &self.password.is_some())
            .field("tls", &self.tls)
            .field("connections", &self.connections)
            .field("statement_timeout", &self.statement_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .finish()
    }
}

/// A database of a server. Clones share its connections. It is shown as its address, which has no password.
#[derive(Clone)]
pub struct Server {
    inner: Arc<Inner>,
}

impl Server {
    /// Remembers where it is; nothing is asked of it yet. Its connections are waited for on a thread `store-server`.
    ///
    /// # Errors
    /// When the system has no thread or no randomness left.
    pub fn new(options: ServerOptions) -> Result<Self, StoreError> {
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
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address().fmt(f)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({self})")
    }
}
