//! SQLite files of other programs.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

/// How long a writer is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A file that another program writes, open for reading.
#[derive(Debug)]
pub(crate) struct ForeignDatabase {
    connection: Connection,
    path: PathBuf,
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SqliteError {
    /// There is no such file, or nobody may read it.
    #[error("{} cannot be opened", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no database.
    #[error("{} is no SQLite database", path.display())]
    NoDatabase {
        /// The file.
        path: PathBuf,
    },
    /// It is a database of another program.
    #[error("{} has no table {table:?}: it is no database of {program}", path.display())]
    NoTable {
        /// The file.
        path: PathBuf,
        /// What is missing.
        table: &'static str,
        /// Whose database it should be.
        program: &'static str,
    },
    /// Another program is writing all the time.
    #[error("{} is being written", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// Reading failed.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

impl SqliteError {
    /// What can be done about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Unreadable { .. } => "name the file, and run this as a user who may read it".to_owned(),
            Self::NoDatabase { .. } | Self::NoTable { .. } => {
                "look at the settings of the other program for where its database is".to_owned()
            }
            Self::Busy { .. } => "stop the program that writes it, or try again".to_owned(),
            Self::Read { path, .. } => format!(
                "see what sqlite3 {} 'PRAGMA integrity_check' says; reading needs the right to write its -wal and \
                 -shm files where there are any",
                path.display()
            ),
        }
    }

    /// Whether the file is not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

impl ForeignDatabase {
    /// Opens a file that is there; none is ever made.
    pub(crate) fn open(path: &Path) -> Result<Self, SqliteError> {
        // SQLite says "unable to open database file" whatever the reason.
        if let Err(source) = std::fs::File::open(path) {
            return Err(SqliteError::Unreadable {
                path: path.to_owned(),
                source,
            });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(path, flags).and_then(|connection| {
            connection.busy_timeout(BUSY_TIMEOUT)?;
            Ok(connection)
        });
        Ok(Self {
            connection: opened.map_err(|error| failed(path, error))?,
            path: path.to_owned(),
        })
    }

    /// Reads.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, SqliteError> {
        read(&self.connection).map_err(|error| failed(&self.path, error))
    }

    /// Looks whether it has the tables of this program.
    pub(crate) fn has_tables(
        &self,
        program: &'static str,
        tables: &[&'static str],
    ) -> Result<(), SqliteError> {
        for table in tables {
            let is_there = self.read(|connection| connection.table_exists(None, *table))?;
            if !is_there {
                return Err(SqliteError::NoTable {
                    path: self.path.clone(),
                    table,
                    program,
                });
            }
        }
        Ok(())
    }
}

fn failed(path: &Path, error: rusqlite::Error) -> SqliteError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => SqliteError::NoDatabase { path },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => SqliteError::Busy { path },
        _ => SqliteError::Read { path, source: error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("landmarc-source-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn a_file_that_is_not_there_is_not_made() {
        let folder = folder("missing");
        let path = folder.join("none.sqlite");
        let error = ForeignDatabase::open(&path).unwrap_err();
        assert!(error.is_missing() && !path.exists(), "{error}");
        assert!(error.remedy().contains("name the file"));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_of_another_kind_is_told_from_one_of_another_program() {
        let folder = folder("kinds");
        let text = folder.join("text.sqlite");
        std::fs::write(
            &text,
            "no database, but longer than the header of one: ".repeat(9),
        )
        .unwrap();
        let foreign = ForeignDatabase::open(&text).unwrap();
        let error = foreign.has_tables("Mail::DMARC", &["report"]).unwrap_err();
        assert!(matches!(error, SqliteError::NoDatabase { .. }), "{error}");

        let other = folder.join("other.sqlite");
        let written = Connection::open(&other).unwrap();
        written.execute_batch("CREATE TABLE report (id INTEGER)").unwrap();
        let foreign = ForeignDatabase::open(&other).unwrap();
        assert!(foreign.has_tables("Mail::DMARC", &["report"]).is_ok());
        let error = foreign
            .has_tables("Mail::DMARC", &["report", "domain"])
            .unwrap_err();
        assert!(
            matches!(
                error,
                SqliteError::NoTable {
                    table: "domain",
                    program: "Mail::DMARC",
                    ..
                }
            ),
            "{error}"
        );
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn nothing_is_ever_written() {
        let folder = folder("reading");
        let path = folder.join("a.sqlite");
        let written = Connection::open(&path).unwrap();
        written.execute_batch("CREATE TABLE report (id INTEGER)").unwrap();
        let foreign = ForeignDatabase::open(&path).unwrap();
        let error = foreign
            .read(|connection| connection.execute_batch("INSERT INTO report VALUES (1)"))
            .unwrap_err();
        assert!(matches!(error, SqliteError::Read { .. }), "{error}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
