//! Where the reports about a domain go against what its record says.

use rusqlite::{Connection, OptionalExtension, Row};
use serde_json::Value;

use super::{integer, time};
use crate::outbox::Redirection;

pub(super) fn set(connection: &Connection, redirection: &Redirection) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO redirection (policy_domain, rua, since_ms) VALUES (?1, ?2, ?3)";
    let rua = Value::from(redirection.rua.clone()).to_string();
    connection.execute(sql, (&redirection.policy_domain, rua, time(redirection.since_ms)))?;
    Ok(())
}

pub(super) fn remove(connection: &Connection, policy_domain: &str) -> rusqlite::Result<bool> {
    let removed = connection.execute(
        "DELETE FROM redirection WHERE policy_domain = ?1",
        [policy_domain],
    )?;
    Ok(removed > 0)
}

pub(in crate::sqlite) fn of(
    connection: &Connection,
    policy_domain: &str,
) -> rusqlite::Result<Option<Redirection>> {
    let sql = "SELECT policy_domain, rua, since_ms FROM redirection WHERE policy_domain = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_row([policy_domain], redirection).optional()
}

pub(in crate::sqlite) fn all(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<Redirection>> {
    let sql = "SELECT policy_domain, rua, since_ms FROM redirection ORDER BY policy_domain LIMIT ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_map([integer(limit as u64)], redirection)?;
    found.collect()
}

fn redirection(row: &Row<'_>) -> rusqlite::Result<Redirection> {
    let rua: String = row.get(1)?;
    let uris: Vec<Value> = serde_json::from_str(&rua).unwrap_or_default();
    let words = uris
        .into_iter()
        .filter_map(|uri| uri.as_str().map(ToOwned::to_owned));
    Ok(Redirection {
        policy_domain: row.get(0)?,
        rua: words.collect(),
        since_ms: row.get(2)?,
    })
}
