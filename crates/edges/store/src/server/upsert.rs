//! Adding many rows to a table at a time, where some of them are there already.

use super::engine::ServerEngine;
use super::session::ServerSession;
use crate::sql::{SqlError, SqlValue};

/// A table, and what becomes of a row that is there already.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// All that is written, in the order of the values.
    pub(super) columns: &'static [&'static str],
    /// Its primary key. Rows are handed over in its order, each once: two that write the same rows then wait for
    /// each other and never in a circle.
    pub(super) key: &'static str,
    /// Columns that grow together with those of the row that was there; the others are the same.
    pub(super) grow: &'static [(&'static str, Grow)],
}

/// How a column of two rows becomes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grow {
    /// The earlier one.
    Earlier,
    /// The later one.
    Later,
    /// Both together, up to this number at most; what is past it already stays.
    Sum(i64),
}

impl Table {
    /// Adds these rows.
    pub(super) fn add<'r>(
        &self,
        session: &ServerSession,
        rows: impl Iterator<Item = Vec<SqlValue<'r>>>,
    ) -> Result<(), SqlError> {
        session.bulk(&self.statement(session.engine()), &rows.collect::<Vec<_>>())?;
        Ok(())
    }

    fn statement(&self, engine: ServerEngine) -> String {
        let Self {
            name, columns, key, ..
        } = self;
        let insert = format!("INSERT INTO {name} ({}) {{rows}}", columns.join(", "));
        match engine {
            _ if self.grow.is_empty() => insert,
            ServerEngine::PostgreSql => {
                let set = self.set(|column| (format!("{name}.{column}"), format!("excluded.{column}")));
                let changes = self.changes();
                format!("{insert} ON CONFLICT ({key}) DO UPDATE SET {set}{changes}")
            }
            ServerEngine::MariaDb => {
                let set = self.set(|column| (column.to_owned(), format!("VALUES({column})")));
                format!("{insert} ON DUPLICATE KEY UPDATE {set}")
            }
        }
    }

    fn set(&self, named: impl Fn(&str) -> (String, String)) -> String {
        let set = self.grow.iter().map(|(column, grow)| {
            let (old, new) = named(column);
            let grown = match grow {
                Grow::Earlier => format!("least({old}, {new})"),
                Grow::Later => format!("greatest({old}, {new})"),
                Grow::Sum(most) => format!("{old} + least({new}, greatest({most} - {old}, 0))"),
            };
            format!("{column} = {grown}")
        });
        set.collect::<Vec<_>>().join(", ")
    }

    /// PostgreSQL writes a row anew also when it stays as it is: but for sums it can be told.
    fn changes(&self) -> String {
        let Self { name, grow, .. } = self;
        if grow.iter().any(|(_, grow)| matches!(grow, Grow::Sum(_))) {
            return String::new();
        }
        let changes = grow.iter().map(|(column, grow)| {
            let sign = if *grow == Grow::Earlier { '>' } else { '<' };
            format!("{name}.{column} {sign} excluded.{column}")
        });
        format!(" WHERE {}", changes.collect::<Vec<_>>().join(" OR "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: Table = Table {
        name: "rule_hit",
        columns: &["name, hits", "last_ms"],
        key: "name",
        grow: &[("hits", Grow::Sum(99)), ("last_ms", Grow::Later)],
    };

    #[test]
    fn each_engine_is_told_in_its_words() {
        assert_eq!(
            COUNTS.statement(ServerEngine::PostgreSql),
            "INSERT INTO rule_hit (name, hits, last_ms) {rows} ON CONFLICT (name) DO UPDATE SET \
             hits = rule_hit.hits + least(excluded.hits, greatest(99 - rule_hit.hits, 0)), \
             last_ms = greatest(rule_hit.last_ms, excluded.last_ms)"
        );
        assert_eq!(
            COUNTS.statement(ServerEngine::MariaDb),
            "INSERT INTO rule_hit (name, hits, last_ms) {rows} ON DUPLICATE KEY UPDATE \
             hits = hits + least(VALUES(hits), greatest(99 - hits, 0)), last_ms = greatest(last_ms, VALUES(last_ms))"
        );
    }

    #[test]
    fn a_row_that_stays_as_it_is_is_not_written_anew() {
        let marked = Table {
            grow: &[("first_ms", Grow::Earlier), ("last_ms", Grow::Later)],
            ..COUNTS
        };
        let text = marked.statement(ServerEngine::PostgreSql);
        assert!(
            text.ends_with(
                " WHERE rule_hit.first_ms > excluded.first_ms OR rule_hit.last_ms < excluded.last_ms"
            ),
            "{text}"
        );
        let once = Table { grow: &[], ..COUNTS };
        let text = once.statement(ServerEngine::MariaDb);
        assert_eq!(text, "INSERT INTO rule_hit (name, hits, last_ms) {rows}");
    }
}
