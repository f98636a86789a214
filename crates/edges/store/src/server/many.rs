//! Many rows in one go: a statement for each would be a way to the server and back for each.

use super::engine::ServerEngine;
use super::session::ServerSession;
use crate::sql::{Sql, SqlError, SqlRow, SqlValue, marks};

/// Rows that one statement of MariaDB writes, and octets in them: the texts differ by these numbers only, so that
/// they stay prepared, and no packet is longer than a server takes (`max_allowed_packet`, 1 MiB or more).
const ROWS: [usize; 4] = [256, 32, 4, 1];
const OCTETS: usize = 512 * 1024;

impl ServerSession {
    /// Writes many rows in one go; how many it was about. They stand where the statement says `{rows}`:
    ///
    /// * PostgreSQL reads `SELECT * FROM UNNEST(…)` there, in one statement for all;
    /// * MariaDB reads `VALUES (…), (…)`, in as many statements as it takes.
    pub(crate) fn bulk(&self, sql: &str, rows: &[Vec<SqlValue<'_>>]) -> Result<u64, SqlError> {
        let Some(first) = rows.first() else {
            return Ok(0);
        };
        match self.engine() {
            ServerEngine::PostgreSql => {
                let sql = sql.replace("{rows}", &unnest(first));
                self.ask(async |lent| lent.wire.execute_with_rows(&sql, rows).await)
            }
            ServerEngine::MariaDb => {
                let mut about = 0;
                for part in parts(rows) {
                    let sql = sql.replace("{rows}", &row_marks(part.len(), first.len()));
                    about += self.execute(&sql, &part.concat())?;
                }
                Ok(about)
            }
        }
    }

    /// Asks about many values in one go, each a row by itself. They stand where the question says `IN ({list})`; on
    /// MariaDB they are asked about in parts.
    pub(crate) fn each_of(
        &self,
        sql: &str,
        rows: &[Vec<SqlValue<'_>>],
        take: &mut dyn FnMut(&SqlRow) -> Result<bool, SqlError>,
    ) -> Result<(), SqlError> {
        let mut answers = Vec::new();
        match (self.engine(), rows.first().and_then(|first| first.first())) {
            (_, None) => {}
            (ServerEngine::PostgreSql, Some(first)) => {
                let sql = sql.replace("{list}", &format!("SELECT UNNEST($1::{}[])", kind(first)));
                answers = self.ask(async |lent| lent.wire.rows_for_rows(&sql, rows).await)?;
            }
            (ServerEngine::MariaDb, Some(_)) => {
                for part in parts(rows) {
                    let sql = sql.replace("{list}", &marks(1, part.len()));
                    let values = part.concat();
                    answers.extend(self.ask(async |lent| lent.wire.rows(&sql, &values).await)?);
                }
            }
        }
        for row in &answers {
            if !take(row)? {
                break;
            }
        }
        Ok(())
    }
}

/// What PostgreSQL calls a column of such values.
fn kind(value: &SqlValue<'_>) -> &'static str {
    match value {
        SqlValue::Integer(_) => "bigint",
        SqlValue::Text(_) => "text",
        SqlValue::Octets(_) => "bytea",
    }
}

fn octets(value: &SqlValue<'_>) -> usize {
    match value {
        SqlValue::Integer(_) => 8,
        SqlValue::Text(text) => text.as_ref().map_or(0, |text| text.len()),
        SqlValue::Octets(octets) => octets.as_ref().map_or(0, |octets| octets.len()),
    }
}

fn unnest(row: &[SqlValue<'_>]) -> String {
    let columns = row.iter().zip(1..);
    let columns = columns.map(|(value, place)| format!("${place}::{}[]", kind(value)));
    format!("SELECT * FROM UNNEST({})", columns.collect::<Vec<_>>().join(", "))
}

/// `VALUES (?1, ?2), (?3, ?4)` for two rows of two.
fn row_marks(rows: usize, columns: usize) -> String {
    let row = |row| format!("({})", marks(row * columns + 1, columns));
    format!("VALUES {}", (0..rows).map(row).collect::<Vec<_>>().join(", "))
}

/// As many rows as go into one statement of MariaDB. One that is too long by itself goes alone.
fn parts<'r, 'v>(mut rows: &'r [Vec<SqlValue<'v>>]) -> impl Iterator<Item = &'r [Vec<SqlValue<'v>>]> {
    let fits = |part: &[Vec<SqlValue<'v>>]| part.iter().flatten().map(octets).sum::<usize>() <= OCTETS;
    std::iter::from_fn(move || {
        let count = ROWS
            .into_iter()
            .find(|count| *count == 1 || rows.get(..*count).is_some_and(fits))?;
        let (part, rest) = rows.split_at_checked(count)?;
        rows = rest;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::row;

    #[test]
    fn many_rows_are_written_in_few_texts() {
        assert_eq!(row_marks(2, 3), "VALUES (?1, ?2, ?3), (?4, ?5, ?6)");
        let with_octets: Vec<_> = row![1_i64, vec![1_u8]];
        assert_eq!(
            unnest(&with_octets),
            "SELECT * FROM UNNEST($1::bigint[], $2::bytea[])"
        );
        let sizes = |count: usize| {
            let rows = vec![row![1_i64]; count];
            parts(&rows).map(<[_]>::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(0), [0_usize; 0]);
        assert_eq!(sizes(294), [256, 32, 4, 1, 1]);
        assert_eq!(sizes(256), [256]);
    }

    #[test]
    fn a_statement_is_no_longer_than_a_server_takes() {
        let sizes = |octets: usize| {
            let rows = vec![row![vec![0_u8; octets]]; 5];
            parts(&rows).map(<[_]>::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(OCTETS / 4), [4, 1], "at the limit");
        assert_eq!(sizes(OCTETS / 4 + 1), [1; 5], "past it");
        assert_eq!(sizes(OCTETS + 1), [1; 5], "one alone");
    }
}
