//! What is counted of reports and their messages.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use landmarc_report::allotment::DailyLimit;
use landmarc_store::{OutboxCounts, ReportKind};

use super::settings::limit_key;
use landmarc_runtime::clock::now_ms;
use landmarc_runtime::metrics::{Counts, MetricWriter, OTHER, SECONDS, place_of};

/// What becomes of messages.
const DELIVERIES: [&str; 7] = [
    "delivered",
    "deferred",
    "given_up",
    "suppressed",
    "split",
    "relay_unusable",
    OTHER,
];
/// What becomes of messages that a failure report was asked for about: a report; none, for there
/// were enough (`limited`), for nobody may have it (`refused`), or for it could not be stored (`failed`).
const FAILURES: [&str; 5] = ["queued", "limited", "refused", "failed", OTHER];
/// The limits of report mail about one day, by the keys of the settings.
const LIMITS: [DailyLimit; 3] = [
    DailyLimit::Reports,
    DailyLimit::Destinations,
    DailyLimit::Messages,
];
const KINDS: [ReportKind; 2] = [ReportKind::Aggregate, ReportKind::Failure];

/// The counters, and how the outbox was when it was looked at last.
#[derive(Debug, Default)]
pub struct ReporterMetrics {
    reports: Counts<{ KINDS.len() }>,
    deliveries: Counts<{ DELIVERIES.len() }>,
    failures: Counts<{ FAILURES.len() }>,
    limits: Counts<{ LIMITS.len() }>,
    outbox: Mutex<Option<OutboxCounts>>,
}

impl ReporterMetrics {
    /// A report was made.
    pub fn report(&self, kind: ReportKind) {
        let place = KINDS.iter().position(|known| *known == kind);
        self.reports.add(place.unwrap_or(KINDS.len()));
    }

    /// Something came of a message; what, see `DELIVERIES`.
    pub fn delivery(&self, outcome: &'static str) {
        self.deliveries.add(place_of(outcome, &DELIVERIES));
    }

    /// Something came of a message that a failure report was asked for about; see `FAILURES`.
    pub fn failure_report(&self, outcome: &'static str) {
        self.failures.add(place_of(outcome, &FAILURES));
    }

    /// A limit kept some or all of the report mail about a policy domain back.
    pub fn limited(&self, limit: DailyLimit) {
        let place = LIMITS.iter().position(|known| *known == limit);
        self.limits.add(place.unwrap_or(LIMITS.len()));
    }

    /// How the outbox is now.
    pub fn outbox(&self, counts: OutboxCounts) {
        *self.outbox.lock().unwrap_or_else(PoisonError::into_inner) = Some(counts);
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, sheet: &mut MetricWriter<'_>) -> fmt::Result {
        sheet.counters(
            "landmarc_reports",
            "Reports that were made and queued, by kind.",
            KINDS
                .iter()
                .zip(self.reports.read())
                .map(|(kind, count)| ([("kind", kind.word())], count)),
        )?;
        sheet.counters(
            "landmarc_report_deliveries",
            "Attempts to deliver report mail, by what came of it.",
            labelled(&DELIVERIES, &self.deliveries.read()),
        )?;
        sheet.counters(
            "landmarc_failure_reports",
            "Messages that a failure report was asked for about, by what came of it.",
            labelled(&FAILURES, &self.failures.read()),
        )?;
        sheet.counters(
            "landmarc_report_limits",
            "Policy domains whose report mail a limit of the day kept back, by the key of the limit.",
            LIMITS
                .iter()
                .zip(self.limits.read())
                .map(|(limit, count)| ([("limit", limit_key(*limit))], count)),
        )?;
        let outbox = *self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        outbox.map_or(Ok(()), |counts| of_outbox(sheet, &counts, now_ms()))
    }
}

fn of_outbox(sheet: &mut MetricWriter<'_>, counts: &OutboxCounts, now_ms: u64) -> fmt::Result {
    sheet.gauges(
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
    sheet.gauge(
        "landmarc_outbox_oldest_due",
        "For how long the oldest delivery is due that nobody is sending.",
        SECONDS,
        &(since_ms / 1_000),
    )
}

/// The last word is for what is in no table: told only when there is some.
fn labelled<'a>(words: &[&'a str], counts: &[u64]) -> Vec<([(&'a str, &'a str); 1], u64)> {
    let rows = words.iter().zip(counts);
    rows.filter(|(word, count)| **word != OTHER || **count > 0)
        .map(|(word, count)| ([("outcome", *word)], *count))
        .collect()
}
