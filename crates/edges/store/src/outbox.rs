//! Report letters on their way: rows of the store with a state per destination (design D17).
//!
//! In a fleet many hosts have one outbox, on a server. Each letter is sent by the host that has it under lease, and a
//! lease with a name says which of them makes the reports ([`Outbox::lease`]). Their clocks differ, so that there
//! every time is put on the server's clock first. A host that dies leaves leases that run out. One that was cut off
//! and comes back after its lease ran out may still say that a letter was delivered, for that is a fact; it can put
//! off or give up only what nobody else has taken since.
//!
//! An [`Outbox`] writes beside the recorder, on a connection of its own and in transactions that are short,
//! whatever it is given: a long list or a large body takes several. What has returned is on disk, synced; a
//! crash at any moment leaves every report there once, and every delivery either ended or to be claimed again.
//!
//! It knows no clock, no letter and no network: times are arguments, and who sends says how it went.

mod check;
mod destinations;

use std::fmt;
use std::time::Duration;

use crate::books::Books;
use crate::error::StoreError;
use crate::limits::MAX_REPORTS;
use crate::model::{
    Claim, Claims, Day, DayCounts, DayState, Delivery, DeliveryNumber, Lease, NewReport, OutboxCounts,
    OutboxExpired, OutboxFilter, OutboxKeep, Put, ReportNumber, Resend,
};
use crate::place::Place;

pub(crate) use check::{check_all, host_of, once_each, reason, within};

/// How long a service waits for others who write: SQLite does not queue those who wait, and each batch of
/// a busy recorder may be first.
pub const SERVICE_PATIENCE: Duration = Duration::from_mins(1);
/// How long a command waits, with somebody before it.
pub const COMMAND_PATIENCE: Duration = Duration::from_secs(5);

/// Report letters and their deliveries. Every method may wait for the disk and for others who write: call
/// them where that holds up nobody else.
pub struct Outbox {
    books: Books,
}

impl Outbox {
    /// Opens the store. The schema of a file is brought up to date, and others who write it are waited for so long at
    /// most; how long a server is waited for is said with its address.
    ///
    /// # Errors
    /// When the store is of a newer version or another program's, or cannot be opened; that of a server also when it
    /// is of an older version.
    pub fn open(place: impl Into<Place>, patience: Duration) -> Result<Self, StoreError> {
        let books = Books::open(place.into(), patience)?;
        Ok(Self { books })
    }

    /// Notes that the reports about a day are being made; the state before. A day that is done stays done.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn begin_day(&mut self, day: Day, now_ms: u64) -> Result<DayState, StoreError> {
        self.books.begin_day(day, now_ms)
    }

    /// How far the reports about a day are. That is kept for ever, so that no day is reported again after
    /// its reports have expired.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn day_state(&mut self, day: Day) -> Result<DayState, StoreError> {
        self.books.day_state(day)
    }

    /// Notes that a day is done.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn finish_day(&mut self, day: Day, counts: DayCounts, now_ms: u64) -> Result<(), StoreError> {
        self.books.finish_day(day, counts, now_ms)
    }

    /// Whether there is an aggregate report about this day of a policy domain, or a line that says why not.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn is_settled(&mut self, day: Day, policy_domain: &str) -> Result<bool, StoreError> {
        self.books.is_settled(day, policy_domain)
    }

    /// Stores reports with their deliveries: all of them or none, and each once however often it is handed
    /// over. What it came to is told of each, in order.
    ///
    /// An aggregate report is there already when any part of the same policy domain, begin and configuration
    /// is: what was tallied since would divide it into other parts. So hand over all parts of a configuration
    /// in one call. A failure report is there already when its Report-ID is.
    ///
    /// At most [`MAX_REPORTS`] reports and [`MAX_LETTERS`] deliveries.
    ///
    /// # Errors
    /// When something is past its limit, or the store cannot be written.
    pub fn put_all(&mut self, reports: &[NewReport], now_ms: u64) -> Result<Vec<Put>, StoreError> {
        check_all(reports)?;
        self.books.put_all(reports, now_ms)
    }

    /// Notes why policy domains with rows on a day got no report: the domain, and one reason each. The
    /// first reason stays. Of a day [`MAX_SKIPPED`] are kept, at most [`MAX_REPORTS`] a call.
    ///
    /// # Errors
    /// When a domain or the list is past its limit, or the store cannot be written.
    pub fn skip_all(&mut self, day: Day, skipped: &[(String, String)]) -> Result<(), StoreError> {
        within("list of policy domains", skipped.len(), MAX_REPORTS)?;
        for (policy_domain, _) in skipped {
            within("policy_domain", policy_domain.len(), crate::MAX_WORD)?;
        }
        self.books.skip_all(day, skipped)
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
        self.books
            .replace(delivery, owner, &self::reason(reason), reports, now_ms)
    }

    /// Takes deliveries to send: those that are due, not under lease and not suppressed, the ones due first
    /// first. Nobody else gets them before the lease ends. Where nothing is due, nothing is locked.
    ///
    /// # Errors
    /// When the owner's name is past its limit, or the store cannot be written.
    pub fn claim(&mut self, claim: &Claim) -> Result<Claims, StoreError> {
        within("owner", claim.owner.len(), crate::MAX_WORD)?;
        self.books.claim(claim)
    }

    /// The body of a report, while it is kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn body(&mut self, report: ReportNumber) -> Result<Option<Vec<u8>>, StoreError> {
        self.books.body(report)
    }

    /// Marks a delivery as taken over by its destination, with what that said. It counts whoever has the
    /// lease by now, and also when it had been given up: it is a fact. False when it was delivered before, or
    /// is not there.
    ///
    /// # Errors
    /// When the store cannot be written. Ask again: the letter is there already.
    pub fn delivered(
        &mut self,
        delivery: DeliveryNumber,
        reason: &str,
        now_ms: u64,
    ) -> Result<bool, StoreError> {
        self.books.delivered(delivery, &self::reason(reason), now_ms)
    }

    /// Notes that a letter came back: its delivery is given up, with the reason, even where it counted as
    /// delivered. What it was; none when it had been given up before, so that each letter is struck for once,
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
        self.books.bounced(delivery, &self::reason(reason), now_ms)
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
        self.books
            .deferred(delivery, owner, &self::reason(reason), next_ms)
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
        self.books
            .given_up(delivery, owner, &self::reason(reason), now_ms)
    }

    /// Who has leases, run out or not, in alphabetical order; at most [`MAX_OWNERS`].
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn owners(&mut self) -> Result<Vec<String>, StoreError> {
        self.books.owners()
    }

    /// Ends all leases of an owner who is going to send nothing more; how many. Those attempts do not count.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn release(&mut self, owner: &str) -> Result<u64, StoreError> {
        self.books.release(owner)
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
        self.books.lease(name, owner, lease_ms, now_ms)
    }

    /// Gives a lease with a name back; whether the owner had it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn release_lease(&mut self, name: &str, owner: &str) -> Result<bool, StoreError> {
        self.books.release_lease(name, owner)
    }

    /// Who has which lease with a name, run out or not, in alphabetical order of the names; at most [`MAX_OWNERS`].
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn leases(&mut self) -> Result<Vec<(String, Lease)>, StoreError> {
        self.books.leases()
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
        self.books.postpone(owner, &self::reason(reason), now_ms, next_ms)
    }

    /// Sends again what the filter lets through, as if it had never been tried; how many. Not those under
    /// lease, and not those whose body is gone.
    ///
    /// # Errors
    /// When the store cannot be written. Some may have been queued then.
    pub fn retry(&mut self, filter: &OutboxFilter, resend: Resend, now_ms: u64) -> Result<u64, StoreError> {
        self.books.retry(filter, resend, now_ms)
    }

    /// Gives up what the filter lets through, as far as it has not ended and is not under lease; how many.
    ///
    /// # Errors
    /// When the store cannot be written. Some may have been given up then.
    pub fn give_up(&mut self, filter: &OutboxFilter, reason: &str, now_ms: u64) -> Result<u64, StoreError> {
        self.books.give_up(filter, &self::reason(reason), now_ms)
    }

    /// The secret of this name, made of the system's randomness when it is asked for first. Who can read the
    /// store can read it.
    ///
    /// # Errors
    /// When the name is longer than [`MAX_WORD`](crate::MAX_WORD), the system has no randomness, or the store
    /// cannot be written.
    pub fn secret(&mut self, name: &str) -> Result<[u8; 32], StoreError> {
        within("name of a secret", name.len(), crate::MAX_WORD)?;
        self.books.secret(name)
    }

    /// How many failure reports were made for each destination since a time, so that limits hold across a restart.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn failures_since(&mut self, since_ms: u64) -> Result<Vec<(String, u64)>, StoreError> {
        self.books.failures_since(since_ms)
    }

    /// Removes some of what is too old, in one short transaction. Ask again while there is more.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn expire(&mut self, keep: OutboxKeep) -> Result<OutboxExpired, StoreError> {
        self.books.expire(keep)
    }

    /// What waits to be sent. The cost goes with that, not with what has ended.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn counts(&mut self, now_ms: u64) -> Result<OutboxCounts, StoreError> {
        self.books.counts(now_ms)
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Outbox");
        shown.field("place", &self.books.path()).finish_non_exhaustive()
    }
}
