//! `dkim`: the keys that our own letters are signed with.

mod check;
mod new;
mod record;
mod show;

use crate::failure::CommandResult;
use clap::Subcommand;

/// Make the keys that reports are signed with, and see whether they are published
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Make a key file, and tell what to publish and what to set
    New(new::Arguments),
    /// Tell what to publish for a key file
    Show(show::Arguments),
    /// Ask DNS whether the keys of the settings are published
    Check(check::Arguments),
}

/// Does it.
pub(crate) fn run(action: &Action) -> CommandResult {
    match action {
        Action::New(arguments) => new::run(arguments),
        Action::Show(arguments) => show::run(arguments),
        Action::Check(arguments) => check::run(arguments),
    }
}
