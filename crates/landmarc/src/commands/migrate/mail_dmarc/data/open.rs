//! The store of Mail::DMARC, wherever it is.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use landmarc_migrate::mail_dmarc::{Database, StoredRecord};
use landmarc_source::mail_dmarc::SqliteStore;
use landmarc_source::mysql::{Address, MailDmarc, MysqlError};
use landmarc_source::sqlite::SqliteError;
use tokio::runtime::{Builder, Runtime};

use crate::exit::Exit;
use crate::failure::{Failure, failure};
use landmarc_runtime::visible::visible_path;

/// Where the password of the database may be.
const PASSWORD: &str = "MAIL_DMARC_PASSWORD";
/// The longest password, with its line end.
const MAX_PASSWORD: usize = 4_096;

/// A password that was given.
pub(super) enum Password {
    /// In a file that the command line names: it comes before all others.
    OfFile(String),
    /// In the variable, or in the settings of Mail::DMARC: an address that has one keeps it.
    Other(String),
}

impl Password {
    /// The password to put into an address, unless that is to stay as it is.
    fn instead(self, address_has_one: bool) -> Option<String> {
        match self {
            Self::OfFile(password) => Some(password),
            Self::Other(password) => Some(password).filter(|_| !address_has_one),
        }
    }
}

/// An open database.
pub(super) enum Opened {
    Sqlite(SqliteStore),
    MySql(Box<MailDmarc>, Runtime),
}

/// Why a database cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    /// It is a file.
    #[error(transparent)]
    Sqlite(#[from] SqliteError),
    /// It is on a server.
    #[error(transparent)]
    MySql(#[from] MysqlError),
    /// The means to ask a server are not there.
    #[error("cannot ask a server")]
    Runtime(#[source] io::Error),
    /// Its name is none.
    #[error("the database is called {0:?}, which no address can say")]
    Name(String),
}

impl Unread {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Sqlite(error) if error.is_missing() => Exit::NoInput,
            Self::Sqlite(SqliteError::NoDatabase { .. } | SqliteError::NoTable { .. })
            | Self::MySql(MysqlError::NotMailDmarc { .. }) => Exit::BadInput,
            Self::Sqlite(_) | Self::MySql(_) | Self::Runtime(_) => Exit::Unavailable,
            Self::Name(_) => Exit::Config,
        }
    }

    pub(super) fn remedy(&self) -> Option<String> {
        match self {
            Self::Sqlite(error) => Some(error.remedy()),
            Self::MySql(MysqlError::Denied { .. }) => Some(format!(
                "give the password in {PASSWORD} or --password-file, and the user the right to read from this \
                 host (GRANT SELECT)"
            )),
            Self::MySql(MysqlError::NoDatabase { .. }) => {
                Some("name the database that [report_store] dsn names".to_owned())
            }
            Self::MySql(error) => Some(error.remedy().to_owned()),
            Self::Runtime(_) => None,
            Self::Name(_) => Some("name it behind --database, as mysql://USER@HOST:PORT/NAME".to_owned()),
        }
    }
}

impl Opened {
    /// The database that the settings of Mail::DMARC name; a password from elsewhere comes before theirs.
    pub(super) fn database(database: &Database, given: Option<Password>) -> Result<Self, Unread> {
        match database {
            Database::Sqlite { path } => Ok(Self::Sqlite(SqliteStore::open(Path::new(path))?)),
            Database::MySql {
                host,
                port,
                socket: None,
                name,
                user,
                password,
            } => {
                let address = Address::of(host, *port, user, name);
                Self::server(address, given.or_else(|| theirs(password)))
            }
            // Only an address in words has a place for a socket.
            by_socket @ Database::MySql { password, .. } => {
                let text = by_socket.to_string();
                let address = text.parse().map_err(|_| Unread::Name(text))?;
                Self::server(address, given.or_else(|| theirs(password)))
            }
        }
    }

    /// A server.
    pub(super) fn server(address: Address, given: Option<Password>) -> Result<Self, Unread> {
        let given = given.and_then(|given| given.instead(address.has_password()));
        let address = match given {
            Some(password) => address.with_password(&password),
            None => address,
        };
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Unread::Runtime)?;
        let opened = runtime.block_on(MailDmarc::open(&address))?;
        Ok(Self::MySql(Box::new(opened), runtime))
    }

    /// Hands over each message that is in no report yet, until it is told to stop.
    pub(super) fn each(
        &mut self,
        mut each: impl FnMut(StoredRecord) -> ControlFlow<()>,
    ) -> Result<(), Unread> {
        match self {
            Self::Sqlite(store) => store.pending(each)?,
            Self::MySql(store, runtime) => loop {
                let records = runtime.block_on(store.next())?;
                if records.is_empty() || records.into_iter().any(|record| each(record).is_break()) {
                    break;
                }
            },
        }
        Ok(())
    }

    /// How many reports of others are in it.
    pub(super) fn received_reports(&mut self) -> Result<u64, Unread> {
        Ok(match self {
            Self::Sqlite(store) => store.received_reports()?,
            Self::MySql(store, runtime) => runtime.block_on(store.received_reports())?,
        })
    }
}

/// What the settings of Mail::DMARC say.
fn theirs(password: &str) -> Option<Password> {
    let password = Some(password.to_owned()).filter(|password| !password.is_empty());
    password.map(Password::Other)
}

/// The password that was given, if one was.
pub(super) fn password(file: Option<&Path>) -> Result<Option<Password>, Failure> {
    let Some(file) = file else {
        return Ok(std::env::var(PASSWORD).ok().map(Password::Other));
    };
    let text = fs::read_to_string(file)
        .map_err(|error| failure!(Exit::NoInput, "cannot read {}: {error}", visible_path(file)))?;
    let first = text.lines().next().unwrap_or_default();
    match (1..=MAX_PASSWORD).contains(&first.len()) {
        true => Ok(Some(Password::OfFile(first.to_owned()))),
        false => Err(failure!(
            Exit::NoInput,
            "the first line of {} is no password",
            visible_path(file)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_file_that_is_named_comes_before_the_address_and_that_before_the_variable() {
        let file = || Password::OfFile("of the file".to_owned());
        let other = || Password::Other("of the variable".to_owned());
        for has_one in [false, true] {
            assert_eq!(file().instead(has_one).as_deref(), Some("of the file"));
        }
        assert_eq!(other().instead(false).as_deref(), Some("of the variable"));
        assert_eq!(other().instead(true), None);
    }
}
