//! Reads settings, and what they name, from the file system.

mod hosts_file;
mod of_fleet;
mod of_reports;
mod of_store;
mod rules_file;
mod secrets;
mod source;

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use landmarc_dmarc::suffixes::Suffixes;
use landmarc_receiver::policy::Rules;
use landmarc_settings::hosts::Hosts;
use landmarc_settings::{MAX_FILE_OCTETS, Mistake, Settings, key};

use crate::account;
use crate::clock::now_ms;
use crate::files::read_file;
use crate::groups::BySuffix;
use crate::rules;
use crate::sockets;
use crate::visible::visible_path;

use of_fleet::OfFleet;
use of_reports::OfReports;
pub use of_store::{Need, load_store};
use rules_file::Fault;
pub use rules_file::RulesFile;
pub use source::SettingsSource;

/// Read when no file is named on the command line, if it is there.
pub const DEFAULT_FILE: &str = "/etc/landmarc/landmarc.toml";

/// Settings, ready to work with.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// As they were read and checked.
    pub settings: Settings,
    /// The file they come from, if any.
    pub file: Option<PathBuf>,
    /// What should be looked at, a line each.
    pub warnings: Vec<String>,
    /// The rules of the operator, which the settings name.
    pub operator: RulesFile,
    /// The hosts whose mail is not judged, from the file that the settings name.
    pub hosts: Hosts,
    suffixes: Arc<Suffixes>,
}

/// What a line says is a warning, where its reader is not told by other means.
const WARNING: &str = ": warning: ";

/// A line for the log, which tells by its level that it is a warning.
pub fn without_level(warning: &str) -> String {
    warning.replacen(WARNING, ": ", 1)
}

impl Loaded {
    /// Logs what should be looked at.
    pub fn log_warnings(&self) {
        for warning in &self.warnings {
            tracing::warn!("{}", without_level(warning));
        }
    }

    /// The Public Suffix List.
    pub fn suffixes(&self) -> Arc<Suffixes> {
        Arc::clone(&self.suffixes)
    }

    /// The operator's decisions as the receiver takes them.
    pub fn rules(&self) -> Rules {
        Rules {
            operator: rules::operator::for_receiver(&self.operator.rules),
            ..rules::rules(&self.settings, Arc::clone(&self.suffixes))
        }
    }

    /// By what the limits of the store go.
    pub fn groups(&self) -> Arc<BySuffix> {
        BySuffix::new(&self.suffixes)
    }
}

/// What is read beside the settings, because they name it.
#[derive(Default)]
struct Named {
    suffixes: Option<Suffixes>,
    operator: RulesFile,
    hosts: Hosts,
    /// What should be looked at of the files that reports and a fleet need: the key, and why.
    concerns: Vec<(&'static str, String)>,
    /// The mistakes in the file of the rules and in that of the hosts: text of a line for each.
    mistakes: Vec<String>,
}

/// Why there are no settings to work with.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the settings file {file}")]
    Io {
        /// The file.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file is wrong: a line for each mistake, each beginning with `FILE:LINE:COLUMN:`.
    #[error("{0}")]
    Mistakes(String),
}

/// Reads the named file, or the default one where it exists; else all is at its default.
///
/// # Errors
/// [`LoadError`] with every mistake at its line.
pub fn load(named: Option<&Path>) -> Result<Loaded, LoadError> {
    load_with(named, None)
}

/// As [`load`], with the operator's rules from this file, if there is one, in place of the one that
/// the settings name.
///
/// # Errors
/// As there.
pub fn load_with(named: Option<&Path>, rules_file: Option<&Path>) -> Result<Loaded, LoadError> {
    let default = Path::new(DEFAULT_FILE);
    match named.or_else(|| Some(default).filter(|path| path.exists())) {
        None => read_with(DEFAULT_FILE, b"", None, rules_file),
        Some(path) => {
            let file = visible_path(path);
            let octets = read_file(path, MAX_FILE_OCTETS).map_err(|source| LoadError::Io {
                file: file.clone(),
                source,
            })?;
            read_with(&file, &octets, Some(path.to_owned()), rules_file)
        }
    }
}

/// Reads settings from these octets, of the file with this name, and rules from the file that is
/// given or named.
pub fn read_with(
    name: &str,
    octets: &[u8],
    file: Option<PathBuf>,
    rules_file: Option<&Path>,
) -> Result<Loaded, LoadError> {
    let mut named = Named::default();
    let read = landmarc_settings::read_checked(octets, |settings| check(settings, rules_file, &mut named));
    let mut mistakes = named.mistakes;
    let read = read.map_err(|of_settings| mistakes.insert(0, of_settings.render(name).trim_end().to_owned()));
    let (settings, warnings) = match read {
        Ok(read) if mistakes.is_empty() => read,
        _ => return Err(LoadError::Mistakes(mistakes.join("\n"))),
    };
    let concerns = sockets::exposed(&settings).into_iter().chain(named.concerns);
    let concerns = concerns.map(|(key, why)| format!("{name}: {key}{WARNING}{why}"));
    let warnings = warnings.iter().map(|warning| warning.render(name));
    Ok(Loaded {
        warnings: warnings
            .chain(concerns)
            .chain(named.operator.warnings.iter().cloned())
            .collect(),
        settings,
        file,
        operator: named.operator,
        hosts: named.hosts,
        suffixes: Arc::new(named.suffixes.unwrap_or_else(Suffixes::built_in)),
    })
}

/// Settings from these octets, with the rules that they name.
#[cfg(test)]
pub fn read(name: &str, octets: &[u8], file: Option<PathBuf>) -> Result<Loaded, LoadError> {
    read_with(name, octets, file, None)
}

/// Why a file that a setting names cannot be read, and what can be done where it is not there.
fn unreadable(path: &Path, error: &io::Error) -> String {
    let remedy = match error.kind() {
        ErrorKind::NotFound => "; create it, or set it to \"\"",
        _ => "",
    };
    format!("{}: {error}{remedy}", visible_path(path))
}

/// What only the program can check: sockets, accounts, and the files that are read on the way.
fn check(settings: &Settings, rules_file: Option<&Path>, named: &mut Named) -> Vec<Mistake> {
    let (mut mistakes, has_socket) = sockets::mistakes(settings);
    mistakes.extend(account::unknown(settings));
    let of_reports = OfReports::look_at(settings);
    mistakes.extend(of_reports.mistakes);
    let of_fleet = OfFleet::look_at(settings);
    mistakes.extend(of_fleet.mistakes);
    let concerns = of_reports.warnings.into_iter().chain(of_fleet.warnings);
    named.concerns = concerns.chain(secrets::warnings(settings)).collect();
    if !has_socket && mistakes.is_empty() && settings.rspamd.servers.is_empty() {
        mistakes.push(settings.refuse(
            key!(milter.listen),
            None,
            "without a socket no mail can be judged; name one here, or in check_api.listen or exim.listen",
        ));
    }
    mistakes.extend(named.read(settings, rules_file));
    mistakes
}

impl Named {
    /// Reads what settings name, and the operator's rules from this file, if there is one, in place of theirs. What
    /// cannot be read is a mistake of the setting that names it.
    fn read(&mut self, settings: &Settings, rules_file: Option<&Path>) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let mut refuse = |key, why: String| mistakes.push(settings.refuse(key, None, why));
        match read_suffixes(settings) {
            Ok(list) => self.suffixes = Some(list),
            Err(why) => refuse(key!(dmarc.public_suffix_list), why),
        }
        let now = now_ms() / 1_000;
        let read = match rules_file {
            Some(path) => rules_file::read_this(path, settings, now),
            None => rules_file::read(settings, now),
        };
        match read {
            Ok(operator) => self.operator = operator,
            Err(Fault::Unreadable(why)) if rules_file.is_none() => refuse(key!(action.rules_file), why),
            // No setting names this file, so it stands for itself.
            Err(Fault::Unreadable(lines) | Fault::Mistakes(lines)) => self.mistakes.push(lines),
        }
        match hosts_file::read(settings) {
            Ok(hosts) => self.hosts = hosts,
            Err(Fault::Unreadable(why)) => refuse(key!(clients.trusted_hosts_file), why),
            Err(Fault::Mistakes(lines)) => self.mistakes.push(lines),
        }
        mistakes
    }
}

/// The list of the file, or the one inside the program where no file was asked for.
fn read_suffixes(settings: &Settings) -> Result<Suffixes, String> {
    let Some(path) = &settings.dmarc.public_suffix_list else {
        return Ok(Suffixes::built_in());
    };
    // The default, written out, asks for no more than the default: `config show` writes it.
    let asked_for = settings.dmarc.public_suffix_list != Settings::default().dmarc.public_suffix_list;
    match fs::read_to_string(path) {
        Ok(text) => Suffixes::parse(&text).map_err(|error| format!("{}: {error}", path.display())),
        Err(error) if asked_for => Err(unreadable(path, &error)),
        Err(_) => Ok(Suffixes::built_in()),
    }
}

#[cfg(test)]
mod tests;
