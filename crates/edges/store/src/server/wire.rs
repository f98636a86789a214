//! One connection to a server of either kind: statements out, rows in.
//!
//! Whoever calls limits the time and throws a connection away on which something was lost: a statement that was left in the
//! middle leaves its answer behind.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use futures_util::TryStreamExt;
use landmarc_guard::{GuardTarget, GuardedConnection, Protocol, ServerSocket};
use sqlx::mysql::{MySqlArguments, MySqlConnectOptions, MySqlConnection, MySqlRow, MySqlSslMode};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow, PgSslMode};
use sqlx::{
    Arguments, AssertSqlSafe, Column as _, ConnectOptions, Connection, Decode, Row as _, Type, TypeInfo,
    ValueRef,
};

use super::engine::ServerEngine;
use super::options::{DatabaseEncryption, DatabaseOptions};
use super::phrase::phrase;
use crate::error::BoxedSource;
use crate::sql::{SqlError, SqlRow, SqlValue};

/// Statements that a connection keeps prepared. What the store asks for is some two hundred, of which a host uses half.
const PREPARED: usize = 256;
/// Under this name the server shows us to its administrator.
const PROGRAM: &str = "landmarc";

/// A connection. What comes on it is watched by a guard: the library believes all lengths that a server announces.
pub(super) struct Wire {
    connection: Connected,
    guard: GuardedConnection,
}

enum Connected {
    PostgreSql(Box<PgConnection>),
    MariaDb(Box<MySqlConnection>),
}

impl Wire {
    pub(super) async fn connect(options: &DatabaseOptions) -> Result<Self, sqlx::Error> {
        let guard = GuardedConnection::connect(target(options)?).await;
        let guard = guard.map_err(|error| sqlx::Error::Io(error.into()))?;
        let connected = match options.address.engine() {
            ServerEngine::PostgreSql => {
                let connected = postgresql(options, &guard).connect().await;
                connected.map(|connection| Connected::PostgreSql(Box::new(connection)))
            }
            ServerEngine::MariaDb => {
                let connected = mariadb(options, &guard).connect().await;
                connected.map(|connection| Connected::MariaDb(Box::new(connection)))
            }
        };
        let connection = connected.map_err(|error| why(&guard, error))?;
        Ok(Self { connection, guard })
    }

    pub(super) fn engine(&self) -> ServerEngine {
        match &self.connection {
            Connected::PostgreSql(_) => ServerEngine::PostgreSql,
            Connected::MariaDb(_) => ServerEngine::MariaDb,
        }
    }

    pub(super) async fn ping(&mut self) -> Result<(), sqlx::Error> {
        let done = match &mut self.connection {
            Connected::PostgreSql(connection) => connection.ping().await,
            Connected::MariaDb(connection) => connection.ping().await,
        };
        done.map_err(|error| why(&self.guard, error))
    }

    /// Statements without values, as they are.
    pub(super) async fn plain(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        let done = match &mut self.connection {
            Connected::PostgreSql(connection) => {
                let done = sql.execute(&mut **connection).await;
                done.map(|done| done.rows_affected())
            }
            Connected::MariaDb(connection) => {
                let done = sql.execute(&mut **connection).await;
                done.map(|done| done.rows_affected())
            }
        };
        done.map_err(|error| why(&self.guard, error))
    }

    pub(super) async fn execute(&mut self, sql: &str, values: &[SqlValue<'_>]) -> Result<u64, SqlError> {
        let phrase = phrase(self.engine(), sql, values.len())?;
        let values = phrase.places.iter().filter_map(|place| values.get(*place));
        let done = match &mut self.connection {
            Connected::PostgreSql(connection) => {
                let query = sqlx::query_with(AssertSqlSafe(phrase.text), for_postgresql(values)?);
                let done = query.execute(&mut **connection).await;
                done.map(|done| done.rows_affected())
            }
            Connected::MariaDb(connection) => {
                let query = sqlx::query_with(AssertSqlSafe(phrase.text), for_mariadb(values)?);
                let done = query.execute(&mut **connection).await;
                done.map(|done| done.rows_affected())
            }
        };
        Ok(done.map_err(|error| why(&self.guard, error))?)
    }

    /// Adds a row; the number that it was given.
    pub(super) async fn insert(&mut self, sql: &str, values: &[SqlValue<'_>]) -> Result<i64, SqlError> {
        match &mut self.connection {
            Connected::PostgreSql(_) => {
                let rows = self.rows(&format!("{sql} RETURNING id"), values).await?;
                rows.first().ok_or(SqlError::Damaged(0))?.get(0)
            }
            Connected::MariaDb(connection) => {
                let phrase = phrase(ServerEngine::MariaDb, sql, values.len())?;
                let values = phrase.places.iter().filter_map(|place| values.get(*place));
                let query = sqlx::query_with(AssertSqlSafe(phrase.text), for_mariadb(values)?);
                let done = query.execute(&mut **connection).await;
                let done = done.map_err(|error| why(&self.guard, error))?;
                i64::try_from(done.last_insert_id()).map_err(|_| SqlError::Damaged(0))
            }
        }
    }

    pub(super) async fn rows(&mut self, sql: &str, values: &[SqlValue<'_>]) -> Result<Vec<SqlRow>, SqlError> {
        let phrase = phrase(self.engine(), sql, values.len())?;
        let values = phrase.places.iter().filter_map(|place| values.get(*place));
        // Row by row: what the library makes of them is not kept beside what is made of that here.
        let mut all = Vec::new();
        match &mut self.connection {
            Connected::PostgreSql(connection) => {
                let query = sqlx::query_with(AssertSqlSafe(phrase.text), for_postgresql(values)?);
                let mut rows = query.fetch(&mut **connection);
                while let Some(row) = rows.try_next().await.map_err(|error| why(&self.guard, error))? {
                    all.push(of_postgresql(&row)?);
                }
            }
            Connected::MariaDb(connection) => {
                let query = sqlx::query_with(AssertSqlSafe(phrase.text), for_mariadb(values)?);
                let mut rows = query.fetch(&mut **connection);
                while let Some(row) = rows.try_next().await.map_err(|error| why(&self.guard, error))? {
                    all.push(of_mariadb(&row)?);
                }
            }
        }
        Ok(all)
    }

    /// A statement of PostgreSQL whose values `$1`, `$2` … are the columns of these rows.
    pub(super) async fn execute_with_rows(
        &mut self,
        sql: &str,
        rows: &[Vec<SqlValue<'_>>],
    ) -> Result<u64, SqlError> {
        let Connected::PostgreSql(connection) = &mut self.connection else {
            return Err(SqlError::Other("only PostgreSQL takes columns".into()));
        };
        let query = sqlx::query_with(AssertSqlSafe(sql), as_arrays(rows)?);
        let done = query.execute(&mut **connection).await;
        let done = done.map_err(|error| why(&self.guard, error))?;
        Ok(done.rows_affected())
    }

    /// A question to PostgreSQL whose values `$1`, `$2` … are the columns of these rows.
    pub(super) async fn rows_for_rows(
        &mut self,
        sql: &str,
        rows: &[Vec<SqlValue<'_>>],
    ) -> Result<Vec<SqlRow>, SqlError> {
        let Connected::PostgreSql(connection) = &mut self.connection else {
            return Err(SqlError::Other("only PostgreSQL takes columns".into()));
        };
        let query = sqlx::query_with(AssertSqlSafe(sql), as_arrays(rows)?);
        let rows = query.fetch_all(&mut **connection).await;
        let rows = rows.map_err(|error| why(&self.guard, error))?;
        rows.iter().map(of_postgresql).collect()
    }
}

/// Where the guard ended the connection, that is why; what the library says then is that it has ended.
fn why(guard: &GuardedConnection, error: sqlx::Error) -> sqlx::Error {
    guard.ended().map_or(error, |why| sqlx::Error::Io(why.into()))
}

/// The server, as the guard reaches it.
fn target(options: &DatabaseOptions) -> Result<GuardTarget, sqlx::Error> {
    let address = &options.address;
    let protocol = match address.engine() {
        ServerEngine::PostgreSql => Protocol::PostgreSql,
        ServerEngine::MariaDb => Protocol::MariaDb,
    };
    let place = match (address.socket(), protocol) {
        (Some(socket), Protocol::PostgreSql) => {
            ServerSocket::Unix(socket_of_postgresql(socket, address.port()))
        }
        (Some(socket), Protocol::MariaDb) => ServerSocket::Unix(socket.to_owned()),
        (None, _) => ServerSocket::Tcp(address.host().to_owned(), address.port()),
    };
    let tls = match &options.tls {
        DatabaseEncryption::Off => landmarc_guard::GuardedTls::Off,
        DatabaseEncryption::Offered => landmarc_guard::GuardedTls::Offered,
        DatabaseEncryption::Encrypted => landmarc_guard::GuardedTls::Encrypted,
        DatabaseEncryption::Verified { .. } => landmarc_guard::GuardedTls::Verified {
            ca: authorities(options)?,
        },
    };
    Ok(GuardTarget {
        protocol,
        place,
        tls,
        password: options.password.clone(),
    })
}

/// What is in the file of authorities. That it cannot be read is no trouble of the network's.
fn authorities(options: &DatabaseOptions) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let DatabaseEncryption::Verified { ca: Some(path) } = &options.tls else {
        return Ok(None);
    };
    let refused = |error| sqlx::Error::Tls(format!("cannot read {path:?}: {error}").into());
    std::fs::read(path).map(Some).map_err(refused)
}

/// All is said: what the environment says to other programs (`PGHOST`, `PGPASSWORD` …) is not meant for us.
fn postgresql(options: &DatabaseOptions, guard: &GuardedConnection) -> PgConnectOptions {
    let address = &options.address;
    PgConnectOptions::new_without_pgpass()
        .username(address.user())
        .password(options.password.as_deref().unwrap_or_default())
        .database(address.name())
        .application_name(PROGRAM)
        .statement_cache_capacity(PREPARED)
        .disable_statement_logging()
        .socket(guard.folder())
        .port(landmarc_guard::PORT)
        .ssl_mode(PgSslMode::Disable)
}

/// The socket: `/run/postgresql/.s.PGSQL.5432`, or its folder, in which the port says its name.
fn socket_of_postgresql(socket: &Path, port: u16) -> PathBuf {
    let name = socket
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    match name.starts_with(".s.PGSQL.") {
        true => socket.to_owned(),
        false => socket.join(format!(".s.PGSQL.{port}")),
    }
}

fn mariadb(options: &DatabaseOptions, guard: &GuardedConnection) -> MySqlConnectOptions {
    let address = &options.address;
    let to = MySqlConnectOptions::new()
        .username(address.user())
        .database(address.name())
        // As the columns: a blank at the end of a text counts.
        .charset("utf8mb4")
        .collation("utf8mb4_nopad_bin")
        // The mode is set in full afterwards.
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .statement_cache_capacity(PREPARED)
        .disable_statement_logging()
        .socket(guard.socket())
        .ssl_mode(MySqlSslMode::Disabled);
    match &options.password {
        Some(password) => to.password(password),
        None => to,
    }
}

/// PostgreSQL has no NUL in a text. What comes from strangers may have one, and is kept with the mark of what cannot be shown.
fn without_nul(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => Cow::Owned(text.replace('\0', "\u{fffd}")),
        false => Cow::Borrowed(text),
    }
}

fn for_postgresql<'v>(values: impl Iterator<Item = &'v SqlValue<'v>>) -> Result<PgArguments, SqlError> {
    let mut arguments = PgArguments::default();
    for value in values {
        let added = match value {
            SqlValue::Integer(number) => arguments.add(*number),
            SqlValue::Text(text) => arguments.add(text.as_deref().map(without_nul)),
            SqlValue::Octets(octets) => arguments.add(octets.as_deref()),
        };
        added.map_err(SqlError::Other)?;
    }
    Ok(arguments)
}

fn for_mariadb<'v>(values: impl Iterator<Item = &'v SqlValue<'v>>) -> Result<MySqlArguments, SqlError> {
    let mut arguments = MySqlArguments::default();
    for value in values {
        let added = match value {
            SqlValue::Integer(number) => arguments.add(*number),
            SqlValue::Text(text) => arguments.add(text.as_deref()),
            SqlValue::Octets(octets) => arguments.add(octets.as_deref()),
        };
        added.map_err(SqlError::Other)?;
    }
    Ok(arguments)
}

/// Each column of the rows as one value. The first row says of which kind it is.
fn as_arrays(rows: &[Vec<SqlValue<'_>>]) -> Result<PgArguments, SqlError> {
    let mut arguments = PgArguments::default();
    for (place, first) in rows.first().into_iter().flatten().enumerate() {
        let added = match first {
            SqlValue::Integer(_) => arguments.add(column(rows, place, |value| match value {
                SqlValue::Integer(number) => Some(*number),
                _ => None,
            })?),
            SqlValue::Text(_) => arguments.add(column(rows, place, |value| match value {
                SqlValue::Text(text) => Some(text.as_deref().map(without_nul)),
                _ => None,
            })?),
            SqlValue::Octets(_) => arguments.add(column(rows, place, |value| match value {
                SqlValue::Octets(octets) => Some(octets.as_deref()),
                _ => None,
            })?),
        };
        added.map_err(SqlError::Other)?;
    }
    Ok(arguments)
}

fn column<'v, T>(
    rows: &'v [Vec<SqlValue<'v>>],
    place: usize,
    read: impl Fn(&'v SqlValue<'v>) -> Option<T>,
) -> Result<Vec<T>, SqlError> {
    let column = rows.iter().map(|row| row.get(place).and_then(&read));
    let column: Option<_> = column.collect();
    column.ok_or_else(|| SqlError::Other("rows of different columns".into()))
}

fn of_postgresql(row: &PgRow) -> Result<SqlRow, SqlError> {
    let values = row.columns().iter().map(|column| {
        let place = column.ordinal();
        Ok(match column.type_info().name() {
            "INT8" => SqlValue::Integer(row.try_get(place)?),
            "INT4" => SqlValue::Integer(row.try_get::<Option<i32>, _>(place)?.map(i64::from)),
            "INT2" => SqlValue::Integer(row.try_get::<Option<i16>, _>(place)?.map(i64::from)),
            "BOOL" => SqlValue::Integer(row.try_get::<Option<bool>, _>(place)?.map(i64::from)),
            "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN" => {
                SqlValue::Text(row.try_get::<Option<String>, _>(place)?.map(Cow::Owned))
            }
            "BYTEA" => SqlValue::Octets(row.try_get::<Option<Vec<u8>>, _>(place)?.map(Cow::Owned)),
            // What a function without an answer answers.
            "VOID" => SqlValue::Integer(None),
            other => return Err(no_value(column.name(), other)),
        })
    });
    values.collect::<Result<_, _>>().map(SqlRow::new)
}

fn of_mariadb(row: &MySqlRow) -> Result<SqlRow, SqlError> {
    type MySql = sqlx::MySql;
    let values = row.columns().iter().map(|column| {
        let place = column.ordinal();
        let value = row.try_get_raw(place)?;
        // A column without a table may be of no type in one row and of another in the next.
        let kind = match value.is_null() {
            true => Cow::Borrowed(column.type_info()),
            false => value.type_info(),
        };
        let integer = kind.name().contains("INT") || kind.name() == "BOOLEAN";
        Ok(match value.is_null() {
            true if integer => SqlValue::Integer(None),
            true if <String as Type<MySql>>::compatible(&kind) => SqlValue::Text(None),
            true => SqlValue::Octets(None),
            false if integer && kind.name().ends_with("UNSIGNED") => {
                let number = <u64 as Decode<'_, MySql>>::decode(value).map_err(SqlError::Other)?;
                SqlValue::Integer(Some(i64::try_from(number).map_err(|_| SqlError::Damaged(place))?))
            }
            false if integer => SqlValue::Integer(Some(
                <i64 as Decode<'_, MySql>>::decode(value).map_err(SqlError::Other)?,
            )),
            false if <String as Type<MySql>>::compatible(&kind) => {
                let text = <String as Decode<'_, MySql>>::decode(value).map_err(SqlError::Other)?;
                SqlValue::Text(Some(text.into()))
            }
            false if <Vec<u8> as Type<MySql>>::compatible(&kind) => {
                let octets = <Vec<u8> as Decode<'_, MySql>>::decode(value).map_err(SqlError::Other)?;
                SqlValue::Octets(Some(octets.into()))
            }
            false => return Err(no_value(column.name(), kind.name())),
        })
    });
    values.collect::<Result<_, _>>().map(SqlRow::new)
}

fn no_value(column: &str, kind: &str) -> SqlError {
    SqlError::Other(BoxedSource::from(format!(
        "column {column} is of type {kind}, which is never asked for"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_named_with_its_folder_or_in_full() {
        let folder = Path::new("/run/postgresql");
        let named = folder.join(".s.PGSQL.5433");
        assert_eq!(socket_of_postgresql(folder, 5433), named);
        assert_eq!(socket_of_postgresql(&named, 5432), named);
    }

    #[test]
    fn a_text_reaches_postgresql_without_nul() {
        assert_eq!(without_nul("a\0b\0"), "a\u{fffd}b\u{fffd}");
        assert!(matches!(without_nul("plain"), Cow::Borrowed("plain")));
    }
}
