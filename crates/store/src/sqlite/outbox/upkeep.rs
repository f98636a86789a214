//! Removing reports that ended long ago, a little at a time.

use rusqlite::{Connection, params};

use super::{body, time};
use crate::day::Day;
use crate::outbox::{OutboxExpired, OutboxKeep};

/// Most rows removed in one step.
const ROWS: i64 = 200;
/// Octets of bodies after which a step removes no further one: each of their pages is visited.
const BODY_BYTES: u64 = 4 << 20;
/// What an interrupted hand-over left of bodies is removed after this long, in milliseconds: one under way
/// takes no longer.
const STAGED_MS: u64 = 86_400_000;

/// One step. More to come is told when it did something.
pub(super) fn step(connection: &Connection, keep: OutboxKeep) -> rusqlite::Result<OutboxExpired> {
    let kept = u64::from(keep.keep_days) * Day(1).begins_ms();
    let cutoff_ms = keep.now_ms.saturating_sub(kept);
    let mut done = OutboxExpired::default();
    remove_reports(connection, cutoff_ms, &mut done)?;
    if done.reports == 0 {
        done.bodies = remove_staged(connection, keep.now_ms)?;
        done.skipped = remove_skipped(connection, Day::at(cutoff_ms))?;
        done.suppressions = remove_suppressions(connection, keep)?;
    }
    done.more = done.reports + done.bodies + done.skipped + done.suppressions > 0;
    Ok(done)
}

/// Reports of earlier days whose deliveries all ended before that time.
fn remove_reports(connection: &Connection, cutoff_ms: u64, done: &mut OutboxExpired) -> rusqlite::Result<()> {
    let sql = "SELECT id, body FROM report WHERE day < ?1 AND created_ms < ?2 AND NOT EXISTS \
               (SELECT 1 FROM delivery WHERE report = report.id AND (ended_ms IS NULL OR ended_ms >= ?2)) \
               ORDER BY day LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let values = params![Day::at(cutoff_ms).0, time(cutoff_ms), ROWS];
    let found = statement.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let found: Vec<(i64, Option<i64>)> = found.collect::<rusqlite::Result<_>>()?;
    let mut octets = 0;
    for (report, body) in found {
        if octets >= BODY_BYTES {
            break;
        }
        if let Some(body) = body {
            octets += body::remove(connection, body)?;
            done.bodies += 1;
        }
        let sql = "DELETE FROM delivery WHERE report = ?1";
        done.deliveries += connection.prepare_cached(sql)?.execute([report])? as u64;
        connection
            .prepare_cached("DELETE FROM report WHERE id = ?1")?
            .execute([report])?;
        done.reports += 1;
    }
    Ok(())
}

/// Bodies that never came to belong to a report: one a step, for it may be large.
fn remove_staged(connection: &Connection, now_ms: u64) -> rusqlite::Result<u64> {
    let sql = "SELECT id FROM body WHERE staged IS NOT NULL AND created_ms < ?1 LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    let before = time(now_ms.saturating_sub(STAGED_MS));
    let found = statement.query_map([before], |row| row.get(0))?;
    let found: Vec<i64> = found.collect::<rusqlite::Result<_>>()?;
    for body in &found {
        body::remove(connection, *body)?;
    }
    Ok(found.len() as u64)
}

fn remove_skipped(connection: &Connection, before: Day) -> rusqlite::Result<u64> {
    let sql = "DELETE FROM skipped WHERE (day, policy_domain) IN \
               (SELECT day, policy_domain FROM skipped WHERE day < ?1 LIMIT ?2)";
    let removed = connection.prepare_cached(sql)?.execute((before.0, ROWS))?;
    Ok(removed as u64)
}

/// Those that are over and whose bounces are forgotten; there are few.
fn remove_suppressions(connection: &Connection, keep: OutboxKeep) -> rusqlite::Result<u64> {
    let sql = "DELETE FROM suppression WHERE destination IN (SELECT destination FROM suppression \
               WHERE until_ms <= ?1 AND last_ms < ?2 LIMIT ?3)";
    let forgotten_ms = keep.now_ms.saturating_sub(keep.forget_ms);
    let values = (time(keep.now_ms), time(forgotten_ms), ROWS);
    let removed = connection.prepare_cached(sql)?.execute(values)?;
    Ok(removed as u64)
}

/// Removes the bodies of some reports that have ended, the oldest first, where the file is too large; how many.
pub(in crate::sqlite) fn make_room(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT id, body FROM report WHERE body IS NOT NULL AND NOT EXISTS \
               (SELECT 1 FROM delivery WHERE report = report.id AND ended_ms IS NULL) ORDER BY id LIMIT ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_map([ROWS], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let found: Vec<(i64, i64)> = found.collect::<rusqlite::Result<_>>()?;
    let mut forget = connection.prepare_cached("UPDATE report SET body = NULL WHERE id = ?1")?;
    let (mut removed, mut octets) = (0, 0);
    for (report, body) in found {
        if octets >= BODY_BYTES {
            break;
        }
        octets += body::remove(connection, body)?;
        forget.execute([report])?;
        removed += 1;
    }
    Ok(removed)
}
