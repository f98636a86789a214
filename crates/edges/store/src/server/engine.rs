//! The makes of servers.

use std::fmt;

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
    pub(super) fn port(self) -> u16 {
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
