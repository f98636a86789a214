//! The tables of a database that a fleet shares: made and brought up to date, and who may do what in them.

use std::path::PathBuf;

use clap::Args;
use landmarc_settings::Settings;
use landmarc_store::{
    Accounts, DatabaseServer, Migrated, Outbox, SERVICE_BUSY_TIMEOUT, ServerAddress, StoreLocation, grants,
};

use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::loading::load_store;
use crate::output::print;
use crate::records::StoreArguments;
use landmarc_runtime::fleet_settings;
use landmarc_runtime::load::Need;

/// Who owns the tables, where no other name is given.
const OWNER: &str = "landmarc_owner";
/// Who may only read, where no other name is given.
const READER: &str = "landmarc_reader";

/// Arguments of `store migrate`.
#[derive(Debug, Args)]
pub(crate) struct StoreMigrateArguments {
    #[command(flatten)]
    store: StoreArguments,
    /// As this user and in this database, in place of fleet.database: whoever makes tables has rights that the
    /// service needs not
    #[arg(long, value_name = "URL", conflicts_with_all = ["store", "local"])]
    database: Option<ServerAddress>,
    /// The password of that user is the first line of this file
    #[arg(long, value_name = "FILE", requires = "database")]
    password_file: Option<PathBuf>,
}

/// Arguments of `store grants`.
#[derive(Debug, Args)]
pub(crate) struct StoreGrantsArguments {
    /// Read settings from this file [default: /etc/landmarc/landmarc.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The database, and as its user the one of the service [default: fleet.database]
    #[arg(long, value_name = "URL")]
    database: Option<ServerAddress>,
    /// The user that owns the tables and makes them (`landmarc store migrate`)
    #[arg(long, value_name = "NAME", default_value = OWNER)]
    owner: String,
    /// The user that reads, for dashboards and for people
    #[arg(long, value_name = "NAME", default_value = READER)]
    reader: String,
}

/// Brings the schema up to date.
pub(super) fn migrate(arguments: &StoreMigrateArguments) -> CommandResult {
    let settings = load_store(arguments.store.config.as_deref(), Need::Directory)?;
    let place = match &arguments.database {
        Some(address) => {
            let file = arguments.password_file.as_deref();
            let server = fleet_settings::server_at(address.clone(), file, &settings);
            server?.into()
        }
        None => arguments.store.of(&settings)?,
    };
    let text = match &place {
        StoreLocation::Server(server) => of_server(server)?,
        StoreLocation::File(path) => {
            // Whoever writes brings it up to date.
            Outbox::open(path, SERVICE_BUSY_TIMEOUT)?;
            format!("{place}: the schema is up to date")
        }
    };
    print(&format!("{text}\n"))
}

fn of_server(server: &DatabaseServer) -> Result<String, Failure> {
    let Migrated { from, to } = server.migrate()?;
    Ok(match from {
        0 => format!("{server}: tables made, schema version {to}"),
        from if from == to => format!("{server}: the schema is up to date, version {to}"),
        from => format!("{server}: schema brought from version {from} to {to}"),
    })
}

/// Prints the rights of the two users, as SQL.
pub(super) fn print_grants(arguments: &StoreGrantsArguments) -> CommandResult {
    let address = match &arguments.database {
        Some(address) => address.clone(),
        None => {
            let settings = load_store(arguments.config.as_deref(), Need::Directory)?;
            of_settings(&settings)?
        }
    };
    let accounts = Accounts {
        database: address.name(),
        owner: &arguments.owner,
        service: address.user(),
        reader: &arguments.reader,
    };
    print(&grants(address.engine(), &accounts))
}

fn of_settings(settings: &Settings) -> Result<ServerAddress, Failure> {
    let Some(database) = &settings.fleet.database else {
        return Err(failure!(
            Exit::Config,
            "there is no database of a fleet in the settings: set fleet.database, or name one with --database"
        ));
    };
    let address = database.as_str().parse();
    address
        .map_err(|error: landmarc_store::NoServerAddress| failure!(Exit::Config, "fleet.database: {error}"))
}
