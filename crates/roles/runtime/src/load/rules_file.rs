//! The file of the operator's own rules, which the settings name.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use landmarc_settings::rules::{self, OperatorRule};
use landmarc_settings::{ArcUse, MAX_FILE_OCTETS, Settings};

use super::unreadable;
use crate::files::read_file;
use crate::rules::operator::{self, State};
use crate::visible::visible_path;

/// The rules of the operator, as they were read.
#[derive(Clone, Debug, Default)]
pub struct RulesFile {
    /// The file they come from, if any.
    pub file: Option<PathBuf>,
    /// In its order.
    pub rules: Vec<OperatorRule>,
    /// What should be looked at, a line each.
    pub(super) warnings: Vec<String>,
}

/// Why there are no rules to work with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The file cannot be read: a mistake of the setting that names it.
    Unreadable(String),
    /// The file is wrong: a line for each mistake, each beginning with `FILE:LINE:COLUMN:`.
    Mistakes(String),
}

/// Reads the file that the settings name; none is needed where nobody asked for one. `now` is
/// Unix time in seconds.
pub(super) fn read(settings: &Settings, now: u64) -> Result<RulesFile, Fault> {
    let Some(path) = &settings.action.rules_file else {
        return Ok(RulesFile::default());
    };
    // The default, written out, asks for no more than the default: `config show` writes it.
    let asked_for = settings.action.rules_file != Settings::default().action.rules_file;
    match read_file(path, MAX_FILE_OCTETS) {
        Err(error) if error.kind() == ErrorKind::NotFound && !asked_for => Ok(RulesFile::default()),
        Err(error) => Err(Fault::Unreadable(unreadable(path, &error))),
        Ok(octets) => parse(path, &octets, settings, now),
    }
}

/// Reads this file, whatever the settings name; it must be there.
pub(super) fn read_this(path: &Path, settings: &Settings, now: u64) -> Result<RulesFile, Fault> {
    let octets = read_file(path, MAX_FILE_OCTETS);
    let octets = octets.map_err(|error| Fault::Unreadable(format!("{}: {error}", visible_path(path))))?;
    parse(path, &octets, settings, now)
}

fn parse(path: &Path, octets: &[u8], settings: &Settings, now: u64) -> Result<RulesFile, Fault> {
    let name = visible_path(path);
    let read = rules::read_octets(octets);
    let (rules, concerns) =
        read.map_err(|mistakes| Fault::Mistakes(mistakes.render(&name).trim_end().to_owned()))?;
    // What a rule lets in is of no concern when it lets nothing in any more.
    let has_expired = |place| {
        let mut at_place = rules.iter().filter(|rule| Some(rule.place) == place);
        at_place.any(|rule| State::of(rule, now) == State::Expired)
    };
    let concerns = concerns.iter().filter(|concern| !has_expired(concern.place));
    let mut warnings: Vec<_> = concerns.map(|concern| concern.render(&name)).collect();
    warnings.extend(operator::expiries(&rules, &name, now));
    if settings.arc.validate == ArcUse::Never {
        warnings.extend(operator::blind_to_arc(&rules, &name));
    }
    Ok(RulesFile {
        file: Some(path.to_owned()),
        rules,
        warnings,
    })
}
