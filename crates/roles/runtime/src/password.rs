//! Passwords stand on the first line of a file of their own.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// A password is short, whatever the file is.
const MAX_OCTETS: u64 = 4_096;

/// The first line of the file, without its end.
///
/// # Errors
/// When it cannot be read, or is no text.
pub fn first_line(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?.take(MAX_OCTETS).read_to_string(&mut text)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
