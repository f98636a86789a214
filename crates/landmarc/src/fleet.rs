//! Many hosts, one picture: how this host hands on what it counted, and where its fleet looks (design D15).

mod collecting;
mod shipping;
mod standing;

use std::io;
use std::path::{Path, PathBuf};

use landmarc_push::PushError;
use landmarc_settings::Settings;
use landmarc_settings::keys::DatabaseTls;
use landmarc_store::{
    NoServerAddress, Place, Server, ServerAddress, ServerOptions, SpoolLimits, StoreError, Tls,
};

use crate::database;
use crate::error_chain::error_chain;
use crate::exit::Exit;
use crate::output::{complain, tell};
use crate::password::first_line;
pub(crate) use standing::Standing;

/// Comes before the file with the password: containers are told secrets so.
pub(crate) const PASSWORD_VARIABLE: &str = "LANDMARC_DATABASE_PASSWORD";

/// Up to when a host has handed on all that has ended in order: nobody waits for it until it comes back. It is in the
/// year 9999.
pub(crate) const LEFT_MS: u64 = 253_402_300_799_000;

/// Why the database of the fleet cannot be named.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FleetError {
    #[error("cannot read fleet.password_file {path:?}")]
    Password { path: PathBuf, source: io::Error },
    #[error("fleet.password_file {path:?} has no password on its first line")]
    NoPassword { path: PathBuf },
    #[error("fleet.database: {0}")]
    Address(#[from] NoServerAddress),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Push(#[from] PushError),
}

impl FleetError {
    pub(crate) fn remedy(&self) -> String {
        match self {
            Self::Password { .. } => {
                "let the user of the service read it, or set LANDMARC_DATABASE_PASSWORD".to_owned()
            }
            Self::NoPassword { .. } => "write the password into it, on a line of its own".to_owned(),
            Self::Address(_) => {
                "write postgres://USER@HOST:PORT/NAME or mysql://USER@HOST:PORT/NAME".to_owned()
            }
            Self::Store(error) => error.remedy().to_owned(),
            Self::Push(error) => error.remedy(),
        }
    }
}

/// How records leave this host, if they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Not at all: this host is all there is.
    Alone,
    /// Into the database that the fleet shares.
    Database,
    /// To another landmarc, over HTTPS.
    Push,
    /// Into files, on command.
    Export,
}

impl Way {
    /// What the settings say. They allow one.
    pub(crate) fn of(settings: &Settings) -> Self {
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
    pub(crate) fn leaves_reports_to_another(self) -> bool {
        matches!(self, Self::Push | Self::Export)
    }
}

/// How much may wait to be handed on; none where nothing is.
pub(crate) fn spool(settings: &Settings) -> Option<SpoolLimits> {
    let fleet = &settings.fleet;
    (Way::of(settings) != Way::Alone).then(|| SpoolLimits {
        bytes: fleet.spool_max_size.as_u64(),
        observations: fleet.observations,
    })
}

/// The database that all hosts share, if there is one. Nothing is asked of it yet.
///
/// # Errors
/// When its password cannot be read.
pub(crate) fn server(settings: &Settings) -> Result<Option<Server>, FleetError> {
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
pub(crate) fn server_at(
    address: ServerAddress,
    password_file: Option<&Path>,
    settings: &Settings,
) -> Result<Server, FleetError> {
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
        DatabaseTls::Off => Tls::Off,
        DatabaseTls::Required => Tls::Encrypted,
        DatabaseTls::Verified => Tls::Verified {
            ca: fleet.ca_file.clone(),
        },
    };
    let options = ServerOptions {
        password,
        tls,
        connections: fleet.connections,
        statement_timeout: fleet.statement_timeout,
        ..ServerOptions::new(address)
    };
    Ok(Server::new(options)?)
}

/// Where reports are made from and kept: with the fleet, or here.
///
/// # Errors
/// As [`server`].
pub(crate) fn place(settings: &Settings) -> Result<Place, FleetError> {
    let shared = server(settings)?.map(Place::from);
    Ok(shared.unwrap_or_else(|| database::path(settings).into()))
}

/// Where what others have counted is added, for a command: into the file that was named, or the store that reports
/// are made from.
///
/// # Errors
/// With how the command is to end, when it has said why: what is counted here would not go where the reports are made.
pub(crate) fn counts_into(named: Option<&PathBuf>, settings: &Settings) -> Result<Place, Exit> {
    if let Some(path) = named {
        return Ok(path.into());
    }
    if Way::of(settings).leaves_reports_to_another() {
        let message =
            "the counts of other programs are to be added where the reports are made: on the collector";
        return Err(complain(Exit::Config, message));
    }
    place(settings).map_err(|error| refuse(&error))
}

/// Says what is in the way of the fleet's database, and what can be done.
pub(crate) fn refuse(error: &FleetError) -> Exit {
    let exit = complain(Exit::Config, &error_chain(error));
    tell(&format!("  {}", error.remedy()));
    exit
}

/// File descriptors that other hosts and the database may take.
pub(crate) fn descriptors(settings: &Settings) -> usize {
    let (fleet, collector) = (&settings.fleet, &settings.collector);
    let of_database = fleet.database.as_ref().map_or(0, |_| fleet.connections);
    let of_collector = match collector.listen.len() {
        0 => 0,
        sockets => sockets + collector.max_connections + landmarc_push::Limits::default().handshakes,
    };
    usize::try_from(of_database).unwrap_or(usize::MAX) + of_collector
}

/// What this host is called among the others.
pub(crate) fn host(settings: &Settings) -> String {
    settings
        .fleet
        .host
        .clone()
        .unwrap_or_else(crate::rules::host_name)
}

/// The first line of the file.
fn password(path: &Path) -> Result<String, FleetError> {
    let line = first_line(path).map_err(|source| FleetError::Password {
        path: path.to_owned(),
        source,
    })?;
    match line.is_empty() {
        true => Err(FleetError::NoPassword {
            path: path.to_owned(),
        }),
        false => Ok(line),
    }
}
