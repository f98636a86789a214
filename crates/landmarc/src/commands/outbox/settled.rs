//! What the outbox has of a day that reports were made about: reports and deliveries of each policy domain,
//! or why there are none.

use std::collections::{BTreeMap, BTreeSet};

use landmarc_store::{Day, Delivery, OutboxFilter, Reader, ReportKind, StoreError};

use super::rows::counted;
use landmarc_runtime::time::date;

/// Deliveries of a day that are looked at; of more, the newest.
const MAX_DELIVERIES: usize = 100_000;

/// The policy domains of a day that are done with, in alphabetical order.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) domains: BTreeMap<String, Outcome>,
}

/// What a policy domain came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Made(Made),
    /// No report, and why.
    Skipped(String),
}

/// Reports about one policy domain and day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Made {
    report_ids: BTreeSet<String>,
    pub(super) deliveries: u64,
    /// In all reports together.
    pub(super) rows: u64,
    pub(super) messages: u64,
    /// Each once.
    pub(super) destinations: BTreeSet<String>,
}

impl Settled {
    /// Reads it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn read(reader: &Reader, day: Day) -> Result<Self, StoreError> {
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
    fn of(skipped: Vec<(String, String)>, deliveries: &[Delivery]) -> Self {
        let skipped = skipped.into_iter();
        let mut domains: BTreeMap<_, _> = skipped
            .map(|(policy_domain, why)| (policy_domain, Outcome::Skipped(why)))
            .collect();
        for delivery in deliveries {
            let name = delivery.report.policy_domain.clone();
            let outcome = domains.entry(name).or_insert_with(nothing_yet);
            if let Outcome::Skipped(_) = outcome {
                *outcome = nothing_yet();
            }
            if let Outcome::Made(made) = outcome {
                made.count(delivery);
            }
        }
        Self { domains }
    }

    /// How many reports there are.
    pub(super) fn reports(&self) -> u64 {
        let reports = self.domains.values().map(|outcome| match outcome {
            Outcome::Made(made) => made.reports(),
            Outcome::Skipped(_) => 0,
        });
        reports.sum()
    }

    /// What the day came to: `2026-06-01 is reported: 12 reports, 6 domains without`.
    pub(super) fn in_words(&self, day: Day) -> String {
        let is_skipped = |outcome: &&Outcome| matches!(outcome, Outcome::Skipped(_));
        let without = self.domains.values().filter(is_skipped).count();
        let without = u64::try_from(without).unwrap_or(u64::MAX);
        let mut text = format!("{} is reported: {}", date(day), counted(self.reports(), "report"));
        if without > 0 {
            text.push_str(&format!(", {} without", counted(without, "domain")));
        }
        text
    }
}

fn nothing_yet() -> Outcome {
    Outcome::Made(Made::default())
}

impl Made {
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
    pub(super) fn reports(&self) -> u64 {
        u64::try_from(self.report_ids.len()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::tests::row;
    use super::*;

    #[test]
    fn deliveries_and_reasons_come_to_one_line_a_domain() {
        let delivery = row();
        let other = Delivery {
            destination: "too@example.com".to_owned(),
            ..row()
        };
        let name = delivery.report.policy_domain.clone();
        let lines = [
            (name.as_str(), "of an attempt before"),
            ("none.example", "no rua"),
        ];
        let lines = lines.map(|(name, why)| (name.to_owned(), why.to_owned()));
        let settled = Settled::of(lines.to_vec(), &[delivery, other]);
        assert_eq!(
            settled.in_words(Day(20_605)),
            "2026-06-01 is reported: 1 report, 1 domain without"
        );
        let Some(Outcome::Made(made)) = settled.domains.get(&name) else {
            panic!("{settled:?}");
        };
        assert_eq!(
            (made.reports(), made.deliveries, made.rows, made.messages),
            (1, 2, 2, 5)
        );
        assert_eq!(
            settled.domains.get("none.example"),
            Some(&Outcome::Skipped("no rua".to_owned()))
        );
        assert_eq!(
            Settled::default().in_words(Day(20_605)),
            "2026-06-01 is reported: 0 reports"
        );
    }
}
