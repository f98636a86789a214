//! landmarc: DMARC, both sides of it, in one binary.
//!
//! Knows the command line, what each command prints, the exit codes, and how the service is composed of its roles and
//! ends by a signal. A command parses its arguments, calls a role, and prints: rows by [`listing`] and [`table`], why it
//! failed by [`failure`].
//!
//! Does not know how mail is judged, how reports are made or how records are kept: the crates that it uses decide that.
//!
//! Not implemented: a server of its own for commands. They read the store themselves, so that they work while the
//! service does not run.

mod answers;
mod commands;
mod csv;
mod exit;
mod failure;
mod figures;
mod file_check;
mod listing;
mod loading;
mod notes;
mod options;
mod output;
mod places;
mod progress;
mod records;
mod runtime;
mod table;
mod words;
mod wrap;

use crate::exit::Exit;
use crate::failure::CommandResult;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What the help says below the commands.
const AFTER_HELP: &str = "\
Settings are read from /etc/landmarc/landmarc.toml, if it exists; without it, mail is judged and \
marked, but nothing is refused. To begin: landmarc check --ip ADDRESS --explain MESSAGE";

/// Judges mail by SPF, DKIM and DMARC behind a milter socket, and explains each verdict.
#[derive(Debug, Parser)]
#[command(name = "landmarc", version, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service: a milter for Postfix and Sendmail
    Serve(commands::serve::ServeArguments),
    /// Judge messages from files as the service would, and say why
    Check(commands::check::CheckArguments),
    /// Be the filter of a mail server that starts it by itself, such as OpenSMTPD
    #[command(subcommand)]
    Filter(commands::filter::FilterCommand),
    /// Tell why a message was treated as it was, by its queue id or the id in the SMTP reply
    Explain(commands::explain::ExplainArguments),
    /// List the messages that were recorded
    Log(commands::log::LogArguments),
    /// Look after the database: how it is, what expires, a backup
    #[command(subcommand)]
    Store(commands::store::StoreCommand),
    /// See and steer what this server reports to others
    #[command(subcommand)]
    Outbox(commands::outbox::OutboxCommand),
    /// See and export what waits to be handed on to the fleet
    #[command(subcommand)]
    Spool(commands::spool::SpoolCommand),
    /// Show or check settings, or print a file of them all
    #[command(subcommand)]
    Config(commands::config::ConfigCommand),
    /// Show this server's own rules, or try them on messages
    #[command(subcommand)]
    Rules(commands::rules::RulesCommand),
    /// Make the keys that reports are signed with, and see whether they are published
    #[command(subcommand)]
    Dkim(commands::dkim::DkimCommand),
    /// Move in from another program: its settings, its history, its database
    #[command(subcommand)]
    Migrate(commands::migrate::MigrateCommand),
    /// Write what was counted for other programs: the history file of OpenDMARC
    #[command(subcommand)]
    History(commands::history::HistoryCommand),
    /// Print shell completions
    Completions(commands::documents::CompletionsArguments),
    /// Print the manual page, or write those of all commands into a directory
    Man(commands::documents::ManArguments),
}

/// A message is a thousand small pieces of memory that are all gone when it is answered; with the
/// system's allocator they cost a tenth more of its CPU time (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    if let Some(called) = commands::opendmarc::called(&arguments) {
        return failure::run(|| called.run()).into();
    }
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(error) => return usage(&error),
    };
    failure::run(|| run(line.command)).into()
}

fn run(command: Command) -> CommandResult {
    match command {
        Command::Serve(arguments) => commands::serve::run(&arguments),
        Command::Check(arguments) => commands::check::run(&arguments),
        Command::Filter(command) => commands::filter::run(&command),
        Command::Explain(arguments) => commands::explain::run(&arguments),
        Command::Log(arguments) => commands::log::run(&arguments),
        Command::Store(command) => commands::store::run(&command),
        Command::Outbox(command) => commands::outbox::run(&command),
        Command::Spool(command) => commands::spool::run(&command),
        Command::Config(command) => commands::config::run(&command),
        Command::Rules(command) => commands::rules::run(&command),
        Command::Dkim(command) => commands::dkim::run(&command),
        Command::Migrate(command) => commands::migrate::run(&command),
        Command::History(command) => commands::history::run(&command),
        Command::Completions(arguments) => commands::documents::completions(&arguments),
        Command::Man(arguments) => commands::documents::man(&arguments),
    }
}

/// clap ends with 2 on its own; 2 is "could not find out" here, so usage is 64.
fn usage(error: &clap::Error) -> ExitCode {
    // Nothing is to be done when the terminal is gone.
    let _ = error.print();
    if error.use_stderr() {
        Exit::Usage.into()
    } else {
        Exit::Fine.into()
    }
}
