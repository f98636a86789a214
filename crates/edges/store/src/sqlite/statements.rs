//! A transaction of SQLite as [`Sql`]: statements that are kept prepared, values that are bound where they are.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};

use super::error::damaged;
use crate::sql::{Sql, SqlError, SqlRow, SqlValue};

/// The transaction that is open on this connection.
pub(crate) struct Statements<'a>(pub(super) &'a Connection);

impl Sql for Statements<'_> {
    fn execute(&self, sql: &str, values: &[SqlValue<'_>]) -> Result<u64, SqlError> {
        let mut statement = self.0.prepare_cached(sql)?;
        Ok(statement.execute(params_from_iter(values))? as u64)
    }

    fn insert(&self, sql: &str, values: &[SqlValue<'_>]) -> Result<i64, SqlError> {
        let mut statement = self.0.prepare_cached(sql)?;
        Ok(statement.insert(params_from_iter(values))?)
    }

    fn each(
        &self,
        sql: &str,
        values: &[SqlValue<'_>],
        take: &mut dyn FnMut(&SqlRow) -> Result<bool, SqlError>,
    ) -> Result<(), SqlError> {
        let mut statement = self.0.prepare_cached(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            let read = |column| value_of(column, row.get_ref(column)?);
            if !take(&SqlRow::new((0..columns).map(read).collect::<Result<_, _>>()?))? {
                break;
            }
        }
        Ok(())
    }

    fn same_domain(&self) -> bool {
        false
    }
}

fn value_of(column: usize, value: ValueRef<'_>) -> Result<SqlValue<'static>, SqlError> {
    match value {
        ValueRef::Null => Ok(SqlValue::Integer(None)),
        ValueRef::Integer(number) => Ok(number.into()),
        ValueRef::Text(octets) => match std::str::from_utf8(octets) {
            Ok(text) => Ok(text.to_owned().into()),
            Err(_) => Err(SqlError::Damaged(column)),
        },
        ValueRef::Blob(octets) => Ok(octets.to_vec().into()),
        ValueRef::Real(_) => Err(SqlError::Damaged(column)),
    }
}

impl ToSql for SqlValue<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Integer(Some(number)) => ValueRef::Integer(*number),
            Self::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
            Self::Octets(Some(octets)) => ValueRef::Blob(octets),
            Self::Integer(None) | Self::Text(None) | Self::Octets(None) => ValueRef::Null,
        }))
    }
}

/// For those who ask SQLite themselves, and the outbox beside.
impl From<SqlError> for rusqlite::Error {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Sqlite(error) => error,
            SqlError::Damaged(column) => damaged(column),
            SqlError::Server(error) => Self::ToSqlConversionFailure(error.into()),
            SqlError::Other(error) => Self::ToSqlConversionFailure(error),
        }
    }
}

/// A store in memory, for tests of statements.
#[cfg(test)]
pub(crate) fn in_memory(work: impl FnOnce(&dyn Sql)) {
    let mut connection = Connection::open_in_memory().unwrap();
    super::migrations::migrate(&mut connection, std::path::Path::new("memory")).unwrap();
    work(&Statements(&connection));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{SqlQueries, values};

    fn table() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        let table = "CREATE TABLE a (id INTEGER PRIMARY KEY, number, word, octets)";
        connection.execute_batch(table).unwrap();
        connection
    }

    #[test]
    fn what_goes_in_comes_out() {
        let connection = table();
        let sql: &dyn Sql = &Statements(&connection);
        let insert = "INSERT INTO a (number, word, octets) VALUES (?2, ?1, ?3)";
        assert_eq!(
            sql.insert(insert, values!["é\0", i64::MIN, vec![0, 255]])
                .unwrap(),
            1
        );
        let nothing = [
            SqlValue::Text(None),
            SqlValue::Integer(None),
            SqlValue::Octets(None),
        ];
        assert_eq!(sql.insert(insert, &nothing).unwrap(), 2);
        let found = sql.rows("SELECT number, word, octets FROM a ORDER BY id", &[], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        });
        let whole = (Some(i64::MIN), Some("é\0".to_owned()), Some(vec![0, 255]));
        assert_eq!(found.unwrap(), [whole, (None, None, None)]);
        let changed = sql.execute("UPDATE a SET number = ?1", values![7_i64]).unwrap();
        assert_eq!(
            (changed, sql.count("SELECT count(*) FROM a", &[]).unwrap()),
            (2, 2)
        );
    }

    #[test]
    fn reading_ends_where_it_is_told_to_and_may_ask_in_between() {
        let connection = table();
        let sql: &dyn Sql = &Statements(&connection);
        for number in 1..=3_i64 {
            sql.insert("INSERT INTO a (number) VALUES (?1)", values![number])
                .unwrap();
        }
        let mut seen = Vec::new();
        sql.each("SELECT id FROM a ORDER BY id", &[], &mut |row| {
            let id: i64 = row.get(0)?;
            seen.push(sql.count("SELECT number FROM a WHERE id = ?1", values![id])?);
            Ok(seen.len() < 2)
        })
        .unwrap();
        assert_eq!(seen, [1, 2]);
    }

    #[test]
    fn what_we_never_write_is_damaged() {
        let connection = table();
        let sql: &dyn Sql = &Statements(&connection);
        connection
            .execute_batch("INSERT INTO a (number, word) VALUES (1.5, CAST(x'ff' AS TEXT))")
            .unwrap();
        for column in ["number", "word"] {
            let found = sql.exists(&format!("SELECT id, {column} FROM a"), &[]);
            assert!(matches!(found, Err(SqlError::Damaged(1))), "{column}: {found:?}");
        }
    }
}
