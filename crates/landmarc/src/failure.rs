//! How a command fails: what is printed, and the exit code.

use std::error::Error;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use landmarc_mail::text::visible;
use landmarc_runtime::error_chain::error_chain;
use landmarc_runtime::fleet_settings::FleetDatabaseError;
use landmarc_runtime::load::LoadError;
use landmarc_store::{StoreError, Trouble};

use crate::exit::Exit;
use crate::notes::print_note;

/// Why a command ends before it is done.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "it is printed, or given on"]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// What is printed to standard error: the message, then remedies on lines of their own.
    lines: String,
}

/// How a command ended.
pub(crate) type CommandResult = Result<Exit, Failure>;

/// A [`Failure`] from an exit code and the arguments of `format!`.
macro_rules! failure {
    ($exit:expr, $($text:tt)*) => { $crate::failure::Failure::new($exit, &format!($($text)*)) };
}
pub(crate) use failure;

impl Failure {
    /// With a message of one line.
    pub(crate) fn new(exit: Exit, message: &str) -> Self {
        Self::of_lines(exit, format!("landmarc: {}", visible(message)))
    }

    /// With these lines as they are.
    pub(crate) fn of_lines(exit: Exit, lines: String) -> Self {
        Self { exit, lines }
    }

    /// With an error and its sources as the message.
    pub(crate) fn of(exit: Exit, error: &dyn Error) -> Self {
        Self::new(exit, &error_chain(error))
    }

    /// With one more line: what can be done.
    pub(crate) fn with_remedy(mut self, remedy: impl Display) -> Self {
        self.lines.push_str(&format!("\n  {remedy}"));
        self
    }

    /// With this exit code, where it is the larger one.
    pub(crate) fn at_least(mut self, exit: Exit) -> Self {
        self.exit = self.exit.max(exit);
        self
    }

    /// Prints what there is to print.
    pub(crate) fn print(self) -> Exit {
        if !self.lines.is_empty() {
            print_note(&self.lines);
        }
        self.exit
    }
}

/// Ends with this code; what there was to say is printed.
impl From<Exit> for Failure {
    fn from(exit: Exit) -> Self {
        Self::of_lines(exit, String::new())
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match error {
            // Each line begins with its place, for editors to jump to.
            LoadError::Mistakes(lines) => Self::of_lines(Exit::Config, lines),
            error => Self::of(Exit::Config, &error),
        }
    }
}

impl From<FleetDatabaseError> for Failure {
    fn from(error: FleetDatabaseError) -> Self {
        Self::of(Exit::Config, &error).with_remedy(error.remedy())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let exit = match &error {
            StoreError::Missing { path } => return Self::nothing_recorded(path),
            StoreError::Newer { .. }
            | StoreError::Foreign { .. }
            | StoreError::NoDatabase { .. }
            | StoreError::NotPlain { .. }
            | StoreError::Damaged { .. }
            | StoreError::Segment { .. }
            | StoreError::Server {
                trouble: Trouble::Older { .. } | Trouble::Newer { .. } | Trouble::Foreign | Trouble::Damaged,
                ..
            } => Exit::BadInput,
            StoreError::NoBackup { .. } => Exit::Usage,
            StoreError::Panicked { .. } | StoreError::TooLong { .. } => Exit::Bug,
            StoreError::Vanished { .. }
            | StoreError::Io { .. }
            | StoreError::Engine { .. }
            | StoreError::Server { .. }
            | StoreError::Ended => Exit::Unavailable,
        };
        let failure = Self::new(exit, &error.in_full()).with_remedy(error.remedy());
        match error {
            StoreError::Server { .. } => {
                failure.with_remedy("what this host has recorded itself is there: try --local")
            }
            _ => failure,
        }
    }
}

impl Failure {
    /// There is no store at this path.
    pub(crate) fn nothing_recorded(path: &Path) -> Self {
        failure!(
            Exit::Unavailable,
            "nothing has been recorded at {}: is the service running, with another store.directory?",
            path.display()
        )
    }
}

/// Runs a command and prints why it failed. A panic in it is a bug, and says so.
pub(crate) fn run(command: impl FnOnce() -> CommandResult) -> Exit {
    // What the command could reach is not used again.
    let result = catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(|_| {
        Err(failure!(
            Exit::Bug,
            "this is a bug in landmarc: please report it with the lines above"
        ))
    });
    result.unwrap_or_else(Failure::print)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_store_decides_how_the_command_ends() {
        let path = std::path::PathBuf::from("x.db");
        let newer = StoreError::Newer {
            path: path.clone(),
            found: 9,
            known: 1,
        };
        let exit = |error| Failure::from(error).exit;
        assert_eq!(exit(newer), Exit::BadInput);
        assert_eq!(exit(StoreError::Foreign { path: path.clone() }), Exit::BadInput);
        assert_eq!(exit(StoreError::Missing { path }), Exit::Unavailable);
        assert_eq!(exit(StoreError::Ended), Exit::Unavailable);
    }

    #[test]
    fn a_panic_ends_with_70() {
        assert_eq!(run(|| panic!("as the test wants it")), Exit::Bug);
        assert_eq!(run(|| Ok(Exit::Findings)), Exit::Findings);
    }
}
