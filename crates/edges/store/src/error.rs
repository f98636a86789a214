//! What can go wrong with a store, and what the operator can do about it.

use std::any::Any;
use std::path::{Path, PathBuf};

use crate::spool::SegmentError;

use crate::server::Trouble;

/// The cause of a failure, as the engine words it.
pub(crate) type BoxedSource = Box<dyn std::error::Error + Send + Sync>;

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store was made by a later version. It was not touched.
    #[error("{path:?} is at version {found} of the schema, this build knows versions up to {known}")]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The last one this build knows.
        known: u32,
    },
    /// A database, but not one of ours. It was not touched.
    #[error("{path:?} is a database of another program")]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// A file that does not begin as a database does. It was not touched.
    #[error("{path:?} is no database, or its beginning is damaged")]
    NoDatabase {
        /// The file.
        path: PathBuf,
    },
    /// A FIFO, a device, a directory or a socket stands where a file of the store should. It was not opened.
    #[error("{path:?} is no plain file")]
    NotPlain {
        /// What it is called.
        path: PathBuf,
    },
    /// There is no store to read.
    #[error("there is no store at {path:?}")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file was removed or replaced while it was open.
    #[error("{path:?} was removed or replaced while in use")]
    Vanished {
        /// The database.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("cannot {doing} {path:?}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The database engine refused.
    #[error("cannot {doing} in {path:?}")]
    Engine {
        /// What was tried.
        doing: &'static str,
        /// On which database.
        path: PathBuf,
        /// What the engine says.
        source: BoxedSource,
    },
    /// A server, or the way to it.
    #[error("cannot {doing} in {server}: {trouble}")]
    Server {
        /// What was tried.
        doing: &'static str,
        /// Its address, without a password.
        server: String,
        /// What is wrong.
        trouble: Trouble,
        /// What the server says, or the system.
        source: Option<BoxedSource>,
    },
    /// A page or a row holds what neither the engine nor this program ever writes.
    #[error("{path:?} holds a damaged {what}")]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What is damaged: a `page` or a kind of row.
        what: &'static str,
    },
    /// A defect of this program ended an attempt to use the store.
    #[error("a defect of this program, while it was to {doing}: {panic:?}")]
    Panicked {
        /// What was tried.
        doing: &'static str,
        /// The words of the panic.
        panic: String,
    },
    /// What was handed over is larger than what is kept. Nothing was written.
    #[error("a {what} of {found} is past the limit of {limit}")]
    TooLong {
        /// Which text or list.
        what: &'static str,
        /// Its octets or entries.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// What another host handed over cannot be read. Nothing of it was counted.
    #[error("cannot apply what was handed over")]
    Segment {
        /// Why not.
        #[from]
        source: SegmentError,
    },
    /// A database of a server is not copied by us.
    #[error("{place} is on a server, which is not copied to a file")]
    NoBackup {
        /// Its address, without a password.
        place: String,
    },
    /// The recorder has ended.
    #[error("the recorder has ended")]
    Ended,
}

impl StoreError {
    /// What a panic said while this was being done.
    pub(crate) fn panicked(doing: &'static str, payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let panic = text.unwrap_or("no message").to_owned();
        Self::Panicked { doing, panic }
    }

    /// What the operator can do, in a sentence.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Newer { .. } => {
                "run the version that wrote it or a later one, or name another data directory; the file is unchanged"
            }
            Self::Foreign { .. } => "name another data directory; the file is unchanged",
            Self::NoDatabase { .. } => {
                "if it was the store: stop the service, move the file away, restore the last backup in its place; \
                 else name another data directory; the file is unchanged"
            }
            Self::NotPlain { .. } => {
                "find out who put it there; stop the service, remove it, and restore the last backup in its place"
            }
            Self::Missing { .. } => {
                "check the data directory in the settings; the service makes the store when it starts"
            }
            Self::Vanished { .. } => {
                "nothing: a new store is made, and what waits in memory is written there"
            }
            Self::Io { .. } | Self::Engine { .. } => {
                "check free space, owner and mode of the data directory, and that no other program holds the file"
            }
            Self::Server { trouble, .. } => trouble.remedy(),
            Self::Damaged { .. } => {
                "stop the service, move the file away, restore the last backup in its place"
            }
            Self::Panicked { .. } => {
                "report it, with the lines of the log around it; the store is opened anew"
            }
            Self::TooLong { .. } => "report it: what is handed over is to be checked before",
            Self::Segment { source } => source.remedy(),
            Self::NoBackup { .. } => {
                "use the server's own program: `pg_dump --format=custom` for PostgreSQL, \
                 `mariadb-dump --single-transaction` for MariaDB"
            }
            Self::Ended => "nothing: the service is stopping",
        }
    }

    /// Whether waiting cannot help: someone has to choose another file or another build.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Server { trouble, .. } => trouble.is_final(),
            Self::Newer { .. } | Self::Foreign { .. } | Self::NoDatabase { .. } | Self::NotPlain { .. } => {
                true
            }
            _ => false,
        }
    }

    /// What is in the way, whatever was being tried: the same for as long as it lasts, so that it is told once.
    pub fn cause(&self) -> String {
        match self {
            Self::Server { server, trouble, .. } => format!("{server}: {trouble}"),
            other => other.in_full(),
        }
    }

    /// The error and its causes, in one line for logs and statistics.
    pub fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(inner) = cause {
            text.push_str(": ");
            text.push_str(&inner.to_string());
            cause = inner.source();
        }
        text
    }
}

/// Words an error of the file system.
pub(crate) fn io_error<'a>(
    path: &'a Path,
    doing: &'static str,
) -> impl Fn(std::io::Error) -> StoreError + use<'a> {
    move |source| StoreError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_causes_follow_the_message() {
        let error = StoreError::Io {
            doing: "make",
            path: "/var/lib/x".into(),
            source: std::io::Error::other("no space"),
        };
        assert_eq!(error.to_string(), "cannot make \"/var/lib/x\"");
        assert_eq!(error.in_full(), "cannot make \"/var/lib/x\": no space");
        assert!(!error.is_final());
        assert!(error.remedy().contains("free space"));
    }
}
