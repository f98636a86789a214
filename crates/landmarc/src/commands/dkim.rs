//! `dkim`: the keys that our own messages are signed with.

mod check;
mod new;
mod record;
mod show;

use crate::failure::CommandResult;
use clap::Subcommand;

/// Make the keys that reports are signed with, and see whether they are published
#[derive(Debug, Subcommand)]
pub(crate) enum DkimCommand {
    /// Make a key file, and tell what to publish and what to set
    New(new::DkimNewArguments),
    /// Tell what to publish for a key file
    Show(show::DkimShowArguments),
    /// Ask DNS whether the keys of the settings are published
    Check(check::DkimCheckArguments),
}

/// Does it.
pub(crate) fn run(command: &DkimCommand) -> CommandResult {
    match command {
        DkimCommand::New(arguments) => new::run(arguments),
        DkimCommand::Show(arguments) => show::run(arguments),
        DkimCommand::Check(arguments) => check::run(arguments),
    }
}
