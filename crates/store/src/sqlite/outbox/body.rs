//! Bodies of reports, in chunks.

use rusqlite::{Connection, OptionalExtension};

use super::{integer, time};
use crate::outbox::{MAX_BODY, ReportNumber};
use crate::sqlite::tally::damaged;

/// Octets written in one transaction: about 10 ms, the disk not counted.
pub(super) const AT_ONCE: usize = 1 << 20;
/// Octets of a chunk.
const CHUNK: usize = 256 << 10;
/// The chunks of one body are numbered within its own range.
const PLACES: i64 = 256;
const _: () = assert!(
    MAX_BODY.div_ceil(CHUNK) <= 256,
    "every chunk of a body has its place"
);

/// Makes a body that no report has yet.
pub(super) fn begin(connection: &Connection, size: usize, now_ms: u64) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO body (created_ms, size, staged) VALUES (?1, ?2, 1)";
    connection
        .prepare_cached(sql)?
        .insert((time(now_ms), integer(size as u64)))
}

/// Adds octets to it, from this place on; the place after them.
pub(super) fn add(
    connection: &Connection,
    body: i64,
    mut place: i64,
    octets: &[u8],
) -> rusqlite::Result<i64> {
    let mut insert = connection.prepare_cached("INSERT INTO chunk (id, octets) VALUES (?1, ?2)")?;
    for chunk in octets.chunks(CHUNK) {
        insert.execute((body * PLACES + place, chunk))?;
        place += 1;
    }
    Ok(place)
}

/// Whether all of these are there, and no report has them: the store may have been made anew since.
pub(super) fn are_staged(connection: &Connection, bodies: &[Option<i64>]) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM body WHERE id = ?1 AND staged IS NOT NULL";
    let mut statement = connection.prepare_cached(sql)?;
    for body in bodies.iter().flatten() {
        if !statement.exists([body])? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Notes that a report has it now.
pub(super) fn take(connection: &Connection, body: i64) -> rusqlite::Result<()> {
    let sql = "UPDATE body SET staged = NULL WHERE id = ?1";
    connection.prepare_cached(sql)?.execute([body])?;
    Ok(())
}

/// The body of a report; none when it had to go, or when there is no such report.
pub(in crate::sqlite) fn read(
    connection: &Connection,
    report: ReportNumber,
) -> rusqlite::Result<Option<Vec<u8>>> {
    let sql = "SELECT b.id, b.size FROM report AS r JOIN body AS b ON b.id = r.body WHERE r.id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row([integer(report.0)], |row| Ok((row.get(0)?, row.get(1)?)));
    let Some((body, size)) = found.optional()? else {
        return Ok(None);
    };
    let (body, size): (i64, usize) = (body, size);
    let sql = "SELECT octets FROM chunk WHERE id >= ?1 AND id < ?2 ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((body * PLACES, (body + 1) * PLACES))?;
    let mut octets = Vec::with_capacity(size.min(MAX_BODY));
    while let Some(row) = rows.next()? {
        octets.extend(row.get_ref(0)?.as_blob()?);
    }
    if octets.len() == size {
        Ok(Some(octets))
    } else {
        Err(damaged(0))
    }
}

/// Removes it; its octets.
pub(super) fn remove(connection: &Connection, body: i64) -> rusqlite::Result<u64> {
    let sql = "DELETE FROM body WHERE id = ?1 RETURNING size";
    let size: Option<u64> = connection
        .prepare_cached(sql)?
        .query_row([body], |row| row.get(0))
        .optional()?;
    connection
        .prepare_cached("DELETE FROM chunk WHERE id >= ?1 AND id < ?2")?
        .execute((body * PLACES, (body + 1) * PLACES))?;
    Ok(size.unwrap_or(0))
}
