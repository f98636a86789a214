//! Redis, as rspamd keeps its DMARC records there.
//!
//! Read alone: no command that is sent here changes anything, so an account that may only read is enough
//! (`+@read +@connection +info`). Keys are looked for by SCAN, never by KEYS, which would stop the server for
//! everybody. Several servers may be given: each may have records of its own, as rspamd shared them out by
//! domain, and what they hold is added up; servers that are replicas of one another are told by their
//! replication id, and one of them is read. Of several servers none is read whose account may not ask for it.
//!
//! What a server sends is bounded, in octets and in elements, before it is kept (`bounded`).
//!
//! No TLS, no Sentinel, no Cluster: rspamd's Redis is on the same host or next to it.

mod bounded;
mod content;
mod error;
mod keys;
mod session;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

pub use content::{Content, MAX_CONTENT_OCTETS, MAX_ENTRIES, MAX_LINES};
pub use error::RedisError;
pub use keys::{Days, FoundKey, Keys, MAX_KEYS, MAX_NAMES_OCTETS, Wanted};
pub use session::RedisSession;

/// How long it is waited for a connection.
pub const CONNECT_TIME: Duration = Duration::from_secs(5);
/// How long it is waited for an answer. The longest one is a page of a list; SCAN is a page of keys.
pub const ANSWER_TIME: Duration = Duration::from_secs(30);

/// Where a Redis server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RedisAddress {
    /// A name or an address, and a port.
    Tcp(String, u16),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// How the servers are reached: all by the same account.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisOptions {
    /// The servers; names of one and the same data may be among them.
    pub servers: Vec<RedisAddress>,
    /// The name of an ACL user (Redis 6); none for the password alone.
    pub username: Option<String>,
    /// The password; none where Redis asks for none.
    pub password: Option<String>,
    /// The number of the database.
    pub database: u32,
}

/// Without the password.
impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("servers", &self.servers)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "(not shown)"))
            .field("database", &self.database)
            .finish()
    }
}

#[cfg(test)]
mod tests;
