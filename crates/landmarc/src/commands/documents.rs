//! `completions` and `man`: what packages ship beside the program.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use crate::CommandLine;
use crate::exit::Exit;

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell to write for
    shell: Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write one page per command into this directory instead of the first page to standard output
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
}

/// Prints completions.
pub(crate) fn completions(arguments: &Completions) -> Exit {
    let mut text = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut CommandLine::command(),
        "landmarc",
        &mut text,
    );
    report(io::stdout().write_all(&text))
}

/// Prints or writes manual pages.
pub(crate) fn man(arguments: &Man) -> Exit {
    report(match &arguments.output_dir {
        Some(directory) => clap_mangen::generate_to(CommandLine::command(), directory),
        None => print_page(CommandLine::command()),
    })
}

fn print_page(command: Command) -> io::Result<()> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    io::stdout().write_all(&text)
}

fn report(result: io::Result<()>) -> Exit {
    match result {
        Ok(()) => Exit::Fine,
        Err(error) => {
            eprintln!("landmarc: cannot write: {error}");
            Exit::Unavailable
        }
    }
}
