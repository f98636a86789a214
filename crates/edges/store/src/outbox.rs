//! Report mail on its way: rows of the store with a state per destination (decision D17).
//!
//! In a fleet many hosts have one outbox, on a server. Each delivery is sent by the host that has it under lease, and a
//! lease with a name says which of them makes the reports ([`Outbox::lease`]). Their clocks differ, so that there
//! every time is put on the server's clock first. A host that dies leaves leases that run out. One that was cut off
//! and comes back after its lease ran out may still say that a message was delivered, for that is a fact; it can put
//! off or give up only what nobody else has taken since.
//!
//! An [`Outbox`] writes beside the recorder, on a connection of its own and in transactions that are short,
//! whatever it is given: a long list or a large body takes several. What has returned is on disk, synced; a
//! crash at any moment leaves every report there once, and every delivery either ended or to be claimed again.
//!
//! `put` stores reports, `body` what is attached to them, `claim` says who sends what, `ends` what came of it, `list`
//! reads deliveries, `days` keeps account of the days, `redirection` of where reports go instead, `suppression` of
//! destinations that get nothing, `lease` of who does what of many hosts, `ledger` of imports, `secret` of secrets;
//! `upkeep` removes what is old, all of them in statements that every engine understands ([`crate::sql`]). `steps` is
//! what takes several transactions, `db` the connection.
//!
//! It knows no clock, no message and no network: times are arguments, and who sends says how it went.

pub(crate) mod body;
mod check;
mod claim;
pub(crate) mod days;
mod db;
mod destinations;
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

use std::fmt;
use std::time::Duration;

use crate::error::StoreError;
use crate::limits::MAX_REPORTS;
use crate::model::{
    Day, DayCounts, DayState, Delivery, DeliveryNumber, DeliveryState, Lease, OutboxCounts, OutboxExpired,
    OutboxRetention, ReportNumber,
};
use crate::place::StoreLocation;

pub(crate) use check::within;
pub(crate) use db::OutboxDb;

/// How long a service waits for others who write: SQLite does not queue those who wait, and each batch of
/// a busy recorder may be first.
pub const SERVICE_BUSY_TIMEOUT: Duration = Duration::from_mins(1);
/// How long a command waits, with somebody before it.
pub const COMMAND_BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Reports and their deliveries. Every method may wait for the disk and for others who write: call
/// them where that holds up nobody else.
pub struct Outbox {
    db: OutboxDb,
}

impl Outbox {
    /// Opens the store. The schema of a file is brought up to date, and others who write it are waited for so long at
    /// most; how long a server is waited for is said with its address.
    ///
    /// # Errors
    /// When the store is of a newer version or another program's, or cannot be opened; that of a server also when it
    /// is of an older version.
    pub fn open(place: impl Into<StoreLocation>, busy_timeout: Duration) -> Result<Self, StoreError> {
        let db = OutboxDb::open(place.into(), busy_timeout)?;
        Ok(Self { db })
    }

    /// Notes that the reports about a day are being made; the state before. A day that is done stays done.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn begin_day(&mut self, day: Day, now_ms: u64) -> Result<DayState, StoreError> {
        self.db
            .write("begin a day of reports", |sql| days::begin(sql, day, now_ms))
    }

    /// How far the reports about a day are. That is kept for ever, so that no day is reported again after
    /// its reports have expired.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn day_state(&mut self, day: Day) -> Result<DayState, StoreError> {
        self.db.read("read a day of reports", |sql| days::state(sql, day))
    }

    /// Notes that a day is done.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn finish_day(&mut self, day: Day, counts: DayCounts, now_ms: u64) -> Result<(), StoreError> {
        self.db.write("finish a day of reports", |sql| {
            days::finish(sql, day, counts, now_ms)
        })
    }

    /// Whether there is an aggregate report about this day of a policy domain, or a line that says why not.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn is_settled(&mut self, day: Day, policy_domain: &str) -> Result<bool, StoreError> {
        self.db.read("look for a report", |sql| {
            days::is_settled(sql, day, policy_domain)
        })
    }

    /// Notes why policy domains with rows on a day got no report: the domain, and one reason each. The
    /// first reason stays. Of a day [`MAX_SKIPPED`](crate::MAX_SKIPPED) are kept, at most [`MAX_REPORTS`](crate::MAX_REPORTS) a call.
    ///
    /// # Errors
    /// When a domain or the list is past its limit, or the store cannot be written.
    pub fn skip_all(&mut self, day: Day, skipped: &[(String, String)]) -> Result<(), StoreError> {
        within("list of policy domains", skipped.len(), MAX_REPORTS)?;
        for (policy_domain, _) in skipped {
            within("policy_domain", policy_domain.len(), crate::MAX_WORD)?;
        }
        self.db.write("note domains without a report", |sql| {
            days::skip(sql, day, skipped)
        })
    }

    /// The body of a report, while it is kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn body(&mut self, report: ReportNumber) -> Result<Option<Vec<u8>>, StoreError> {
        self.db
            .read("read the body of a report", |sql| body::read(sql, report))
    }

    /// Marks a delivery as taken over by its destination, with what that said. It counts whoever has the
    /// lease by now, and also when it had been given up: it is a fact. False when it was delivered before, or
    /// is not there.
    ///
    /// # Errors
    /// When the store cannot be written. Ask again: the message is there already.
    pub fn delivered(
        &mut self,
        delivery: DeliveryNumber,
        reason: &str,
        now_ms: u64,
    ) -> Result<bool, StoreError> {
        let reason = &check::reason(reason);
        self.db.write("note a delivery", |sql| {
            ends::end(sql, delivery, DeliveryState::Delivered, reason, now_ms)
        })
    }

    /// Notes that a message came back: its delivery is given up, with the reason, even where it counted as
    /// delivered. What it was; none when it had been given up before, so that each delivery is struck for once,
    /// or when it is not there.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn bounced(
        &mut self,
        delivery: DeliveryNumber,
        reason: &str,
        now_ms: u64,
    ) -> Result<Option<Delivery>, StoreError> {
        let reason = &check::reason(reason);
        self.db.write("note a bounce", |sql| {
            if ends::end(sql, delivery, DeliveryState::GivenUp, reason, now_ms)? {
                list::delivery(sql, delivery)
            } else {
                Ok(None)
            }
        })
    }

    /// Puts a delivery off until a time, with the reason. False, and nothing changed, when the lease is not
    /// the owner's any more.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn deferred(
        &mut self,
        delivery: DeliveryNumber,
        owner: &str,
        reason: &str,
        next_ms: u64,
    ) -> Result<bool, StoreError> {
        let reason = &check::reason(reason);
        self.db.write("put off a delivery", |sql| {
            ends::leave(sql, delivery, DeliveryState::Deferred, (owner, reason), next_ms)
        })
    }

    /// Gives a delivery up, with the reason. False, and nothing changed, when the lease is not the owner's
    /// any more.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn given_up(
        &mut self,
        delivery: DeliveryNumber,
        owner: &str,
        reason: &str,
        now_ms: u64,
    ) -> Result<bool, StoreError> {
        let reason = &check::reason(reason);
        self.db.write("give up a delivery", |sql| {
            ends::leave(sql, delivery, DeliveryState::GivenUp, (owner, reason), now_ms)
        })
    }

    /// Who has leases, run out or not, in alphabetical order; at most [`MAX_OWNERS`](crate::MAX_OWNERS).
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn owners(&mut self) -> Result<Vec<String>, StoreError> {
        self.db.read("read who sends deliveries", claim::owners)
    }

    /// Ends all leases of an owner who is going to send nothing more; how many. Those attempts do not count.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn release(&mut self, owner: &str) -> Result<u64, StoreError> {
        self.db
            .write("release deliveries", |sql| ends::release(sql, owner))
    }

    /// Takes the lease with this name, or renews it, for so long from now: of many hosts one does what it stands
    /// for. None when somebody else has it. What ran out is anybody's, and is got again by whoever asks first.
    /// The end that is told is on the clock of the caller.
    ///
    /// # Errors
    /// When the name or the owner's is past its limit, or the store cannot be written.
    pub fn lease(
        &mut self,
        name: &str,
        owner: &str,
        lease_ms: u64,
        now_ms: u64,
    ) -> Result<Option<Lease>, StoreError> {
        within("name of a lease", name.len(), crate::MAX_WORD)?;
        within("owner", owner.len(), crate::MAX_WORD)?;
        self.db.write("take a lease", |sql| {
            lease::take(sql, name, owner, (lease_ms, now_ms))
        })
    }

    /// Gives a lease with a name back; whether the owner had it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn release_lease(&mut self, name: &str, owner: &str) -> Result<bool, StoreError> {
        self.db
            .write("give a lease back", |sql| lease::release(sql, name, owner))
    }

    /// Who has which lease with a name, run out or not, in alphabetical order of the names; at most [`MAX_OWNERS`](crate::MAX_OWNERS).
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn leases(&mut self) -> Result<Vec<(String, Lease)>, StoreError> {
        self.db.read("read the leases", lease::all)
    }

    /// How many failure reports were made for each destination since a time, so that limits hold across a restart.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn failures_since(&mut self, since_ms: u64) -> Result<Vec<(String, u64)>, StoreError> {
        self.db
            .read("count failure reports", |sql| list::failures_since(sql, since_ms))
    }

    /// Removes some of what is too old, in one short transaction. Ask again while there is more.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn expire(&mut self, keep: OutboxRetention) -> Result<OutboxExpired, StoreError> {
        self.db.write("remove old reports", |sql| upkeep::step(sql, keep))
    }

    /// What waits to be sent. The cost goes with that, not with what has ended.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn counts(&mut self, now_ms: u64) -> Result<OutboxCounts, StoreError> {
        self.db
            .read("count the deliveries", |sql| list::counts(sql, now_ms))
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Outbox");
        shown.field("place", &self.db.path()).finish_non_exhaustive()
    }
}
