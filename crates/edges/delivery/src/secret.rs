//! Files that hold a key, a password or another secret: whether others than their owner can use them.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The rights of group and others.
const OF_OTHERS: u32 = 0o077;

/// Whether others than its owner have rights to the file.
///
/// # Errors
/// When it cannot be looked at.
pub fn open_to_others(path: &Path) -> io::Result<Option<OpenSecret>> {
    let mode = std::fs::metadata(path)?.permissions().mode() & 0o777;
    Ok((mode & OF_OTHERS != 0).then(|| OpenSecret {
        path: path.to_owned(),
        mode,
    }))
}

/// A file with a secret that others than its owner have rights to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret in {path:?} is open to others than its owner (mode {mode:03o})")]
pub struct OpenSecret {
    /// The file.
    pub path: PathBuf,
    /// Its permissions.
    pub mode: u32,
}

impl OpenSecret {
    /// What the operator can do.
    #[must_use]
    pub fn remedy(&self) -> String {
        format!("chmod 600 {:?}", self.path)
    }
}
