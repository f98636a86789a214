//! Exit codes, in one place. The larger ones are those of sysexits(3).

use std::process::ExitCode;

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

#[cfg(test)]
mod tests {
    use super::*;

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
