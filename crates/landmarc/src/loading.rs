//! Settings for commands: what is wrong with them is how the command fails.

use std::path::Path;

use landmarc_settings::Settings;

use crate::failure::Failure;
use crate::notes::{note, print_note};
use landmarc_runtime::load::{self, Loaded, Need, load_with};

/// Reads all settings, and prints warnings.
///
/// # Errors
/// When they cannot be read or have mistakes.
pub(crate) fn load(named: Option<&Path>) -> Result<Loaded, Failure> {
    load_with_rules(named, None)
}

/// As [`load()`], with the operator's rules from this file, if there is one, in place of
/// the one that the settings name: rules are tried before they are in force.
///
/// # Errors
/// As there.
pub(crate) fn load_with_rules(named: Option<&Path>, rules_file: Option<&Path>) -> Result<Loaded, Failure> {
    let loaded = load_with(named, rules_file)?;
    loaded.warnings.iter().for_each(|warning| print_note(warning));
    Ok(loaded)
}

/// As [`load()`], without printing warnings: nobody reads what runs from cron.
///
/// # Errors
/// As there.
pub(crate) fn load_quietly(named: Option<&Path>) -> Result<Loaded, Failure> {
    Ok(load_with(named, None)?)
}

/// [`load()`], or quietly.
///
/// # Errors
/// As there.
pub(crate) fn load_unless_quiet(named: Option<&Path>, is_quiet: bool) -> Result<Loaded, Failure> {
    match is_quiet {
        true => load_quietly(named),
        false => load(named),
    }
}

/// Reads what a command of the store needs, and prints one line when there are mistakes elsewhere.
///
/// # Errors
/// As [`load()`].
pub(crate) fn load_store(named: Option<&Path>, need: Need) -> Result<Settings, Failure> {
    let (settings, mistaken) = load::load_store(named, need)?;
    if let Some(file) = mistaken {
        note!("landmarc: {file} has mistakes: `landmarc config check {file}` tells them");
    }
    Ok(settings)
}
