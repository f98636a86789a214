//! Settings files that are made.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use crate::exit::Exit;
use crate::output::complain;
use landmarc_runtime::visible::visible_path;

/// Writes a file; one that is there stays as it is, unless it is meant.
///
/// # Errors
/// With how the command is to end, when it has said why.
pub(super) fn write(path: &Path, text: &str, force: bool) -> Result<(), Exit> {
    try_write(path, text, force).map_err(|error| {
        let remedy = match error.kind() {
            ErrorKind::AlreadyExists => "; name another one, or say --force",
            _ => "",
        };
        complain(
            Exit::Unavailable,
            &format!("{}: {error}{remedy}", visible_path(path)),
        )
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
