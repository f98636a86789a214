//! Who sends what.

use std::collections::{BTreeSet, HashMap};

use super::check::reason;
use super::statement::{integer, same_domain, time};
use super::{list, suppression};
use crate::limits::{MAX_CLAIM, MAX_OWNERS};
use crate::model::{Claim, Claims, DeliveryNumber, Lease, Suppression};
use crate::sql::{Sql, SqlError, SqlQueries, SqlRow, SqlValue, values};

/// Deliveries that a server is asked for at once.
const PAGE: usize = 500;
/// Hosts that a server is told to leave out; others are left out here.
const HOSTS: usize = 100;

/// A delivery that is due, and why it is not to be sent, if it is not.
pub(super) struct DueDelivery {
    delivery: DeliveryNumber,
    suppressed: Option<Suppression>,
}

/// What is due and may be sent, those due first first. It locks nothing, and [`take`] looks again.
///
/// It reads past what waits for hosts that had enough: a few microseconds for each, and none where the
/// deliveries to one host are spread over time as they should be.
pub(super) fn find(sql: &dyn Sql, claim: &Claim) -> Result<Vec<DueDelivery>, SqlError> {
    let mut choice = Choice::of(claim);
    let mut last = (i64::MIN, i64::MIN);
    // Each round is further on in what is due: there are no more rounds than that has pages.
    loop {
        let mut seen = 0;
        if choice.is_full() {
            return Ok(choice.found);
        }
        let (due, values) = if sql.streams() {
            due_in_one(sql, claim)
        } else {
            due_after(sql, claim, last, &choice.left_out)
        };
        sql.each(&due, &values, &mut |row| {
            seen += 1;
            last = (row.get(1)?, row.get(0)?);
            choice.consider(sql, row)?;
            Ok(!choice.is_full())
        })?;
        if sql.streams() || seen < PAGE {
            return Ok(choice.found);
        }
    }
}

/// All that is due. SQLite reads its index in this order, and no further than it is asked to.
fn due_in_one(sql: &dyn Sql, claim: &Claim) -> (String, Vec<SqlValue<'static>>) {
    let due = due(sql, claim);
    let values = values![time(sql, claim.now_ms)].into();
    (format!("{due} ORDER BY d.next_ms"), values)
}

/// One page of what is due, behind the delivery with this time and number.
fn due_after(
    sql: &dyn Sql,
    claim: &Claim,
    (next_ms, id): (i64, i64),
    left_out: &BTreeSet<String>,
) -> (String, Vec<SqlValue<'static>>) {
    let mut due = due(sql, claim);
    due.push_str(" AND d.next_ms >= ?2 AND (d.next_ms > ?2 OR d.id > ?3)");
    let page = integer(PAGE as u64);
    let mut values = Vec::from(values![time(sql, claim.now_ms), next_ms, id, page]);
    for host in left_out.iter().take(HOSTS) {
        values.push(host.clone().into());
        due.push_str(&format!(" AND d.host <> ?{}", values.len()));
    }
    (format!("{due} ORDER BY d.next_ms, d.id LIMIT ?4"), values)
}

fn due(sql: &dyn Sql, claim: &Claim) -> String {
    let about = if claim.asks_about() {
        let join = same_domain(sql, "r", "d");
        format!("(SELECT r.policy_domain FROM report AS r WHERE r.id = d.report{join})")
    } else {
        "''".to_owned()
    };
    format!(
        "SELECT d.id, d.next_ms, d.host, d.destination, {about} FROM delivery AS d WHERE d.ended_ms IS NULL \
         AND d.next_ms <= ?1 AND (d.lease_until_ms IS NULL OR d.lease_until_ms <= ?1)"
    )
}

/// What is chosen of that.
struct Choice<'a> {
    claim: &'a Claim,
    limit: usize,
    found: Vec<DueDelivery>,
    to_host: HashMap<String, usize>,
    /// Hosts that had enough, of this claim or before.
    left_out: BTreeSet<String>,
}

impl<'a> Choice<'a> {
    fn of(claim: &'a Claim) -> Self {
        Self {
            claim,
            limit: claim.limit.min(MAX_CLAIM),
            found: Vec::new(),
            to_host: HashMap::new(),
            left_out: claim.hosts_left_out.iter().cloned().collect(),
        }
    }

    fn is_full(&self) -> bool {
        self.found.len() >= self.limit
    }

    fn consider(&mut self, sql: &dyn Sql, row: &SqlRow) -> Result<(), SqlError> {
        let (host, destination) = (row.text(2)?, row.text(3)?);
        let is_meant = !self.claim.asks_about() || self.claim.is_about(row.text(4)?);
        if !is_meant || self.claim.hosts_left_out.contains(host) {
            return Ok(());
        }
        let suppressed = suppression::find(sql, destination, self.claim.now_ms)?;
        if suppressed.is_some() || self.has_room(host) {
            let delivery = DeliveryNumber(row.get(0)?);
            self.found.push(DueDelivery { delivery, suppressed });
        }
        Ok(())
    }

    /// Whether one more may go to this host; it is counted.
    fn has_room(&mut self, host: &str) -> bool {
        let claimed = self.to_host.entry(host.to_owned()).or_default();
        if *claimed >= self.claim.per_host {
            self.left_out.insert(host.to_owned());
            return false;
        }
        *claimed += 1;
        true
    }
}

/// Who has leases on what has not ended, run out or not.
pub(super) fn owners(sql: &dyn Sql) -> Result<Vec<String>, SqlError> {
    let owners = "SELECT DISTINCT lease_owner FROM delivery WHERE lease_owner IS NOT NULL \
                  ORDER BY lease_owner LIMIT ?1";
    sql.rows(owners, values![integer(MAX_OWNERS as u64)], |row| row.get(0))
}

/// Takes those of them that are still free.
pub(super) fn take(sql: &dyn Sql, claim: &Claim, found: &[DueDelivery]) -> Result<Claims, SqlError> {
    let free = "ended_ms IS NULL AND next_ms <= ?2 AND (lease_until_ms IS NULL OR lease_until_ms <= ?2)";
    let lease = format!(
        "UPDATE delivery SET lease_owner = ?3, lease_until_ms = ?4, attempts = attempts + 1, \
         first_ms = coalesce(first_ms, ?2) WHERE id = ?1 AND {free}"
    );
    let end = format!(
        "UPDATE delivery SET lease_owner = NULL, lease_until_ms = NULL, state = 'given_up', ended_ms = ?2, \
         reason = ?3 WHERE id = ?1 AND {free}"
    );
    let now = time(sql, claim.now_ms);
    let until_ms = claim.now_ms.saturating_add(claim.lease_ms);
    let mut claims = Claims::default();
    for one in found {
        let id = integer(one.delivery.0);
        let (changed, list) = match &one.suppressed {
            None => {
                let values = values![id, now, &claim.owner, time(sql, until_ms)];
                (sql.execute(&lease, values)?, &mut claims.claimed)
            }
            Some(suppression) => {
                let why = reason(&format!("suppressed: {}", suppression.reason));
                let changed = sql.execute(&end, values![id, now, why])?;
                (changed, &mut claims.suppressed)
            }
        };
        if changed > 0 {
            list.extend(list::delivery(sql, one.delivery)?);
        }
    }
    for claimed in &mut claims.claimed {
        // Who claims looks at its own clock to see whether there is time for an attempt.
        let owner = claim.owner.clone();
        claimed.lease = Some(Lease { owner, until_ms });
    }
    Ok(claims)
}
