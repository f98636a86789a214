//! What came of a delivery, and what the operator makes of it.

use rusqlite::{Connection, Params, params};

use super::{integer, time};
use crate::outbox::{DeliveryNumber, DeliveryState, Resend};

/// Ends it in a state that it is not in yet, whoever has the lease; whether it was not. A letter that was
/// taken over is there even when it was given up meanwhile: forgetting it would send it again. One that came
/// back is gone even when it was delivered.
pub(super) fn end(
    connection: &Connection,
    delivery: DeliveryNumber,
    state: DeliveryState,
    reason: &str,
    now_ms: u64,
) -> rusqlite::Result<bool> {
    let sql = "UPDATE delivery SET state = ?4, ended_ms = ?2, reason = ?3, lease_owner = NULL, \
               lease_until_ms = NULL WHERE id = ?1 AND state <> ?4";
    let values = params![integer(delivery.0), time(now_ms), reason, state.word()];
    changed(connection, sql, values)
}

/// Puts it off, when the lease is still the owner's. One that ran out is, until somebody else has it.
pub(super) fn defer(
    connection: &Connection,
    delivery: DeliveryNumber,
    owner: &str,
    reason: &str,
    next_ms: u64,
) -> rusqlite::Result<bool> {
    let sql = "UPDATE delivery SET state = 'deferred', next_ms = ?2, reason = ?3, lease_owner = NULL, \
               lease_until_ms = NULL WHERE id = ?1 AND lease_owner = ?4 AND ended_ms IS NULL";
    let values = params![integer(delivery.0), time(next_ms), reason, owner];
    changed(connection, sql, values)
}

/// Gives it up, when the lease is still the owner's.
pub(super) fn give_up(
    connection: &Connection,
    delivery: DeliveryNumber,
    owner: &str,
    reason: &str,
    now_ms: u64,
) -> rusqlite::Result<bool> {
    let sql = "UPDATE delivery SET state = 'given_up', ended_ms = ?2, reason = ?3, lease_owner = NULL, \
               lease_until_ms = NULL WHERE id = ?1 AND lease_owner = ?4 AND ended_ms IS NULL";
    let values = params![integer(delivery.0), time(now_ms), reason, owner];
    changed(connection, sql, values)
}

/// Ends the leases of an owner, as if they had never been.
pub(super) fn release(connection: &Connection, owner: &str) -> rusqlite::Result<u64> {
    let sql = "UPDATE delivery SET lease_owner = NULL, lease_until_ms = NULL, attempts = max(attempts - 1, 0), \
               first_ms = CASE WHEN attempts > 1 THEN first_ms END \
               WHERE lease_owner = ?1 AND ended_ms IS NULL";
    let released = connection.prepare_cached(sql)?.execute([owner])?;
    Ok(released as u64)
}

/// Those that are due, as far as nobody else is sending them; so many at most.
pub(super) fn due(
    connection: &Connection,
    owner: &str,
    now_ms: u64,
    limit: usize,
) -> rusqlite::Result<Vec<DeliveryNumber>> {
    let sql = "SELECT id FROM delivery WHERE ended_ms IS NULL AND next_ms <= ?1 \
               AND (lease_owner = ?2 OR lease_until_ms IS NULL OR lease_until_ms <= ?1) ORDER BY next_ms LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let limit = integer(limit as u64);
    let found = statement.query_map(params![time(now_ms), owner, limit], |row| {
        Ok(DeliveryNumber(row.get(0)?))
    })?;
    found.collect()
}

/// Puts those off that are still due, as if they had not been tried: the leases of this owner end with that.
pub(super) fn postpone(
    connection: &Connection,
    deliveries: &[DeliveryNumber],
    owner: &str,
    reason: &str,
    (now_ms, next_ms): (u64, u64),
) -> rusqlite::Result<u64> {
    let sql = "UPDATE delivery SET reason = ?3, next_ms = ?5, \
               attempts = CASE WHEN lease_owner = ?2 THEN max(attempts - 1, 0) ELSE attempts END, \
               first_ms = CASE WHEN lease_owner = ?2 AND attempts <= 1 THEN NULL ELSE first_ms END, \
               lease_owner = NULL, lease_until_ms = NULL \
               WHERE id = ?1 AND ended_ms IS NULL AND next_ms <= ?4 \
               AND (lease_owner = ?2 OR lease_until_ms IS NULL OR lease_until_ms <= ?4)";
    let mut statement = connection.prepare_cached(sql)?;
    let mut sum = 0;
    for delivery in deliveries {
        let values = params![integer(delivery.0), owner, reason, time(now_ms), time(next_ms)];
        sum += statement.execute(values)?;
    }
    Ok(sum as u64)
}

/// What is told of a letter that had been tried, or had ended, and is to go out once more.
const QUEUED_AGAIN: &str = "queued again by hand";

/// Begins those again that nobody is sending and whose body is there; how many.
pub(super) fn retry(
    connection: &Connection,
    deliveries: &[DeliveryNumber],
    resend: Resend,
    now_ms: u64,
) -> rusqlite::Result<u64> {
    let sql = "UPDATE delivery SET state = 'queued', attempts = 0, due_ms = ?2, next_ms = ?2, first_ms = NULL, \
               ended_ms = NULL, lease_owner = NULL, lease_until_ms = NULL, \
               reason = CASE WHEN attempts > 0 OR ended_ms IS NOT NULL THEN ?4 ELSE '' END \
               WHERE id = ?1 AND (lease_until_ms IS NULL OR lease_until_ms <= ?2) AND (?3 OR state <> 'delivered') \
               AND EXISTS (SELECT 1 FROM report WHERE report.id = delivery.report AND report.body IS NOT NULL)";
    let delivered_too = resend == Resend::Everything;
    let mut statement = connection.prepare_cached(sql)?;
    let mut sum = 0;
    for delivery in deliveries {
        sum += statement.execute(params![
            integer(delivery.0),
            time(now_ms),
            delivered_too,
            QUEUED_AGAIN
        ])?;
    }
    Ok(sum as u64)
}

/// Gives those up that have not ended and that nobody is sending; how many.
pub(super) fn give_up_idle(
    connection: &Connection,
    deliveries: &[DeliveryNumber],
    reason: &str,
    now_ms: u64,
) -> rusqlite::Result<u64> {
    let sql = "UPDATE delivery SET state = 'given_up', ended_ms = ?2, reason = ?3, lease_owner = NULL, \
               lease_until_ms = NULL \
               WHERE id = ?1 AND ended_ms IS NULL AND (lease_until_ms IS NULL OR lease_until_ms <= ?2)";
    let mut statement = connection.prepare_cached(sql)?;
    let mut sum = 0;
    for delivery in deliveries {
        sum += statement.execute(params![integer(delivery.0), time(now_ms), reason])?;
    }
    Ok(sum as u64)
}

fn changed(connection: &Connection, sql: &'static str, values: impl Params) -> rusqlite::Result<bool> {
    Ok(connection.prepare_cached(sql)?.execute(values)? > 0)
}
