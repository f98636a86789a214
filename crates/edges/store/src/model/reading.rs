//! What a reader tells: lines of the log, explanations, hits of rules, and how the store is.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::{Day, OutboxStatus};

/// How often a rule of the operator decided, since it is known. These counts do not expire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleHits {
    /// The name of the rule.
    pub name: String,
    /// Messages it decided.
    pub hits: u64,
    /// Since when the rule is known: when it came into force, or decided for the first time. In
    /// milliseconds since the epoch.
    pub first_ms: u64,
    /// When it decided last; 0 when it never did.
    pub last_ms: u64,
}

/// Which observations `Reader::log` tells. What is none does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter {
    /// The Author Domain: this one or any below it.
    pub domain: Option<String>,
    /// The DMARC result.
    pub result: Option<String>,
    /// What was done because of DMARC.
    pub disposition: Option<String>,
    /// What the MTA was told.
    pub action: Option<String>,
    /// What it would have been told, were the mode *enforce*.
    pub enforced_action: Option<String>,
    /// The name of the operator's rule that decided.
    pub rule: Option<String>,
    /// The SMTP client: from this address to that one, both of one family; a network is a range, and
    /// so is one address. Alone, it reads every observation of the time asked for: about three
    /// million a second.
    pub client: Option<RangeInclusive<IpAddr>>,
    /// From this time on, in milliseconds since the epoch.
    pub since_ms: Option<u64>,
    /// Before this time.
    pub until_ms: Option<u64>,
    /// So many at most, those recorded last.
    pub limit: usize,
}

impl Default for LogFilter {
    /// The last hundred observations.
    fn default() -> Self {
        Self {
            domain: None,
            result: None,
            disposition: None,
            action: None,
            enforced_action: None,
            rule: None,
            client: None,
            since_ms: None,
            until_ms: None,
            limit: 100,
        }
    }
}

/// How a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreStatus {
    /// The database file, or the address of the database on a server.
    pub place: String,
    /// The version of its schema.
    pub version: u32,
    /// Octets of the file; on a server those of our tables with their indexes.
    pub file_bytes: u64,
    /// Octets in the file that are free to be used again. A server does not say.
    pub free_bytes: Option<u64>,
    /// Octets of the write-ahead log beside the file. That of a server is for all its databases.
    pub wal_bytes: Option<u64>,
    /// Observations. Exact in a file, unless a clock that went backwards made some expire before older ones:
    /// then those are counted as well. On a server this number and those of the rows below are exact up to a
    /// million, and past it what the server supposes.
    pub observations: u64,
    /// The day of the first observation, and of the last.
    pub observation_days: Option<(Day, Day)>,
    /// Distinct texts of explanations.
    pub traces: u64,
    /// Rows of the tally, one for each distinct reporting row and day.
    pub tally_rows: u64,
    /// The first day of the tally, and the last.
    pub tally_days: Option<(Day, Day)>,
    /// Distinct reporting rows over all days.
    pub distinct_rows: u64,
    /// Report mail.
    pub outbox: OutboxStatus,
}
