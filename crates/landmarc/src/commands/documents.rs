//! `completions` and `man`: what packages ship beside the program.

use std::fs;
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::CommandLine;
use crate::exit::Exit;
use crate::failure::{CommandResult, failure};
use crate::output::print_octets;

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell to write for
    shell: Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub(crate) struct ManArguments {
    /// Write a page for each command into this directory, which is made if need be
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
}

/// Prints completions.
pub(crate) fn completions(arguments: &CompletionsArguments) -> CommandResult {
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
pub(crate) fn man(arguments: &ManArguments) -> CommandResult {
    let Some(directory) = &arguments.output_dir else {
        return print_page();
    };
    let written = fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(CommandLine::command(), directory));
    written.map_err(|error| {
        failure!(
            Exit::Unavailable,
            "cannot write to {}: {error}",
            directory.display()
        )
    })?;
    Ok(Exit::Fine)
}

fn print_page() -> CommandResult {
    let mut text = Vec::new();
    match clap_mangen::Man::new(CommandLine::command()).render(&mut text) {
        Ok(()) => print_octets(&text),
        Err(error) => Err(failure!(Exit::Unavailable, "cannot make the page: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;

    /// A paragraph is broken where the terminal ends, and there only: line ends within it stood in the middle of
    /// lines once.
    #[test]
    fn what_the_help_says_below_the_options_is_broken_by_the_terminal_alone() {
        fn look(command: &Command, looked: &mut usize) {
            if let Some(text) = command.get_after_help() {
                *looked += 1;
                let text = text.to_string();
                let mut broken = text.split("\n\n").flat_map(|one| one.lines().skip(1));
                // Examples and tables have lines of their own: further to the right, and with columns.
                let broken = broken.find(|line| !line.contains("  "));
                assert_eq!(broken, None, "{}: a line of its own", command.get_name());
            }
            command.get_subcommands().for_each(|below| look(below, looked));
        }
        let mut looked = 0;
        look(&CommandLine::command(), &mut looked);
        assert!(looked > 20, "{looked} commands have such a text");
    }
}
