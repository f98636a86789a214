//! MariaDB and MySQL, read: who is asked, for how long, and what it means when they do not answer.
//!
//! Passwords are never shown: not in errors, not in `Debug`.

mod address;
mod mail_dmarc;
mod opendmarc;

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use landmarc_guard::{GuardedConnection, ProtocolViolation};
use sqlx::mysql::{MySqlConnection, MySqlRow, MySqlSslMode};
use sqlx::{Connection, Error, MySql, Row as _};

pub use address::{MysqlAddress, NoAddress};
pub use mail_dmarc::MailDmarc;
pub use opendmarc::{OpenDmarc, ROWS_AT_A_TIME, Schema};

/// How long a connection may take to be there, its TLS and its login with it.
const CONNECTING: Duration = Duration::from_secs(10);
/// How long a question may take. One that reads a table without an index takes its time.
const ANSWERING: Duration = Duration::from_secs(120);

/// Why a database cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MysqlError {
    /// Nobody answers there, or not in this language.
    #[error("cannot connect to the database {address}")]
    Unreachable {
        /// Which.
        address: String,
        /// Why.
        source: Box<Error>,
    },
    /// It does not let us in.
    #[error("the database {address} refuses the login: {said}")]
    Denied {
        /// Which.
        address: String,
        /// What it says.
        said: String,
    },
    /// There is no such database.
    #[error("there is no such database at {address}: {said}")]
    NoDatabase {
        /// Which.
        address: String,
        /// What it says.
        said: String,
    },
    /// A table or column that every version of the schema has is not there, or not for us.
    #[error("the database {address} has no {missing}")]
    NotOpenDmarc {
        /// Which.
        address: String,
        /// The table, or `TABLE.COLUMN`.
        missing: String,
    },
    /// It has not the tables of Mail::DMARC, or not for us.
    #[error("the database {address} is none of Mail::DMARC: {said}")]
    NotMailDmarc {
        /// Which.
        address: String,
        /// What it says.
        said: String,
    },
    /// It went away, or failed, while it was read.
    #[error("the database {address} fails while it is read")]
    Broken {
        /// Which.
        address: String,
        /// Why.
        source: Box<Error>,
    },
    /// It sends what is no answer, or one past all limits; or it would have the password in clear.
    #[error("the database {address} is not read: {refusal}")]
    Misbehaves {
        /// Which.
        address: String,
        /// What it did.
        refusal: ProtocolViolation,
    },
    /// It has not answered in time.
    #[error("the database {address} has not answered within {} s", .after.as_secs())]
    Silent {
        /// Which.
        address: String,
        /// How long it was waited for.
        after: Duration,
    },
}

impl MysqlError {
    /// What the operator can do.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => {
                "is it running, does it listen on that address (bind-address), and does a firewall let this host in? A server on this host may be reached by ?socket=/run/mysqld/mysqld.sock behind the name"
            }
            Self::Denied { .. } => {
                "give the password in OPENDMARC_PASSWORD or --password-file, and the user the right to read from this host: GRANT SELECT ON opendmarc.* TO 'USER'@'HOST'"
            }
            Self::NoDatabase { .. } => {
                "name the database of opendmarc-import (--dbname), as in mysql://USER@HOST/opendmarc"
            }
            Self::NotOpenDmarc { .. } => {
                "is it the database of opendmarc-import, and may this user read all of its tables? GRANT SELECT ON opendmarc.* TO 'USER'@'HOST'"
            }
            Self::NotMailDmarc { .. } => {
                "is it the database that [report_store] dsn names, and may this user read all of its tables (GRANT SELECT)?"
            }
            Self::Misbehaves {
                refusal: ProtocolViolation::PasswordInClear(_),
                ..
            } => "write ?ssl-mode=VERIFY_IDENTITY&ssl-ca=/path behind the name of the database",
            Self::Misbehaves { .. } => {
                "check that the address names the database server, and that no other host can answer in its place"
            }
            Self::Broken { .. } | Self::Silent { .. } => {
                "try again: what was imported is kept, and nothing is counted twice"
            }
        }
    }

    /// What a failure of this connection is.
    fn of(address: &MysqlAddress, error: Error, is_connected: bool) -> Self {
        let address = address.to_string();
        if let Error::Io(io) = &error
            && let Some(refusal) = io
                .get_ref()
                .and_then(|inner| inner.downcast_ref::<ProtocolViolation>())
        {
            let refusal = *refusal;
            return Self::Misbehaves { address, refusal };
        }
        let (number, said) = match error.as_database_error() {
            Some(said) => {
                let number = said.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>();
                (
                    number.map_or(0, sqlx::mysql::MySqlDatabaseError::number),
                    said.message().to_owned(),
                )
            }
            None => (0, String::new()),
        };
        let source = Box::new(error);
        match number {
            // ER_ACCESS_DENIED_ERROR, ER_DBACCESS_DENIED_ERROR, ER_ACCESS_DENIED_NO_PASSWORD_ERROR,
            // ER_HOST_NOT_PRIVILEGED
            1045 | 1044 | 1698 | 1130 => Self::Denied { address, said },
            // ER_BAD_DB_ERROR
            1049 => Self::NoDatabase { address, said },
            _ if is_connected => Self::Broken { address, source },
            _ => Self::Unreachable { address, source },
        }
    }
}

/// A connection, and whose it is.
#[derive(Debug)]
struct MysqlSession {
    address: MysqlAddress,
    connection: MySqlConnection,
    /// Watches what comes on it.
    guard: GuardedConnection,
}

impl MysqlSession {
    async fn connect(address: &MysqlAddress) -> Result<Self, MysqlError> {
        let connecting = async {
            let guard = GuardedConnection::connect(address.target()?).await;
            let guard = guard.map_err(|error| Error::Io(error.into()))?;
            let options = address.options().clone().socket(guard.socket());
            let connected = MySqlConnection::connect_with(&options.ssl_mode(MySqlSslMode::Disabled)).await;
            let connection = connected.map_err(|error| why(&guard, error))?;
            Ok((connection, guard))
        };
        let (connection, guard) = in_time(address, CONNECTING, false, connecting).await?;
        Ok(Self {
            address: address.clone(),
            connection,
            guard,
        })
    }

    /// Asks, and waits no longer than it may take.
    async fn rows(
        &mut self,
        question: sqlx::query::Query<'_, MySql, sqlx::mysql::MySqlArguments>,
    ) -> Result<Vec<MySqlRow>, MysqlError> {
        let answer = async {
            let rows = question.fetch_all(&mut self.connection).await;
            rows.map_err(|error| why(&self.guard, error))
        };
        in_time(&self.address, ANSWERING, true, answer).await
    }

    /// What belongs to each message, at most so many of it: rows whose first column is the number of a message.
    fn by_message<T>(
        &self,
        rows: &[MySqlRow],
        most: usize,
        read: impl Fn(&MySqlRow) -> Result<T, Error>,
    ) -> Result<HashMap<u64, Vec<T>>, MysqlError> {
        let mut all = HashMap::<u64, Vec<T>>::new();
        for row in rows {
            let one = row.try_get(0).and_then(|message: u64| Ok((message, read(row)?)));
            let (message, one) = one.map_err(|error| self.broken(error))?;
            let of_message = all.entry(message).or_default();
            if of_message.len() < most {
                of_message.push(one);
            }
        }
        Ok(all)
    }

    /// What it means that an answer is not as it was asked for.
    fn broken(&self, error: Error) -> MysqlError {
        MysqlError::of(&self.address, error, true)
    }
}

/// Where the guard ended the connection, that is why.
fn why(guard: &GuardedConnection, error: Error) -> Error {
    guard.ended().map_or(error, |why| Error::Io(why.into()))
}

async fn in_time<T>(
    address: &MysqlAddress,
    after: Duration,
    is_connected: bool,
    asking: impl Future<Output = Result<T, Error>>,
) -> Result<T, MysqlError> {
    match tokio::time::timeout(after, asking).await {
        Ok(answer) => answer.map_err(|error| MysqlError::of(address, error, is_connected)),
        Err(_) => Err(MysqlError::Silent {
            address: address.to_string(),
            after,
        }),
    }
}

#[cfg(test)]
mod tests;
