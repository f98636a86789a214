//! What is asked of the outbox, and what it answers.

use std::collections::HashSet;

use super::Day;
use super::{Delivery, DeliveryNumber, DeliveryState, ReportKind};

/// Which deliveries are meant. What is none does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxFilter {
    /// The one with this number.
    pub delivery: Option<DeliveryNumber>,
    /// Those of this report.
    pub report_id: Option<String>,
    /// How far they are.
    pub state: Option<DeliveryState>,
    /// The kind of report.
    pub kind: Option<ReportKind>,
    /// The UTC day of the report.
    pub day: Option<Day>,
    /// The DMARC Policy Domain of the report.
    pub policy_domain: Option<String>,
    /// The address, or every address of a host: `@example.com`. Upper and lower case of the host are one.
    pub destination: Option<String>,
    /// So many at most, those made last.
    pub limit: usize,
}

impl Default for OutboxFilter {
    /// The last hundred deliveries.
    fn default() -> Self {
        Self {
            delivery: None,
            report_id: None,
            state: None,
            kind: None,
            day: None,
            policy_domain: None,
            destination: None,
            limit: 100,
        }
    }
}

/// Asks for deliveries to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The present, in milliseconds since the epoch: those due by now are meant.
    pub now_ms: u64,
    /// Who is going to send them; at most [`MAX_WORD`](crate::MAX_WORD) octets.
    pub owner: String,
    /// For how long nobody else may: longer than an attempt can take.
    pub lease_ms: u64,
    /// So many at most, and never more than [`MAX_CLAIM`](crate::MAX_CLAIM).
    pub limit: usize,
    /// So many at most to one host.
    pub per_host: usize,
    /// None to these hosts, in lower case: they had enough for now.
    pub hosts_left_out: HashSet<String>,
    /// Only reports about these DMARC Policy Domains, in lower case; empty for those about any.
    pub policy_domains: HashSet<String>,
    /// None about these.
    pub policy_domains_left_out: HashSet<String>,
}

impl Claim {
    /// Whether reports about this policy domain are meant.
    pub(crate) fn is_about(&self, policy_domain: &str) -> bool {
        (self.policy_domains.is_empty() || self.policy_domains.contains(policy_domain))
            && !self.policy_domains_left_out.contains(policy_domain)
    }

    /// Whether it makes a difference what reports are about.
    pub(crate) fn asks_about(&self) -> bool {
        !self.policy_domains.is_empty() || !self.policy_domains_left_out.is_empty()
    }
}

impl Default for Claim {
    /// One delivery for ten minutes, for nobody and at the beginning of time: name both.
    fn default() -> Self {
        Self {
            now_ms: 0,
            owner: String::new(),
            lease_ms: 600_000,
            limit: 1,
            per_host: 1,
            hosts_left_out: HashSet::new(),
            policy_domains: HashSet::new(),
            policy_domains_left_out: HashSet::new(),
        }
    }
}

/// What a claim came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Yours to send until the lease ends, those due first first.
    pub claimed: Vec<Delivery>,
    /// Those that were due and are given up now, for their destination is suppressed.
    pub suppressed: Vec<Delivery>,
}

/// Which deliveries [`Outbox::retry`](crate::Outbox::retry) sends again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resend {
    /// Those that are queued, deferred or given up.
    Unfinished,
    /// Those that were delivered as well: the same messages again.
    Everything,
}

/// How far the reports about a UTC day are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayState {
    /// Nobody has begun.
    Untouched,
    /// Begun, and to be gone on with.
    Begun {
        /// When, in milliseconds since the epoch.
        since_ms: u64,
    },
    /// Every policy domain has its report, or a reason why there is none.
    Done {
        /// When it was done, in milliseconds since the epoch.
        at_ms: u64,
        /// What there was.
        counts: DayCounts,
    },
}

/// What the reports about a day came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayCounts {
    /// DMARC Policy Domains with rows.
    pub domains: u64,
    /// Reports made.
    pub reports: u64,
    /// Messages that they count.
    pub messages: u64,
    /// Policy domains that got no report.
    pub skipped: u64,
}

/// How much report mail about a day there is for one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveriesAbout {
    /// The kind of the reports.
    pub kind: ReportKind,
    /// The DMARC Policy Domain of the reports.
    pub policy_domain: String,
    /// The address they go to.
    pub destination: String,
    /// How many there are, whatever became of them.
    pub deliveries: u64,
}

/// A destination that gets no report mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// An address, or every address of a host: `@example.com`.
    pub destination: String,
    /// Why, in words.
    pub reason: String,
    /// Who said so.
    pub origin: Origin,
    /// Since when, in milliseconds since the epoch.
    pub since_ms: u64,
    /// Until when; none is for ever, 0 that there were bounces and nothing is suppressed yet.
    pub until_ms: Option<u64>,
    /// Bounces that led to it.
    pub strikes: u32,
}

/// Who has suppressed a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The operator.
    Manual,
    /// Messages that came back.
    Bounce,
}

impl Suppression {
    /// Whether it counts at this time. One of bounces that did not lead to it yet never does.
    pub fn holds_at(&self, now_ms: u64) -> bool {
        self.until_ms.is_none_or(|until_ms| until_ms > now_ms)
    }
}

impl Origin {
    /// The origin with this word.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Manual, Self::Bounce]
            .into_iter()
            .find(|origin| origin.word() == word)
    }

    /// The word that stands for it in the database, in lists and in logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Bounce => "bounce",
        }
    }
}

/// Where the reports about a policy domain go against what its record says, by the operator's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirection {
    /// Whose reports.
    pub policy_domain: String,
    /// The URIs that stand in for `rua`; none: nobody gets them.
    pub rua: Vec<String>,
    /// Since when, in milliseconds since the epoch.
    pub since_ms: u64,
}

/// When bounces suppress a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strikes {
    /// After so many.
    pub limit: u32,
    /// A bounce this long after the one before is the first again, in milliseconds.
    pub forget_ms: u64,
    /// For how long at first, in milliseconds. Each further one doubles it,
    pub suppress_ms: u64,
    /// up to this.
    pub longest_ms: u64,
}

impl Strikes {
    /// Until when so many bounces suppress a destination, if they do.
    pub(crate) fn until_ms(&self, count: u32, now_ms: u64) -> Option<u64> {
        let further = count.checked_sub(self.limit)?;
        let doubled = self.suppress_ms.saturating_mul(2_u64.saturating_pow(further));
        Some(now_ms.saturating_add(doubled.min(self.longest_ms)))
    }
}

/// What a bounce came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BounceSuppression {
    /// Bounces counted for this destination.
    pub strikes: u32,
    /// Until when it is suppressed now, if it is and not for ever, in milliseconds since the epoch.
    pub suppressed_until_ms: Option<u64>,
}

/// What of the outbox to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxRetention {
    /// The present, in milliseconds since the epoch.
    pub now_ms: u64,
    /// Days that reports can be shown and sent again after their last delivery ended.
    pub keep_days: u32,
    /// How long the bounces of a destination are remembered, in milliseconds: as in
    /// [`Strikes::forget_ms`].
    pub forget_ms: u64,
}

/// What one step of [`Outbox::expire`](crate::Outbox::expire) removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxExpired {
    /// Reports.
    pub reports: u64,
    /// Their deliveries.
    pub deliveries: u64,
    /// Bodies, and what an interrupted hand-over had left of some.
    pub bodies: u64,
    /// Lines that say why a policy domain got no report.
    pub skipped: u64,
    /// Suppressions that were over, and bounces that were forgotten.
    pub suppressions: u64,
    /// There is more to remove: ask again.
    pub more: bool,
}

/// What waits to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    /// Deliveries not tried yet.
    pub queued: u64,
    /// Deliveries to be tried again.
    pub deferred: u64,
    /// Those among both that are under lease.
    pub leased: u64,
    /// Those among both that are due and not under lease.
    pub due: u64,
    /// Since when the oldest of these is due, in milliseconds since the epoch.
    pub oldest_due_ms: Option<u64>,
}

/// How the outbox is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxStatus {
    /// Reports.
    pub reports: u64,
    /// Octets of their bodies.
    pub body_bytes: u64,
    /// Deliveries not tried yet.
    pub queued: u64,
    /// Deliveries to be tried again.
    pub deferred: u64,
    /// Those that were delivered.
    pub delivered: u64,
    /// Those that were given up.
    pub given_up: u64,
    /// Destinations and hosts that are suppressed, or have bounced lately.
    pub suppressions: u64,
    /// The last UTC day that all reports were made of.
    pub last_finished_day: Option<Day>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bounce_past_the_limit_suppresses_twice_as_long() {
        let strikes = Strikes {
            limit: 3,
            forget_ms: 0,
            suppress_ms: 10,
            longest_ms: 35,
        };
        let until = [2, 3, 4, 5, u32::MAX].map(|count| strikes.until_ms(count, 100));
        assert_eq!(until, [None, Some(110), Some(120), Some(135), Some(135)]);
        let longest = Strikes {
            suppress_ms: u64::MAX,
            longest_ms: u64::MAX,
            ..strikes
        };
        assert_eq!(longest.until_ms(9, 100), Some(u64::MAX));
    }
}
