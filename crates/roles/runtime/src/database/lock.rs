//! One service for one store: two would each count, expire and report what the other does.
//!
//! An advisory lock on a file beside the database, and not on the database itself, whose locks are
//! the engine's own. The system lets go of it when the process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

/// The file that is locked.
const FILE: &str = "landmarc.lock";
/// Nobody but us and our group may open it, and so nobody else can hold it.
const MODE: u32 = 0o640;

/// What came of locking a store.
#[derive(Debug)]
pub enum Lock {
    /// Nobody else has it while this lives.
    Held {
        /// Closing it is letting go.
        _file: File,
    },
    /// It cannot be known whether another service writes: the file cannot be made, or the file
    /// system has no locks.
    Unknown(io::Error),
}

/// Another service has the store.
#[derive(Debug, thiserror::Error)]
#[error("another service writes to {}", directory.display())]
pub struct Taken {
    directory: PathBuf,
}

impl Taken {
    /// What the operator can do.
    pub fn remedy(&self) -> String {
        "stop it, or give this one a directory of its own (store.directory)".to_owned()
    }
}

/// Locks the store with this database for as long as the answer lives.
///
/// # Errors
/// When another process holds it.
pub fn lock(database: &Path) -> Result<Lock, Taken> {
    let directory = database.parent().unwrap_or(Path::new("."));
    let file = match open(&directory.join(FILE)) {
        Ok(file) => file,
        Err(error) => return Ok(Lock::Unknown(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Lock::Held { _file: file }),
        Err(TryLockError::WouldBlock) => Err(Taken {
            directory: directory.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Ok(Lock::Unknown(error)),
    }
}

/// A link in its place is not followed: who put it there would have us make files elsewhere. A FIFO is not waited for.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(MODE)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    struct Place(PathBuf);

    impl Place {
        fn new(test: &str) -> Self {
            let path = std::env::temp_dir().join(format!("landmarc-lock-{}-{test}", std::process::id()));
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn lock(&self) -> Result<Lock, Taken> {
            lock(&self.0.join("landmarc.db"))
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            // A leftover in the temporary directory is all it can come to.
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_store_is_had_by_one_until_it_lets_go() {
        let place = Place::new("one");
        let held = place.lock().unwrap();
        assert!(matches!(held, Lock::Held { .. }), "{held:?}");
        let taken = place.lock().unwrap_err();
        assert_eq!(
            taken.to_string(),
            format!("another service writes to {}", place.0.display())
        );
        drop(held);
        assert!(matches!(place.lock(), Ok(Lock::Held { .. })));
        let mode = std::fs::metadata(place.0.join(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o137, 0, "{mode:o}");
    }

    #[test]
    fn where_it_cannot_be_known_the_service_starts_all_the_same() {
        let place = Place::new("unknown");
        std::os::unix::fs::symlink(place.0.join("target"), place.0.join(FILE)).unwrap();
        assert!(matches!(place.lock(), Ok(Lock::Unknown(_))));
        assert!(!place.0.join("target").exists(), "no link is followed");
        std::fs::remove_file(place.0.join(FILE)).unwrap();
        nix::unistd::mkfifo(&place.0.join(FILE), nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert!(
            matches!(place.lock(), Ok(Lock::Unknown(_))),
            "nobody reads from it"
        );
        let nowhere = lock(Path::new("/nonexistent/landmarc.db"));
        assert!(matches!(nowhere, Ok(Lock::Unknown(_))), "{nowhere:?}");
    }
}
