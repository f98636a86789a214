//! Reads files that others wrote, up to a limit.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What is in a file, up to one octet more than `max_octets`: that is enough to know that it is too much.
///
/// # Errors
/// When it cannot be read.
pub fn read_file(path: &Path, max_octets: usize) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(max_octets).unwrap_or(u64::MAX).saturating_add(1);
    let mut octets = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut octets)?;
    Ok(octets)
}
