//! Where the settings of the service come from.

use std::fs;
use std::path::{Path, PathBuf};

use super::{LoadError, Loaded, load};
use crate::opendmarc_conf;

/// Where the settings of the service come from, at its start and at each reload.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A file of ours; none is the default one, where it exists.
    Landmarc(Option<PathBuf>),
    /// That of OpenDMARC, translated each time.
    OpenDmarc(opendmarc_conf::Source),
}

impl Source {
    /// Reads the settings, as they are now.
    ///
    /// # Errors
    /// [`LoadError`] with every mistake at its line.
    pub(crate) fn load(&self) -> Result<Loaded, LoadError> {
        match self {
            Self::Landmarc(file) => load(file.as_deref()),
            Self::OpenDmarc(source) => source.load(),
        }
    }

    /// The same for reloads, once this file was read: it does not turn into all defaults when the file
    /// goes away.
    pub(crate) fn pinned(self, read: Option<&Path>) -> Self {
        match (self, read) {
            (Self::Landmarc(None), Some(read)) => Self::Landmarc(Some(read.to_owned())),
            (source, _) => source,
        }
    }

    /// What the log calls it; `read` is the file that was.
    pub(crate) fn describe(&self, read: Option<&Path>) -> Option<String> {
        match self {
            Self::Landmarc(_) => read.map(|file| file.display().to_string()),
            Self::OpenDmarc(source) => Some(source.describe()),
        }
    }

    /// Writes down the number of the process where the old file wants it (P20), while we may still be
    /// root. A service without it serves all the same, so it is no error: what went wrong, for the log.
    pub(crate) fn write_pid_file(&self) -> Option<String> {
        let Self::OpenDmarc(source) = self else {
            return None;
        };
        let path = source.pid_file()?;
        let written = fs::write(&path, format!("{}\n", std::process::id()));
        let error = written.err()?;
        Some(format!("cannot write the PidFile {}: {error}", path.display()))
    }
}
