//! Which store a command works on, where the fleet has a say in it.

use std::path::PathBuf;

use landmarc_settings::Settings;
use landmarc_store::Place;

use crate::exit::Exit;
use crate::output::{complain, tell};
use landmarc_runtime::database::place;
use landmarc_runtime::error_chain::error_chain;
use landmarc_runtime::fleet_settings::{FleetDatabaseError, FleetMode};

/// Where what others have counted is added, for a command: into the file that was named, or the store that reports
/// are made from.
///
/// # Errors
/// With how the command is to end, when it has said why: what is counted here would not go where the reports are made.
pub(crate) fn counts_into(named: Option<&PathBuf>, settings: &Settings) -> Result<Place, Exit> {
    if let Some(path) = named {
        return Ok(path.into());
    }
    if FleetMode::of(settings).leaves_reports_to_another() {
        let message =
            "the counts of other programs are to be added where the reports are made: on the collector";
        return Err(complain(Exit::Config, message));
    }
    place(settings).map_err(|error| refuse(&error))
}

/// Says what is in the way of the fleet's database, and what can be done.
pub(crate) fn refuse(error: &FleetDatabaseError) -> Exit {
    let exit = complain(Exit::Config, &error_chain(error));
    tell(&format!("  {}", error.remedy()));
    exit
}
