//! The page for Prometheus (decision D36): each role counts what happens in it, and is asked when somebody asks.

mod exposition;
mod process;

use std::sync::Arc;
use std::time::SystemTime;

use landmarc_runtime::metrics::{Reloads, collect, encode};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

pub(crate) use exposition::Sources;
use landmarc_filter::FilterMetrics;
use landmarc_fleet::FleetMetrics;
use landmarc_import::rspamd::RspamdMetrics;
use landmarc_reporter::ReporterMetrics;

/// The counters of all roles since the start.
#[derive(Debug)]
pub struct Metrics {
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
    registry: Registry,
}

impl Metrics {
    /// Of a service that starts at this time. Nothing has happened yet.
    pub fn new(started: SystemTime) -> Self {
        let mut metrics = Self {
            filter: Arc::default(),
            reporter: Arc::default(),
            rspamd: Arc::default(),
            fleet: Arc::default(),
            reloads: Reloads::new(started),
            registry: Registry::default(),
        };
        let registry = &mut metrics.registry;
        metrics.filter.register(registry);
        metrics.reporter.register(registry);
        metrics.rspamd.register(registry);
        metrics.fleet.register(registry);
        metrics.reloads.register(registry);
        registry.register(
            "landmarc_build",
            "The version that runs",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        let since = started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        registry.register_with_unit(
            "process_start_time",
            "When the service was started, in Unix time",
            Unit::Seconds,
            ConstGauge::new(since.as_secs_f64()),
        );
        metrics
    }

    /// All metrics, and what was read elsewhere just now, in the text format of OpenMetrics 1.0.
    pub(crate) fn encode(&self, sources: Sources) -> String {
        let mut read_now = Registry::default();
        collect(&mut read_now, move |writer| exposition::write(writer, &sources));
        encode([&self.registry, &read_now])
    }
}
