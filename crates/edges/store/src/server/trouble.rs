//! What may be wrong with a server, and what the operator can do about it.

/// What is wrong with a server or with how it is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// User or password are not accepted.
    #[error("the server does not accept the user or the password")]
    Login,
    /// It lets nobody in who comes from here, or in this way.
    #[error("the server lets nobody in from this host in this way")]
    Host,
    /// There is no such database.
    #[error("the server has no such database")]
    NoDatabase,
    /// Nobody answers, or only to say that it is too early.
    #[error("the server cannot be reached")]
    Unreachable,
    /// No encryption, or not with whom it should be.
    #[error("the server cannot be reached by TLS")]
    Tls,
    /// It wants encryption, and we did not.
    #[error("the server wants TLS")]
    TlsWanted,
    /// A right is missing.
    #[error("the user lacks a right")]
    Right,
    /// Nothing can be written there.
    #[error("the server takes no writing")]
    ReadOnly,
    /// No room is left.
    #[error("the disk of the server is full")]
    Full,
    /// As many as it allows are there already.
    #[error("the server has no connection left")]
    Connections,
    /// It took longer than it may.
    #[error("the server took too long")]
    Slow,
    /// Others held what was needed for longer than we waited.
    #[error("others were in the way for too long")]
    Busy,
    /// Others did the like at the same time, however often it was tried.
    #[error("others did the like at the same time")]
    Clash,
    /// The connection was lost, however often it was tried; nothing was done.
    #[error("the connection was lost")]
    Lost,
    /// The connection was lost at the end, and it could not be found out whether it was done.
    #[error("the connection was lost at the end: it may be done or not")]
    Unknown,
    /// There are no tables yet.
    #[error("the database is empty")]
    Empty,
    /// Its tables are of an earlier version.
    #[error("the tables are at version {found} of the schema, this build needs {needed}")]
    Older {
        /// Their version.
        found: u32,
        /// The one of this build.
        needed: u32,
    },
    /// Its tables are of a later version. They were not touched.
    #[error("the tables are at version {found} of the schema, this build knows versions up to {known}")]
    Newer {
        /// Their version.
        found: u32,
        /// The last one this build knows.
        known: u32,
    },
    /// Its tables are another program's. They were not touched.
    #[error("the database has tables of another program")]
    Foreign,
    /// A server that these statements were not made for.
    #[error("the server is {found}")]
    Unsupported {
        /// What it says that it is.
        found: String,
    },
    /// A row holds what this program never writes.
    #[error("a row is damaged")]
    Damaged,
    /// It would have the password in clear.
    #[error("the server wants the password in clear")]
    PasswordInClear,
    /// What it sends is no answer, or past all limits.
    #[error("the server does not answer as a database does")]
    Misbehaves,
    /// Something else.
    #[error("the server refuses")]
    Refused,
}

impl Trouble {
    /// What the operator can do, in a sentence.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Login => {
                "check the user in the address and the password in the password file, or set the password of that user \
                 anew; MariaDB says the same to whoever comes without TLS where it wants TLS"
            }
            Self::Host => {
                "on the server, let this host in: a line in pg_hba.conf for PostgreSQL, a user for this host \
                 ('user'@'host') for MariaDB"
            }
            Self::NoDatabase => {
                "check the name at the end of the address, or make the database on the server: CREATE DATABASE"
            }
            Self::Unreachable => {
                "check that the server runs and listens, host and port of the address, and firewalls between; it is tried \
                 again, and what is recorded meanwhile waits on this host"
            }
            Self::Tls => {
                "check that the server has TLS switched on, that its certificate is for the host in the address, and that \
                 the authority which signed it is in the CA file of the settings"
            }
            Self::TlsWanted => "switch TLS on in the settings of the database",
            Self::Right => {
                "run what `landmarc store grants` prints as the owner of the database; to make or change tables, \
                 `landmarc store migrate` needs the owner"
            }
            Self::ReadOnly => {
                "name the primary server in the address, and not a replica; if it is the primary, it was made read-only by \
                 its administrator"
            }
            Self::Full => {
                "make room on the server or shorten what is kept; it is tried again, and what is recorded meanwhile waits \
                 on this host"
            }
            Self::Connections => {
                "raise max_connections of the server or the limit of this user, or lower the connections in the settings"
            }
            Self::Slow => {
                "look for what keeps the server busy, or allow statements more time in the settings; it is tried again"
            }
            Self::Busy | Self::Clash => {
                "look on the server for a transaction that does not end; it is tried again"
            }
            Self::Lost => "check the network and the log of the server; it is tried again",
            Self::Unknown => {
                "check the network and the log of the server; nothing is lost, and what was asked for may be done"
            }
            Self::Empty => {
                "run `landmarc store migrate` as the owner of the database, which makes the tables"
            }
            Self::Older { .. } => {
                "take a backup and run `landmarc store migrate` as the owner of the database; what is recorded meanwhile \
                 waits on this host"
            }
            Self::Newer { .. } => {
                "run the version that the other hosts run; the tables are unchanged, and what is recorded meanwhile waits on \
                 this host"
            }
            Self::Foreign => "name a database of its own in the address; this one is unchanged",
            Self::Unsupported { .. } => "use PostgreSQL 13 or MariaDB 10.6, or a later version of either",
            Self::Damaged => {
                "find out who else writes into the database; if nobody does, restore its last backup"
            }
            Self::PasswordInClear => {
                "set fleet.tls = \"verified\"; or let PostgreSQL keep the password as scram-sha-256 and ask for that \
                 (password_encryption, pg_hba.conf)"
            }
            Self::Misbehaves => {
                "check that the address names the database server, and that no other host can answer in its place: \
                 fleet.tls = \"verified\"; it is tried again, and what is recorded meanwhile waits on this host"
            }
            Self::Refused => "look at what the server says; if it is no fault of the server's, report it",
        }
    }

    /// Whether the tables are not those of this build.
    pub(super) fn is_about_tables(&self) -> bool {
        matches!(
            self,
            Self::Empty | Self::Older { .. } | Self::Newer { .. } | Self::Foreign
        )
    }

    /// Whether waiting cannot help: someone has to choose another database or another build.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Newer { .. } | Self::Foreign | Self::Unsupported { .. }
        )
    }
}
