//! What is the oldest, how large everything is, and removing a little of it.

use rusqlite::{Connection, Params, params};

use crate::model::{Day, Retention};

/// Most rows removed in one step: about 5 ms.
pub(super) const ROWS: i64 = 2_000;

/// Octets of traces after which a step removes no further one: each of their pages is visited.
const TRACE_BYTES: u64 = 4 << 20;

pub(super) fn oldest_hour(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    connection.query_row("SELECT min(hour) FROM hour", [], |row| row.get(0))
}

pub(super) fn oldest_day(connection: &Connection) -> rusqlite::Result<Option<Day>> {
    let day: Option<u32> = connection.query_row("SELECT min(day) FROM tally", [], |row| row.get(0))?;
    Ok(day.map(Day))
}

/// Observations of the hour; when none is left, the hour itself.
pub(super) fn remove_hour(connection: &Connection, hour: i64) -> rusqlite::Result<u64> {
    let sql = "DELETE FROM observation WHERE id IN (SELECT o.id FROM hour AS h JOIN observation AS o \
               ON o.id BETWEEN h.first AND h.last WHERE h.hour = ?1 AND o.at_ms / 3600000 = ?1 LIMIT ?2)";
    let removed = connection.prepare_cached(sql)?.execute((hour, ROWS))?;
    if removed < usize::try_from(ROWS).unwrap_or(usize::MAX) {
        connection.execute("DELETE FROM hour WHERE hour = ?1", [hour])?;
    }
    Ok(removed as u64)
}

/// Those last used before a day, and those that have to make room: the oldest first, whatever their
/// day. The last trace stays as long as there is an observation, for it says which numbers were given
/// out: were one given out again, an observation that lost its trace would have the trace of another.
pub(super) const UNUSED_TRACES: &str = "SELECT id, length(text) FROM trace WHERE last_day < ?1 AND \
    (id < (SELECT max(id) FROM trace) OR NOT EXISTS (SELECT 1 FROM hour)) ORDER BY last_day LIMIT ?2";

const OLDEST_TRACES: &str = "SELECT id, length(text) FROM trace \
    WHERE id < (SELECT max(id) FROM trace) ORDER BY id LIMIT ?1";

/// Removes some of the oldest traces; how many.
pub(super) fn remove_traces_for_room(connection: &Connection) -> rusqlite::Result<u64> {
    remove_traces(connection, OLDEST_TRACES, (ROWS,))
}

/// Removes some of the traces that one of these two finds; how many.
pub(super) fn remove_traces(
    connection: &Connection,
    which: &'static str,
    values: impl Params,
) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached(which)?;
    let found = statement.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let found: Vec<(i64, u64)> = found.collect::<rusqlite::Result<_>>()?;
    let mut remove = connection.prepare_cached("DELETE FROM trace WHERE id = ?1")?;
    let (mut removed, mut octets) = (0, 0);
    for (id, length) in found {
        if octets >= TRACE_BYTES {
            break;
        }
        remove.execute([id])?;
        removed += 1;
        octets += length;
    }
    Ok(removed)
}

/// How far what is stored is past what is wanted, in octets: free pages do not count.
pub(super) fn octets_over(connection: &Connection, keep: &Retention) -> rusqlite::Result<u64> {
    let (pages, free, size) = pages(connection)?;
    Ok(over(pages - free, size, keep))
}

/// How far so many pages are past what is wanted, in octets.
pub(super) fn over(pages: i64, size: i64, keep: &Retention) -> u64 {
    let bytes = u64::try_from(pages * size).unwrap_or(0);
    keep.max_bytes.map_or(0, |most| bytes.saturating_sub(most))
}

/// Pages in all, free pages, octets of a page.
pub(super) fn pages(connection: &Connection) -> rusqlite::Result<(i64, i64, i64)> {
    let sql = "SELECT page_count, freelist_count, page_size \
               FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
    connection.query_row(sql, params![], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
}
