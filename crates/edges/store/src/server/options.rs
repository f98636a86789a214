//! How a server is reached.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::address::ServerAddress;

/// Whether what is said to a server is encrypted. A socket on this host never is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DatabaseEncryption {
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
pub struct DatabaseOptions {
    /// Where it is, and who asks.
    pub address: ServerAddress,
    /// The password; none where the server asks for none.
    pub password: Option<String>,
    /// Whether what is said is encrypted.
    pub tls: DatabaseEncryption,
    /// The most connections at a time, at least one.
    pub connections: u32,
    /// The longest that one statement may take: after that the server gives it up, and somewhat later so do we.
    pub statement_timeout: Duration,
    /// The longest wait for a connection: name, network, TLS and login.
    pub connect_timeout: Duration,
}

impl DatabaseOptions {
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
            tls: DatabaseEncryption::default(),
            connections: Self::CONNECTIONS,
            statement_timeout: Self::STATEMENT_TIMEOUT,
            connect_timeout: Self::CONNECT_TIMEOUT,
        }
    }
}

impl fmt::Debug for DatabaseOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseOptions")
            .field("address", &format_args!("{}", self.address))
            .field("has_password", &self.password.is_some())
            .field("tls", &self.tls)
            .field("connections", &self.connections)
            .field("statement_timeout", &self.statement_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .finish()
    }
}
