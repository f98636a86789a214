//! Who sends what.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::suppression;
use super::{integer, list, time};
use crate::outbox::{Claim, Claims, MAX_CLAIM, MAX_OWNERS, Suppression, reason};

/// A delivery that is due, and why it is not to be sent, if it is not.
pub(super) struct Found {
    delivery: i64,
    suppressed: Option<Suppression>,
}

/// What is due and may be sent, those due first first. It locks nothing, and [`take`] looks again.
///
/// It reads past what waits for hosts that had enough: a few microseconds for each, and none where the
/// letters to one host are spread over time as they should be.
pub(super) fn find(connection: &Connection, claim: &Claim) -> rusqlite::Result<Vec<Found>> {
    let limit = claim.limit.min(MAX_CLAIM);
    let sql = "SELECT id, host, destination, report FROM delivery WHERE ended_ms IS NULL AND next_ms <= ?1 \
               AND (lease_until_ms IS NULL OR lease_until_ms <= ?1) ORDER BY next_ms";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([time(claim.now_ms)])?;
    let mut to_host: HashMap<String, usize> = HashMap::new();
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        let host: String = row.get(1)?;
        if claim.hosts_left_out.contains(&host) || !is_meant(connection, claim, row.get(3)?)? {
            continue;
        }
        let suppressed = suppression::find(connection, row.get_ref(2)?.as_str()?, claim.now_ms)?;
        if suppressed.is_none() {
            let claimed = to_host.entry(host).or_default();
            if *claimed >= claim.per_host {
                continue;
            }
            *claimed += 1;
        }
        found.push(Found {
            delivery: row.get(0)?,
            suppressed,
        });
    }
    Ok(found)
}

fn is_meant(connection: &Connection, claim: &Claim, report: i64) -> rusqlite::Result<bool> {
    if !claim.asks_about() {
        return Ok(true);
    }
    let sql = "SELECT policy_domain FROM report WHERE id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_row([report], |row| Ok(claim.is_about(row.get_ref(0)?.as_str()?)))
}

/// Who has leases on what has not ended, run out or not.
pub(super) fn owners(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT DISTINCT lease_owner FROM delivery WHERE lease_owner IS NOT NULL ORDER BY lease_owner LIMIT ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let owners = statement.query_map([integer(MAX_OWNERS as u64)], |row| row.get(0))?;
    owners.collect()
}

/// Takes those of them that are still free.
pub(super) fn take(connection: &Connection, claim: &Claim, found: &[Found]) -> rusqlite::Result<Claims> {
    let free = "ended_ms IS NULL AND next_ms <= ?2 AND (lease_until_ms IS NULL OR lease_until_ms <= ?2)";
    let lease = format!(
        "UPDATE delivery SET lease_owner = ?3, lease_until_ms = ?4, attempts = attempts + 1, \
         first_ms = coalesce(first_ms, ?2) WHERE id = ?1 AND {free}"
    );
    let end = format!(
        "UPDATE delivery SET lease_owner = NULL, lease_until_ms = NULL, state = 'given_up', ended_ms = ?2, \
         reason = ?3 WHERE id = ?1 AND {free}"
    );
    let now = time(claim.now_ms);
    let until = time(claim.now_ms.saturating_add(claim.lease_ms));
    let mut claims = Claims::default();
    for one in found {
        let id = one.delivery;
        let (changed, list) = match &one.suppressed {
            None => {
                let values = params![id, now, claim.owner, until];
                let changed = connection.prepare_cached(&lease)?.execute(values)?;
                (changed, &mut claims.claimed)
            }
            Some(suppression) => {
                let why = reason(&format!("suppressed: {}", suppression.reason));
                let changed = connection.prepare_cached(&end)?.execute(params![id, now, why])?;
                (changed, &mut claims.suppressed)
            }
        };
        if changed > 0 {
            list.extend(list::delivery(connection, id)?);
        }
    }
    Ok(claims)
}
