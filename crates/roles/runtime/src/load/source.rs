//! Where the settings of the service come from.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{LoadError, Loaded, load};
use crate::opendmarc_conf;

/// Where the settings of the service come from, at its start and at each reload.
#[derive(Clone, Debug)]
pub enum SettingsSource {
    /// A file of ours; none is the default one, where it exists.
    Landmarc(Option<PathBuf>),
    /// That of OpenDMARC, translated each time.
    OpenDmarc(opendmarc_conf::OpenDmarcSource),
}

impl SettingsSource {
    /// Reads the settings, as they are now.
    ///
    /// # Errors
    /// [`LoadError`] with every mistake at its line.
    pub fn load(&self) -> Result<Loaded, LoadError> {
        match self {
            Self::Landmarc(file) => load(file.as_deref()),
            Self::OpenDmarc(source) => source.load(),
        }
    }

    /// The same for reloads, once this file was read: it does not turn into all defaults when the file
    /// goes away.
    pub fn pinned(self, read: Option<&Path>) -> Self {
        match (self, read) {
            (Self::Landmarc(None), Some(read)) => Self::Landmarc(Some(read.to_owned())),
            (source, _) => source,
        }
    }

    /// What the log calls it; `read` is the file that was.
    pub fn describe(&self, read: Option<&Path>) -> Option<String> {
        match self {
            Self::Landmarc(_) => read.map(|file| file.display().to_string()),
            Self::OpenDmarc(source) => Some(source.describe()),
        }
    }

    /// Writes down the number of the process where the old file wants it (P20), while we may still be
    /// root. A service without it serves all the same, so it is no error: what went wrong, for the log.
    pub fn write_pid_file(&self) -> Option<String> {
        let Self::OpenDmarc(source) = self else {
            return None;
        };
        let path = source.pid_file()?;
        let error = replace(&path, &format!("{}\n", std::process::id())).err()?;
        Some(format!("cannot write the PidFile {}: {error}", path.display()))
    }
}

/// Everybody may read the number of a process.
const PID_FILE_MODE: u32 = 0o644;

/// Writes a new file in the place of a plain one, or of none. The directory may belong to the user that the
/// service becomes, who could have put a link there: what is there already is never opened.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => fs::remove_file(path)?,
        Ok(_) => {
            let why = "there is something at this path that is no plain file; remove it, or set PidFile to another path";
            return Err(io::Error::new(ErrorKind::AlreadyExists, why));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // `create_new` follows no link (open(2), O_EXCL): one that comes between is an error.
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(PID_FILE_MODE)
        .open(path)?
        .write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_number_takes_the_place_of_an_old_one_and_nothing_else() {
        let folder = std::env::temp_dir().join(format!("landmarc-pid-file-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let [file, link, hard, victim] = ["file", "link", "hard", "victim"].map(|name| folder.join(name));
        for number in ["1\n", "22\n"] {
            replace(&file, number).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), number);
        }
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777 & !PID_FILE_MODE, 0, "{mode:o}");
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, &link).unwrap();
        let refused = replace(&link, "1\n").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists, "{refused}");
        assert!(replace(&folder, "1\n").is_err(), "a directory");
        // Another name of the same file: it goes, and the file stays.
        fs::hard_link(&victim, &hard).unwrap();
        replace(&hard, "1\n").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        fs::remove_dir_all(&folder).unwrap();
    }
}
