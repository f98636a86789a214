//! How many failure reports there are: enough to show each way in which mail fails, too few to hurt
//! anybody (RFC 9991 §2, RFC 6591 §6.3, §6.5).
//!
//! Whoever sends forged mail makes us send reports, to an owner who has little to do with it. So a
//! failure that is like others is counted and told of now and then, and however much the failures
//! differ, no destination gets more than a few reports a minute.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use landmarc_auth::dkim::DkimResult;
use landmarc_mail::DomainName;
use landmarc_mail::calendar::DAY_SECONDS;
use landmarc_mail::network::prefix;

use super::facts::{FailureFacts, SignatureFacts};
use crate::address::Address;

/// The keys that are remembered. Past that the one that was quiet for longest goes, and what is like it
/// counts as new: whoever varies the keys on purpose meets the limits for destinations.
pub const MAX_KEYS: usize = 10_000;
/// A key that was quiet for as long is forgotten, in seconds.
pub const QUIET_SECONDS: u64 = 3_600;
const MINUTE_SECONDS: u64 = 60;

/// How many report messages there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureLimits {
    /// To one address in any 60 seconds.
    pub per_destination_minute: u32,
    /// To one address on one day (UTC).
    pub per_destination_day: u32,
    /// In all on one day (UTC).
    pub per_day: u32,
}

impl Default for FailureLimits {
    fn default() -> Self {
        Self {
            per_destination_minute: 10,
            per_destination_day: 200,
            per_day: 2_000,
        }
    }
}

/// What failures that are alike have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimiterKey {
    policy_domain: DomainName,
    dkim_failed: bool,
    spf_failed: bool,
    signer: Option<(DomainName, Option<String>)>,
    network: Option<IpAddr>,
    spf_domain: Option<DomainName>,
}

impl LimiterKey {
    /// The key of a message: the DMARC Policy Domain, the mechanisms that gave no aligned identifier, the
    /// first failed signature, the network of the client (/24 or /64), and the domain of MAIL FROM. The
    /// Author Domain is not in it: names below the Policy Domain cost a forger nothing.
    #[must_use]
    pub fn of(facts: &FailureFacts) -> Self {
        let failed = |signature: &&SignatureFacts| signature.result != DkimResult::Pass;
        let signature = facts.signatures.iter().find(failed);
        Self {
            policy_domain: facts.policy_domain.clone(),
            dkim_failed: !facts.dkim_aligned,
            spf_failed: !facts.spf_aligned,
            signer: signature.map(|signature| (signature.domain.clone(), signature.selector.clone())),
            network: facts
                .source_ip
                .map(|address| prefix(address.to_canonical(), 24, 64)),
            spf_domain: facts.spf.domain.clone(),
        }
    }
}

/// What is done about one failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimiterVerdict {
    /// It is reported.
    Report {
        /// How many messages the report stands for, those counted before it included.
        incidents: u32,
        /// Where it goes: these have been counted.
        destinations: Vec<Address>,
        /// Where it would have gone, had there not been so many.
        held: Vec<Address>,
    },
    /// It is counted, and a later report will stand for it.
    Counted(Withheld),
}

/// Why a failure is counted only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Withheld {
    /// Others like it have been reported.
    #[error("failures like it were reported already")]
    Alike,
    /// Every destination has had as many as it gets in a minute or a day.
    #[error("every destination has had as many as it gets for now")]
    Destinations,
    /// As many as go out in one day have gone out.
    #[error("as many failure reports as there may be went out today")]
    Day,
    /// There is nowhere to send it.
    #[error("no destination is open")]
    Nowhere,
}

/// What has been reported lately. Time only moves on: a `now` before the last one counts as the last.
#[derive(Clone, Debug, Default)]
pub struct Limiter {
    limits: FailureLimits,
    now: u64,
    keys: BTreeMap<LimiterKey, Count>,
    /// The keys by when they were last seen: the quietest first.
    by_age: BTreeMap<(u64, u64), LimiterKey>,
    /// How many failures there have been: tells apart those of one second.
    sequence: u64,
    today: Today,
}

/// The incidents of one key.
#[derive(Clone, Copy, Debug)]
struct Count {
    seen: u32,
    /// Those that no report stands for yet.
    pending: u32,
    /// Its place in `by_age`.
    age: (u64, u64),
}

/// The report messages of one day. Each destination in it has had one, so that there are no more than report messages.
#[derive(Clone, Debug, Default)]
struct Today {
    day: u64,
    messages: u32,
    destinations: BTreeMap<Address, SentReports>,
}

#[derive(Clone, Debug, Default)]
struct SentReports {
    today: u32,
    /// When those of the last minute were sent; no more than the limit.
    lately: VecDeque<u64>,
}

impl Limiter {
    /// Nothing has been reported yet.
    #[must_use]
    pub fn new(limits: FailureLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Other limits from now on. What has been counted stays.
    pub fn set_limits(&mut self, limits: FailureLimits) {
        self.limits = limits;
    }

    /// Counts report messages that went to a destination earlier today, before a restart: it opens no new day.
    /// To be called before the first [`admit`](Self::admit). `now` is in Unix seconds.
    pub fn refill(&mut self, now: u64, destination: &Address, messages: u32) {
        self.now = self.now.max(now);
        self.today.begin(self.now / DAY_SECONDS);
        if messages > 0 {
            let sent = &mut self
                .today
                .destinations
                .entry(destination.clone())
                .or_default()
                .today;
            *sent = sent.saturating_add(messages);
            self.today.messages = self.today.messages.saturating_add(messages);
        }
    }

    /// Counts a failure and says whether it is reported: each of the first ten that are alike, then
    /// every tenth to the hundredth, every hundredth to the thousandth, and every thousandth. `now` is in
    /// Unix seconds.
    ///
    /// A failure whose report is held back for its destinations or the day is told of by the next
    /// report of its key.
    pub fn admit(&mut self, now: u64, key: LimiterKey, destinations: &[Address]) -> LimiterVerdict {
        self.now = self.now.max(now);
        self.today.begin(self.now / DAY_SECONDS);
        let (seen, pending) = self.next_of(&key);
        let verdict = self.decide(seen, pending, destinations);
        let is_told = matches!(verdict, LimiterVerdict::Report { .. });
        self.remember(key, seen, if is_told { 0 } else { pending });
        verdict
    }

    fn decide(&mut self, seen: u32, pending: u32, destinations: &[Address]) -> LimiterVerdict {
        if destinations.is_empty() {
            return LimiterVerdict::Counted(Withheld::Nowhere);
        }
        if !is_reported(seen) {
            return LimiterVerdict::Counted(Withheld::Alike);
        }
        let mut admitted = Vec::new();
        let mut held = Vec::new();
        for destination in destinations {
            match self.today.admit(self.now, &self.limits, destination) {
                true => admitted.push(destination.clone()),
                false => held.push(destination.clone()),
            }
        }
        match (admitted.is_empty(), self.today.messages >= self.limits.per_day) {
            (true, true) => LimiterVerdict::Counted(Withheld::Day),
            (true, false) => LimiterVerdict::Counted(Withheld::Destinations),
            (false, _) => LimiterVerdict::Report {
                incidents: pending,
                destinations: admitted,
                held,
            },
        }
    }

    /// Which incident of its key this is, and how many no report stands for, it included.
    fn next_of(&self, key: &LimiterKey) -> (u32, u32) {
        let before = self.keys.get(key);
        let is_quiet = |count: &&Count| self.now.saturating_sub(count.age.0) >= QUIET_SECONDS;
        let known = before.filter(|count| !is_quiet(count));
        // What was held back before the quiet hour is told of even so.
        let pending = before.map_or(0, |count| count.pending).saturating_add(1);
        let seen = known.map_or(0, |count| count.seen).saturating_add(1);
        (seen, pending)
    }

    fn remember(&mut self, key: LimiterKey, seen: u32, pending: u32) {
        self.sequence = self.sequence.wrapping_add(1);
        let age = (self.now, self.sequence);
        match self.keys.get(&key) {
            Some(before) => {
                self.by_age.remove(&before.age);
            }
            None if self.keys.len() >= MAX_KEYS => self.forget_oldest(),
            None => {}
        }
        self.by_age.insert(age, key.clone());
        self.keys.insert(key, Count { seen, pending, age });
    }

    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.by_age.pop_first() {
            self.keys.remove(&key);
        }
    }
}

/// Whether the n-th incident of a key is reported.
fn is_reported(nth: u32) -> bool {
    let step = match nth {
        0..=10 => 1,
        11..=100 => 10,
        101..=1_000 => 100,
        _ => 1_000,
    };
    nth.is_multiple_of(step)
}

impl Today {
    fn begin(&mut self, day: u64) {
        if self.day != day {
            // What went out in the last minute of a day counts in the first of the next one.
            let lately = std::mem::take(&mut self.destinations).into_iter();
            let recent = lately.filter_map(|(address, messages)| {
                let last = messages.lately.back()?;
                let is_recent = last.saturating_add(MINUTE_SECONDS) > day.saturating_mul(DAY_SECONDS);
                is_recent.then_some((address, SentReports { today: 0, ..messages }))
            });
            *self = Self {
                day,
                messages: 0,
                destinations: recent.collect(),
            };
        }
    }

    /// Counts a report mail to the destination, if there may be one.
    fn admit(&mut self, now: u64, limits: &FailureLimits, destination: &Address) -> bool {
        if self.messages >= limits.per_day {
            return false;
        }
        let mut messages = self.destinations.remove(destination).unwrap_or_default();
        messages.forget(now);
        let is_open = messages.is_open(limits);
        if is_open {
            messages.today += 1;
            messages.lately.push_back(now);
            self.messages += 1;
        }
        if messages.today > 0 || !messages.lately.is_empty() {
            self.destinations.insert(destination.clone(), messages);
        }
        is_open
    }
}

impl SentReports {
    fn forget(&mut self, now: u64) {
        let is_old = |sent: &u64| sent.saturating_add(MINUTE_SECONDS) <= now;
        while self.lately.front().is_some_and(is_old) {
            self.lately.pop_front();
        }
    }

    fn is_open(&self, limits: &FailureLimits) -> bool {
        let lately = u32::try_from(self.lately.len()).unwrap_or(u32::MAX);
        lately < limits.per_destination_minute && self.today < limits.per_destination_day
    }
}

#[cfg(test)]
mod tests;
