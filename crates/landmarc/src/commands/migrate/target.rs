//! Where an import goes, as the command line says it.

use std::path::PathBuf;

use clap::Args;
use landmarc_import::ImportMode;
use landmarc_runtime::load::Need;
use landmarc_settings::Settings;
use landmarc_store::StoreLocation;

use crate::failure::Failure;
use crate::loading::load_store;
use crate::places;

/// The group of the options that name what was counted. Some others say how it is imported, and have no effect
/// without it; those that say how settings are translated have none with it.
pub(super) const COUNTED: &str = "counted";

/// What was counted goes into this store.
#[derive(Debug, Args)]
pub(super) struct ImportTarget {
    /// Write nothing down, but print what would be imported
    #[arg(long, requires = COUNTED)]
    dry_run: bool,
    /// Read our settings from this file [default: /etc/landmarc/landmarc.toml, if it exists]
    #[arg(long, value_name = "FILE", requires = COUNTED)]
    settings: Option<PathBuf>,
    /// Import into this database file instead of the service's
    #[arg(long, value_name = "FILE", requires = COUNTED)]
    store: Option<PathBuf>,
}

impl ImportTarget {
    pub(super) fn mode(&self) -> ImportMode {
        mode(self.dry_run)
    }

    /// # Errors
    /// When the settings cannot be read, or say nothing of the store.
    pub(super) fn settings(&self) -> Result<Settings, Failure> {
        load_store(self.settings.as_deref(), Need::Retention)
    }

    /// # Errors
    /// As [`places::counts_into`].
    pub(super) fn place(&self, settings: &Settings) -> Result<StoreLocation, Failure> {
        places::counts_into(self.store.as_ref(), settings)
    }
}

/// A dry run only rehearses.
pub(super) fn mode(is_dry_run: bool) -> ImportMode {
    match is_dry_run {
        true => ImportMode::Rehearse,
        false => ImportMode::Write,
    }
}
