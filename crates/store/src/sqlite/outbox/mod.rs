//! The outbox on SQLite: a second writing connection, in transactions that are short.
//!
//! `transact` is that connection, `put` stores reports, `body` what is attached to them, `claim` says who sends what, `ends` what came of
//! it, `list` reads deliveries, `days` keeps account of the days, `redirection` of where reports go instead, `suppression` of destinations that get
//! nothing, `upkeep` removes what is old.

pub(super) mod body;
mod claim;
pub(super) mod days;
mod ends;
pub(super) mod list;
mod put;
pub(super) mod redirection;
pub(super) mod suppression;
mod transact;
pub(super) mod upkeep;

use rusqlite::{Connection, OptionalExtension};

use super::connection;
use crate::day::{Day, as_integer};
use crate::error::StoreError;
use crate::outbox::{
    Claim, Claims, DayCounts, DayState, Delivery, DeliveryNumber, DeliveryState, MAX_POSTPONED,
    MAX_REDIRECTIONS, NewReport, OutboxCounts, OutboxExpired, OutboxFilter, OutboxKeep, Put, Redirection,
    ReportNumber, Resend, Strikes, Struck, Suppression,
};

pub(super) use days::is_reported;
pub(crate) use transact::Outbox;

/// Most rows changed in one transaction of several that do one thing: about 10 ms.
const ROWS: usize = 500;

impl Outbox {
    pub(crate) fn begin_day(&mut self, day: Day, now_ms: u64) -> Result<DayState, StoreError> {
        self.write("begin a day of reports", |connection| {
            days::begin(connection, day, now_ms)
        })
    }

    pub(crate) fn day_state(&mut self, day: Day) -> Result<DayState, StoreError> {
        self.read("read a day of reports", |connection| days::state(connection, day))
    }

    pub(crate) fn finish_day(&mut self, day: Day, counts: DayCounts, now_ms: u64) -> Result<(), StoreError> {
        self.write("finish a day of reports", |connection| {
            days::finish(connection, day, counts, now_ms)
        })
    }

    pub(crate) fn is_settled(&mut self, day: Day, policy_domain: &str) -> Result<bool, StoreError> {
        self.read("look for a report", |connection| {
            days::is_settled(connection, day, policy_domain)
        })
    }

    pub(crate) fn redirect(&mut self, redirection: &Redirection) -> Result<(), StoreError> {
        self.write("redirect reports", |connection| {
            redirection::set(connection, redirection)
        })
    }

    pub(crate) fn stop_redirecting(&mut self, policy_domain: &str) -> Result<bool, StoreError> {
        self.write("stop redirecting reports", |connection| {
            redirection::remove(connection, policy_domain)
        })
    }

    pub(crate) fn redirection(&mut self, policy_domain: &str) -> Result<Option<Redirection>, StoreError> {
        self.read("look where reports go", |connection| {
            redirection::of(connection, policy_domain)
        })
    }

    pub(crate) fn redirections(&mut self) -> Result<Vec<Redirection>, StoreError> {
        self.read("look where reports go", |connection| {
            redirection::all(connection, MAX_REDIRECTIONS)
        })
    }

    pub(crate) fn skip_all(&mut self, day: Day, skipped: &[(String, String)]) -> Result<(), StoreError> {
        self.write("note domains without a report", |connection| {
            days::skip(connection, day, skipped)
        })
    }

    pub(crate) fn put_all(&mut self, reports: &[NewReport], now_ms: u64) -> Result<Vec<Put>, StoreError> {
        let known = self.read("look for reports", |connection| put::known(connection, reports))?;
        if known.iter().all(|known| *known) {
            return Ok(vec![Put::AlreadyThere; reports.len()]);
        }
        let fresh = reports
            .iter()
            .zip(&known)
            .map(|(report, known)| (!known).then_some(report));
        let bodies = self.stage(fresh, now_ms)?;
        let stored = self.write("store reports", |connection| {
            put::store(connection, reports, &bodies, now_ms)
        })?;
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
        let replaced = self.write("divide a report", |connection| {
            if !body::are_staged(connection, &bodies)? {
                return Ok(None);
            }
            if !ends::give_up(connection, delivery, owner, reason, now_ms)? {
                return Ok(Some(None));
            }
            let numbers = put::store_or_find(connection, reports, &bodies, now_ms)?;
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
            let number = report.map(|report| self.stage_one(&report.body, now_ms));
            staged.push(number.transpose()?);
        }
        Ok(staged)
    }

    fn stage_one(&mut self, octets: &[u8], now_ms: u64) -> Result<i64, StoreError> {
        let begin = |connection: &Connection| body::begin(connection, octets.len(), now_ms);
        let number = self.write("store the body of a report", begin)?;
        let mut place = 0;
        for part in octets.chunks(body::AT_ONCE) {
            place = self.write("store the body of a report", |connection| {
                body::add(connection, number, place, part)
            })?;
        }
        Ok(number)
    }

    fn vanished(&self) -> StoreError {
        StoreError::Vanished {
            path: self.path().to_owned(),
        }
    }

    pub(crate) fn claim(&mut self, claim: &Claim) -> Result<Claims, StoreError> {
        let found = self.read("look for letters to send", |connection| {
            claim::find(connection, claim)
        })?;
        if found.is_empty() {
            return Ok(Claims::default());
        }
        self.write("take letters to send", |connection| {
            claim::take(connection, claim, &found)
        })
    }

    pub(crate) fn body(&mut self, report: ReportNumber) -> Result<Option<Vec<u8>>, StoreError> {
        self.read("read the body of a report", |connection| {
            body::read(connection, report)
        })
    }

    pub(crate) fn delivered(
        &mut self,
        delivery: DeliveryNumber,
        reason: &str,
        now_ms: u64,
    ) -> Result<bool, StoreError> {
        self.write("note a delivery", |connection| {
            ends::end(connection, delivery, DeliveryState::Delivered, reason, now_ms)
        })
    }

    pub(crate) fn bounced(
        &mut self,
        delivery: DeliveryNumber,
        reason: &str,
        now_ms: u64,
    ) -> Result<Option<Delivery>, StoreError> {
        self.write("note a bounce", |connection| {
            if ends::end(connection, delivery, DeliveryState::GivenUp, reason, now_ms)? {
                list::delivery(connection, integer(delivery.0))
            } else {
                Ok(None)
            }
        })
    }

    pub(crate) fn deferred(
        &mut self,
        delivery: DeliveryNumber,
        owner: &str,
        reason: &str,
        next_ms: u64,
    ) -> Result<bool, StoreError> {
        self.write("put off a delivery", |connection| {
            ends::defer(connection, delivery, owner, reason, next_ms)
        })
    }

    pub(crate) fn given_up(
        &mut self,
        delivery: DeliveryNumber,
        owner: &str,
        reason: &str,
        now_ms: u64,
    ) -> Result<bool, StoreError> {
        self.write("give up a delivery", |connection| {
            ends::give_up(connection, delivery, owner, reason, now_ms)
        })
    }

    pub(crate) fn owners(&mut self) -> Result<Vec<String>, StoreError> {
        self.read("read who sends letters", claim::owners)
    }

    pub(crate) fn release(&mut self, owner: &str) -> Result<u64, StoreError> {
        self.write("give letters back", |connection| ends::release(connection, owner))
    }

    pub(crate) fn postpone(
        &mut self,
        owner: &str,
        reason: &str,
        now_ms: u64,
        next_ms: u64,
    ) -> Result<u64, StoreError> {
        let numbers = self.read("look for letters that are due", |connection| {
            ends::due(connection, owner, now_ms, MAX_POSTPONED)
        })?;
        self.in_steps("put letters off", &numbers, |connection, some| {
            ends::postpone(connection, some, owner, reason, (now_ms, next_ms))
        })
    }

    pub(crate) fn retry(
        &mut self,
        filter: &OutboxFilter,
        resend: Resend,
        now_ms: u64,
    ) -> Result<u64, StoreError> {
        let numbers = self.read("look for deliveries", |connection| {
            list::numbers(connection, filter)
        })?;
        self.in_steps("send again", &numbers, |connection, some| {
            ends::retry(connection, some, resend, now_ms)
        })
    }

    pub(crate) fn give_up(
        &mut self,
        filter: &OutboxFilter,
        reason: &str,
        now_ms: u64,
    ) -> Result<u64, StoreError> {
        let numbers = self.read("look for deliveries", |connection| {
            list::numbers(connection, filter)
        })?;
        self.in_steps("give up deliveries", &numbers, |connection, some| {
            ends::give_up_idle(connection, some, reason, now_ms)
        })
    }

    /// Some of them in each transaction; how many were changed in all.
    fn in_steps(
        &mut self,
        doing: &'static str,
        numbers: &[DeliveryNumber],
        work: impl Fn(&Connection, &[DeliveryNumber]) -> rusqlite::Result<u64>,
    ) -> Result<u64, StoreError> {
        let mut changed = 0;
        for some in numbers.chunks(ROWS) {
            changed += self.write(doing, |connection| work(connection, some))?;
        }
        Ok(changed)
    }

    pub(crate) fn suppress(
        &mut self,
        destination: &str,
        reason: &str,
        until_ms: Option<u64>,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        self.write("suppress a destination", |connection| {
            suppression::suppress(connection, destination, reason, until_ms, now_ms)
        })
    }

    pub(crate) fn strike(
        &mut self,
        destination: &str,
        reason: &str,
        strikes: &Strikes,
        now_ms: u64,
    ) -> Result<Struck, StoreError> {
        self.write("count a bounce", |connection| {
            suppression::strike(connection, destination, reason, strikes, now_ms)
        })
    }

    pub(crate) fn unsuppress(&mut self, destination: &str) -> Result<bool, StoreError> {
        self.write("forget a suppression", |connection| {
            suppression::remove(connection, destination)
        })
    }

    pub(crate) fn is_suppressed(
        &mut self,
        destination: &str,
        now_ms: u64,
    ) -> Result<Option<Suppression>, StoreError> {
        self.read("look for a suppression", |connection| {
            suppression::find(connection, destination, now_ms)
        })
    }

    pub(crate) fn suppressions(&mut self) -> Result<Vec<Suppression>, StoreError> {
        self.read("read the suppressions", suppression::all)
    }

    pub(crate) fn secret(&mut self, name: &str) -> Result<[u8; 32], StoreError> {
        if let Some(secret) = self.read("read a secret", |connection| secret(connection, name))? {
            return Ok(secret);
        }
        let fresh = fresh_secret().map_err(connection::io(self.path(), "find randomness for a secret in"))?;
        self.write("keep a secret", |connection| {
            // Another process may have been first.
            let sql = "INSERT OR IGNORE INTO secret (name, octets) VALUES (?1, ?2)";
            connection.execute(sql, (name, fresh))?;
            secret(connection, name)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
        })
    }

    pub(crate) fn failures_since(&mut self, since_ms: u64) -> Result<Vec<(String, u64)>, StoreError> {
        self.read("count failure reports", |connection| {
            list::failures_since(connection, since_ms)
        })
    }

    pub(crate) fn expire(&mut self, keep: OutboxKeep) -> Result<OutboxExpired, StoreError> {
        self.write("remove old reports", |connection| upkeep::step(connection, keep))
    }

    pub(crate) fn counts(&mut self, now_ms: u64) -> Result<OutboxCounts, StoreError> {
        self.read("count the letters", |connection| list::counts(connection, now_ms))
    }
}

fn secret(connection: &Connection, name: &str) -> rusqlite::Result<Option<[u8; 32]>> {
    let sql = "SELECT octets FROM secret WHERE name = ?1";
    connection.query_row(sql, [name], |row| row.get(0)).optional()
}

fn fresh_secret() -> std::io::Result<[u8; 32]> {
    use ring::rand::SecureRandom as _;
    let mut octets = [0; 32];
    ring::rand::SystemRandom::new()
        .fill(&mut octets)
        .map_err(|_| std::io::Error::other("the system has none"))?;
    Ok(octets)
}

/// A number of ours as the database holds it; one past its range is the number of nothing.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(-1)
}

/// A time as the database holds it.
fn time(at_ms: u64) -> i64 {
    as_integer(at_ms)
}
