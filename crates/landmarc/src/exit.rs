//! Exit codes, in one place. The larger ones are those of sysexits(3).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use crate::output::complain;

/// How a command ended. Of two, the larger one is the one to end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// All is well.
    Fine = 0,
    /// Findings: a message that fails DMARC, or that nobody can evaluate.
    Findings = 1,
    /// It could not be found out: DNS did not answer, say.
    Unknown = 2,
    /// The command line is wrong.
    Usage = 64,
    /// The input is not what it should be.
    BadInput = 65,
    /// There is no such file.
    NoInput = 66,
    /// Something around us does not work: a socket, a full disk.
    Unavailable = 69,
    /// A bug of ours.
    Bug = 70,
    /// It could not be done now; who asked is to ask again. A mail server does (`bounce`).
    Later = 75,
    /// The configuration is wrong.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Runs a command; a panic in it is a bug, and says so.
pub(crate) fn guarded(command: impl FnOnce() -> Exit) -> Exit {
    // What the command could reach is not used again.
    catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(|_| {
        complain(
            Exit::Bug,
            "this is a bug in landmarc: please report it with the lines above",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_with_70() {
        assert_eq!(guarded(|| panic!("as the test wants it")), Exit::Bug);
        assert_eq!(guarded(|| Exit::Findings), Exit::Findings);
    }

    /// Scripts know these numbers.
    #[test]
    fn the_codes_are_those_of_sysexits() {
        let codes = [
            Exit::Fine,
            Exit::Findings,
            Exit::Unknown,
            Exit::Usage,
            Exit::BadInput,
            Exit::NoInput,
            Exit::Unavailable,
            Exit::Bug,
            Exit::Later,
            Exit::Config,
        ];
        assert_eq!(
            codes.map(|code| code as u8),
            [0, 1, 2, 64, 65, 66, 69, 70, 75, 78]
        );
        assert!(codes.is_sorted());
    }
}
