//! The names of OpenDMARC's programs, so that what calls them goes on: crontabs, collectors, init scripts.
//!
//! `landmarc` called by one of these names, or with one as its first argument, takes the flags of that
//! program (compatibility checklist T1 to T6). Where OpenDMARC spoke to a database, this speaks to the
//! store; flags that name a database are taken and said, under `--verbose`, to name none any more. Flags
//! that have no meaning here are taken too, each with the reason.

mod check;
mod daemon;
mod expire;
mod getopt;
mod import;
mod importstats;
mod params;
mod reports;
mod tool;

use crate::failure::CommandResult;
use crate::notes::speak_as;
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Takes a command line without the name.
type Program = fn(&[OsString]) -> CommandResult;

/// What runs under each name.
const PROGRAMS: [(&str, Program); 7] = [
    ("opendmarc", daemon::run),
    ("opendmarc-import", import::run),
    ("opendmarc-reports", reports::run),
    ("opendmarc-expire", expire::run),
    ("opendmarc-params", params::run),
    ("opendmarc-importstats", importstats::run),
    ("opendmarc-check", check::run),
];

/// One of them, and what it was told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Called<'a> {
    name: &'static str,
    program: Program,
    arguments: &'a [OsString],
}

impl Called<'_> {
    /// Does it.
    pub(crate) fn run(self) -> CommandResult {
        speak_as(self.name);
        (self.program)(self.arguments)
    }
}

/// What a command line names, with the program in front; none where it is our own.
pub(crate) fn called(line: &[OsString]) -> Option<Called<'_>> {
    let (program, arguments) = line.split_first()?;
    let called = |(name, program), arguments| Called {
        name,
        program,
        arguments,
    };
    if let Some(named) = Path::new(program).file_name().and_then(named) {
        return Some(called(named, arguments));
    }
    let (name, arguments) = arguments.split_first()?;
    Some(called(named(name)?, arguments))
}

fn named(name: &OsStr) -> Option<(&'static str, Program)> {
    PROGRAMS.iter().find(|(known, _)| name == *known).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn names_of_its_own_are_left_alone() {
        for own in [
            &["landmarc"][..],
            &["landmarc", "check"],
            &["/usr/bin/landmarc", "outbox", "send"],
            &[],
        ] {
            assert!(called(&line(own)).is_none(), "{own:?}");
        }
    }

    #[test]
    fn a_program_is_called_by_its_own_name_or_by_the_first_argument() {
        for words in [
            &["/usr/sbin/opendmarc-check"][..],
            &["landmarc", "opendmarc-check"],
            &["opendmarc-check"],
        ] {
            let line = line(words);
            let exit = called(&line).map(|called| crate::failure::run(|| called.run()));
            assert_eq!(exit, Some(crate::exit::Exit::Usage), "{words:?}");
        }
    }
}
