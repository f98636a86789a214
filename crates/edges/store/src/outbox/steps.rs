//! What takes several transactions, each of them short: whoever waits to write goes in between.

use super::check::{check_all, within};
use super::{Outbox, body, check, claim, ends, list, put, secret};
use crate::error::StoreError;
use crate::limits::MAX_POSTPONED;
use crate::model::{
    Claim, Claims, DeliveryNumber, DeliveryState, NewReport, OutboxFilter, Put, ReportNumber, Resend,
};
use crate::sql::{Sql, SqlError};

/// Most rows changed in one transaction of several that do one thing: about 10 ms.
const ROWS: usize = 500;

impl Outbox {
    /// Stores reports with their deliveries: all of them or none, and each once however often it is handed
    /// over. What it came to is told of each, in order.
    ///
    /// An aggregate report is there already when any part of the same policy domain, begin and configuration
    /// is: what was tallied since would divide it into other parts. So hand over all parts of a configuration
    /// in one call. A failure report is there already when its Report-ID is.
    ///
    /// At most [`MAX_REPORTS`](crate::MAX_REPORTS) reports and [`MAX_DELIVERIES`](crate::MAX_DELIVERIES) deliveries.
    ///
    /// # Errors
    /// When something is past its limit, or the store cannot be written.
    pub fn put_all(&mut self, reports: &[NewReport], now_ms: u64) -> Result<Vec<Put>, StoreError> {
        check_all(reports)?;
        let known = self.db.read("look for reports", |sql| put::known(sql, reports))?;
        if known.iter().all(|known| *known) {
            return Ok(vec![Put::AlreadyThere; reports.len()]);
        }
        let fresh = reports
            .iter()
            .zip(&known)
            .map(|(report, known)| (!known).then_some(report));
        let bodies = self.stage(fresh, now_ms)?;
        let stored = self
            .db
            .write("store reports", |sql| put::store(sql, reports, &bodies, now_ms))?;
        stored.ok_or_else(|| self.vanished())
    }

    /// Gives a delivery up for smaller reports that say the same, in one transaction: a destination has refused
    /// the size. They have Report-IDs of their own, and what is there of them already, made for another
    /// destination, is used again. None, and nothing done, when the lease is not the owner's any more.
    ///
    /// # Errors
    /// When something is past its limit, or the store cannot be written.
    pub fn replace(
        &mut self,
        delivery: DeliveryNumber,
        owner: &str,
        reason: &str,
        reports: &[NewReport],
        now_ms: u64,
    ) -> Result<Option<Vec<ReportNumber>>, StoreError> {
        check_all(reports)?;
        let reason = &check::reason(reason);
        let bodies = self.stage(reports.iter().map(Some), now_ms)?;
        let replaced = self.db.write("divide a report", |sql| {
            if !body::are_staged(sql, &bodies)? {
                return Ok(None);
            }
            if !ends::leave(sql, delivery, DeliveryState::GivenUp, (owner, reason), now_ms)? {
                return Ok(Some(None));
            }
            let numbers = put::store_or_find(sql, reports, &bodies, now_ms)?;
            Ok(Some(Some(numbers)))
        })?;
        replaced.ok_or_else(|| self.vanished())
    }

    /// Writes the bodies first where they are large: all of them in one transaction would hold it too long.
    fn stage<'a>(
        &mut self,
        reports: impl Iterator<Item = Option<&'a NewReport>>,
        now_ms: u64,
    ) -> Result<Vec<Option<i64>>, StoreError> {
        let reports: Vec<_> = reports.collect();
        let octets: usize = reports.iter().flatten().map(|report| report.body.len()).sum();
        if octets <= body::AT_ONCE {
            return Ok(vec![None; reports.len()]);
        }
        let mut staged = Vec::new();
        for report in reports {
            let number = report.map(|report| self.stage_one(report, now_ms));
            staged.push(number.transpose()?);
        }
        Ok(staged)
    }

    fn stage_one(&mut self, report: &NewReport, now_ms: u64) -> Result<i64, StoreError> {
        let (domain, octets) = (&report.policy_domain, &report.body);
        let number = self.db.write("store the body of a report", |sql| {
            body::begin(sql, domain, octets.len(), now_ms)
        })?;
        let mut place = 0;
        for part in octets.chunks(body::AT_ONCE) {
            place = self.db.write("store the body of a report", |sql| {
                body::add(sql, domain, number, place, part)
            })?;
        }
        Ok(number)
    }

    fn vanished(&self) -> StoreError {
        StoreError::Vanished { path: self.db.path() }
    }

    /// Takes deliveries to send: those that are due, not under lease and not suppressed, the ones due first
    /// first. Nobody else gets them before the lease ends. Where nothing is due, nothing is locked.
    ///
    /// # Errors
    /// When the owner's name is past its limit, or the store cannot be written.
    pub fn claim(&mut self, claim: &Claim) -> Result<Claims, StoreError> {
        within("owner", claim.owner.len(), crate::MAX_WORD)?;
        let found = self
            .db
            .read("look for deliveries to send", |sql| claim::find(sql, claim))?;
        if found.is_empty() {
            return Ok(Claims::default());
        }
        self.db
            .write("claim deliveries", |sql| claim::take(sql, claim, &found))
    }

    /// Puts off until a time, with the reason, what is due and under lease of this owner or nobody's; how many,
    /// ten thousand at most. They were not tried: no attempt counts, the states stay, and the leases end.
    ///
    /// # Errors
    /// When the store cannot be written. Some may have been put off then.
    pub fn postpone(
        &mut self,
        owner: &str,
        reason: &str,
        now_ms: u64,
        next_ms: u64,
    ) -> Result<u64, StoreError> {
        let reason = &check::reason(reason);
        let numbers = self.db.read("look for deliveries that are due", |sql| {
            ends::due(sql, owner, now_ms, MAX_POSTPONED)
        })?;
        self.in_steps("defer deliveries", &numbers, |sql, some| {
            ends::postpone(sql, some, owner, reason, (now_ms, next_ms))
        })
    }

    /// Sends again what the filter lets through, as if it had never been tried; how many. Not those under
    /// lease, and not those whose body is gone.
    ///
    /// # Errors
    /// When the store cannot be written. Some may have been queued then.
    pub fn retry(&mut self, filter: &OutboxFilter, resend: Resend, now_ms: u64) -> Result<u64, StoreError> {
        let numbers = self
            .db
            .read("look for deliveries", |sql| list::numbers(sql, filter))?;
        self.in_steps("send again", &numbers, |sql, some| {
            ends::retry(sql, some, resend, now_ms)
        })
    }

    /// Gives up what the filter lets through, as far as it has not ended and is not under lease; how many.
    ///
    /// # Errors
    /// When the store cannot be written. Some may have been given up then.
    pub fn give_up(&mut self, filter: &OutboxFilter, reason: &str, now_ms: u64) -> Result<u64, StoreError> {
        let reason = &check::reason(reason);
        let numbers = self
            .db
            .read("look for deliveries", |sql| list::numbers(sql, filter))?;
        self.in_steps("give up deliveries", &numbers, |sql, some| {
            ends::give_up_idle(sql, some, reason, now_ms)
        })
    }

    /// Some of them in each transaction; how many were changed in all.
    fn in_steps(
        &mut self,
        doing: &'static str,
        numbers: &[DeliveryNumber],
        work: impl Fn(&dyn Sql, &[DeliveryNumber]) -> Result<u64, SqlError> + Sync,
    ) -> Result<u64, StoreError> {
        let mut changed = 0;
        for some in numbers.chunks(ROWS) {
            changed += self.db.write(doing, |sql| work(sql, some))?;
        }
        Ok(changed)
    }

    /// The secret of this name, made of the system's randomness when it is asked for first. Who can read the
    /// store can read it.
    ///
    /// # Errors
    /// When the name is longer than [`MAX_WORD`](crate::MAX_WORD), the system has no randomness, or the store
    /// cannot be written.
    pub fn secret(&mut self, name: &str) -> Result<[u8; 32], StoreError> {
        within("name of a secret", name.len(), crate::MAX_WORD)?;
        if let Some(secret) = self.db.read("read a secret", |sql| secret::read(sql, name))? {
            return Ok(secret);
        }
        let fresh = secret::fresh().map_err(|source| StoreError::Io {
            doing: "find randomness for a secret in",
            path: self.db.path(),
            source,
        })?;
        self.db
            .write("keep a secret", |sql| secret::keep(sql, name, fresh))
    }
}
