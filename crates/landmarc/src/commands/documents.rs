//! `completions` and `man`: what packages ship beside the program.

use std::fs;
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::CommandLine;
use crate::exit::Exit;
use crate::output::{complain, print};

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell to write for
    shell: Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write a page for each command into this directory, which is made if need be
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
    print_octets(&text)
}

/// Prints or writes manual pages.
pub(crate) fn man(arguments: &Man) -> Exit {
    let Some(directory) = &arguments.output_dir else {
        return print_page();
    };
    let written = fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(CommandLine::command(), directory));
    match written {
        Ok(()) => Exit::Fine,
        Err(error) => complain(
            Exit::Unavailable,
            &format!("cannot write to {}: {error}", directory.display()),
        ),
    }
}

fn print_page() -> Exit {
    let mut text = Vec::new();
    match clap_mangen::Man::new(CommandLine::command()).render(&mut text) {
        Ok(()) => print_octets(&text),
        Err(error) => complain(Exit::Unavailable, &format!("cannot make the page: {error}")),
    }
}

fn print_octets(text: &[u8]) -> Exit {
    print(&String::from_utf8_lossy(text)).err().unwrap_or(Exit::Fine)
}
