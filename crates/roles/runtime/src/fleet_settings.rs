//! What the settings say of the fleet: how records leave this host, and the database that all hosts share.

use std::io;
use std::path::{Path, PathBuf};

use landmarc_settings::Settings;
use landmarc_settings::keys::DatabaseTls;
use landmarc_store::{
    DatabaseEncryption, DatabaseOptions, DatabaseServer, NoServerAddress, ServerAddress, SpoolLimits,
    StoreError,
};

use crate::password::first_line;
use crate::rules::host_name;

/// Comes before the file with the password: containers are told secrets so.
pub const PASSWORD_VARIABLE: &str = "LANDMARC_DATABASE_PASSWORD";

/// Why the database of the fleet cannot be named.
#[derive(Debug, thiserror::Error)]
pub enum FleetDatabaseError {
    /// The file of the password cannot be read.
    #[error("cannot read fleet.password_file {path:?}")]
    Password {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no password in it.
    #[error("fleet.password_file {path:?} has no password on its first line")]
    NoPassword {
        /// The file.
        path: PathBuf,
    },
    /// What is in `fleet.database` is no address.
    #[error("fleet.database: {0}")]
    Address(#[from] NoServerAddress),
    /// The store cannot use it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl FleetDatabaseError {
    /// What the operator can do.
    pub fn remedy(&self) -> String {
        match self {
            Self::Password { .. } => {
                "let the user of the service read it, or set LANDMARC_DATABASE_PASSWORD".to_owned()
            }
            Self::NoPassword { .. } => "write the password into it, on a line of its own".to_owned(),
            Self::Address(_) => {
                "write postgres://USER@HOST:PORT/NAME or mysql://USER@HOST:PORT/NAME".to_owned()
            }
            Self::Store(error) => error.remedy().to_owned(),
        }
    }
}

/// How records leave this host, if they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FleetMode {
    /// Not at all: this host is all there is.
    Alone,
    /// Into the database that the fleet shares.
    Database,
    /// To another landmarc, over HTTPS.
    Push,
    /// Into files, on command.
    Export,
}

impl FleetMode {
    /// What the settings say. They allow one.
    pub fn of(settings: &Settings) -> Self {
        let fleet = &settings.fleet;
        if fleet.database.is_some() {
            Self::Database
        } else if fleet.push_to.is_some() {
            Self::Push
        } else if fleet.export {
            Self::Export
        } else {
            Self::Alone
        }
    }

    /// Whether another makes the aggregate reports, of what all hosts have counted.
    pub fn leaves_reports_to_another(self) -> bool {
        matches!(self, Self::Push | Self::Export)
    }
}

/// How much may wait to be handed on; none where nothing is.
pub fn spool(settings: &Settings) -> Option<SpoolLimits> {
    let fleet = &settings.fleet;
    (FleetMode::of(settings) != FleetMode::Alone).then(|| SpoolLimits {
        bytes: fleet.spool_max_size.as_u64(),
        observations: fleet.observations,
    })
}

/// The database that all hosts share, if there is one. Nothing is asked of it yet.
///
/// # Errors
/// When its password cannot be read.
pub fn server(settings: &Settings) -> Result<Option<DatabaseServer>, FleetDatabaseError> {
    let Some(database) = &settings.fleet.database else {
        return Ok(None);
    };
    let file = settings.fleet.password_file.as_deref();
    server_at(database.as_str().parse()?, file, settings).map(Some)
}

/// This database, with the password in that file, and for the rest as the settings say.
///
/// # Errors
/// When the password cannot be read.
pub fn server_at(
    address: ServerAddress,
    password_file: Option<&Path>,
    settings: &Settings,
) -> Result<DatabaseServer, FleetDatabaseError> {
    let fleet = &settings.fleet;
    let given = std::env::var(PASSWORD_VARIABLE)
        .ok()
        .filter(|word| !word.is_empty());
    let password = match (given, password_file) {
        (Some(word), _) => Some(word),
        (None, Some(file)) => Some(password(file)?),
        (None, None) => None,
    };
    let tls = match fleet.tls {
        DatabaseTls::Off => DatabaseEncryption::Off,
        DatabaseTls::Required => DatabaseEncryption::Encrypted,
        DatabaseTls::Verified => DatabaseEncryption::Verified {
            ca: fleet.ca_file.clone(),
        },
    };
    let options = DatabaseOptions {
        password,
        tls,
        connections: fleet.connections,
        statement_timeout: fleet.statement_timeout,
        ..DatabaseOptions::new(address)
    };
    Ok(DatabaseServer::new(options)?)
}

/// What this host is called among the others.
pub fn host(settings: &Settings) -> String {
    settings.fleet.host.clone().unwrap_or_else(host_name)
}

/// The first line of the file.
fn password(path: &Path) -> Result<String, FleetDatabaseError> {
    let line = first_line(path).map_err(|source| FleetDatabaseError::Password {
        path: path.to_owned(),
        source,
    })?;
    match line.is_empty() {
        true => Err(FleetDatabaseError::NoPassword {
            path: path.to_owned(),
        }),
        false => Ok(line),
    }
}
