//! What goes wrong with a server, in words that an operator can act on.

use std::io;

use landmarc_guard::ProtocolViolation;
use landmarc_mail::text::excerpt;
use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::PgDatabaseError;

use super::trouble::Trouble;
use crate::error::{BoxedSource, StoreError};
use crate::sql::SqlError;

/// A trouble, and who says so.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) trouble: Trouble,
    pub(super) source: Option<BoxedSource>,
}

impl Failure {
    /// As the rest of the program sees it.
    pub(super) fn into_store_error(self, server: String, doing: &'static str) -> StoreError {
        StoreError::Server {
            doing,
            server,
            trouble: self.trouble,
            source: self.source,
        }
    }

    /// Whether the connection is gone, or was left in the middle of something.
    pub(super) fn is_loss(error: &sqlx::Error) -> bool {
        matches!(
            trouble_of(error),
            Trouble::Lost | Trouble::PasswordInClear | Trouble::Misbehaves
        )
    }

    /// Nobody answered in time.
    pub(super) fn late(error: io::Error) -> Self {
        Self::of_connecting(error.into())
    }

    /// What went wrong before there was a connection.
    pub(super) fn of_connecting(error: sqlx::Error) -> Self {
        let failure = Self::from(error);
        match failure.trouble {
            Trouble::Lost => Self {
                trouble: Trouble::Unreachable,
                ..failure
            },
            _ => failure,
        }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self {
            trouble,
            source: None,
        }
    }
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Server(error) => error.into(),
            SqlError::Damaged(_) => Trouble::Damaged.into(),
            SqlError::Sqlite(error) => Self {
                trouble: Trouble::Refused,
                source: Some(error.into()),
            },
            SqlError::Other(source) => Self {
                trouble: Trouble::Refused,
                source: Some(source),
            },
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let trouble = trouble_of(&error);
        let source = match error {
            sqlx::Error::Database(error) => in_words(&*error),
            sqlx::Error::Io(error) => error.into(),
            sqlx::Error::Tls(error) => error,
            error => error.into(),
        };
        Self {
            trouble,
            source: Some(source),
        }
    }
}

/// Characters of what a server says that are kept: its own errors have less.
const MAX_SAID: usize = 500;

/// What the server says, without what steers a terminal. PostgreSQL adds a line of its own source to it, which is no line of
/// anybody's here.
fn in_words(error: &dyn DatabaseError) -> BoxedSource {
    let said = match error.try_downcast_ref::<PgDatabaseError>() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    };
    excerpt(&said, MAX_SAID).into()
}

fn trouble_of(error: &sqlx::Error) -> Trouble {
    match error {
        sqlx::Error::Database(error) => of_server(&**error),
        sqlx::Error::Io(error) => of_network(error),
        sqlx::Error::Tls(_) => Trouble::Tls,
        sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_) => Trouble::Lost,
        _ => Trouble::Refused,
    }
}

/// What the TLS of this program does not like about the other side comes as invalid data.
fn of_network(error: &io::Error) -> Trouble {
    let refusal = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<ProtocolViolation>());
    match refusal {
        Some(ProtocolViolation::PasswordInClear(_)) => return Trouble::PasswordInClear,
        Some(_) => return Trouble::Misbehaves,
        None => {}
    }
    match error.kind() {
        io::ErrorKind::InvalidData => Trouble::Tls,
        _ => Trouble::Lost,
    }
}

fn of_server(error: &dyn DatabaseError) -> Trouble {
    match error.try_downcast_ref::<MySqlDatabaseError>() {
        Some(error) => of_mariadb(error.number(), error.message()),
        None => of_postgresql(&error.code().unwrap_or_default(), error.message()),
    }
}

/// By SQLSTATE ("PostgreSQL Error Codes", appendix A of its manual).
fn of_postgresql(code: &str, message: &str) -> Trouble {
    match code {
        // "no pg_hba.conf entry for host …, no encryption": words of the server that are not translated away from the name
        // of the file.
        "28000" if message.contains("pg_hba.conf") && message.contains("no encryption") => Trouble::TlsWanted,
        "28000" if message.contains("pg_hba.conf") => Trouble::Host,
        "28000" | "28P01" => Trouble::Login,
        "3D000" => Trouble::NoDatabase,
        "42501" => Trouble::Right,
        "25006" => Trouble::ReadOnly,
        "53100" => Trouble::Full,
        // io_error, for which the cause is in the words only.
        "58030" if message.contains("No space left") => Trouble::Full,
        "53300" => Trouble::Connections,
        "57014" => Trouble::Slow,
        "40001" | "40P01" => Trouble::Clash,
        "55P03" => Trouble::Busy,
        // Starting up, shutting down, ended by its administrator or by idle_in_transaction_session_timeout.
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => Trouble::Lost,
        code if code.starts_with("08") => Trouble::Lost,
        _ => Trouble::Refused,
    }
}

/// By number ("MariaDB Error Codes" of its manual).
fn of_mariadb(number: u16, message: &str) -> Trouble {
    match number {
        1045 | 1698 | 1820 | 1862 | 4151 => Trouble::Login,
        1130 => Trouble::Host,
        1049 => Trouble::NoDatabase,
        1044 | 1142 | 1143 | 1227 | 1370 => Trouble::Right,
        // 1290: running with an option that forbids it, of which --read-only is one.
        1290 if message.contains("read-only") || message.contains("read_only") => Trouble::ReadOnly,
        1792 | 1836 => Trouble::ReadOnly,
        1021 | 1114 => Trouble::Full,
        // Errors of writing, of which number 28 of the system is the one.
        3 | 1026 | 1030 if message.contains("28") => Trouble::Full,
        1040 | 1203 | 1226 => Trouble::Connections,
        1969 | 3024 | 1317 => Trouble::Slow,
        1020 | 1213 => Trouble::Clash,
        1205 => Trouble::Busy,
        1053 | 1077 | 1079 | 1080 | 1152 | 1158..=1161 | 1184 | 1927 => Trouble::Lost,
        3159 => Trouble::TlsWanted,
        _ => Trouble::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_one_trouble_with_one_remedy() {
        let told = [
            of_postgresql("28P01", "password authentication failed for user \"x\""),
            of_postgresql(
                "28000",
                "no pg_hba.conf entry for host \"192.0.2.1\", user \"x\", database \"y\", SSL encryption",
            ),
            of_postgresql(
                "28000",
                "no pg_hba.conf entry for host \"192.0.2.1\", user \"x\", database \"y\", no encryption",
            ),
            of_postgresql("53100", "could not extend file"),
            of_postgresql("XX000", "cache lookup failed"),
            of_mariadb(1045, "Access denied for user"),
            of_mariadb(1290, "The MariaDB server is running with the --read-only option"),
            of_mariadb(
                1290,
                "The MariaDB server is running with the --secure-file-priv option",
            ),
        ];
        let expected = [
            Trouble::Login,
            Trouble::Host,
            Trouble::TlsWanted,
            Trouble::Full,
            Trouble::Refused,
            Trouble::Login,
            Trouble::ReadOnly,
            Trouble::Refused,
        ];
        assert_eq!(told, expected);
        assert!(
            !Trouble::Login.is_final(),
            "somebody may set the password while we wait"
        );
        assert!(Trouble::Foreign.is_final());
    }

    #[test]
    fn a_refused_connection_is_a_server_that_cannot_be_reached() {
        let refused = || sqlx::Error::Io(io::ErrorKind::ConnectionRefused.into());
        assert_eq!(Failure::of_connecting(refused()).trouble, Trouble::Unreachable);
        assert_eq!(Failure::from(refused()).trouble, Trouble::Lost);
        let told = Failure::of_connecting(refused())
            .into_store_error("postgres://me@db:5432/x".into(), "reach the tables");
        insta::assert_snapshot!(
            told.in_full(),
            @"cannot reach the tables in postgres://me@db:5432/x: the server cannot be reached: connection refused"
        );
        assert!(told.remedy().contains("firewalls"));
    }
}
