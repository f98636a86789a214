//! Where Mail::DMARC keeps its records: `dsn`, `user` and `pass` of `[report_store]`.

use std::fmt;

/// The port of a MySQL server that none is written for.
const MYSQL_PORT: u16 = 3306;

/// A database of Mail::DMARC, as its settings name it.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// A file. A relative name is relative to wherever Mail::DMARC was started.
    Sqlite {
        /// As written.
        path: String,
    },
    /// A MySQL or MariaDB server.
    MySql {
        /// A host name or address.
        host: String,
        /// The port, if it is not reached by a socket.
        port: u16,
        /// The path of its unix socket, which comes before host and port.
        socket: Option<String>,
        /// The name of the database.
        name: String,
        /// Who signs in.
        user: String,
        /// With which password.
        password: String,
    },
}

/// Everything but the password.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// As operators know it: a path, or `mysql://user@host:port/name`.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { path } => write!(f, "{path}"),
            Self::MySql {
                host,
                port,
                socket,
                name,
                user,
                password: _,
            } => match socket {
                Some(socket) => write!(f, "mysql://{user}@localhost/{name}?socket={socket}"),
                None => write!(f, "mysql://{user}@{host}:{port}/{name}"),
            },
        }
    }
}

/// Why a data source name (DSN) is none that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownDatabase {
    /// Mail::DMARC can keep its records there, and they are not read from there.
    #[error("records in PostgreSQL are not imported")]
    PostgreSql,
    /// The name is of none of the three kinds.
    #[error("it names neither SQLite nor MySQL")]
    NoSuchKind,
    /// The name of the database, or of its file, is missing.
    #[error("it does not say which database")]
    NoName,
    /// A database that is gone when its program ends.
    #[error("a database in memory has nothing to import")]
    InMemory,
    /// The port is no port.
    #[error("its port is no number from 1 to 65535")]
    BadPort,
}

impl UnknownDatabase {
    /// What can be done about it.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::PostgreSql => {
                "have dmarc_send_reports send what is in it before you switch; from then on landmarc counts by itself"
            }
            Self::NoSuchKind | Self::NoName | Self::BadPort => {
                "write dbi:SQLite:dbname=FILE or dbi:mysql:database=NAME;host=HOST;port=PORT"
            }
            Self::InMemory => "nothing is lost that Mail::DMARC would still have had",
        }
    }
}

impl Database {
    /// Reads a DSN as DBI has them: `dbi:SQLite:dbname=FILE`, `dbi:mysql:database=NAME;host=HOST;port=PORT`.
    ///
    /// # Errors
    /// Where it names no database that can be read.
    pub fn from_dsn(dsn: &str, user: &str, password: &str) -> Result<Self, UnknownDatabase> {
        let mut parts = dsn.trim().splitn(3, ':');
        let scheme = parts.next().unwrap_or_default();
        let driver = parts.next().unwrap_or_default().to_ascii_lowercase();
        let rest = parts.next().unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("dbi") {
            return Err(UnknownDatabase::NoSuchKind);
        }
        // DBI allows attributes after the driver: dbi:SQLite(RaiseError=>1):…
        let driver = driver.split_once('(').map_or(&*driver, |(name, _)| name);
        match driver {
            "sqlite" => sqlite(rest),
            "mysql" | "mariadb" => mysql(rest, user, password),
            "pg" => Err(UnknownDatabase::PostgreSql),
            _ => Err(UnknownDatabase::NoSuchKind),
        }
    }
}

fn sqlite(rest: &str) -> Result<Database, UnknownDatabase> {
    let path = ["dbname", "database", "db"]
        .iter()
        .find_map(|name| attribute(rest, name))
        .unwrap_or(if rest.contains('=') { "" } else { rest });
    match path {
        "" => Err(UnknownDatabase::NoName),
        ":memory:" => Err(UnknownDatabase::InMemory),
        path => Ok(Database::Sqlite {
            path: path.to_owned(),
        }),
    }
}

fn mysql(rest: &str, user: &str, password: &str) -> Result<Database, UnknownDatabase> {
    // DBD::mysql takes the first part for the database when it is no attribute.
    let first = rest.split(';').next().filter(|part| !part.contains('='));
    let name = ["database", "dbname", "db"]
        .iter()
        .find_map(|name| attribute(rest, name))
        .or(first)
        .filter(|name| !name.is_empty())
        .ok_or(UnknownDatabase::NoName)?;
    let host = ["host", "hostname"].iter().find_map(|name| attribute(rest, name));
    let port = match attribute(rest, "port").filter(|port| !port.is_empty()) {
        Some(port) => port.parse().map_err(|_| UnknownDatabase::BadPort)?,
        None => MYSQL_PORT,
    };
    if port == 0 {
        return Err(UnknownDatabase::BadPort);
    }
    let socket = ["mysql_socket", "mariadb_socket"]
        .iter()
        .find_map(|name| attribute(rest, name));
    Ok(Database::MySql {
        host: host
            .filter(|host| !host.is_empty())
            .unwrap_or("localhost")
            .to_owned(),
        port,
        socket: socket.map(str::to_owned),
        name: name.to_owned(),
        user: user.to_owned(),
        password: password.to_owned(),
    })
}

fn attribute<'a>(attributes: &'a str, wanted: &str) -> Option<&'a str> {
    let all = attributes.split(';').filter_map(|part| part.split_once('='));
    let mut found = all.filter(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
    found.next().map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(dsn: &str) -> Result<String, UnknownDatabase> {
        Database::from_dsn(dsn, "dmarc", "secret").map(|database| database.to_string())
    }

    #[test]
    fn names_of_sqlite() {
        assert_eq!(
            read("dbi:SQLite:dbname=dmarc_reports.sqlite").as_deref(),
            Ok("dmarc_reports.sqlite")
        );
        assert_eq!(
            read("DBI:sqlite(RaiseError=>1):/var/lib/d.db").as_deref(),
            Ok("/var/lib/d.db")
        );
        assert_eq!(read("dbi:SQLite:dbname="), Err(UnknownDatabase::NoName));
        assert_eq!(read("dbi:SQLite:dbname=:memory:"), Err(UnknownDatabase::InMemory));
    }

    #[test]
    fn names_of_mysql() {
        let names = [
            (
                "dbi:mysql:database=dmarc_report;host=db;port=3307",
                "mysql://dmarc@db:3307/dmarc_report",
            ),
            (
                "dbi:mysql:dmarc_report",
                "mysql://dmarc@localhost:3306/dmarc_report",
            ),
            (
                "dbi:MariaDB:dbname=d;hostname=192.0.2.1",
                "mysql://dmarc@192.0.2.1:3306/d",
            ),
            (
                "dbi:mysql:database=d;mysql_socket=/run/mysqld/mysqld.sock",
                "mysql://dmarc@localhost/d?socket=/run/mysqld/mysqld.sock",
            ),
        ];
        for (dsn, url) in names {
            assert_eq!(read(dsn).as_deref(), Ok(url), "{dsn}");
        }
        assert_eq!(read("dbi:mysql:host=db"), Err(UnknownDatabase::NoName));
        assert_eq!(read("dbi:mysql:database=d;port=0"), Err(UnknownDatabase::BadPort));
        assert_eq!(
            read("dbi:mysql:database=d;port=99999"),
            Err(UnknownDatabase::BadPort)
        );
    }

    #[test]
    fn others_are_refused_with_a_remedy() {
        for (dsn, why) in [
            (
                "dbi:Pg:database=dmarc_report;port=5432",
                UnknownDatabase::PostgreSql,
            ),
            ("dbi:Oracle:d", UnknownDatabase::NoSuchKind),
            ("mysql", UnknownDatabase::NoSuchKind),
            ("", UnknownDatabase::NoSuchKind),
        ] {
            assert_eq!(read(dsn), Err(why), "{dsn}");
            assert!(!why.remedy().is_empty());
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let database = Database::from_dsn("dbi:mysql:d", "u", "secret").unwrap();
        assert!(!format!("{database} {database:?}").contains("secret"));
    }
}
