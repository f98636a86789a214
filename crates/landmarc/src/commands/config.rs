//! `config`: shows, checks and prints settings.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::failure::CommandResult;
use crate::loading::load;
use crate::output::print;
use crate::words::in_plain_words;
use landmarc_runtime::load::DEFAULT_FILE;
use landmarc_runtime::visible::visible_path;

/// Show or check settings, or print a file of them all
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the settings in force, and in plain words what they do to mail that fails
    Show(SettingsFileArguments),
    /// Report every mistake in a settings file with its line; exit code 78 when there is one
    Check(SettingsFileArguments),
    /// Print a settings file with every key, its default and what it is for
    Default,
}

/// Which settings are meant.
#[derive(Debug, Args)]
pub(crate) struct SettingsFileArguments {
    /// The settings file [default: /etc/landmarc/landmarc.toml, if it exists]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The same, as other commands take it
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    config: Option<PathBuf>,
}

impl SettingsFileArguments {
    fn file(&self) -> Option<&Path> {
        self.file.as_deref().or(self.config.as_deref())
    }
}

/// Does it.
pub(crate) fn run(command: &ConfigCommand) -> CommandResult {
    match command {
        ConfigCommand::Default => print(&landmarc_settings::default_file()),
        ConfigCommand::Check(which) => check(which.file()),
        ConfigCommand::Show(which) => show(which.file()),
    }
}

fn check(file: Option<&Path>) -> CommandResult {
    match load(file)?.file {
        Some(file) => print(&format!("{}: no mistakes\n", visible_path(&file))),
        None => print(&format!(
            "{DEFAULT_FILE} does not exist: all settings are at their defaults\n"
        )),
    }
}

fn show(file: Option<&Path>) -> CommandResult {
    let loaded = load(file)?;
    let words = in_plain_words(&loaded.rules());
    let words: String = words.iter().map(|line| format!("# {line}\n")).collect();
    print(&format!("{words}\n{}", landmarc_settings::show(&loaded.settings)))
}
