//! What is counted of reports and their deliveries.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use landmarc_report::allotment::DailyLimit;
use landmarc_runtime::clock::now_ms;
use landmarc_runtime::metrics::{Counters, MetricWriter, SECONDS, collect, counters};
use landmarc_store::{OutboxCounts, ReportKind};
use prometheus_client::registry::Registry;

use super::settings::limit_key;

/// The counters, and how the outbox was when it was looked at last.
#[derive(Debug)]
pub struct ReporterMetrics {
    reports: Counters<1>,
    deliveries: Counters<1>,
    failures: Counters<1>,
    limits: Counters<1>,
    outbox: Mutex<Option<OutboxCounts>>,
}

impl Default for ReporterMetrics {
    fn default() -> Self {
        let kinds = [ReportKind::Aggregate, ReportKind::Failure];
        let deliveries = [
            "delivered",
            "deferred",
            "given_up",
            "suppressed",
            "split",
            "relay_unusable",
        ];
        let limits = [
            DailyLimit::Reports,
            DailyLimit::Destinations,
            DailyLimit::Messages,
        ];
        Self {
            reports: counters("kind", kinds.map(ReportKind::word)),
            deliveries: counters("outcome", deliveries),
            failures: counters("outcome", ["queued", "limited", "refused", "failed"]),
            limits: counters("limit", limits.map(limit_key)),
            outbox: Mutex::default(),
        }
    }
}

impl ReporterMetrics {
    /// A report was made.
    pub fn report(&self, kind: ReportKind) {
        self.reports.get_or_create(&[("kind", kind.word())]).inc();
    }

    /// Something came of a delivery.
    pub fn delivery(&self, outcome: &'static str) {
        self.deliveries.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Something came of a message that a failure report was asked for about: a report (`queued`); none, for there
    /// were enough (`limited`), for nobody may have it (`refused`), or for it could not be stored (`failed`).
    pub fn failure_report(&self, outcome: &'static str) {
        self.failures.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// A limit kept some or all of the report mail about a policy domain back.
    pub fn limited(&self, limit: DailyLimit) {
        self.limits.get_or_create(&[("limit", limit_key(limit))]).inc();
    }

    /// How the outbox is now.
    pub fn outbox(&self, counts: OutboxCounts) {
        *self.outbox.lock().unwrap_or_else(PoisonError::into_inner) = Some(counts);
    }

    /// Adds all of it to what is printed.
    pub fn register(self: &Arc<Self>, registry: &mut Registry) {
        registry.register(
            "landmarc_reports",
            "Reports that were made and queued, by kind",
            self.reports.clone(),
        );
        registry.register(
            "landmarc_report_deliveries",
            "Attempts to deliver report mail, by what came of it",
            self.deliveries.clone(),
        );
        registry.register(
            "landmarc_failure_reports",
            "Messages that a failure report was asked for about, by what came of it",
            self.failures.clone(),
        );
        registry.register(
            "landmarc_report_limits",
            "Policy domains whose report mail a limit of the day kept back, by the key of the limit",
            self.limits.clone(),
        );
        let metrics = Arc::clone(self);
        collect(registry, move |writer| {
            let outbox = *metrics.outbox.lock().unwrap_or_else(PoisonError::into_inner);
            outbox.map_or(Ok(()), |counts| of_outbox(writer, &counts, now_ms()))
        });
    }
}

fn of_outbox(writer: &mut MetricWriter<'_>, counts: &OutboxCounts, now_ms: u64) -> fmt::Result {
    writer.gauges(
        "landmarc_outbox_deliveries",
        "Deliveries of report mail that wait to be sent, by state.",
        [
            ([("state", "queued")], counts.queued),
            ([("state", "deferred")], counts.deferred),
        ],
    )?;
    let since_ms = counts
        .oldest_due_ms
        .map_or(0, |due_ms| now_ms.saturating_sub(due_ms));
    writer.gauge(
        "landmarc_outbox_oldest_due",
        "For how long the oldest delivery is due that nobody is sending.",
        SECONDS,
        &(since_ms / 1_000),
    )
}
