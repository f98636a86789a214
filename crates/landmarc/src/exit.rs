//! Exit codes, in one place. The larger ones are those of sysexits(3).

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// All is well.
    Fine = 0,
    /// Findings: a message that fails, a setting to look at.
    Findings = 1,
    /// It could not be found out: DNS did not answer, say.
    Unknown = 2,
    /// The command line is wrong.
    Usage = 64,
    /// The input is not what it should be.
    BadInput = 65,
    /// Something around us does not work: a socket, a file.
    Unavailable = 69,
    /// A bug of ours.
    Bug = 70,
    /// The configuration is wrong.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
