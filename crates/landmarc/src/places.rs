//! Which store a command works on, where the fleet has a say in it.

use std::path::PathBuf;

use landmarc_settings::Settings;
use landmarc_store::StoreLocation;

use crate::exit::Exit;
use crate::failure::{Failure, failure};
use landmarc_runtime::database::place;
use landmarc_runtime::fleet_settings::FleetMode;

/// Where what others have counted is added, for a command: into the file that was named, or the store that reports
/// are made from.
///
/// # Errors
/// With what is printed, and the exit code: what is counted here would not go where the reports are made.
pub(crate) fn counts_into(named: Option<&PathBuf>, settings: &Settings) -> Result<StoreLocation, Failure> {
    if let Some(path) = named {
        return Ok(path.into());
    }
    if FleetMode::of(settings).leaves_reports_to_another() {
        return Err(failure!(
            Exit::Config,
            "the counts of other programs are to be added where the reports are made: on the collector"
        ));
    }
    Ok(place(settings)?)
}
