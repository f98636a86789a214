//! What takes several transactions, each of them short: what waits for the books goes in between.

use super::{Books, body, claim, ends, list, put, secret};
use crate::error::StoreError;
use crate::limits::MAX_POSTPONED;
use crate::model::{Claim, Claims, DeliveryNumber, NewReport, OutboxFilter, Put, ReportNumber, Resend};
use crate::sql::{Sql, SqlError};

/// Most rows changed in one transaction of several that do one thing: about 10 ms.
const ROWS: usize = 500;

impl Books {
    pub(crate) fn put_all(&mut self, reports: &[NewReport], now_ms: u64) -> Result<Vec<Put>, StoreError> {
        let known = self.read("look for reports", |sql| put::known(sql, reports))?;
        if known.iter().all(|known| *known) {
            return Ok(vec![Put::AlreadyThere; reports.len()]);
        }
        let fresh = reports
            .iter()
            .zip(&known)
            .map(|(report, known)| (!known).then_some(report));
        let bodies = self.stage(fresh, now_ms)?;
        let stored = self.write("store reports", |sql| put::store(sql, reports, &bodies, now_ms))?;
        stored.ok_or_else(|| self.vanished())
    }

    pub(crate) fn replace(
        &mut self,
        delivery: DeliveryNumber,
        owner: &str,
        reason: &str,
        reports: &[NewReport],
        now_ms: u64,
    ) -> Result<Option<Vec<ReportNumber>>, StoreError> {
        let bodies = self.stage(reports.iter().map(Some), now_ms)?;
        let replaced = self.write("divide a report", |sql| {
            if !body::are_staged(sql, &bodies)? {
                return Ok(None);
            }
            if !ends::give_up(sql, delivery, owner, reason, now_ms)? {
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
        let number = self.write("store the body of a report", |sql| {
            body::begin(sql, domain, octets.len(), now_ms)
        })?;
        let mut place = 0;
        for part in octets.chunks(body::AT_ONCE) {
            place = self.write("store the body of a report", |sql| {
                body::add(sql, domain, number, place, part)
            })?;
        }
        Ok(number)
    }

    fn vanished(&self) -> StoreError {
        StoreError::Vanished { path: self.path() }
    }

    pub(crate) fn claim(&mut self, claim: &Claim) -> Result<Claims, StoreError> {
        let found = self.read("look for letters to send", |sql| claim::find(sql, claim))?;
        if found.is_empty() {
            return Ok(Claims::default());
        }
        self.write("take letters to send", |sql| claim::take(sql, claim, &found))
    }

    pub(crate) fn postpone(
        &mut self,
        owner: &str,
        reason: &str,
        now_ms: u64,
        next_ms: u64,
    ) -> Result<u64, StoreError> {
        let numbers = self.read("look for letters that are due", |sql| {
            ends::due(sql, owner, now_ms, MAX_POSTPONED)
        })?;
        self.in_steps("put letters off", &numbers, |sql, some| {
            ends::postpone(sql, some, owner, reason, (now_ms, next_ms))
        })
    }

    pub(crate) fn retry(
        &mut self,
        filter: &OutboxFilter,
        resend: Resend,
        now_ms: u64,
    ) -> Result<u64, StoreError> {
        let numbers = self.read("look for deliveries", |sql| list::numbers(sql, filter))?;
        self.in_steps("send again", &numbers, |sql, some| {
            ends::retry(sql, some, resend, now_ms)
        })
    }

    pub(crate) fn give_up(
        &mut self,
        filter: &OutboxFilter,
        reason: &str,
        now_ms: u64,
    ) -> Result<u64, StoreError> {
        let numbers = self.read("look for deliveries", |sql| list::numbers(sql, filter))?;
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
            changed += self.write(doing, |sql| work(sql, some))?;
        }
        Ok(changed)
    }

    pub(crate) fn secret(&mut self, name: &str) -> Result<[u8; 32], StoreError> {
        if let Some(secret) = self.read("read a secret", |sql| secret::read(sql, name))? {
            return Ok(secret);
        }
        let fresh = secret::fresh().map_err(|source| StoreError::Io {
            doing: "find randomness for a secret in",
            path: self.path(),
            source,
        })?;
        self.write("keep a secret", |sql| secret::keep(sql, name, fresh))
    }
}
