//! What Exim has written of a message that it asks about: its spool, read only.
//!
//! While the DATA ACL runs, the body is in `input/ID-D`, whole and on its way nowhere. Two layouts are known,
//! with and without `split_spool_directory`, each for the common queue and for named ones. Where the ACL has made
//! Exim write the message for its content scanners, it is in `scan/ID/ID.eml`, header section and all.
//!
//! The directories belong to Exim, and whoever is Exim may put there what they like. So no symbolic link is
//! followed below the spool, only a plain file of Exim's own is read, and only as long as Exim says it is.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, SFlag, fstat};

use super::request::EximRequest;

/// Octets of a line above the message; one of them has all recipients.
const LINE_LIMIT: u64 = 1024 * 1024;
/// Octets that are read at once.
pub const CHUNK_OCTETS: usize = 64 * 1024;

/// Why a message cannot be read from the spool.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The request does not say which message it is.
    #[error("the request names no message")]
    NoId,
    /// It is not to be read.
    #[error("the spool of Exim is not read, and the request does not bring the body")]
    Off,
    /// There is no such file, in any layout.
    #[error("there is no {} in {}", .file, .spool.display())]
    Missing {
        /// Such as `1pDJ4z-0007Kd-2B-D`.
        file: String,
        /// Where it was looked for.
        spool: PathBuf,
    },
    /// We lack the right.
    #[error("{} must not be read", .path.display())]
    Denied {
        /// The file, or the directory that is in the way.
        path: PathBuf,
    },
    /// It is not as Exim writes it.
    #[error("{} is not what Exim writes: {why}", .path.display())]
    Strange {
        /// The file.
        path: PathBuf,
        /// In words.
        why: &'static str,
    },
    /// Anything else.
    #[error("{} cannot be read", .path.display())]
    Io {
        /// The file, or the directory that is in the way.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl SpoolError {
    /// Whether it is so whatever the message is. A file that is not as Exim says may be the doing of its sender.
    #[must_use]
    pub const fn is_of_this_host(&self) -> bool {
        match self {
            Self::NoId | Self::Off | Self::Missing { .. } | Self::Denied { .. } | Self::Io { .. } => true,
            Self::Strange { .. } => false,
        }
    }

    /// What the operator can do.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::NoId | Self::Strange { .. } => {
                "use the file landmarc-acl.conf of this version of landmarc, in the ACL of acl_smtp_data"
            }
            Self::Off => {
                "set exim.spool_directory, or in Exim LANDMARC_SENDS_BODY (see landmarc-macros.conf)"
            }
            Self::Missing { .. } => "set exim.spool_directory to what `exim -bP spool_directory` prints",
            Self::Denied { .. } => {
                "add the user of landmarc to the group of Exim (Debian: adduser landmarc Debian-exim), and restart \
                 landmarc"
            }
            Self::Io { .. } => "see the cause",
        }
    }
}

/// Where Exim keeps messages.
#[derive(Clone, Debug)]
pub struct EximSpool {
    directory: PathBuf,
}

/// A file that is open at the first octet of what is to be judged.
#[derive(Debug)]
pub struct Spooled {
    /// The rest of it.
    pub reader: BufReader<File>,
    /// How many octets that were when it was opened.
    pub octets: u64,
}

impl EximSpool {
    /// `directory` is what `exim -bP spool_directory` prints. Where it is empty, nothing is read.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    /// The body of a message, line ends as Exim keeps them. Blocks.
    ///
    /// # Errors
    /// When it cannot be read, or is not of the size that Exim says.
    pub fn body(&self, request: &EximRequest) -> Result<Spooled, SpoolError> {
        let id = request.id.as_ref().ok_or(SpoolError::NoId)?;
        let name = format!("{}-D", id.as_str());
        let queue = request.queue.as_deref();
        let path = |folder| {
            queue
                .into_iter()
                .chain(["input"])
                .chain(folder)
                .chain([name.as_str()])
        };
        let split = self.open(&path(Some(id.folder())).collect::<Vec<_>>())?;
        let found = match split {
            Some(found) => Some(found),
            None => self.open(&path(None).collect::<Vec<_>>())?,
        };
        let mut found = found.ok_or_else(|| SpoolError::Missing {
            file: name.clone(),
            spool: self.directory.clone(),
        })?;
        found.skip_line(|line| line == name.as_bytes())?;
        match request.body_size {
            Some(size) if size != found.left => Err(found.strange("it has not the size that Exim says")),
            _ => Ok(found.rest()),
        }
    }

    /// The message as Exim has written it for content scanners: header section, empty line, body; nothing where it
    /// has not. Blocks.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn scanned(&self, request: &EximRequest) -> Result<Option<Spooled>, SpoolError> {
        let id = request.id.as_ref().ok_or(SpoolError::NoId)?.as_str();
        let name = format!("{id}.eml");
        let queue = request.queue.as_deref();
        let path = queue.into_iter().chain(["scan", id, &name]);
        let Some(mut found) = self.open(&path.collect::<Vec<_>>())? else {
            return Ok(None);
        };
        // The separator of a mailbox, and the envelope, in lines of Exim's own.
        for beginning in [&b"From "[..], b"X-Envelope-From: ", b"X-Envelope-To: "] {
            found.skip_line(|line| line.starts_with(beginning))?;
        }
        Ok(Some(found.rest()))
    }

    /// Opens a plain file below the spool; nothing where there is none.
    fn open(&self, path: &[&str]) -> Result<Option<Found>, SpoolError> {
        if self.directory.as_os_str().is_empty() {
            return Err(SpoolError::Off);
        }
        let Some(mut above) = Directory::open(&self.directory)? else {
            return Ok(None);
        };
        let Some((name, folders)) = path.split_last() else {
            return Ok(None);
        };
        for folder in folders {
            match above.enter(folder)? {
                Some(below) => above = below,
                None => return Ok(None),
            }
        }
        above.file(name)
    }
}

/// The spool, or a directory below it.
#[derive(Debug)]
struct Directory {
    descriptor: OwnedFd,
    path: PathBuf,
}

impl Directory {
    /// The spool itself may be a symbolic link: that is the administrator's.
    fn open(path: &Path) -> Result<Option<Self>, SpoolError> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Self::of(open(path, flags, Mode::empty()), path.to_owned())
    }

    fn enter(&self, name: &str) -> Result<Option<Self>, SpoolError> {
        Self::of(self.open_at(name, OFlag::O_DIRECTORY), self.path.join(name))
    }

    fn of(opened: Result<OwnedFd, Errno>, path: PathBuf) -> Result<Option<Self>, SpoolError> {
        Ok(looked_for(opened, &path)?.map(|descriptor| Self { descriptor, path }))
    }

    fn file(&self, name: &str) -> Result<Option<Found>, SpoolError> {
        let path = self.path.join(name);
        // Not to wait for the other end of a pipe.
        let Some(file) = looked_for(self.open_at(name, OFlag::O_NONBLOCK), &path)? else {
            return Ok(None);
        };
        let failed = |error: Errno| io_error(&path, error.into());
        let (of_file, of_directory) = (
            fstat(&file).map_err(failed)?,
            fstat(&self.descriptor).map_err(failed)?,
        );
        let found = Found {
            reader: BufReader::with_capacity(CHUNK_OCTETS, File::from(file)),
            left: u64::try_from(of_file.st_size).unwrap_or_default(),
            path,
        };
        if SFlag::from_bits_truncate(of_file.st_mode & SFlag::S_IFMT.bits()) != SFlag::S_IFREG {
            return Err(found.strange("it is no plain file"));
        }
        if of_file.st_uid != of_directory.st_uid {
            return Err(found.strange("it belongs to somebody else"));
        }
        Ok(Some(found))
    }

    fn open_at(&self, name: &str, kind: OFlag) -> Result<OwnedFd, Errno> {
        let flags = kind | OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        openat(&self.descriptor, name, flags, Mode::empty())
    }
}

/// What is not there is no error.
fn looked_for(opened: Result<OwnedFd, Errno>, path: &Path) -> Result<Option<OwnedFd>, SpoolError> {
    match opened {
        Ok(descriptor) => Ok(Some(descriptor)),
        Err(Errno::ENOENT) => Ok(None),
        Err(Errno::EACCES | Errno::EPERM) => Err(SpoolError::Denied {
            path: path.to_owned(),
        }),
        // ENOTDIR is what a link says that should have been a directory.
        Err(Errno::ELOOP | Errno::ENOTDIR) => Err(SpoolError::Strange {
            path: path.to_owned(),
            why: "it is a symbolic link, or no directory",
        }),
        Err(error) => Err(io_error(path, error.into())),
    }
}

fn io_error(path: &Path, source: io::Error) -> SpoolError {
    SpoolError::Io {
        path: path.to_owned(),
        source,
    }
}

/// A file that is open at its beginning, or behind the lines that were skipped.
#[derive(Debug)]
struct Found {
    reader: BufReader<File>,
    /// Octets that are still to come.
    left: u64,
    path: PathBuf,
}

impl Found {
    /// Skips a line, which must be as expected.
    fn skip_line(&mut self, is_it: impl Fn(&[u8]) -> bool) -> Result<(), SpoolError> {
        let mut line = Vec::new();
        let mut limited = self.reader.by_ref().take(LINE_LIMIT);
        let read = limited.read_until(b'\n', &mut line);
        let read = read.map_err(|error| io_error(&self.path, error))?;
        self.left = self.left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        match line.strip_suffix(b"\n") {
            Some(line) if is_it(line) => Ok(()),
            _ => Err(self.strange("its first lines are others")),
        }
    }

    fn strange(&self, why: &'static str) -> SpoolError {
        SpoolError::Strange {
            path: self.path.clone(),
            why,
        }
    }

    fn rest(self) -> Spooled {
        Spooled {
            reader: self.reader,
            octets: self.left,
        }
    }
}

#[cfg(test)]
mod tests;
