//! The books of the outbox: reports, their letters and what is known about destinations, in statements that every
//! engine understands ([`crate::sql`]).
//!
//! [`Books`] is who writes them; a file has a second writing connection for it, a server a pool. `put` stores
//! reports, `body` what is attached to them, `claim` says who sends what, `ends` what came of it, `list` reads
//! deliveries, `days` keeps account of the days, `redirection` of where reports go instead, `suppression` of
//! destinations that get nothing, `lease` of who does what of many hosts, `ledger` of imports, `secret` of secrets;
//! `upkeep` removes what is old, and `steps` is what takes several transactions.
//!
//! One transaction writes at a time: SQLite lets in no other, and on a server each begins by locking one row.
//! So what was looked at holds until it is written.

pub(crate) mod body;
mod claim;
pub(crate) mod days;
mod ends;
pub(crate) mod lease;
pub(crate) mod ledger;
pub(crate) mod list;
mod put;
pub(crate) mod redirection;
mod secret;
mod statement;
mod steps;
pub(crate) mod suppression;
#[cfg(test)]
mod tests;
pub(crate) mod upkeep;

use std::path::PathBuf;
use std::time::Duration;

use crate::error::StoreError;
use crate::model::{
    Day, DayCounts, DayState, Delivery, DeliveryNumber, DeliveryState, Import, Imported, Lease, OutboxCounts,
    OutboxExpired, OutboxKeep, Redirection, ReportNumber, Strikes, Struck, Suppression,
};
use crate::place::Place;
use crate::server::{self, Server};
use crate::sql::{Sql, SqlError};
use crate::sqlite::Beside;

/// Who writes the books, wherever they are.
pub(crate) enum Books {
    File(Box<Beside>),
    Server(Server),
}

impl Books {
    /// `patience` is how long another writer of a file is waited for.
    pub(crate) fn open(place: Place, patience: Duration) -> Result<Self, StoreError> {
        match place {
            Place::File(path) => Beside::open(&path, patience).map(|file| Self::File(file.into())),
            Place::Server(server) => {
                server.check()?;
                Ok(Self::Server(server))
            }
        }
    }

    /// Does it in one durable transaction, beside which nobody else writes the books. It may be done again, from the
    /// beginning, where the first attempt came to nothing.
    fn write<T: Send>(
        &mut self,
        doing: &'static str,
        work: impl Fn(&dyn Sql) -> Result<T, SqlError> + Sync,
    ) -> Result<T, StoreError> {
        match self {
            Self::File(file) => file.write(doing, |statements| work(statements)),
            Self::Server(server) => server.write(doing, |session| work(session)),
        }
    }

    /// Asks in one transaction, so that all answers are about the same state.
    fn read<T: Send>(
        &mut self,
        doing: &'static str,
        ask: impl Fn(&dyn Sql) -> Result<T, SqlError> + Sync,
    ) -> Result<T, StoreError> {
        match self {
            Self::File(file) => file.read(doing, |statements| ask(statements)),
            Self::Server(server) => server.read(doing, |session| ask(session)),
        }
    }

    /// What names the place, in errors.
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Self::File(file) => file.path().to_owned(),
            Self::Server(server) => server.to_string().into(),
        }
    }

    pub(crate) fn import(&mut self, imports: &[Import], kept_from: Day) -> Result<Imported, StoreError> {
        match self {
            Self::File(file) => file.import(imports, kept_from),
            Self::Server(server) => server::import::import(server, imports, kept_from),
        }
    }

    pub(crate) fn begin_day(&mut self, day: Day, now_ms: u64) -> Result<DayState, StoreError> {
        self.write("begin a day of reports", |sql| days::begin(sql, day, now_ms))
    }

    pub(crate) fn day_state(&mut self, day: Day) -> Result<DayState, StoreError> {
        self.read("read a day of reports", |sql| days::state(sql, day))
    }

    pub(crate) fn finish_day(&mut self, day: Day, counts: DayCounts, now_ms: u64) -> Result<(), StoreError> {
        self.write("finish a day of reports", |sql| {
            days::finish(sql, day, counts, now_ms)
        })
    }

    pub(crate) fn is_settled(&mut self, day: Day, policy_domain: &str) -> Result<bool, StoreError> {
        self.read("look for a report", |sql| {
            days::is_settled(sql, day, policy_domain)
        })
    }

    pub(crate) fn skip_all(&mut self, day: Day, skipped: &[(String, String)]) -> Result<(), StoreError> {
        self.write("note domains without a report", |sql| {
            days::skip(sql, day, skipped)
        })
    }

    pub(crate) fn redirect(&mut self, redirection: &Redirection) -> Result<(), StoreError> {
        self.write("redirect reports", |sql| redirection::set(sql, redirection))
    }

    pub(crate) fn stop_redirecting(&mut self, policy_domain: &str) -> Result<bool, StoreError> {
        self.write("stop redirecting reports", |sql| {
            redirection::remove(sql, policy_domain)
        })
    }

    pub(crate) fn redirection(&mut self, policy_domain: &str) -> Result<Option<Redirection>, StoreError> {
        self.read("look where reports go", |sql| redirection::of(sql, policy_domain))
    }

    pub(crate) fn redirections(&mut self) -> Result<Vec<Redirection>, StoreError> {
        self.read("look where reports go", redirection::all)
    }

    pub(crate) fn body(&mut self, report: ReportNumber) -> Result<Option<Vec<u8>>, StoreError> {
        self.read("read the body of a report", |sql| body::read(sql, report))
    }

    pub(crate) fn delivered(
        &mut self,
        delivery: DeliveryNumber,
        reason: &str,
        now_ms: u64,
    ) -> Result<bool, StoreError> {
        self.write("note a delivery", |sql| {
            ends::end(sql, delivery, DeliveryState::Delivered, reason, now_ms)
        })
    }

    pub(crate) fn bounced(
        &mut self,
        delivery: DeliveryNumber,
        reason: &str,
        now_ms: u64,
    ) -> Result<Option<Delivery>, StoreError> {
        self.write("note a bounce", |sql| {
            if ends::end(sql, delivery, DeliveryState::GivenUp, reason, now_ms)? {
                list::delivery(sql, delivery)
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
        self.write("put off a delivery", |sql| {
            ends::defer(sql, delivery, owner, reason, next_ms)
        })
    }

    pub(crate) fn given_up(
        &mut self,
        delivery: DeliveryNumber,
        owner: &str,
        reason: &str,
        now_ms: u64,
    ) -> Result<bool, StoreError> {
        self.write("give up a delivery", |sql| {
            ends::give_up(sql, delivery, owner, reason, now_ms)
        })
    }

    pub(crate) fn owners(&mut self) -> Result<Vec<String>, StoreError> {
        self.read("read who sends letters", claim::owners)
    }

    pub(crate) fn release(&mut self, owner: &str) -> Result<u64, StoreError> {
        self.write("give letters back", |sql| ends::release(sql, owner))
    }

    pub(crate) fn lease(
        &mut self,
        name: &str,
        owner: &str,
        lease_ms: u64,
        now_ms: u64,
    ) -> Result<Option<Lease>, StoreError> {
        self.write("take a lease", |sql| {
            lease::take(sql, name, owner, (lease_ms, now_ms))
        })
    }

    pub(crate) fn release_lease(&mut self, name: &str, owner: &str) -> Result<bool, StoreError> {
        self.write("give a lease back", |sql| lease::release(sql, name, owner))
    }

    pub(crate) fn leases(&mut self) -> Result<Vec<(String, Lease)>, StoreError> {
        self.read("read the leases", lease::all)
    }

    pub(crate) fn suppress(
        &mut self,
        destination: &str,
        reason: &str,
        until_ms: Option<u64>,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        self.write("suppress a destination", |sql| {
            suppression::suppress(sql, destination, reason, until_ms, now_ms)
        })
    }

    pub(crate) fn strike(
        &mut self,
        destination: &str,
        reason: &str,
        strikes: &Strikes,
        now_ms: u64,
    ) -> Result<Struck, StoreError> {
        self.write("count a bounce", |sql| {
            suppression::strike(sql, destination, reason, strikes, now_ms)
        })
    }

    pub(crate) fn unsuppress(&mut self, destination: &str) -> Result<bool, StoreError> {
        self.write("forget a suppression", |sql| {
            suppression::remove(sql, destination)
        })
    }

    pub(crate) fn is_suppressed(
        &mut self,
        destination: &str,
        now_ms: u64,
    ) -> Result<Option<Suppression>, StoreError> {
        self.read("look for a suppression", |sql| {
            suppression::find(sql, destination, now_ms)
        })
    }

    pub(crate) fn suppressions(&mut self) -> Result<Vec<Suppression>, StoreError> {
        self.read("read the suppressions", suppression::all)
    }

    pub(crate) fn failures_since(&mut self, since_ms: u64) -> Result<Vec<(String, u64)>, StoreError> {
        self.read("count failure reports", |sql| list::failures_since(sql, since_ms))
    }

    pub(crate) fn expire(&mut self, keep: OutboxKeep) -> Result<OutboxExpired, StoreError> {
        self.write("remove old reports", |sql| upkeep::step(sql, keep))
    }

    pub(crate) fn counts(&mut self, now_ms: u64) -> Result<OutboxCounts, StoreError> {
        self.read("count the letters", |sql| list::counts(sql, now_ms))
    }
}
