//! Leases with a name: of all hosts one does what it stands for, and another when that one is gone.

use super::statement::{integer, time};
use crate::limits::MAX_OWNERS;
use crate::model::Lease;
use crate::sql::{Sql, SqlError, SqlQueries, SqlRow, values};

/// Takes it, or renews it; none when somebody else has it. Leases that ran out are forgotten, whatever their
/// names: the one who had it gets it again like anybody else.
pub(super) fn take(
    sql: &dyn Sql,
    name: &str,
    owner: &str,
    (lease_ms, now_ms): (u64, u64),
) -> Result<Option<Lease>, SqlError> {
    let now = time(sql, now_ms);
    sql.execute("DELETE FROM lease WHERE until_ms <= ?1", values![now])?;
    let until_ms = now_ms.saturating_add(lease_ms);
    let until = time(sql, until_ms);
    let holder = sql.row("SELECT owner FROM lease WHERE name = ?1", values![name], |row| {
        row.get::<String>(0)
    })?;
    let write = match holder {
        None => "INSERT INTO lease (name, owner, until_ms) VALUES (?1, ?2, ?3)",
        Some(holder) if holder == owner => "UPDATE lease SET until_ms = ?3 WHERE name = ?1 AND owner = ?2",
        Some(_) => return Ok(None),
    };
    sql.execute(write, values![name, owner, until])?;
    let owner = owner.to_owned();
    Ok(Some(Lease { owner, until_ms }))
}

/// Gives it back; whether it was the owner's.
pub(super) fn release(sql: &dyn Sql, name: &str, owner: &str) -> Result<bool, SqlError> {
    let release = "DELETE FROM lease WHERE name = ?1 AND owner = ?2";
    Ok(sql.execute(release, values![name, owner])? > 0)
}

/// Who has them, run out or not, in alphabetical order of the names.
pub(crate) fn all(sql: &dyn Sql) -> Result<Vec<(String, Lease)>, SqlError> {
    let all = "SELECT name, owner, until_ms FROM lease ORDER BY name LIMIT ?1";
    sql.rows(all, values![integer(MAX_OWNERS as u64)], lease_of)
}

fn lease_of(row: &SqlRow) -> Result<(String, Lease), SqlError> {
    let (owner, until_ms) = (row.get(1)?, row.get(2)?);
    Ok((row.get(0)?, Lease { owner, until_ms }))
}
