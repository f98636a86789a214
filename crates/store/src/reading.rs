//! The reading side: what was written, for `explain`, `log`, reports and pages.
//!
//! A reader has a connection of its own that cannot write, so that none of this holds up the
//! recording. Each question sees one consistent state of the store.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::assembly::ReportingDay;
use crate::day::Day;
use crate::error::StoreError;
use crate::observation::TallyRow;
use crate::outbox::{
    DayState, Delivery, DeliveryNumber, OutboxCounts, OutboxFilter, OutboxStatus, Redirection, Report,
    ReportNumber, Suppression,
};
use crate::sqlite;

/// Reads a store, also while a recorder writes it.
#[derive(Debug)]
pub struct Reader {
    inner: sqlite::Reading,
}

/// One line of the log: an observation without its trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// When the message was judged, in milliseconds since the epoch.
    pub at_ms: u64,
    /// The queue id of the MTA.
    pub queue_id: String,
    /// The short id.
    pub id: String,
    /// The SMTP client.
    pub client: Option<IpAddr>,
    /// The Author Domain.
    pub author_domain: Option<String>,
    /// The SPF result.
    pub spf: String,
    /// The DKIM results, in one word.
    pub dkim: String,
    /// The ARC result.
    pub arc: String,
    /// The DMARC result.
    pub dmarc: String,
    /// The DMARC Policy Domain.
    pub policy_domain: Option<String>,
    /// What the Domain Owner asks for.
    pub policy: Option<String>,
    /// What was done because of DMARC.
    pub disposition: String,
    /// What the MTA was told.
    pub action: String,
    /// What it would have been told, were the mode *enforce*.
    pub would: String,
    /// Override reasons: type and comment.
    pub overrides: Vec<(String, String)>,
    /// The name of the operator's rule that decided, if one did.
    pub rule: Option<String>,
    /// The cause of the action.
    pub cause: String,
    /// DNS questions asked.
    pub questions: u32,
    /// How long judging took, in milliseconds.
    pub ms: u32,
}

/// An observation with the text of its explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// What happened.
    pub observation: LogRow,
    /// The explanation; none when the message had none, or when it was given up for want of memory
    /// or of room on disk.
    pub trace: Option<String>,
}

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

/// Which observations [`Reader::log`] tells. What is none does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The Author Domain: this one or any below it.
    pub domain: Option<String>,
    /// The DMARC result.
    pub result: Option<String>,
    /// What was done because of DMARC.
    pub disposition: Option<String>,
    /// What the MTA was told.
    pub action: Option<String>,
    /// What it would have been told, were the mode *enforce*.
    pub would: Option<String>,
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

impl Default for Filter {
    /// The last hundred observations.
    fn default() -> Self {
        Self {
            domain: None,
            result: None,
            disposition: None,
            action: None,
            would: None,
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
pub struct Status {
    /// The database file.
    pub path: PathBuf,
    /// The version of its schema.
    pub version: u32,
    /// Octets of the file.
    pub file_bytes: u64,
    /// Octets in it that are free to be used again.
    pub free_bytes: u64,
    /// Octets of the write-ahead log beside it.
    pub wal_bytes: u64,
    /// Observations. Exact, unless a clock that went backwards made some expire before older ones:
    /// then those are counted as well.
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
    /// Report letters.
    pub outbox: OutboxStatus,
}

impl Reader {
    /// Opens the store at this path for reading.
    ///
    /// # Errors
    /// When there is none, when it is of a newer version or another program's, or cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let inner = sqlite::Reading::open(path.as_ref())?;
        Ok(Self { inner })
    }

    /// The observations with this queue id or short id, in the order of recording. A queue id can
    /// come again after some time: MTAs reuse them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn explain(&self, id: &str) -> Result<Vec<Explained>, StoreError> {
        self.inner.explain(id)
    }

    /// The observations that the filter lets through, those recorded last first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn log(&self, filter: &Filter) -> Result<Vec<LogRow>, StoreError> {
        self.inner.log(filter)
    }

    /// The rows of one UTC day for one DMARC Policy Domain, and how many messages each counts.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn tally(&self, day: Day, policy_domain: &str) -> Result<Vec<(TallyRow, u64)>, StoreError> {
        self.inner.tally(day, policy_domain)
    }

    /// The DMARC Policy Domains that have rows on this UTC day, in alphabetical order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn policy_domains(&self, day: Day) -> Result<Vec<String>, StoreError> {
        self.inner.policy_domains(day)
    }

    /// The UTC days that have rows, the oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn reporting_days(&self) -> Result<Vec<Day>, StoreError> {
        self.inner.reporting_days()
    }

    /// The rows of one UTC day, for all DMARC Policy Domains one after the other.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn reporting_day(&self, day: Day) -> Result<ReportingDay<'_>, StoreError> {
        self.inner.reporting_day(day).map(ReportingDay::new)
    }

    /// The deliveries that the filter lets through, those made last first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn deliveries(&self, filter: &OutboxFilter) -> Result<Vec<Delivery>, StoreError> {
        self.inner.deliveries(filter)
    }

    /// One delivery.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn delivery(&self, number: DeliveryNumber) -> Result<Option<Delivery>, StoreError> {
        self.inner.delivery(number)
    }

    /// The report with this Report-ID.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn report(&self, report_id: &str) -> Result<Option<Report>, StoreError> {
        self.inner.report(report_id)
    }

    /// The body of a report, while it is kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn report_body(&self, number: ReportNumber) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.report_body(number)
    }

    /// The UTC days that reports were made about, the last first, so many at most.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn reported_days(&self, limit: usize) -> Result<Vec<(Day, DayState)>, StoreError> {
        self.inner.reported_days(limit)
    }

    /// Policy domains that had rows on a day and got no report, and the reason, in alphabetical order, so
    /// many at most.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn skipped(&self, day: Day, limit: usize) -> Result<Vec<(String, String)>, StoreError> {
        self.inner.skipped(day, limit)
    }

    /// All suppressions, and destinations with bounces that did not lead to one yet, in alphabetical order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn suppressions(&self) -> Result<Vec<Suppression>, StoreError> {
        self.inner.suppressions()
    }

    /// Where reports go against what the record says, in alphabetical order of the domains they are about; at
    /// most [`MAX_REDIRECTIONS`](crate::MAX_REDIRECTIONS).
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn redirections(&self) -> Result<Vec<Redirection>, StoreError> {
        self.inner.redirections()
    }

    /// Where the reports about a policy domain go instead, if that was said.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn redirection(&self, policy_domain: &str) -> Result<Option<Redirection>, StoreError> {
        self.inner.redirection(policy_domain)
    }

    /// The suppression that an address is under at this time, or its host.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn is_suppressed(&self, destination: &str, now_ms: u64) -> Result<Option<Suppression>, StoreError> {
        self.inner.is_suppressed(destination, now_ms)
    }

    /// What waits to be sent. The cost goes with that, not with what has ended.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn outbox_counts(&self, now_ms: u64) -> Result<OutboxCounts, StoreError> {
        self.inner.outbox_counts(now_ms)
    }

    /// The rules that ever were in force or decided a message, in alphabetical order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn rule_hits(&self) -> Result<Vec<RuleHits>, StoreError> {
        self.inner.rule_hits()
    }

    /// How the store is.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn status(&self) -> Result<Status, StoreError> {
        self.inner.status()
    }

    /// Copies the store as it is now to another file, while it is being written. A file of that
    /// name is replaced when the copy is whole, sound and on disk, not before. The write-ahead log
    /// grows while it lasts. `progress` is called with pages done and pages in all.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged, or the copy cannot be written; what there is of
    /// it is removed.
    pub fn backup(&self, to: impl AsRef<Path>, progress: impl FnMut(u64, u64)) -> Result<(), StoreError> {
        self.inner.backup(to.as_ref(), progress)
    }
}
