//! What is counted of the records of rspamd.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::reading::RspamdReading;
use landmarc_runtime::metrics::{MetricWriter, SECONDS, collect};
use prometheus_client::registry::Registry;

/// The counters. Without a reading there are none, since nobody asked for it.
#[derive(Debug, Default)]
pub struct RspamdMetrics {
    succeeded: AtomicU64,
    failed: AtomicU64,
    /// What was there at the last reading.
    records: AtomicU64,
    broken: AtomicU64,
    waiting: AtomicU64,
    /// Messages that were new.
    messages: AtomicU64,
    late: AtomicU64,
    /// When the last reading was begun that came to its end, in Unix seconds.
    last_success_s: AtomicU64,
}

impl RspamdMetrics {
    /// A reading came to its end; when it was begun, in Unix seconds.
    pub fn read(&self, reading: &RspamdReading, begun_s: u64) {
        self.succeeded.fetch_add(1, Relaxed);
        self.records.store(reading.records, Relaxed);
        self.broken.store(reading.broken, Relaxed);
        self.waiting.store(reading.waiting, Relaxed);
        self.messages.fetch_add(reading.imported.messages.new, Relaxed);
        self.late
            .fetch_add(reading.imported.messages.of_reported_days, Relaxed);
        self.last_success_s.store(begun_s, Relaxed);
    }

    /// A reading did not.
    pub fn failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    /// Adds all of it to what is printed.
    pub fn register(self: &Arc<Self>, registry: &mut Registry) {
        let metrics = Arc::clone(self);
        collect(registry, move |writer| metrics.write(writer));
    }

    fn write(&self, writer: &mut MetricWriter<'_>) -> fmt::Result {
        let (succeeded, failed) = (self.succeeded.load(Relaxed), self.failed.load(Relaxed));
        if succeeded + failed == 0 {
            return Ok(());
        }
        writer.counters(
            "landmarc_rspamd_readings",
            "Readings of the records that rspamd counted, by what came of them.",
            [
                ([("outcome", "ok")], succeeded),
                ([("outcome", "failed")], failed),
            ],
        )?;
        writer.gauges(
            "landmarc_rspamd_records",
            "Records of rspamd at the last reading: those that were read, and those that could not be.",
            [
                ([("state", "read")], self.records.load(Relaxed)),
                ([("state", "broken")], self.broken.load(Relaxed)),
            ],
        )?;
        writer.counter(
            "landmarc_rspamd_messages",
            "Messages that rspamd counted and that were added to the tally.",
            self.messages.load(Relaxed),
        )?;
        writer.counter(
            "landmarc_rspamd_messages_late",
            "Those among them that came after the reports of their day were made.",
            self.late.load(Relaxed),
        )?;
        writer.gauge(
            "landmarc_rspamd_messages_waiting",
            "Messages that wait since DNS did not answer about their domains.",
            None,
            &self.waiting.load(Relaxed),
        )?;
        writer.gauge(
            "landmarc_rspamd_last_success_timestamp",
            "When the last reading was begun that came to its end, in Unix time; 0 for never.",
            SECONDS,
            &self.last_success_s.load(Relaxed),
        )
    }
}
