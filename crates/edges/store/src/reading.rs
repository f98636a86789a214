//! The reading side: what was written, for `explain`, `log`, reports and pages.
//!
//! A reader has a connection of its own that cannot write, so that none of this holds up the
//! recording. Each question sees one consistent state of the store. What is asked about report letters stands in
//! `letters`.

mod fleet;
mod letters;

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::Path;

use crate::assembly::ReportingDay;
use crate::day::Day;
use crate::error::StoreError;
use crate::observation::TallyRow;
use crate::outbox::OutboxStatus;
use crate::place::Place;
use crate::server::Server;
use crate::sql::{Sql, SqlError};
use crate::sqlite;

/// Reads a store, also while a recorder writes it.
#[derive(Debug)]
pub struct Reader {
    inner: Reading,
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
    /// Report letters.
    pub outbox: OutboxStatus,
}

impl Reader {
    /// Opens the store for reading.
    ///
    /// # Errors
    /// When there is none, when it is of a newer version or another program's, or cannot be read.
    pub fn open(place: impl Into<Place>) -> Result<Self, StoreError> {
        let inner = Reading::open(place.into())?;
        Ok(Self { inner })
    }

    /// The observations with this queue id or short id, in the order of recording; on a server, where several
    /// hosts record, in that of time. A queue id can come again after some time: MTAs reuse them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn explain(&self, id: &str) -> Result<Vec<Explained>, StoreError> {
        match &self.inner {
            Reading::File(file) => file.explain(id),
            Reading::Server(server) => server.explain(id),
        }
    }

    /// The observations that the filter lets through, those recorded last first; on a server those judged last.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn log(&self, filter: &Filter) -> Result<Vec<LogRow>, StoreError> {
        match &self.inner {
            Reading::File(file) => file.log(filter),
            Reading::Server(server) => server.log(filter),
        }
    }

    /// The rows of one UTC day for one DMARC Policy Domain, and how many messages each counts.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn tally(&self, day: Day, policy_domain: &str) -> Result<Vec<(TallyRow, u64)>, StoreError> {
        match &self.inner {
            Reading::File(file) => file.tally(day, policy_domain),
            Reading::Server(server) => server.tally(day, policy_domain),
        }
    }

    /// The DMARC Policy Domains that have rows on this UTC day, in alphabetical order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn policy_domains(&self, day: Day) -> Result<Vec<String>, StoreError> {
        match &self.inner {
            Reading::File(file) => file.policy_domains(day),
            Reading::Server(server) => server.policy_domains(day),
        }
    }

    /// The UTC days that have rows, the oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn reporting_days(&self) -> Result<Vec<Day>, StoreError> {
        match &self.inner {
            Reading::File(file) => file.reporting_days(),
            Reading::Server(server) => server.reporting_days(),
        }
    }

    /// The rows of one UTC day, for all DMARC Policy Domains one after the other.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn reporting_day(&self, day: Day) -> Result<ReportingDay<'_>, StoreError> {
        match &self.inner {
            Reading::File(file) => file.reporting_day(day).map(ReportingDay::of_file),
            Reading::Server(server) => server.reporting_day(day).map(ReportingDay::of_server),
        }
    }

    /// The rules that ever were in force or decided a message, in alphabetical order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn rule_hits(&self) -> Result<Vec<RuleHits>, StoreError> {
        match &self.inner {
            Reading::File(file) => file.rule_hits(),
            Reading::Server(server) => server.rule_hits(),
        }
    }

    /// How the store is.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn status(&self) -> Result<Status, StoreError> {
        match &self.inner {
            Reading::File(file) => file.status(),
            Reading::Server(server) => server.status(),
        }
    }

    /// Copies the store as it is now to another file, while it is being written. A file of that
    /// name is replaced when the copy is whole, sound and on disk, not before. The write-ahead log
    /// grows while it lasts. `progress` is called with pages done and pages in all.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged, or the copy cannot be written; what there is of
    /// it is removed. A database of a server is copied by the server's own programs, which the remedy names.
    pub fn backup(&self, to: impl AsRef<Path>, progress: impl FnMut(u64, u64)) -> Result<(), StoreError> {
        match &self.inner {
            Reading::File(file) => file.backup(to.as_ref(), progress),
            Reading::Server(server) => Err(StoreError::NoBackup {
                place: server.to_string(),
            }),
        }
    }
}

/// Where it reads.
#[derive(Debug)]
pub(crate) enum Reading {
    File(sqlite::Reading),
    Server(Server),
}

impl Reading {
    pub(crate) fn open(place: Place) -> Result<Self, StoreError> {
        match place {
            Place::File(path) => sqlite::Reading::open(&path).map(Self::File),
            Place::Server(server) => {
                server.check()?;
                Ok(Self::Server(server))
            }
        }
    }

    /// Asks for what there is from a version of the schema on, with all answers about one state. There is nothing of
    /// it in a file that is older; a server is up to date.
    pub(crate) fn since<T: Default + Send>(
        &self,
        version: u32,
        doing: &'static str,
        ask: impl Fn(&dyn Sql) -> Result<T, SqlError> + Sync,
    ) -> Result<T, StoreError> {
        match self {
            Self::File(file) => file.since(version, doing, ask),
            Self::Server(server) => server.read(doing, |session| ask(session)),
        }
    }
}
