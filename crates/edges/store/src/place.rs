//! Where a store is: a file of this host, or a database that a fleet shares.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::server::DatabaseServer;

/// Where a store is. What is asked of it and what it promises is the same in each place (decision D16).
#[derive(Clone, Debug)]
pub enum StoreLocation {
    /// A database file, and nothing beside it to be run.
    File(PathBuf),
    /// A database of a server.
    Server(DatabaseServer),
}

impl From<&Path> for StoreLocation {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<PathBuf> for StoreLocation {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl From<&PathBuf> for StoreLocation {
    fn from(path: &PathBuf) -> Self {
        Self::File(path.clone())
    }
}

impl From<DatabaseServer> for StoreLocation {
    fn from(server: DatabaseServer) -> Self {
        Self::Server(server)
    }
}

impl From<&Self> for StoreLocation {
    fn from(place: &Self) -> Self {
        place.clone()
    }
}

impl fmt::Display for StoreLocation {
    /// As messages name it: the path of the file, or the address of the server without its password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(formatter),
            Self::Server(server) => server.fmt(formatter),
        }
    }
}
