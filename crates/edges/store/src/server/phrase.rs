//! A statement as each engine writes it.

use super::engine::ServerEngine;
use crate::error::BoxedSource;
use crate::sql::SqlError;

/// A statement with the marks of its engine, and which value stands at each of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Phrase {
    pub(super) text: String,
    /// Places of the values, counted from 0: one for each mark on MariaDB, which has no numbers for them; each once on
    /// PostgreSQL.
    pub(super) places: Vec<usize>,
}

/// Puts `$1` or `?` in the place of `?1`. What stands between quotes is left alone.
pub(super) fn phrase(engine: ServerEngine, sql: &str, values: usize) -> Result<Phrase, SqlError> {
    let mut text = String::with_capacity(sql.len() + 8);
    let mut places = Vec::new();
    let mut rest = sql;
    while let Some(at) = rest.find(['?', '\'', '"']) {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        rest = match from.strip_prefix('?') {
            Some(numbered) => {
                let (number, after) = number_of(numbered);
                let place = number.and_then(|number| number.checked_sub(1));
                let place = place
                    .filter(|place| *place < values)
                    .ok_or_else(|| unknown(sql))?;
                match engine {
                    ServerEngine::PostgreSql => text.push_str(&format!("${}", place + 1)),
                    ServerEngine::MariaDb => {
                        text.push('?');
                        places.push(place);
                    }
                }
                after
            }
            None => {
                let (quoted, after) = quoted(from);
                text.push_str(quoted);
                after
            }
        };
    }
    text.push_str(rest);
    if engine == ServerEngine::PostgreSql {
        places = (0..values).collect();
    }
    Ok(Phrase { text, places })
}

fn number_of(text: &str) -> (Option<usize>, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, after) = text.split_at(end);
    (number.parse().ok(), after)
}

/// What stands between the quotes that a text begins with, and them; a doubled quote is read as two such texts, which is the same.
fn quoted(text: &str) -> (&str, &str) {
    let mut places = text.char_indices();
    let quote = places.next().map(|(_, quote)| quote);
    let end = places.find(|(_, c)| Some(*c) == quote).map(|(at, _)| at + 1);
    text.split_at(end.unwrap_or(text.len()))
}

fn unknown(sql: &str) -> SqlError {
    SqlError::Other(BoxedSource::from(format!(
        "a statement asks for a value that is not there: {sql}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_where_each_engine_wants_them() {
        let sql = "SELECT '?1 ''?', \"?\" FROM t WHERE a = ?2 AND (b = ?1 OR c = ?2) LIMIT ?10";
        let postgresql = phrase(ServerEngine::PostgreSql, sql, 10).unwrap();
        assert_eq!(
            postgresql.text,
            "SELECT '?1 ''?', \"?\" FROM t WHERE a = $2 AND (b = $1 OR c = $2) LIMIT $10"
        );
        assert_eq!(postgresql.places, (0..10).collect::<Vec<_>>());
        let mariadb = phrase(ServerEngine::MariaDb, sql, 10).unwrap();
        assert_eq!(
            mariadb.text,
            "SELECT '?1 ''?', \"?\" FROM t WHERE a = ? AND (b = ? OR c = ?) LIMIT ?"
        );
        assert_eq!(mariadb.places, [1, 0, 1, 9]);
    }

    #[test]
    fn a_value_that_is_not_there_is_a_mistake() {
        for sql in [
            "SELECT ?",
            "SELECT ?0",
            "SELECT ?3",
            "SELECT ?99999999999999999999999",
        ] {
            assert!(phrase(ServerEngine::MariaDb, sql, 2).is_err(), "{sql}");
        }
        for sql in ["SELECT 'a", "SELECT ''", "SELECT \"ä'\""] {
            assert_eq!(phrase(ServerEngine::MariaDb, sql, 0).unwrap().text, sql);
        }
    }
}
