//! Bodies of reports, in chunks.

use super::statement::{insert_into, integer, same_domain, time};
use crate::limits::MAX_BODY;
use crate::model::ReportNumber;
use crate::sql::{Sql, SqlError, SqlQueries, values};

/// Octets written in one transaction: about 10 ms, the disk not counted.
pub(super) const AT_ONCE: usize = 1 << 20;
/// Octets of a chunk.
const CHUNK: usize = 256 << 10;
/// The chunks of one body are numbered within its own range.
const PLACES: i64 = 256;
/// Chunks read at once: four megabytes.
const PAGE: usize = 16;
const _: () = assert!(
    MAX_BODY.div_ceil(CHUNK) <= 256,
    "every chunk of a body has its place"
);

/// Makes a body that no report has yet.
pub(super) fn begin(sql: &dyn Sql, policy_domain: &str, size: usize, now_ms: u64) -> Result<i64, SqlError> {
    let values = values![time(sql, now_ms), integer(size as u64), 1_i64];
    let columns = ["created_ms", "size", "staged"];
    let (insert, values) = insert_into(sql, "body", policy_domain, columns, values);
    sql.insert(&insert, &values)
}

/// Adds octets to it, from this place on; the place after them.
pub(super) fn add(
    sql: &dyn Sql,
    policy_domain: &str,
    body: i64,
    mut place: i64,
    octets: &[u8],
) -> Result<i64, SqlError> {
    for chunk in octets.chunks(CHUNK) {
        let values = values![body * PLACES + place, chunk];
        let (insert, values) = insert_into(sql, "chunk", policy_domain, ["id", "octets"], values);
        sql.execute(&insert, &values)?;
        place += 1;
    }
    Ok(place)
}

/// Whether all of these are there, and no report has them: the store may have been made anew since.
pub(super) fn are_staged(sql: &dyn Sql, bodies: &[Option<i64>]) -> Result<bool, SqlError> {
    for body in bodies.iter().flatten() {
        if !sql.exists(
            "SELECT 1 FROM body WHERE id = ?1 AND staged IS NOT NULL",
            values![*body],
        )? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Notes that a report has it now.
pub(super) fn take(sql: &dyn Sql, body: i64) -> Result<(), SqlError> {
    sql.execute("UPDATE body SET staged = NULL WHERE id = ?1", values![body])?;
    Ok(())
}

/// The body of a report; none when it had to go, or when there is no such report.
pub(crate) fn read(sql: &dyn Sql, report: ReportNumber) -> Result<Option<Vec<u8>>, SqlError> {
    let join = same_domain(sql, "b", "r");
    let find =
        format!("SELECT b.id, b.size FROM report AS r JOIN body AS b ON b.id = r.body{join} WHERE r.id = ?1");
    let found = sql.row(&find, values![integer(report.0)], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    let Some((body, size)) = found else {
        return Ok(None);
    };
    let octets = octets_of(sql, body, size)?;
    if octets.len() == size {
        Ok(Some(octets))
    } else {
        Err(SqlError::Damaged(0))
    }
}

/// All chunks of a body, one behind the other; the first `size` octets of it.
fn octets_of(sql: &dyn Sql, body: i64, size: usize) -> Result<Vec<u8>, SqlError> {
    let page = "SELECT id, octets FROM chunk WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3";
    let (mut from, end) = (body * PLACES, (body + 1) * PLACES);
    let mut octets = Vec::with_capacity(size.min(MAX_BODY));
    loop {
        let mut read = 0;
        sql.each(page, values![from, end, integer(PAGE as u64)], &mut |row| {
            octets.extend_from_slice(row.octets(1)?);
            from = row.get::<i64>(0)? + 1;
            read += 1;
            Ok(true)
        })?;
        if read < PAGE {
            return Ok(octets);
        }
    }
}

/// Removes it; its octets.
pub(super) fn remove(sql: &dyn Sql, body: i64) -> Result<u64, SqlError> {
    let size = sql.row("SELECT size FROM body WHERE id = ?1", values![body], |row| {
        row.get(0)
    })?;
    sql.execute("DELETE FROM body WHERE id = ?1", values![body])?;
    let chunks = "DELETE FROM chunk WHERE id >= ?1 AND id < ?2";
    sql.execute(chunks, values![body * PLACES, (body + 1) * PLACES])?;
    Ok(size.unwrap_or(0))
}
