//! Secrets that are made once and stay.

use crate::sql::{Sql, SqlError, SqlQueries, values};

pub(super) fn read(sql: &dyn Sql, name: &str) -> Result<Option<[u8; 32]>, SqlError> {
    sql.row(
        "SELECT octets FROM secret WHERE name = ?1",
        values![name],
        |row| row.octets(0)?.try_into().map_err(|_| SqlError::Damaged(0)),
    )
}

/// The one that stays: this one, or that of a process which was first.
pub(super) fn keep(sql: &dyn Sql, name: &str, fresh: [u8; 32]) -> Result<[u8; 32], SqlError> {
    if let Some(secret) = read(sql, name)? {
        return Ok(secret);
    }
    let insert = "INSERT INTO secret (name, octets) VALUES (?1, ?2)";
    sql.execute(insert, values![name, fresh.as_slice()])?;
    Ok(fresh)
}

pub(super) fn fresh() -> std::io::Result<[u8; 32]> {
    use ring::rand::SecureRandom as _;
    let mut octets = [0; 32];
    ring::rand::SystemRandom::new()
        .fill(&mut octets)
        .map_err(|_| std::io::Error::other("the system has none"))?;
    Ok(octets)
}
