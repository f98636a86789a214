//! Settings for commands: what is wrong with them is printed, and says how the command is to end.

use std::path::Path;

use landmarc_settings::Settings;

use crate::exit::Exit;
use crate::output::{complain, tell};
use landmarc_runtime::error_chain::error_chain;
use landmarc_runtime::load::{LoadError, Loaded, Need, load_store, load_with};

/// As [`load_with`], for a command: prints warnings, or what is wrong.
///
/// # Errors
/// With [`Exit::Config`], when it has said why.
pub(crate) fn load_or_complain(named: Option<&Path>) -> Result<Loaded, Exit> {
    load_with_rules_or_complain(named, None)
}

/// As [`load_or_complain`], with the operator's rules from this file, if there is one, in place of
/// the one that the settings name: rules are tried before they are in force.
///
/// # Errors
/// As there.
pub(crate) fn load_with_rules_or_complain(
    named: Option<&Path>,
    rules_file: Option<&Path>,
) -> Result<Loaded, Exit> {
    let loaded = load_with(named, rules_file).map_err(|error| complain_of(&error))?;
    loaded.warnings.iter().for_each(|warning| tell(warning));
    Ok(loaded)
}

/// As [`load_or_complain`], but warnings are for another time: what runs from cron is read by nobody.
///
/// # Errors
/// As there.
pub(crate) fn load_quietly_or_complain(named: Option<&Path>) -> Result<Loaded, Exit> {
    load_with(named, None).map_err(|error| complain_of(&error))
}

/// Prints what is wrong.
pub(crate) fn complain_of(error: &LoadError) -> Exit {
    match error {
        LoadError::Mistakes(lines) => {
            tell(lines);
            Exit::Config
        }
        error => complain(Exit::Config, &error_chain(error)),
    }
}

/// As [`load_store`], for a command: says in one line when there are mistakes elsewhere.
///
/// # Errors
/// With [`Exit::Config`], when it has said why.
pub(crate) fn load_store_or_complain(named: Option<&Path>, need: Need) -> Result<Settings, Exit> {
    let (settings, mistaken) = load_store(named, need).map_err(|error| complain_of(&error))?;
    if let Some(file) = mistaken {
        tell(&format!(
            "landmarc: {file} has mistakes: `landmarc config check {file}` tells them"
        ));
    }
    Ok(settings)
}
