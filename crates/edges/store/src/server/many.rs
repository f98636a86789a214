//! Many rows in one go: a statement for each would be a way to the server and back for each.

use std::fmt::Write as _;
use std::ops::Range;

use super::engine::ServerEngine;
use super::session::ServerSession;
use super::wire::BulkColumn;
use crate::sql::{Sql, SqlError, SqlRow, SqlValue};

/// Rows that one statement of MariaDB writes, and octets in them: the texts differ by these numbers only, so that
/// they stay prepared, and no packet is longer than a server takes (`max_allowed_packet`, 1 MiB or more).
const ROWS: [usize; 4] = [256, 32, 4, 1];
const OCTETS: usize = 512 * 1024;

impl ServerSession {
    /// Writes many rows in one go; how many it was about. They stand where the statement says `{rows}`:
    ///
    /// * PostgreSQL reads `SELECT * FROM UNNEST(…)` there, in one statement for all;
    /// * MariaDB reads `VALUES (…), (…)`, in as many statements as it takes.
    pub(crate) fn bulk(&self, sql: &str, columns: &[BulkColumn<'_>]) -> Result<u64, SqlError> {
        let rows = columns.first().map_or(0, BulkColumn::len);
        if columns.iter().any(|column| column.len() != rows) {
            return Err(SqlError::Other("columns of different lengths".into()));
        }
        if rows == 0 {
            return Ok(0);
        }
        match self.engine() {
            ServerEngine::PostgreSql => {
                let sql = sql.replace("{rows}", &unnest(columns));
                self.ask(async |lent| lent.wire.columns(&sql, columns).await)
            }
            ServerEngine::MariaDb => {
                let mut about = 0;
                for part in parts(columns, rows) {
                    let sql = sql.replace("{rows}", &row_marks(part.len(), columns.len()));
                    let row = |at| columns.iter().filter_map(move |column| column.value(at));
                    let values: Vec<_> = part.flat_map(row).collect();
                    about += self.execute(&sql, &values)?;
                }
                Ok(about)
            }
        }
    }

    /// Asks about many values in one go. They stand where the question says `IN ({list})`; on MariaDB they are asked about in
    /// parts.
    pub(crate) fn each_of(
        &self,
        sql: &str,
        column: &BulkColumn<'_>,
        take: &mut dyn FnMut(&SqlRow) -> Result<bool, SqlError>,
    ) -> Result<(), SqlError> {
        let all = std::slice::from_ref(column);
        let mut answers = Vec::new();
        match self.engine() {
            ServerEngine::PostgreSql if column.len() > 0 => {
                let sql = sql.replace("{list}", &format!("SELECT UNNEST($1::{}[])", column.kind()));
                answers = self.ask(async |lent| lent.wire.rows_of(&sql, column).await)?;
            }
            ServerEngine::PostgreSql => {}
            ServerEngine::MariaDb => {
                for part in parts(all, column.len()) {
                    let sql = sql.replace("{list}", &marks(1, part.len()));
                    let values: Vec<_> = part.filter_map(|at| column.value(at)).collect();
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

impl BulkColumn<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Integers(all) => all.len(),
            Self::Texts(all) => all.len(),
            Self::Octets(all) => all.len(),
        }
    }

    /// What PostgreSQL calls it.
    fn kind(&self) -> &'static str {
        match self {
            Self::Integers(_) => "bigint",
            Self::Texts(_) => "text",
            Self::Octets(_) => "bytea",
        }
    }

    fn value(&self, at: usize) -> Option<SqlValue<'_>> {
        Some(match self {
            Self::Integers(all) => SqlValue::Integer(*all.get(at)?),
            Self::Texts(all) => SqlValue::Text(all.get(at)?.as_deref().map(Into::into)),
            Self::Octets(all) => SqlValue::Octets(all.get(at)?.as_deref().map(Into::into)),
        })
    }

    fn octets(&self, at: usize) -> usize {
        match self {
            Self::Integers(_) => 8,
            Self::Texts(all) => all.get(at).and_then(Option::as_ref).map_or(0, |text| text.len()),
            Self::Octets(all) => all
                .get(at)
                .and_then(Option::as_ref)
                .map_or(0, |octets| octets.len()),
        }
    }
}

fn unnest(columns: &[BulkColumn<'_>]) -> String {
    let mut text = "SELECT * FROM UNNEST(".to_owned();
    for (at, column) in columns.iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        // Writing to a text cannot fail.
        let _ = write!(text, "{comma}${}::{}[]", at + 1, column.kind());
    }
    text + ")"
}

/// `VALUES (?1, ?2), (?3, ?4)` for two rows of two.
fn row_marks(rows: usize, columns: usize) -> String {
    let row = |row| format!("({})", marks(row * columns + 1, columns));
    format!("VALUES {}", (0..rows).map(row).collect::<Vec<_>>().join(", "))
}

/// `?3, ?4` for two from 3 on.
fn marks(first: usize, count: usize) -> String {
    let marks = (first..first + count).map(|number| format!("?{number}"));
    marks.collect::<Vec<_>>().join(", ")
}

/// Rows that go into one statement of MariaDB. One row that is too long by itself goes alone.
fn parts<'c>(columns: &'c [BulkColumn<'_>], rows: usize) -> impl Iterator<Item = Range<usize>> + 'c {
    let mut next = 0;
    std::iter::from_fn(move || {
        let size = |from: usize, count: usize| {
            let octets = |at| columns.iter().map(move |column| column.octets(at));
            (from..from + count).flat_map(octets).sum::<usize>()
        };
        let first = next;
        let count = ROWS
            .into_iter()
            .find(|count| *count == 1 || first + count <= rows && size(first, *count) <= OCTETS)?;
        next = (first + count).min(rows);
        (first < rows).then_some(first..next)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_rows_are_written_in_few_texts() {
        assert_eq!(row_marks(2, 3), "VALUES (?1, ?2, ?3), (?4, ?5, ?6)");
        assert_eq!(
            unnest(&[BulkColumn::Integers(vec![]), BulkColumn::Octets(vec![])]),
            "SELECT * FROM UNNEST($1::bigint[], $2::bytea[])"
        );
        let numbers = |count| [BulkColumn::Integers(vec![None; count])];
        let sizes = |count: usize| {
            let columns = numbers(count);
            parts(&columns, count).map(|part| part.len()).collect::<Vec<_>>()
        };
        assert_eq!(sizes(0), [0_usize; 0]);
        assert_eq!(sizes(294), [256, 32, 4, 1, 1]);
        assert_eq!(sizes(256), [256]);
    }

    #[test]
    fn a_statement_is_no_longer_than_a_server_takes() {
        let long = |octets: usize| [BulkColumn::Octets(vec![Some(vec![0; octets].into()); 5])];
        let sizes = |columns: &[BulkColumn<'_>]| parts(columns, 5).map(|part| part.len()).collect::<Vec<_>>();
        assert_eq!(sizes(&long(OCTETS / 4)), [4, 1], "at the limit");
        assert_eq!(sizes(&long(OCTETS / 4 + 1)), [1; 5], "past it");
        assert_eq!(sizes(&long(OCTETS + 1)), [1; 5], "one alone");
    }
}
