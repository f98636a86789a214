//! Removing reports that ended long ago, a little at a time.

use super::statement::same_domain;
use super::{body, suppression};
use crate::model::{Day, OutboxExpired, OutboxRetention, as_integer};
use crate::sql::{Sql, SqlError, SqlQueries, values};

/// Most rows removed in one step.
const ROWS: i64 = 200;
/// Octets of bodies after which a step removes no further one: each of their pages is visited.
const BODY_BYTES: u64 = 4 << 20;
/// What an interrupted hand-over left of bodies is removed after this long, in milliseconds: one under way
/// takes no longer.
const STAGED_MS: u64 = 86_400_000;

/// One step. More to come is told when it did something.
pub(super) fn step(sql: &dyn Sql, keep: OutboxRetention) -> Result<OutboxExpired, SqlError> {
    let now_ms = sql.corrected(keep.now_ms);
    let kept = u64::from(keep.keep_days) * Day(1).begins_ms();
    let cutoff_ms = now_ms.saturating_sub(kept);
    let mut done = OutboxExpired::default();
    remove_reports(sql, cutoff_ms, &mut done)?;
    if done.reports == 0 {
        done.bodies = remove_staged(sql, now_ms)?;
        done.skipped = remove_skipped(sql, Day::at(cutoff_ms))?;
        let forgotten_ms = now_ms.saturating_sub(keep.forget_ms);
        done.suppressions = suppression::remove_over(sql, (now_ms, forgotten_ms), ROWS)?;
    }
    done.more = done.reports + done.bodies + done.skipped + done.suppressions > 0;
    Ok(done)
}

/// Reports of earlier days whose deliveries all ended before that time.
fn remove_reports(sql: &dyn Sql, cutoff_ms: u64, done: &mut OutboxExpired) -> Result<(), SqlError> {
    let join = same_domain(sql, "d", "r");
    let ended = format!(
        "SELECT r.id, r.body FROM report AS r WHERE r.day < ?1 AND r.created_ms < ?2 AND NOT EXISTS \
         (SELECT 1 FROM delivery AS d WHERE d.report = r.id{join} AND (d.ended_ms IS NULL OR d.ended_ms >= ?2)) \
         ORDER BY r.day LIMIT ?3"
    );
    let values = values![Day::at(cutoff_ms).0, as_integer(cutoff_ms), ROWS];
    let found: Vec<(i64, Option<i64>)> = sql.rows(&ended, values, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut octets = 0;
    for (report, body) in found {
        if octets >= BODY_BYTES {
            break;
        }
        if let Some(body) = body {
            octets += body::remove(sql, body)?;
            done.bodies += 1;
        }
        done.deliveries += sql.execute("DELETE FROM delivery WHERE report = ?1", values![report])?;
        sql.execute("DELETE FROM report WHERE id = ?1", values![report])?;
        done.reports += 1;
    }
    Ok(())
}

/// Bodies that never came to belong to a report: one a step, for it may be large.
fn remove_staged(sql: &dyn Sql, now_ms: u64) -> Result<u64, SqlError> {
    let left = "SELECT id FROM body WHERE staged IS NOT NULL AND created_ms < ?1 LIMIT 1";
    let before = as_integer(now_ms.saturating_sub(STAGED_MS));
    let found = sql.row(left, values![before], |row| row.get(0))?;
    let Some(body) = found else {
        return Ok(0);
    };
    body::remove(sql, body)?;
    Ok(1)
}

fn remove_skipped(sql: &dyn Sql, before: Day) -> Result<u64, SqlError> {
    let old = "SELECT day, policy_domain FROM skipped WHERE day < ?1 LIMIT ?2";
    let found: Vec<(i64, String)> =
        sql.rows(old, values![before.0, ROWS], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let remove = "DELETE FROM skipped WHERE day = ?1 AND policy_domain = ?2";
    let mut removed = 0;
    for (day, policy_domain) in &found {
        removed += sql.execute(remove, values![*day, policy_domain])?;
    }
    Ok(removed)
}

/// Removes the bodies of some reports that have ended, the oldest first, where the file is too large; how many.
pub(crate) fn make_room(sql: &dyn Sql) -> Result<u64, SqlError> {
    let join = same_domain(sql, "d", "r");
    let ended = format!(
        "SELECT r.id, r.body FROM report AS r WHERE r.body IS NOT NULL AND NOT EXISTS \
         (SELECT 1 FROM delivery AS d WHERE d.report = r.id{join} AND d.ended_ms IS NULL) ORDER BY r.id LIMIT ?1"
    );
    let found: Vec<(i64, i64)> = sql.rows(&ended, values![ROWS], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (mut removed, mut octets) = (0, 0);
    for (report, body) in found {
        if octets >= BODY_BYTES {
            break;
        }
        octets += body::remove(sql, body)?;
        sql.execute("UPDATE report SET body = NULL WHERE id = ?1", values![report])?;
        removed += 1;
    }
    Ok(removed)
}
