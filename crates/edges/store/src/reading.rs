//! The reading side: what was written, for `explain`, `log`, reports and pages.
//!
//! A reader has a connection of its own that cannot write, so that none of this holds up the
//! recording. Each question sees one consistent state of the store. What is asked about report mail stands in
//! `outbox`.

mod fleet;
mod outbox;

use std::path::Path;

use landmarc_observation::{Observation, TallyRow};

use crate::assembly::ReportingDay;
use crate::error::StoreError;
use crate::model::{Day, LogFilter, RuleHits, StoreStatus};
use crate::place::StoreLocation;
use crate::server::DatabaseServer;
use crate::sql::{Sql, SqlError, SqlQueries};
use crate::sqlite::{self, RECORDING};

/// What both kinds of stores do, each in its own way.
macro_rules! on_either {
    ($inner:expr, $store:ident => $call:expr) => {
        match $inner {
            StoreConnection::File($store) => $call,
            StoreConnection::Server($store) => $call,
        }
    };
}

/// Reads a store, also while a recorder writes it.
#[derive(Debug)]
pub struct Reader {
    inner: StoreConnection,
}

impl Reader {
    /// Opens the store for reading.
    ///
    /// # Errors
    /// When there is none, when it is of a newer version or another program's, or cannot be read.
    pub fn open(place: impl Into<StoreLocation>) -> Result<Self, StoreError> {
        let inner = StoreConnection::open(place.into())?;
        Ok(Self { inner })
    }

    /// The observations with this queue id or short id, in the order of recording; on a server, where several
    /// hosts record, in that of time. A queue id can come again after some time: MTAs reuse them. Each
    /// has its trace, and no row.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn explain(&self, id: &str) -> Result<Vec<Observation>, StoreError> {
        on_either!(&self.inner, store => store.explain(id))
    }

    /// The observations that the filter lets through, those recorded last first; on a server those judged last.
    /// They have neither trace nor row.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn log(&self, filter: &LogFilter) -> Result<Vec<Observation>, StoreError> {
        on_either!(&self.inner, store => store.log(filter))
    }

    /// The rows of one UTC day for one DMARC Policy Domain, and how many messages each counts.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn tally(&self, day: Day, policy_domain: &str) -> Result<Vec<(TallyRow, u64)>, StoreError> {
        on_either!(&self.inner, store => store.tally(day, policy_domain))
    }

    /// The DMARC Policy Domains that have rows on this UTC day, in alphabetical order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn policy_domains(&self, day: Day) -> Result<Vec<String>, StoreError> {
        on_either!(&self.inner, store => store.policy_domains(day))
    }

    /// The UTC days that have rows, the oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn reporting_days(&self) -> Result<Vec<Day>, StoreError> {
        on_either!(&self.inner, store => store.reporting_days())
    }

    /// The rows of one UTC day, for all DMARC Policy Domains one after the other.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn reporting_day(&self, day: Day) -> Result<ReportingDay<'_>, StoreError> {
        on_either!(&self.inner, store => store.reporting_day(day))
    }

    /// The rules that ever were in force or decided a message, in alphabetical order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn rule_hits(&self) -> Result<Vec<RuleHits>, StoreError> {
        self.inner.since(RECORDING, "read the hits of rules", |sql| {
            let text = "SELECT name, hits, first_ms, last_ms FROM rule_hit ORDER BY name";
            sql.rows(text, &[], |row| {
                Ok(RuleHits {
                    name: row.get(0)?,
                    hits: row.get(1)?,
                    first_ms: row.get(2)?,
                    last_ms: row.get(3)?,
                })
            })
        })
    }

    /// How the store is.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn status(&self) -> Result<StoreStatus, StoreError> {
        on_either!(&self.inner, store => store.status())
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
            StoreConnection::File(file) => file.backup(to.as_ref(), progress),
            StoreConnection::Server(server) => Err(StoreError::NoBackup {
                place: server.to_string(),
            }),
        }
    }
}

/// Where it reads.
#[derive(Debug)]
pub(crate) enum StoreConnection {
    File(sqlite::FileReader),
    Server(DatabaseServer),
}

impl StoreConnection {
    pub(crate) fn open(place: StoreLocation) -> Result<Self, StoreError> {
        match place {
            StoreLocation::File(path) => sqlite::FileReader::open(&path).map(Self::File),
            StoreLocation::Server(server) => {
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
