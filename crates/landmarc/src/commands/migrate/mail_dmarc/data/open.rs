//! The store of Mail::DMARC, wherever it is.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use migrate::mail_dmarc::{Database, StoredRecord};
use source::mail_dmarc::SqliteStore;
use source::mysql::{Address, MailDmarc, MysqlError};
use source::sqlite::SqliteError;
use tokio::runtime::{Builder, Runtime};

use crate::exit::Exit;
use crate::output::complain;

/// Where the password of the database may be.
const PASSWORD: &str = "MAIL_DMARC_PASSWORD";
/// The longest password, with its line end.
const MAX_PASSWORD: usize = 4_096;

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
    pub(super) fn database(database: &Database, given: Option<String>) -> Result<Self, Unread> {
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
                let theirs = Some(password.clone()).filter(|password| !password.is_empty());
                Self::server(address, given.or(theirs))
            }
            // Only an address in words has a place for a socket.
            by_socket @ Database::MySql { password, .. } => {
                let text = by_socket.to_string();
                let address = text.parse().map_err(|_| Unread::Name(text))?;
                let theirs = Some(password.clone()).filter(|password| !password.is_empty());
                Self::server(address, given.or(theirs))
            }
        }
    }

    /// A server.
    pub(super) fn server(address: Address, password: Option<String>) -> Result<Self, Unread> {
        let address = match password.filter(|_| !address.has_password()) {
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

/// The password that was given, if one was.
pub(super) fn password(file: Option<&Path>) -> Result<Option<String>, Exit> {
    let Some(file) = file else {
        return Ok(std::env::var(PASSWORD).ok());
    };
    let text = fs::read_to_string(file)
        .map_err(|error| complain(Exit::NoInput, &format!("cannot read {}: {error}", file.display())))?;
    let first = text.lines().next().unwrap_or_default();
    match (1..=MAX_PASSWORD).contains(&first.len()) {
        true => Ok(Some(first.to_owned())),
        false => {
            let message = format!("the first line of {} is no password", file.display());
            Err(complain(Exit::NoInput, &message))
        }
    }
}
