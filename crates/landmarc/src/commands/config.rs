//! `config`: shows, checks and prints settings.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Subcommand;

use crate::exit::Exit;
use crate::rules;

/// What to do with settings.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Print the settings in effect, and in plain words what they do to forged mail
    Show {
        /// Read settings from this file [default: /etc/landmarc/landmarc.toml, if it exists]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Report every mistake in a settings file, with its line; exit code 78 when there is one
    Check {
        /// The file to check [default: /etc/landmarc/landmarc.toml, if it exists]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Print a settings file with every key, its default and what it is for
    Default,
}

/// Does it.
pub(crate) fn run(action: &Action) -> Exit {
    match action {
        Action::Default => print(&settings::default_file()),
        Action::Check { file } => match rules::load(file.as_deref()) {
            Ok(_) => Exit::Fine,
            Err(exit) => exit,
        },
        Action::Show { file } => match rules::load(file.as_deref()) {
            Ok(loaded) => match rules::rules(&loaded) {
                Ok(rules) => {
                    let words = super::serve::in_plain_words(&rules);
                    let words: String = words.iter().map(|line| format!("# {line}\n")).collect();
                    print(&format!("{words}\n{}", settings::show(&loaded)))
                }
                Err(error) => {
                    eprintln!("landmarc: {error}");
                    Exit::Config
                }
            },
            Err(exit) => exit,
        },
    }
}

fn print(text: &str) -> Exit {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => Exit::Fine,
        // A closed pipe is the reader's way to say that it has enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Fine,
        Err(error) => {
            eprintln!("landmarc: cannot write: {error}");
            Exit::Unavailable
        }
    }
}
