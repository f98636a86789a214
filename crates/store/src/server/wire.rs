//! One connection to a server of either kind: statements out, rows in.
//!
//! Whoever calls limits the time and throws a connection away on which something was lost: a statement that was left in the
//! middle leaves its answer behind.

use std::borrow::Cow;
use std::path::Path;

use sqlx::mysql::{MySqlArguments, MySqlConnectOptions, MySqlConnection, MySqlRow, MySqlSslMode};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow, PgSslMode};
use sqlx::{
    Arguments, AssertSqlSafe, Column as _, ConnectOptions, Connection, Decode, Row as _, Type, TypeInfo,
    ValueRef,
};

use super::many::Column;
use super::phrase::phrase;
use super::{ServerEngine, ServerOptions, Tls};
use crate::error::Source;
use crate::sql::{Row, SqlError, Value};

/// Statements that a connection keeps prepared. What the store asks for is some two hundred, of which a host uses half.
const PREPARED: usize = 256;
/// Under this name the server shows us to its administrator.
const PROGRAM: &str = "landmarc";

/// A connection.
pub(super) enum Wire {
    PostgreSql(Box<PgConnection>),
    MariaDb(Box<MySqlConnection>),
}

impl Wire {
    pub(super) async fn connect(options: &ServerOptions) -> Result<Self, sqlx::Error> {
        let ca = authorities(options)?;
        Ok(match options.address.engine() {
            ServerEngine::PostgreSql => Self::PostgreSql(Box::new(postgresql(options, ca).connect().await?)),
            ServerEngine::MariaDb => Self::MariaDb(Box::new(mariadb(options, ca).connect().await?)),
        })
    }

    pub(super) fn engine(&self) -> ServerEngine {
        match self {
            Self::PostgreSql(_) => ServerEngine::PostgreSql,
            Self::MariaDb(_) => ServerEngine::MariaDb,
        }
    }

    pub(super) async fn ping(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Self::PostgreSql(connection) => connection.ping().await,
            Self::MariaDb(connection) => connection.ping().await,
        }
    }

    /// Statements without values, as they are.
    pub(super) async fn plain(&mut self, sql: &str) -> Result<u64, sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        Ok(match self {
            Self::PostgreSql(connection) => sql.execute(&mut **connection).await?.rows_affected(),
            Self::MariaDb(connection) => sql.execute(&mut **connection).await?.rows_affected(),
        })
    }

    pub(super) async fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, SqlError> {
        let phrase = phrase(self.engine(), sql, values.len())?;
        let values = phrase.places.iter().filter_map(|place| values.get(*place));
        Ok(match self {
            Self::PostgreSql(connection) => {
                let query = sqlx::query_with(AssertSqlSafe(phrase.text), for_postgresql(values)?);
                query.execute(&mut **connection).await?.rows_affected()
            }
            Self::MariaDb(connection) => {
                let query = sqlx::query_with(AssertSqlSafe(phrase.text), for_mariadb(values)?);
                query.execute(&mut **connection).await?.rows_affected()
            }
        })
    }

    /// Adds a row; the number that it was given.
    pub(super) async fn insert(&mut self, sql: &str, values: &[Value<'_>]) -> Result<i64, SqlError> {
        match self {
            Self::PostgreSql(_) => {
                let rows = self.rows(&format!("{sql} RETURNING id"), values).await?;
                rows.first().ok_or(SqlError::Damaged(0))?.get(0)
            }
            Self::MariaDb(connection) => {
                let phrase = phrase(ServerEngine::MariaDb, sql, values.len())?;
                let values = phrase.places.iter().filter_map(|place| values.get(*place));
                let query = sqlx::query_with(AssertSqlSafe(phrase.text), for_mariadb(values)?);
                let done = query.execute(&mut **connection).await?;
                i64::try_from(done.last_insert_id()).map_err(|_| SqlError::Damaged(0))
            }
        }
    }

    pub(super) async fn rows(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, SqlError> {
        let phrase = phrase(self.engine(), sql, values.len())?;
        let values = phrase.places.iter().filter_map(|place| values.get(*place));
        match self {
            Self::PostgreSql(connection) => {
                let query = sqlx::query_with(AssertSqlSafe(phrase.text), for_postgresql(values)?);
                let rows = query.fetch_all(&mut **connection).await?;
                rows.iter().map(of_postgresql).collect()
            }
            Self::MariaDb(connection) => {
                let query = sqlx::query_with(AssertSqlSafe(phrase.text), for_mariadb(values)?);
                let rows = query.fetch_all(&mut **connection).await?;
                rows.iter().map(of_mariadb).collect()
            }
        }
    }

    /// A statement of PostgreSQL whose values `$1`, `$2` … are columns.
    pub(super) async fn columns(&mut self, sql: &str, columns: &[Column<'_>]) -> Result<u64, SqlError> {
        let Self::PostgreSql(connection) = self else {
            return Err(SqlError::Other("only PostgreSQL takes columns".into()));
        };
        let query = sqlx::query_with(AssertSqlSafe(sql), as_arrays(columns)?);
        Ok(query.execute(&mut **connection).await?.rows_affected())
    }

    /// A question to PostgreSQL whose value `$1` is a column.
    pub(super) async fn rows_of(&mut self, sql: &str, column: &Column<'_>) -> Result<Vec<Row>, SqlError> {
        let Self::PostgreSql(connection) = self else {
            return Err(SqlError::Other("only PostgreSQL takes columns".into()));
        };
        let query = sqlx::query_with(AssertSqlSafe(sql), as_arrays(std::slice::from_ref(column))?);
        let rows = query.fetch_all(&mut **connection).await?;
        rows.iter().map(of_postgresql).collect()
    }
}

/// What is in the file of authorities. That it cannot be read is no trouble of the network's.
fn authorities(options: &ServerOptions) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let Tls::Verified { ca: Some(path) } = &options.tls else {
        return Ok(None);
    };
    let refused = |error| sqlx::Error::Tls(format!("cannot read {path:?}: {error}").into());
    std::fs::read(path).map(Some).map_err(refused)
}

/// All is said: what the environment says to other programs (`PGHOST`, `PGPASSWORD` …) is not meant for us.
fn postgresql(options: &ServerOptions, ca: Option<Vec<u8>>) -> PgConnectOptions {
    let address = &options.address;
    let mut to = PgConnectOptions::new_without_pgpass()
        .username(address.user())
        .password(options.password.as_deref().unwrap_or_default())
        .database(address.name())
        .application_name(PROGRAM)
        .statement_cache_capacity(PREPARED)
        .disable_statement_logging();
    if let Some(socket) = address.socket() {
        let (folder, port) = folder_and_port(socket);
        return to
            .socket(folder)
            .port(port.unwrap_or(address.port()))
            .ssl_mode(PgSslMode::Disable);
    }
    to = to.host(address.host()).port(address.port());
    if let Some(ca) = ca {
        to = to.ssl_root_cert_from_pem(ca);
    }
    to.ssl_mode(match &options.tls {
        Tls::Off => PgSslMode::Disable,
        Tls::Offered => PgSslMode::Prefer,
        Tls::Encrypted => PgSslMode::Require,
        Tls::Verified { .. } => PgSslMode::VerifyFull,
    })
}

/// The folder of a socket and the port in its name, `/run/postgresql/.s.PGSQL.5432`; the folder alone will do.
fn folder_and_port(socket: &Path) -> (&Path, Option<u16>) {
    let name = socket
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    match (name.strip_prefix(".s.PGSQL."), socket.parent()) {
        (Some(port), Some(folder)) => (folder, port.parse().ok()),
        _ => (socket, None),
    }
}

fn mariadb(options: &ServerOptions, ca: Option<Vec<u8>>) -> MySqlConnectOptions {
    let address = &options.address;
    let mut to = MySqlConnectOptions::new()
        .username(address.user())
        .database(address.name())
        // As the columns: a blank at the end of a text counts.
        .charset("utf8mb4")
        .collation("utf8mb4_nopad_bin")
        // The mode is set in full afterwards.
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .statement_cache_capacity(PREPARED)
        .disable_statement_logging();
    if let Some(password) = &options.password {
        to = to.password(password);
    }
    if let Some(socket) = address.socket() {
        return to.socket(socket).ssl_mode(MySqlSslMode::Disabled);
    }
    to = to.host(address.host()).port(address.port());
    if let Some(ca) = ca {
        to = to.ssl_ca_from_pem(ca);
    }
    to.ssl_mode(match &options.tls {
        Tls::Off => MySqlSslMode::Disabled,
        Tls::Offered => MySqlSslMode::Preferred,
        Tls::Encrypted => MySqlSslMode::Required,
        Tls::Verified { .. } => MySqlSslMode::VerifyIdentity,
    })
}

/// PostgreSQL has no NUL in a text. What comes from strangers may have one, and is kept with the mark of what cannot be shown.
fn without_nul(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => Cow::Owned(text.replace('\0', "\u{fffd}")),
        false => Cow::Borrowed(text),
    }
}

fn for_postgresql<'v>(values: impl Iterator<Item = &'v Value<'v>>) -> Result<PgArguments, SqlError> {
    let mut arguments = PgArguments::default();
    for value in values {
        let added = match value {
            Value::Integer(number) => arguments.add(*number),
            Value::Text(text) => arguments.add(text.as_deref().map(without_nul)),
            Value::Octets(octets) => arguments.add(octets.as_deref()),
        };
        added.map_err(SqlError::Other)?;
    }
    Ok(arguments)
}

fn for_mariadb<'v>(values: impl Iterator<Item = &'v Value<'v>>) -> Result<MySqlArguments, SqlError> {
    let mut arguments = MySqlArguments::default();
    for value in values {
        let added = match value {
            Value::Integer(number) => arguments.add(*number),
            Value::Text(text) => arguments.add(text.as_deref()),
            Value::Octets(octets) => arguments.add(octets.as_deref()),
        };
        added.map_err(SqlError::Other)?;
    }
    Ok(arguments)
}

fn as_arrays(columns: &[Column<'_>]) -> Result<PgArguments, SqlError> {
    let mut arguments = PgArguments::default();
    for column in columns {
        let added = match column {
            Column::Integers(numbers) => arguments.add(numbers),
            Column::Texts(texts) => {
                let texts = texts.iter().map(|text| text.as_deref().map(without_nul));
                arguments.add(texts.collect::<Vec<_>>())
            }
            Column::Octets(octets) => {
                let octets = octets.iter().map(Option::as_deref);
                arguments.add(octets.collect::<Vec<_>>())
            }
        };
        added.map_err(SqlError::Other)?;
    }
    Ok(arguments)
}

fn of_postgresql(row: &PgRow) -> Result<Row, SqlError> {
    let values = row.columns().iter().map(|column| {
        let place = column.ordinal();
        Ok(match column.type_info().name() {
            "INT8" => Value::Integer(row.try_get(place)?),
            "INT4" => Value::Integer(row.try_get::<Option<i32>, _>(place)?.map(i64::from)),
            "INT2" => Value::Integer(row.try_get::<Option<i16>, _>(place)?.map(i64::from)),
            "BOOL" => Value::Integer(row.try_get::<Option<bool>, _>(place)?.map(i64::from)),
            "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN" => {
                Value::Text(row.try_get::<Option<String>, _>(place)?.map(Cow::Owned))
            }
            "BYTEA" => Value::Octets(row.try_get::<Option<Vec<u8>>, _>(place)?.map(Cow::Owned)),
            // What a function without an answer answers.
            "VOID" => Value::Integer(None),
            other => return Err(no_value(column.name(), other)),
        })
    });
    values.collect::<Result<_, _>>().map(Row::new)
}

fn of_mariadb(row: &MySqlRow) -> Result<Row, SqlError> {
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
            true if integer => Value::Integer(None),
            true if <String as Type<MySql>>::compatible(&kind) => Value::Text(None),
            true => Value::Octets(None),
            false if integer && kind.name().ends_with("UNSIGNED") => {
                let number = <u64 as Decode<'_, MySql>>::decode(value).map_err(SqlError::Other)?;
                Value::Integer(Some(i64::try_from(number).map_err(|_| SqlError::Damaged(place))?))
            }
            false if integer => Value::Integer(Some(
                <i64 as Decode<'_, MySql>>::decode(value).map_err(SqlError::Other)?,
            )),
            false if <String as Type<MySql>>::compatible(&kind) => {
                let text = <String as Decode<'_, MySql>>::decode(value).map_err(SqlError::Other)?;
                Value::Text(Some(text.into()))
            }
            false if <Vec<u8> as Type<MySql>>::compatible(&kind) => {
                let octets = <Vec<u8> as Decode<'_, MySql>>::decode(value).map_err(SqlError::Other)?;
                Value::Octets(Some(octets.into()))
            }
            false => return Err(no_value(column.name(), kind.name())),
        })
    });
    values.collect::<Result<_, _>>().map(Row::new)
}

fn no_value(column: &str, kind: &str) -> SqlError {
    SqlError::Other(Source::from(format!(
        "column {column} is of type {kind}, which is never asked for"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_named_with_its_folder_or_in_full() {
        let folder = Path::new("/run/postgresql");
        assert_eq!(folder_and_port(folder), (folder, None));
        assert_eq!(
            folder_and_port(&folder.join(".s.PGSQL.5433")),
            (folder, Some(5433))
        );
        assert_eq!(folder_and_port(Path::new("/")), (Path::new("/"), None));
    }

    #[test]
    fn a_text_reaches_postgresql_without_nul() {
        assert_eq!(without_nul("a\0b\0"), "a\u{fffd}b\u{fffd}");
        assert!(matches!(without_nul("plain"), Cow::Borrowed("plain")));
    }
}
