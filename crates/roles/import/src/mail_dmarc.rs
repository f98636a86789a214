//! The database of Mail::DMARC, in a file or on a server.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use landmarc_migrate::mail_dmarc::{Database, StoredRecord};
use landmarc_source::mail_dmarc::SqliteStore;
use landmarc_source::mysql::{MailDmarc, MysqlAddress, MysqlError};
use landmarc_source::sqlite::SqliteError;
use tokio::runtime::{Builder, Runtime};

/// The variable that the password of the database may be in.
pub const PASSWORD: &str = "MAIL_DMARC_PASSWORD";

/// A password that was given.
pub enum GivenPassword {
    /// In a file that the command line names: it comes before all others.
    OfFile(String),
    /// In the variable, or in the settings of Mail::DMARC: an address that has one keeps it.
    Other(String),
}

impl GivenPassword {
    /// The password to put into an address, unless that is to stay as it is.
    fn instead(self, address_has_one: bool) -> Option<String> {
        match self {
            Self::OfFile(password) => Some(password),
            Self::Other(password) => Some(password).filter(|_| !address_has_one),
        }
    }
}

/// An open database.
pub enum MailDmarcDatabase {
    /// A file.
    Sqlite(SqliteStore),
    /// A database on a server, and what its answers are waited for with.
    MySql(Box<MailDmarc>, Runtime),
}

/// Why a database cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MailDmarcReadError {
    /// It is a file.
    #[error(transparent)]
    Sqlite(#[from] SqliteError),
    /// It is on a server.
    #[error(transparent)]
    MySql(#[from] MysqlError),
    /// There is no runtime to wait in.
    #[error("cannot ask a server")]
    Runtime(#[source] io::Error),
    /// No address can have its name.
    #[error("the database is called {0:?}, which no address can say")]
    Name(String),
}

impl MailDmarcReadError {
    /// What the operator can do.
    pub fn remedy(&self) -> Option<String> {
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

impl MailDmarcDatabase {
    /// The database that the settings of Mail::DMARC name; a password from elsewhere comes before theirs.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn database(database: &Database, given: Option<GivenPassword>) -> Result<Self, MailDmarcReadError> {
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
                let address = MysqlAddress::of(host, *port, user, name);
                Self::server(address, given.or_else(|| theirs(password)))
            }
            // Only an address in words has a place for a socket.
            by_socket @ Database::MySql { password, .. } => {
                let text = by_socket.to_string();
                let address = text.parse().map_err(|_| MailDmarcReadError::Name(text))?;
                Self::server(address, given.or_else(|| theirs(password)))
            }
        }
    }

    /// A database on a server.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn server(address: MysqlAddress, given: Option<GivenPassword>) -> Result<Self, MailDmarcReadError> {
        let given = given.and_then(|given| given.instead(address.has_password()));
        let address = match given {
            Some(password) => address.with_password(&password),
            None => address,
        };
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(MailDmarcReadError::Runtime)?;
        let opened = runtime.block_on(MailDmarc::open(&address))?;
        Ok(Self::MySql(Box::new(opened), runtime))
    }

    /// Hands over each message that is in no report yet, until `each` breaks off.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn each(
        &mut self,
        mut each: impl FnMut(StoredRecord) -> ControlFlow<()>,
    ) -> Result<(), MailDmarcReadError> {
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
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn received_reports(&mut self) -> Result<u64, MailDmarcReadError> {
        Ok(match self {
            Self::Sqlite(store) => store.received_reports()?,
            Self::MySql(store, runtime) => runtime.block_on(store.received_reports())?,
        })
    }
}

/// What the settings of Mail::DMARC say.
fn theirs(password: &str) -> Option<GivenPassword> {
    let password = Some(password.to_owned()).filter(|password| !password.is_empty());
    password.map(GivenPassword::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_file_that_is_named_comes_before_the_address_and_that_before_the_variable() {
        let file = || GivenPassword::OfFile("of the file".to_owned());
        let other = || GivenPassword::Other("of the variable".to_owned());
        for has_one in [false, true] {
            assert_eq!(file().instead(has_one).as_deref(), Some("of the file"));
        }
        assert_eq!(other().instead(false).as_deref(), Some("of the variable"));
        assert_eq!(other().instead(true), None);
    }
}
