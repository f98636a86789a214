//! What a resolver has done, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use landmarc_auth::lookup::{Answer, LookupError};

/// Counters since the start of a [`Resolver`](super::Resolver), and what is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolverStatistics {
    /// Queries put to the servers; repeated packets do not count.
    pub questions: u64,
    /// Queries answered from the cache, failures included.
    pub cache_hits: u64,
    /// Queries that waited for the same one under way.
    pub joined: u64,
    /// How the queries ended that the cache did not answer, each counted once however many waited.
    pub ends: [(QueryEnd, u64); QueryEnd::ALL.len()],
    /// Queries that are under way, or wait for a slot.
    pub in_flight: usize,
}

/// How a query ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryEnd {
    /// Records.
    Records,
    /// The name has no records of that type.
    NoData,
    /// There is no such name.
    NxDomain,
    /// No server answered in time.
    Timeout,
    /// SERVFAIL.
    ServFail,
    /// REFUSED.
    Refused,
    /// An answer that cannot be used.
    BadAnswer,
    /// No server could be reached.
    Unreachable,
    /// There was no slot, or it went to another query.
    Overload,
}

impl QueryEnd {
    /// Every end, in their order.
    pub const ALL: [Self; 9] = [
        Self::Records,
        Self::NoData,
        Self::NxDomain,
        Self::Timeout,
        Self::ServFail,
        Self::Refused,
        Self::BadAnswer,
        Self::Unreachable,
        Self::Overload,
    ];

    /// The word of the metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::NoData => "no_data",
            Self::NxDomain => "nx_domain",
            Self::Timeout => "timeout",
            Self::ServFail => "serv_fail",
            Self::Refused => "refused",
            Self::BadAnswer => "bad_answer",
            Self::Unreachable => "unreachable",
            Self::Overload => "overload",
        }
    }

    fn of(answer: &Answer) -> Self {
        match answer {
            Answer::Records(_) => Self::Records,
            Answer::NoData => Self::NoData,
            Answer::NxDomain(_) => Self::NxDomain,
            Answer::Failed(error) => match error {
                // The budget is a message's; here it is only another word for too late.
                LookupError::Timeout | LookupError::Budget => Self::Timeout,
                LookupError::ServFail => Self::ServFail,
                LookupError::Refused => Self::Refused,
                LookupError::BadAnswer => Self::BadAnswer,
                LookupError::Unreachable => Self::Unreachable,
                LookupError::Overload => Self::Overload,
            },
        }
    }
}

#[derive(Default)]
pub(super) struct QueryCounters {
    pub(super) questions: AtomicU64,
    pub(super) cache_hits: AtomicU64,
    pub(super) joined: AtomicU64,
    ends: [AtomicU64; QueryEnd::ALL.len()],
}

impl QueryCounters {
    /// Counts how a query ended.
    pub(super) fn ended(&self, answer: &Answer) {
        count(&self.ends[QueryEnd::of(answer) as usize]);
    }

    pub(super) fn read(&self, in_flight: usize) -> ResolverStatistics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ResolverStatistics {
            questions: read(&self.questions),
            cache_hits: read(&self.cache_hits),
            joined: read(&self.joined),
            ends: QueryEnd::ALL.map(|end| (end, read(&self.ends[end as usize]))),
            in_flight,
        }
    }
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
