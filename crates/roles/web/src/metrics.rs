//! The page for Prometheus (decision D36): each role counts what happens in it, and is asked when somebody asks.

mod exposition;
mod process;

use std::sync::Arc;
use std::time::SystemTime;

use landmarc_runtime::metrics::Reloads;

pub(crate) use exposition::Sources;
use landmarc_filter::FilterMetrics;
use landmarc_fleet::FleetMetrics;
use landmarc_import::rspamd::RspamdMetrics;
use landmarc_reporter::ReporterMetrics;

/// The counters of all roles since the start.
#[derive(Debug)]
pub struct Metrics {
    started: SystemTime,
    /// Of messages.
    pub filter: Arc<FilterMetrics>,
    /// Of reports.
    pub reporter: Arc<ReporterMetrics>,
    /// Of the records of rspamd.
    pub rspamd: Arc<RspamdMetrics>,
    /// Of what is exchanged with other hosts.
    pub fleet: Arc<FleetMetrics>,
    /// Of the settings.
    pub reloads: Reloads,
}

impl Metrics {
    /// Nothing has happened yet.
    pub fn new() -> Self {
        Self {
            started: SystemTime::now(),
            filter: Arc::default(),
            reporter: Arc::default(),
            rspamd: Arc::default(),
            fleet: Arc::default(),
            reloads: Reloads::new(SystemTime::now()),
        }
    }

    /// All metrics, and what was read elsewhere just now, in the text format of OpenMetrics 1.0.
    pub(crate) fn encode(self: &Arc<Self>, sources: Sources) -> String {
        exposition::encode(self, sources)
    }
}
