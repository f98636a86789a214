//! Removing what is too old or too much, a little at a time.
//!
//! Each step finds by itself what there is to do and does some of it, so that an expiry may stop
//! and begin anywhere. What refers to something goes before what it refers to; but when the file is
//! too large, traces go before the observations that had them, which are then read as ones without.

use rusqlite::{Connection, OptionalExtension};

use super::blocks::block_of;
use super::remove::{
    self, ROWS, UNUSED_TRACES, octets_over, oldest_day, oldest_hour, over, pages, remove_hour, remove_traces,
};
use super::room::{ExpiryContext, Room};
use super::statements::Statements;
use crate::engine::JobProgress;
use crate::groups::Groups;
use crate::model::{Day, ExpiredRecords, Retention, hour_of};
use crate::outbox::ledger;

/// Most pages given back to the file system in one step.
const PAGES: i64 = 512;
/// Free pages are kept for what comes next until they are more than one in so many.
const SPARE: i64 = 8;

/// One step. *Done* means that no row is left to remove.
pub(super) fn step(
    connection: &Connection,
    keep: &Retention,
    groups: Option<&dyn Groups>,
    room: &mut Room,
    done: &mut ExpiredRecords,
) -> rusqlite::Result<JobProgress> {
    room.begin(steps(connection)?);
    let progress = if keep.by_time && remove_old(connection, keep, done)?
        || remove_unused(connection, keep, done)? > 0
    {
        JobProgress::More
    } else if octets_over(connection, keep)? > 0 {
        let context = ExpiryContext {
            connection,
            keep,
            groups,
        };
        room.make(context, done)?
    } else {
        room.finish(connection, done)?
    };
    room.end(connection)?;
    Ok(progress)
}

/// Removes some of what is too old; whether there was anything.
fn remove_old(
    connection: &Connection,
    keep: &Retention,
    done: &mut ExpiredRecords,
) -> rusqlite::Result<bool> {
    let cutoff = hour_of(keep.observations_from_ms());
    let old = oldest_hour(connection)?.filter(|hour| *hour < cutoff);
    if let Some(hour) = old.or(impossible_hour(connection, keep)?) {
        done.observations += remove_hour(connection, hour)?;
        return Ok(true);
    }
    if let Some(day) = oldest_day(connection)?.filter(|day| *day < keep.tally_from()) {
        done.tally_rows += remove_day(connection, day)?;
        return Ok(true);
    }
    // What is known of imports goes with the days they count in, for these are imported no more.
    Ok(ledger::remove_before(&Statements(connection), keep.tally_from())? > 0)
}

/// An hour more than a day ahead, recorded before all that is left of other hours: a clock was wrong then, and by it these
/// would stay for as long as it was ahead.
fn impossible_hour(connection: &Connection, keep: &Retention) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT hour FROM hour WHERE hour > ?1 \
               AND first < (SELECT min(first) FROM hour WHERE hour <= ?1) LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    statement
        .query_row([hour_of(keep.now_ms) + 24], |row| row.get(0))
        .optional()
}

/// Steps of expiry so far, in whatever process.
pub(super) fn steps(connection: &Connection) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached("SELECT steps FROM expiry")?;
    statement.query_row([], |row| row.get(0))
}

/// Notes that one was taken: nobody may go on with numbers that it made free.
pub(super) fn count_step(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("UPDATE expiry SET steps = steps + 1", [])?;
    Ok(())
}

/// Gives free pages back, when they are many or the file is too large.
pub(super) fn give_back(
    connection: &Connection,
    keep: &Retention,
    done: &mut ExpiredRecords,
) -> rusqlite::Result<JobProgress> {
    let (pages, free, size) = pages(connection)?;
    let most = keep
        .max_bytes
        .map_or(i64::MAX, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX) / size);
    let surplus = (free - pages / SPARE).max((pages - most).min(free));
    if surplus <= 0 {
        done.over_bytes = over(pages, size, keep);
        return Ok(JobProgress::Done);
    }
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({})", surplus.min(PAGES)))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    let (after, ..) = remove::pages(connection)?;
    done.pages += u64::try_from(pages - after).unwrap_or(0);
    if after < pages {
        return Ok(JobProgress::More);
    }
    // None could be moved: asking again would not end.
    done.over_bytes = over(pages, size, keep);
    Ok(JobProgress::Done)
}

fn remove_day(connection: &Connection, day: Day) -> rusqlite::Result<u64> {
    let sql = "DELETE FROM tally WHERE (day, policy_domain, reporting_row) IN \
               (SELECT day, policy_domain, reporting_row FROM tally WHERE day = ?1 LIMIT ?2)";
    let removed = connection.prepare_cached(sql)?.execute((day.0, ROWS))?;
    Ok(removed as u64)
}

/// Removes some of what no observation and no day of the tally refers to; how much.
fn remove_unused(
    connection: &Connection,
    keep: &Retention,
    done: &mut ExpiredRecords,
) -> rusqlite::Result<u64> {
    let indexes = remove_indexes(connection)?;
    // The oldest observation there is says what is used: fewer may be kept than asked for. Without
    // any, nothing is, whatever its day: so a flood of one day leaves nothing behind.
    let observed = oldest_hour(connection)?
        .and_then(|hour| u32::try_from(hour / 24).ok())
        .map_or(Day(u32::MAX), Day);
    let counted = oldest_day(connection)?.unwrap_or(Day::at(keep.now_ms));
    let traces = remove_traces(connection, UNUSED_TRACES, (observed.0, ROWS))?;
    let outcomes = remove_before(connection, "outcome", observed)?;
    done.traces += traces;
    let rows = remove_before(connection, "reporting_row", counted)?;
    done.distinct_rows += rows;
    if indexes + traces + outcomes + rows > 0 {
        return Ok(indexes + traces + outcomes + rows);
    }
    Ok(remove_before(connection, "published", counted)? + remove_before(connection, "text", counted)?)
}

fn remove_before(connection: &Connection, table: &'static str, day: Day) -> rusqlite::Result<u64> {
    let sql =
        format!("DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE last_day < ?1 LIMIT ?2)");
    let removed = connection.prepare_cached(&sql)?.execute((day.0, ROWS))?;
    Ok(removed as u64)
}

/// Removes the index of one block that has no observation any more. The last index stays: it says
/// which numbers were given out.
fn remove_indexes(connection: &Connection) -> rusqlite::Result<u64> {
    let first: Option<i64> = connection.query_row("SELECT min(id) FROM observation", [], |row| row.get(0))?;
    let sql = "SELECT min(block) FROM name HAVING min(block) < max(block)";
    let indexed: Option<i64> = connection
        .query_row(sql, [], |row| row.get(0))
        .optional()?
        .flatten();
    let Some(block) = indexed.filter(|block| first.is_none_or(|first| *block < block_of(first))) else {
        return Ok(0);
    };
    let names = connection.execute("DELETE FROM name WHERE block = ?1", [block])?;
    let postings = connection.execute("DELETE FROM posting WHERE block = ?1", [block])?;
    Ok((names + postings) as u64)
}
