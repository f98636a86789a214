//! What a resolver has done, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use landmarc_auth::lookup::{Answer, LookupError};

/// Counters since the start of a [`Resolver`](super::Resolver), and what is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Questions put to the servers; repeated packets do not count.
    pub questions: u64,
    /// Questions answered from the cache, failures included.
    pub cache_hits: u64,
    /// Questions that waited for the same one under way.
    pub joined: u64,
    /// Questions that ended without an answer, each counted once however many waited.
    pub failures: u64,
    /// How the questions ended that the cache did not answer.
    pub endings: Endings,
    /// Questions that are under way, or wait for a slot.
    pub in_flight: usize,
}

/// How questions ended, each counted once however many waited. The last six are the failures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Endings {
    /// Records.
    pub records: u64,
    /// The name has no records of that type.
    pub no_data: u64,
    /// There is no such name.
    pub nx_domain: u64,
    /// No server answered in time.
    pub timeout: u64,
    /// SERVFAIL.
    pub serv_fail: u64,
    /// REFUSED.
    pub refused: u64,
    /// An answer that cannot be used.
    pub bad_answer: u64,
    /// No server could be reached.
    pub unreachable: u64,
    /// There was no slot, or it went to another query.
    pub overload: u64,
}

#[derive(Default)]
pub(super) struct Counters {
    pub(super) questions: AtomicU64,
    pub(super) cache_hits: AtomicU64,
    pub(super) joined: AtomicU64,
    records: AtomicU64,
    no_data: AtomicU64,
    nx_domain: AtomicU64,
    timeout: AtomicU64,
    serv_fail: AtomicU64,
    refused: AtomicU64,
    bad_answer: AtomicU64,
    unreachable: AtomicU64,
    overload: AtomicU64,
}

impl Counters {
    /// Counts how a question ended.
    pub(super) fn ended(&self, answer: &Answer) {
        count(match answer {
            Answer::Records(_) => &self.records,
            Answer::NoData => &self.no_data,
            Answer::NxDomain(_) => &self.nx_domain,
            Answer::Failed(error) => match error {
                // The budget is a message's; here it is only another word for too late.
                LookupError::Timeout | LookupError::Budget => &self.timeout,
                LookupError::ServFail => &self.serv_fail,
                LookupError::Refused => &self.refused,
                LookupError::BadAnswer => &self.bad_answer,
                LookupError::Unreachable => &self.unreachable,
                LookupError::Overload => &self.overload,
            },
        });
    }

    pub(super) fn read(&self, in_flight: usize) -> Statistics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let endings = Endings {
            records: read(&self.records),
            no_data: read(&self.no_data),
            nx_domain: read(&self.nx_domain),
            timeout: read(&self.timeout),
            serv_fail: read(&self.serv_fail),
            refused: read(&self.refused),
            bad_answer: read(&self.bad_answer),
            unreachable: read(&self.unreachable),
            overload: read(&self.overload),
        };
        Statistics {
            questions: read(&self.questions),
            cache_hits: read(&self.cache_hits),
            joined: read(&self.joined),
            failures: endings.failures(),
            endings,
            in_flight,
        }
    }
}

impl Endings {
    fn failures(&self) -> u64 {
        self.timeout + self.serv_fail + self.refused + self.bad_answer + self.unreachable + self.overload
    }
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
