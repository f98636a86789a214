//! landmarc: DMARC, both sides of it, in one binary.
//!
//! Here the rooms are wired together: the command line, the settings, signals and
//! logs. Whatever decides is in the crates this one uses.

mod account;
mod commands;
mod exit;
mod filter;
mod json;
mod load;
mod log;
mod mailbox;
mod output;
mod rules;
mod words;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::exit::Exit;

/// What the help says below the commands.
const AFTER_HELP: &str = "\
Settings are read from /etc/landmarc/landmarc.toml, if it exists; without it, mail is judged and\n\
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
    /// Show or check settings, or print a file of them all
    #[command(subcommand)]
    Config(commands::config::Action),
    /// Print shell completions
    Completions(commands::documents::Completions),
    /// Print the manual page, or write those of all commands into a directory
    Man(commands::documents::Man),
}

fn main() -> ExitCode {
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(error) => return usage(&error),
    };
    exit::guarded(|| run(line.command)).into()
}

fn run(command: Command) -> Exit {
    match command {
        Command::Serve(arguments) => commands::serve::run(&arguments),
        Command::Check(arguments) => commands::check::run(&arguments),
        Command::Config(action) => commands::config::run(&action),
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
