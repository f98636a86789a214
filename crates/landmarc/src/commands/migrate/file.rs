//! Settings files that are made.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use crate::exit::Exit;
use crate::failure::{Failure, failure};
use crate::notes::note;
use crate::output::print;
use landmarc_runtime::visible::visible_path;

/// Prints settings that were made, or writes them into a file; one that is there stays as it is without `force`.
///
/// # Errors
/// When they cannot be printed or written.
pub(super) fn deliver(text: &str, output: Option<&Path>, force: bool) -> Result<(), Failure> {
    match output {
        None => print(text).map(drop),
        Some(path) => write(path, text, force),
    }
}

/// Prints how to go on with the file that was written, if one was.
pub(super) fn print_next(output: Option<&Path>) {
    if let Some(path) = output {
        note!(
            "landmarc: written; next: landmarc config check {}",
            visible_path(path)
        );
    }
}

/// Writes a file; one that is there stays as it is, unless it is meant.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    try_write(path, text, force).map_err(|error| {
        let remedy = match error.kind() {
            ErrorKind::AlreadyExists => "; name another one, or say --force",
            _ => "",
        };
        failure!(Exit::Unavailable, "{}: {error}{remedy}", visible_path(path))
    })
}

fn try_write(path: &Path, text: &str, force: bool) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true);
    match force {
        true => options.create(true).truncate(true),
        false => options.create_new(true),
    };
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
