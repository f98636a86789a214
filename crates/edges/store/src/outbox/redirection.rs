//! Where the reports about a domain go against what its record says.

use serde_json::Value;

use crate::limits::MAX_REDIRECTIONS;
use crate::model::{Redirection, as_integer};
use crate::sql::{Sql, SqlError, SqlQueries, SqlRow, limit, values};

/// In place of what was said before.
pub(super) fn set(sql: &dyn Sql, redirection: &Redirection) -> Result<(), SqlError> {
    let rua = Value::from(redirection.rua.clone()).to_string();
    let values = values![&redirection.policy_domain, rua, as_integer(redirection.since_ms)];
    let update = "UPDATE redirection SET rua = ?2, since_ms = ?3 WHERE policy_domain = ?1";
    if sql.execute(update, values)? == 0 {
        let insert = "INSERT INTO redirection (policy_domain, rua, since_ms) VALUES (?1, ?2, ?3)";
        sql.execute(insert, values)?;
    }
    Ok(())
}

pub(super) fn remove(sql: &dyn Sql, policy_domain: &str) -> Result<bool, SqlError> {
    let remove = "DELETE FROM redirection WHERE policy_domain = ?1";
    Ok(sql.execute(remove, values![policy_domain])? > 0)
}

pub(crate) fn of(sql: &dyn Sql, policy_domain: &str) -> Result<Option<Redirection>, SqlError> {
    let one = "SELECT policy_domain, rua, since_ms FROM redirection WHERE policy_domain = ?1";
    sql.row(one, values![policy_domain], redirection)
}

/// The first of them, in alphabetical order.
pub(crate) fn all(sql: &dyn Sql) -> Result<Vec<Redirection>, SqlError> {
    let all = "SELECT policy_domain, rua, since_ms FROM redirection ORDER BY policy_domain LIMIT ?1";
    sql.rows(all, values![limit(MAX_REDIRECTIONS)], redirection)
}

fn redirection(row: &SqlRow) -> Result<Redirection, SqlError> {
    let uris: Vec<Value> = serde_json::from_str(row.text(1)?).unwrap_or_default();
    let words = uris
        .into_iter()
        .filter_map(|uri| uri.as_str().map(ToOwned::to_owned));
    Ok(Redirection {
        policy_domain: row.get(0)?,
        rua: words.collect(),
        since_ms: row.get(2)?,
    })
}
