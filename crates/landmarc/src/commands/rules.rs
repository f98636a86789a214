//! `rules`: the operator's own rules, listed and tried on messages.

mod list;
mod test;

use crate::failure::CommandResult;
use clap::Subcommand;

/// Show this server's own rules, or try them on messages
#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// List the rules in their order, with how often each has decided
    List(list::RulesListArguments),
    /// Tell of messages in files which rule decides, and why the others do not
    Test(test::RulesTestArguments),
}

/// Does it.
pub(crate) fn run(command: &RulesCommand) -> CommandResult {
    match command {
        RulesCommand::List(arguments) => list::run(arguments),
        RulesCommand::Test(arguments) => test::run(arguments),
    }
}
