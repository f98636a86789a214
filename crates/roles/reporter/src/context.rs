//! What all steps of reporting share: where things are kept, who works at them, what time it is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use landmarc_store::{Reader, StoreError, StoreLocation};

use super::clock::RunClock;
use super::mailer::Mailer;
use super::metrics::ReporterMetrics;
use super::pace::Pace;
use super::settings::ReportSettings;
use super::shared::SharedOutbox;
use landmarc_net::LogLimit;

/// What stays the same while settings come and go.
pub struct ReporterContext<D> {
    /// Messages and their states.
    pub outbox: SharedOutbox,
    /// The same store, for reading.
    pub place: StoreLocation,
    /// Who has the leases: this process, and no other.
    pub owner: Arc<str>,
    /// What time it is.
    pub clock: RunClock,
    /// Where DNS is asked.
    pub dns: D,
    /// How much went to each host.
    pace: Arc<Mutex<Pace>>,
    /// Where it is counted; a command counts nothing.
    pub metrics: Option<Arc<ReporterMetrics>>,
    /// Messages that were given up are told of once a minute.
    pub given_up: Arc<LogLimit>,
}

/// How often the log tells of messages that were given up.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(60);

/// What the settings come to; replaced as a whole by a reload.
pub struct ReportSetup {
    /// What reports say, and which are made.
    pub settings: Arc<ReportSettings>,
    /// What sends them.
    pub mailer: Mailer,
}

impl<D> ReporterContext<D> {
    /// With this outbox and its store; nothing is counted.
    pub fn new(outbox: SharedOutbox, place: StoreLocation, clock: RunClock, dns: D) -> Self {
        Self {
            outbox,
            place,
            owner: landmarc_runtime::lease_owner::lease_owner().into(),
            clock,
            dns,
            pace: Arc::default(),
            metrics: None,
            given_up: Arc::new(LogLimit::every(BETWEEN_WARNINGS)),
        }
    }

    /// Counts what happens, too.
    pub fn with_metrics(self, metrics: Arc<ReporterMetrics>) -> Self {
        Self {
            metrics: Some(metrics),
            ..self
        }
    }

    /// The same, asking DNS by other settings.
    pub fn with_dns(&self, dns: D) -> Self {
        Self {
            outbox: self.outbox.clone(),
            place: self.place.clone(),
            owner: Arc::clone(&self.owner),
            clock: self.clock,
            dns,
            pace: Arc::clone(&self.pace),
            metrics: self.metrics.clone(),
            given_up: Arc::clone(&self.given_up),
        }
    }

    /// How much went to each host lately.
    pub fn pace(&self) -> MutexGuard<'_, Pace> {
        // Each change is one call, complete or not begun.
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the store where waiting for the disk holds up nobody.
    ///
    /// # Errors
    /// As what is done; and when the runtime ends.
    pub async fn read<T: Send + 'static>(
        &self,
        does: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let place = self.place.clone();
        let done = tokio::task::spawn_blocking(move || does(&Reader::open(place)?)).await;
        done.unwrap_or(Err(StoreError::Ended))
    }
}
