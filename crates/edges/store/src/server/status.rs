//! How a store on a server is.

use super::engine::ServerEngine;
use super::session::ServerSession;
use super::{DatabaseServer, migrations};
use crate::error::StoreError;
use crate::model::{Day, StoreStatus};
use crate::outbox;
use crate::sql::{FromValue, SqlError, SqlQueries, values};

/// Rows that are counted one by one. What is past it the server has an idea of.
const COUNTED: u64 = 1_000_000;

impl DatabaseServer {
    /// How it is.
    pub(crate) fn status(&self) -> Result<StoreStatus, StoreError> {
        self.read("read the state", |session| {
            Ok(StoreStatus {
                place: self.to_string(),
                version: migrations::version(session)?,
                file_bytes: bytes(session)?,
                free_bytes: None,
                wal_bytes: None,
                observations: rows(session, "observation")?,
                observation_days: ends(session, "at_ms", "observation")?
                    .map(|(first, last)| (Day::at(first), Day::at(last))),
                traces: rows(session, "trace")?,
                tally_rows: rows(session, "tally")?,
                tally_days: ends(session, "day", "tally_day")?.map(|(first, last)| (Day(first), Day(last))),
                distinct_rows: rows(session, "reporting_row")?,
                outbox: outbox::list::status(session)?,
            })
        })
    }
}

/// How many rows a table has: exactly, when they are not very many.
fn rows(session: &ServerSession, table: &'static str) -> Result<u64, SqlError> {
    let text = format!("SELECT count(*) FROM (SELECT 1 AS one FROM {table} LIMIT ?1) AS counted");
    let counted = session.count(&text, values![COUNTED.cast_signed()])?;
    if counted < COUNTED {
        return Ok(counted);
    }
    let text = match session.engine() {
        ServerEngine::PostgreSql => {
            "SELECT coalesce(CAST(sum(greatest(reltuples, 0)) AS BIGINT), 0) FROM pg_class \
             WHERE pg_table_is_visible(oid) AND relkind = 'r' \
             AND (relname = ?1 OR relispartition AND starts_with(relname, ?1 || '_'))"
        }
        ServerEngine::MariaDb => {
            "SELECT coalesce(CAST(sum(table_rows) AS SIGNED), 0) FROM information_schema.tables \
             WHERE table_schema = database() AND table_name = ?1"
        }
    };
    Ok(session.count(text, values![table])?.max(counted))
}

/// What is in a column first and last. Each is asked for by itself: an index has it at one of its ends.
fn ends<T: FromValue>(session: &ServerSession, column: &str, table: &str) -> Result<Option<(T, T)>, SqlError>
where
    Option<T>: FromValue,
{
    let end = |which: &str| {
        let text = format!("SELECT {which}({column}) FROM {table}");
        session
            .row(&text, &[], |row| row.get::<Option<T>>(0))
            .map(Option::flatten)
    };
    Ok(end("min")?.zip(end("max")?))
}

/// Octets of our tables with their indexes.
fn bytes(session: &ServerSession) -> Result<u64, SqlError> {
    let text = match session.engine() {
        ServerEngine::PostgreSql => {
            "SELECT coalesce(CAST(sum(pg_total_relation_size(oid)) AS BIGINT), 0) FROM pg_class \
             WHERE relkind = 'r' AND relnamespace = to_regnamespace(current_schema())"
        }
        ServerEngine::MariaDb => {
            "SELECT coalesce(CAST(sum(data_length + index_length) AS SIGNED), 0) FROM information_schema.tables \
             WHERE table_schema = database()"
        }
    };
    session.count(text, &[])
}
