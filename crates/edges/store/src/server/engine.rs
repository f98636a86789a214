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

    /// Its clock in a statement, in milliseconds since the epoch.
    pub(super) fn clock(self) -> &'static str {
        match self {
            Self::PostgreSql => "CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT)",
            Self::MariaDb => "CAST(floor(unix_timestamp(now(3)) * 1000) AS SIGNED)",
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
