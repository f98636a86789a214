//! What all tools of OpenDMARC have in common: flags, help, version, and where the store is.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::PathBuf;

use landmarc_settings::Settings;

use super::getopt::{OptionValue, ParsedOptions, ToolOption, read, switch, text};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::loading::load_store;
use crate::notes::{note, print_note};
use crate::output::print;
use crate::records::{SelectedStore, StoreArguments};
use landmarc_runtime::load::Need;

/// Names our settings file to tools whose callers cannot be changed.
const SETTINGS: &str = "LANDMARC_SETTINGS";

/// What every tool takes.
const COMMON: [ToolOption; 12] = [
    text("dbhost", "taken, and names no database any more"),
    text("dbname", "taken, and names no database any more"),
    text("dbpasswd", "taken, and names no database any more"),
    text("dbport", "taken, and names no database any more"),
    text("dbuser", "taken, and names no database any more"),
    text("db-dsn", "taken, and names no database any more"),
    text("dbscheme", "taken, and names no database any more"),
    text(
        "settings",
        "our settings file [$LANDMARC_SETTINGS, /etc/landmarc/landmarc.toml]",
    ),
    text("store", "use this database file instead of the service's"),
    switch("help", "print help and exit"),
    switch("verbose", "verbose output"),
    switch("version", "print version and exit"),
];

/// Variables that name a database.
const VARIABLES: [&str; 5] = [
    "OPENDMARC_DBHOST",
    "OPENDMARC_DB",
    "OPENDMARC_PASSWORD",
    "OPENDMARC_PORT",
    "OPENDMARC_USER",
];

/// A tool that was called.
pub(super) struct Tool {
    pub(super) name: &'static str,
    pub(super) given: ParsedOptions,
}

impl Tool {
    /// Reads its command line; help and version are told here.
    ///
    /// # Errors
    /// With how the tool is to end: 1 for a wrong command line, as the old one does.
    pub(super) fn read(
        name: &'static str,
        operands: &str,
        own: &[ToolOption],
        arguments: &[OsString],
    ) -> Result<Self, Failure> {
        let mut known = own.to_vec();
        known.extend(COMMON);
        let given = match read(&known, arguments) {
            Ok(given) => given,
            Err(wrong) => {
                let lines = format!("{name}: {wrong}\n{}", usage(name, operands, &known).trim_end());
                return Err(Failure::of_lines(Exit::Findings, lines));
            }
        };
        if given.is_on("help") {
            print_note(usage(name, operands, &known).trim_end());
            return Err(Exit::Fine.into());
        }
        if given.is_on("version") {
            let version = format!("{name} v{} (landmarc)\n", env!("CARGO_PKG_VERSION"));
            return Err(print(&version)?.into());
        }
        Ok(Self { name, given })
    }

    /// Says something where somebody wants to hear it.
    pub(super) fn say(&self, text: &str) {
        if self.given.is_on("verbose") {
            note!("{}: {text}", self.name);
        }
    }

    /// Says that, and why, an option has no meaning here, where it was given.
    pub(super) fn explain(&self, reasons: &[(&[&str], &str)]) {
        for (options, why) in reasons {
            for option in options.iter().filter(|option| self.given.has(option)) {
                self.say(&format!("--{option}: {why}"));
            }
        }
    }

    /// Our settings file, where one is named.
    pub(super) fn settings_file(&self) -> Option<PathBuf> {
        let named = self.given.text("settings").map(PathBuf::from);
        named.or_else(|| {
            std::env::var_os(SETTINGS)
                .filter(|name| !name.is_empty())
                .map(PathBuf::from)
        })
    }

    /// Which store is meant, for commands of ours.
    pub(super) fn place(&self) -> StoreArguments {
        StoreArguments {
            config: self.settings_file(),
            store: self.given.text("store").map(PathBuf::from),
            local: false,
        }
    }

    /// The store, and the settings that say where it is; and says that no database is meant.
    ///
    /// # Errors
    /// With how the tool is to end, when it has said why.
    pub(super) fn store(&self) -> Result<(landmarc_store::StoreLocation, Settings), Failure> {
        let settings = load_store(self.settings_file().as_deref(), Need::Retention)?;
        let place = self.place().of(&settings)?;
        self.note_database(&place);
        Ok((place, settings))
    }

    /// The store as commands of ours find it.
    ///
    /// # Errors
    /// With how the tool is to end, when it has said why.
    pub(super) fn found(&self) -> Result<SelectedStore, Failure> {
        let (place, settings) = self.store()?;
        let settings = Some(settings);
        Ok(SelectedStore { place, settings })
    }

    /// Says that no database is meant, to whoever named one.
    pub(super) fn note_database(&self, place: &landmarc_store::StoreLocation) {
        let mut flags = COMMON.iter().take_while(|one| one.name.starts_with("db"));
        let by_variable = VARIABLES.iter().any(|name| std::env::var_os(name).is_some());
        if by_variable || flags.any(|one| self.given.has(one.name)) {
            self.say(&format!(
                "--db... and OPENDMARC_... name no database any more: messages are counted in {place}"
            ));
        }
    }
}

fn usage(name: &str, operands: &str, known: &[ToolOption]) -> String {
    let mut text = format!("{name}: usage: {name} [options]{operands}\n");
    for one in known {
        let option = match one.takes {
            OptionValue::Nothing => format!("--{}", one.name),
            OptionValue::Text => format!("--{}=...", one.name),
        };
        // Writing to a text does not fail.
        let _ = writeln!(text, "\t{option:<22} {}", one.help);
    }
    text
}
