//! `rules`: the operator's own rules, listed and tried on messages.

mod list;
mod test;

use crate::failure::CommandResult;
use clap::Subcommand;

/// Show this server's own rules, or try them on messages
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// List the rules in their order, with how often each has decided
    List(list::Arguments),
    /// Tell of messages in files which rule decides, and why the others do not
    Test(test::Arguments),
}

/// Does it.
pub(crate) fn run(action: &Action) -> CommandResult {
    match action {
        Action::List(arguments) => list::run(arguments),
        Action::Test(arguments) => test::run(arguments),
    }
}
