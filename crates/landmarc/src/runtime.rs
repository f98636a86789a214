//! The runtimes that commands wait in.

use std::io;

use crate::exit::Exit;
use crate::failure::{Failure, failure};
use tokio::runtime::{Builder, Runtime};

/// A runtime of one thread: for commands that do one thing after the other.
///
/// # Errors
/// When the system does not give what it needs.
pub(crate) fn one_thread() -> Result<Runtime, Failure> {
    start(&mut Builder::new_current_thread())
}

/// A runtime of several threads.
///
/// # Errors
/// As [`one_thread`].
pub(crate) fn threads() -> Result<Runtime, Failure> {
    start(&mut Builder::new_multi_thread())
}

fn start(builder: &mut Builder) -> Result<Runtime, Failure> {
    builder.enable_all().build().map_err(|error| unavailable(&error))
}

/// The system does not give what a runtime needs.
pub(crate) fn unavailable(error: &io::Error) -> Failure {
    failure!(Exit::Unavailable, "cannot start the runtime: {error}")
}
