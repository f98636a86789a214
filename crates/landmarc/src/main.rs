//! landmarc: DMARC, both sides of it, in one binary.
//!
//! The roles are composed here: the command line, the settings, signals and
//! logs. Whatever decides is in the crates this one uses.

mod answers;
mod bench;
mod commands;
mod csv;
mod exit;
mod failure;
mod figures;
mod listing;
mod loading;
mod log;
mod mailbox;
mod notes;
mod output;
mod pasted;
mod places;
mod records;
mod runtime;
mod systemd;
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
    Serve(commands::serve::Arguments),
    /// Judge messages from files as the service would, and say why
    Check(commands::check::Arguments),
    /// Be the filter of a mail server that starts it by itself, such as OpenSMTPD
    #[command(subcommand)]
    Filter(commands::filter::Action),
    /// Tell why a message was treated as it was, by its queue id or the id in the SMTP reply
    Explain(commands::explain::Arguments),
    /// List the messages that were recorded
    Log(commands::log::Arguments),
    /// Look after the database: how it is, what expires, a backup
    #[command(subcommand)]
    Store(commands::store::Action),
    /// See and steer what this server reports to others
    #[command(subcommand)]
    Outbox(commands::outbox::Action),
    /// See and export what waits to be handed on to the fleet
    #[command(subcommand)]
    Spool(commands::spool::Action),
    /// Show or check settings, or print a file of them all
    #[command(subcommand)]
    Config(commands::config::Action),
    /// Show this server's own rules, or try them on messages
    #[command(subcommand)]
    Rules(commands::rules::Action),
    /// Make the keys that reports are signed with, and see whether they are published
    #[command(subcommand)]
    Dkim(commands::dkim::Action),
    /// Move in from another program: its settings, its history, its database
    #[command(subcommand)]
    Migrate(commands::migrate::Action),
    /// Write what was counted for other programs: the history file of OpenDMARC
    #[command(subcommand)]
    History(commands::history::Action),
    /// Print shell completions
    Completions(commands::documents::Completions),
    /// Print the manual page, or write those of all commands into a directory
    Man(commands::documents::Man),
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
        Command::Filter(action) => commands::filter::run(&action),
        Command::Explain(arguments) => commands::explain::run(&arguments),
        Command::Log(arguments) => commands::log::run(&arguments),
        Command::Store(action) => commands::store::run(&action),
        Command::Outbox(action) => commands::outbox::run(&action),
        Command::Spool(action) => commands::spool::run(&action),
        Command::Config(action) => commands::config::run(&action),
        Command::Rules(action) => commands::rules::run(&action),
        Command::Dkim(action) => commands::dkim::run(&action),
        Command::Migrate(action) => commands::migrate::run(&action),
        Command::History(action) => commands::history::run(&action),
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
