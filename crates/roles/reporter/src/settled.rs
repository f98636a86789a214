//! What the outbox has of a day that reports were made about: reports and deliveries of each policy domain,
//! or why there are none.

use std::collections::{BTreeMap, BTreeSet};

use landmarc_store::{Day, DayState, Delivery, OutboxFilter, Reader, ReportKind, StoreError};

/// Deliveries of a day that are looked at; of more, the newest.
const MAX_DELIVERIES: usize = 100_000;

/// Days that were reported which are looked at: more than are ever due.
const MAX_DAYS: usize = 31;

/// The last days whose reports are all made, the newest first.
///
/// # Errors
/// When the store cannot be read.
pub fn days_done(reader: &Reader) -> Result<Vec<Day>, StoreError> {
    let known = reader.reported_days(MAX_DAYS)?.into_iter();
    let done = known.filter(|(_, state)| matches!(state, DayState::Done { .. }));
    Ok(done.map(|(day, _)| day).collect())
}

/// The policy domains of a day that are done with, in alphabetical order.
#[derive(Debug, Default)]
pub struct SettledDay {
    /// By name.
    pub domains: BTreeMap<String, SettledDomain>,
}

/// What a policy domain came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettledDomain {
    /// Reports are made.
    Made(MadeReports),
    /// No report, and why.
    Skipped(String),
}

/// Reports about one policy domain and day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MadeReports {
    report_ids: BTreeSet<String>,
    /// In how many deliveries they go out.
    pub deliveries: u64,
    /// In all reports together.
    pub rows: u64,
    /// In all reports together.
    pub messages: u64,
    /// Each once.
    pub destinations: BTreeSet<String>,
}

impl SettledDay {
    /// Reads it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn read(reader: &Reader, day: Day) -> Result<Self, StoreError> {
        let filter = OutboxFilter {
            kind: Some(ReportKind::Aggregate),
            day: Some(day),
            limit: MAX_DELIVERIES,
            ..OutboxFilter::default()
        };
        let skipped = reader.skipped(day, landmarc_store::MAX_SKIPPED)?;
        Ok(Self::of(skipped, &reader.deliveries(&filter)?))
    }

    /// A domain with both has reports: the line is of an attempt before.
    pub fn of(skipped: Vec<(String, String)>, deliveries: &[Delivery]) -> Self {
        let skipped = skipped.into_iter();
        let mut domains: BTreeMap<_, _> = skipped
            .map(|(policy_domain, why)| (policy_domain, SettledDomain::Skipped(why)))
            .collect();
        for delivery in deliveries {
            let name = delivery.report.policy_domain.clone();
            let outcome = domains.entry(name).or_insert_with(nothing_yet);
            if let SettledDomain::Skipped(_) = outcome {
                *outcome = nothing_yet();
            }
            if let SettledDomain::Made(made) = outcome {
                made.count(delivery);
            }
        }
        Self { domains }
    }

    /// How many reports there are.
    pub fn reports(&self) -> u64 {
        let reports = self.domains.values().map(|outcome| match outcome {
            SettledDomain::Made(made) => made.reports(),
            SettledDomain::Skipped(_) => 0,
        });
        reports.sum()
    }
}

fn nothing_yet() -> SettledDomain {
    SettledDomain::Made(MadeReports::default())
}

impl MadeReports {
    fn count(&mut self, delivery: &Delivery) {
        let report = &delivery.report;
        self.deliveries += 1;
        self.destinations.insert(delivery.destination.clone());
        if self.report_ids.insert(report.report_id.clone()) {
            self.rows = self.rows.saturating_add(report.rows);
            self.messages = self.messages.saturating_add(report.messages);
        }
    }

    /// How many reports.
    pub fn reports(&self) -> u64 {
        u64::try_from(self.report_ids.len()).unwrap_or(u64::MAX)
    }
}
