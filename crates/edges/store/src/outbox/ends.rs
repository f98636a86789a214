//! What came of a delivery, and what the operator makes of it.
//!
//! MariaDB sees what the assignments before one have made of a row, SQLite and PostgreSQL what was there: here each
//! column is used before it is changed, so that it makes no difference.

use super::statement::{integer, same_domain, time};
use crate::model::{DeliveryNumber, DeliveryState, Resend};
use crate::sql::{Sql, SqlError, SqlQueries, limit, values};

/// Ends it in a state that it is not in yet, whoever has the lease; whether it was not. A delivery that was
/// taken over is there even when it was given up meanwhile: forgetting it would send it again. One that came
/// back is gone even when it was delivered.
pub(super) fn end(
    sql: &dyn Sql,
    delivery: DeliveryNumber,
    state: DeliveryState,
    reason: &str,
    now_ms: u64,
) -> Result<bool, SqlError> {
    let end = "UPDATE delivery SET state = ?4, ended_ms = ?2, reason = ?3, lease_owner = NULL, \
               lease_until_ms = NULL WHERE id = ?1 AND state <> ?4";
    let values = values![integer(delivery.0), time(sql, now_ms), reason, state.word()];
    Ok(sql.execute(end, values)? > 0)
}

/// Defers it until a time, or gives it up at one, when the lease is still the owner's: one that ran out is, until
/// somebody else has it.
pub(super) fn leave(
    sql: &dyn Sql,
    delivery: DeliveryNumber,
    state: DeliveryState,
    (owner, reason): (&str, &str),
    at_ms: u64,
) -> Result<bool, SqlError> {
    let time_column = if state.is_end() { "ended_ms" } else { "next_ms" };
    let update = format!(
        "UPDATE delivery SET state = ?5, {time_column} = ?2, reason = ?3, lease_owner = NULL, lease_until_ms = NULL \
         WHERE id = ?1 AND lease_owner = ?4 AND ended_ms IS NULL"
    );
    let at = time(sql, at_ms);
    let values = values![integer(delivery.0), at, reason, owner, state.word()];
    Ok(sql.execute(&update, values)? > 0)
}

/// Ends the leases of an owner, as if they had never been.
pub(super) fn release(sql: &dyn Sql, owner: &str) -> Result<u64, SqlError> {
    let release = "UPDATE delivery SET first_ms = CASE WHEN attempts > 1 THEN first_ms END, \
                   attempts = CASE WHEN attempts > 0 THEN attempts - 1 ELSE 0 END, \
                   lease_owner = NULL, lease_until_ms = NULL WHERE lease_owner = ?1 AND ended_ms IS NULL";
    sql.execute(release, values![owner])
}

/// Those that are due, as far as nobody else is sending them; so many at most.
pub(super) fn due(
    sql: &dyn Sql,
    owner: &str,
    now_ms: u64,
    most: usize,
) -> Result<Vec<DeliveryNumber>, SqlError> {
    let due = "SELECT id FROM delivery WHERE ended_ms IS NULL AND next_ms <= ?1 \
               AND (lease_owner = ?2 OR lease_until_ms IS NULL OR lease_until_ms <= ?1) ORDER BY next_ms LIMIT ?3";
    let values = values![time(sql, now_ms), owner, limit(most)];
    sql.rows(due, values, |row| Ok(DeliveryNumber(row.get(0)?)))
}

/// Puts those off that are still due, as if they had not been tried: the leases of this owner end with that.
pub(super) fn postpone(
    sql: &dyn Sql,
    deliveries: &[DeliveryNumber],
    owner: &str,
    reason: &str,
    (now_ms, next_ms): (u64, u64),
) -> Result<u64, SqlError> {
    let postpone = "UPDATE delivery SET reason = ?3, \
                    first_ms = CASE WHEN lease_owner = ?2 AND attempts <= 1 THEN NULL ELSE first_ms END, \
                    attempts = CASE WHEN lease_owner = ?2 AND attempts > 0 THEN attempts - 1 ELSE attempts END, \
                    next_ms = ?5, lease_owner = NULL, lease_until_ms = NULL \
                    WHERE id = ?1 AND ended_ms IS NULL AND next_ms <= ?4 \
                    AND (lease_owner = ?2 OR lease_until_ms IS NULL OR lease_until_ms <= ?4)";
    let (now, next) = (time(sql, now_ms), time(sql, next_ms));
    let each = deliveries.iter();
    each.map(|delivery| sql.execute(postpone, values![integer(delivery.0), owner, reason, now, next]))
        .sum()
}

/// What is told of a delivery that had been tried, or had ended, and is to go out once more.
const QUEUED_AGAIN: &str = "queued again by hand";

/// Begins those again that nobody is sending and whose body is there; how many.
pub(super) fn retry(
    sql: &dyn Sql,
    deliveries: &[DeliveryNumber],
    resend: Resend,
    now_ms: u64,
) -> Result<u64, SqlError> {
    let join = same_domain(sql, "report", "delivery");
    let retry = format!(
        "UPDATE delivery SET reason = CASE WHEN attempts > 0 OR ended_ms IS NOT NULL THEN ?4 ELSE '' END, \
         state = 'queued', attempts = 0, due_ms = ?2, next_ms = ?2, first_ms = NULL, ended_ms = NULL, \
         lease_owner = NULL, lease_until_ms = NULL WHERE id = ?1 \
         AND (lease_until_ms IS NULL OR lease_until_ms <= ?2) AND (?3 = 1 OR state <> 'delivered') \
         AND EXISTS (SELECT 1 FROM report WHERE report.id = delivery.report AND report.body IS NOT NULL{join})"
    );
    let delivered_too = resend == Resend::Everything;
    let now = time(sql, now_ms);
    let each = deliveries.iter().map(|delivery| integer(delivery.0));
    each.map(|number| sql.execute(&retry, values![number, now, delivered_too, QUEUED_AGAIN]))
        .sum()
}

/// Gives those up that have not ended and that nobody is sending; how many.
pub(super) fn give_up_idle(
    sql: &dyn Sql,
    deliveries: &[DeliveryNumber],
    reason: &str,
    now_ms: u64,
) -> Result<u64, SqlError> {
    let give_up = "UPDATE delivery SET state = 'given_up', ended_ms = ?2, reason = ?3, lease_owner = NULL, \
                   lease_until_ms = NULL \
                   WHERE id = ?1 AND ended_ms IS NULL AND (lease_until_ms IS NULL OR lease_until_ms <= ?2)";
    let now = time(sql, now_ms);
    let each = deliveries.iter();
    each.map(|delivery| sql.execute(give_up, values![integer(delivery.0), now, reason]))
        .sum()
}
