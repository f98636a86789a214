//! What is asked about report mail.

use super::Reader;
use crate::error::StoreError;
use crate::model::{
    Day, DayState, DeliveriesAbout, Delivery, DeliveryNumber, Lease, OutboxCounts, OutboxFilter, Redirection,
    Report, ReportNumber, Suppression,
};
use crate::outbox::{body, days, lease, list, redirection, suppression};
use crate::sqlite::{FLEET, IMPORTS, REPORTS};

impl Reader {
    /// The deliveries that the filter lets through, those made last first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn deliveries(&self, filter: &OutboxFilter) -> Result<Vec<Delivery>, StoreError> {
        let ask = "read deliveries";
        self.inner
            .since(REPORTS, ask, |sql| list::deliveries(sql, filter))
    }

    /// One delivery.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn delivery(&self, number: DeliveryNumber) -> Result<Option<Delivery>, StoreError> {
        let ask = "read a delivery";
        self.inner.since(REPORTS, ask, |sql| list::delivery(sql, number))
    }

    /// The report with this Report-ID.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn report(&self, report_id: &str) -> Result<Option<Report>, StoreError> {
        let ask = "read a report";
        self.inner.since(REPORTS, ask, |sql| list::report(sql, report_id))
    }

    /// The body of a report, while it is kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn report_body(&self, number: ReportNumber) -> Result<Option<Vec<u8>>, StoreError> {
        let ask = "read the body of a report";
        self.inner.since(REPORTS, ask, |sql| body::read(sql, number))
    }

    /// The UTC days that reports were made about, the last first, so many at most.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn reported_days(&self, limit: usize) -> Result<Vec<(Day, DayState)>, StoreError> {
        let ask = "read days of reports";
        self.inner.since(REPORTS, ask, |sql| days::all(sql, limit))
    }

    /// Policy domains that had rows on a day and got no report, and the reason, in alphabetical order, so
    /// many at most.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn skipped(&self, day: Day, limit: usize) -> Result<Vec<(String, String)>, StoreError> {
        let ask = "read domains without a report";
        self.inner
            .since(REPORTS, ask, |sql| days::skipped(sql, day, limit))
    }

    /// The report mail about a day that was ever made, by kind, policy domain and destination, in the order of
    /// these: as much as the limits of whoever makes it let through.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn deliveries_about(&self, day: Day) -> Result<Vec<DeliveriesAbout>, StoreError> {
        let ask = "count the deliveries about a day";
        self.inner
            .since(REPORTS, ask, |sql| list::deliveries_about(sql, day))
    }

    /// All suppressions, and destinations with bounces that did not lead to one yet, in alphabetical order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn suppressions(&self) -> Result<Vec<Suppression>, StoreError> {
        self.inner
            .since(REPORTS, "read the suppressions", suppression::all)
    }

    /// The suppression that an address is under at this time, or its host.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn is_suppressed(&self, destination: &str, now_ms: u64) -> Result<Option<Suppression>, StoreError> {
        self.inner.since(REPORTS, "look for a suppression", |sql| {
            suppression::find(sql, destination, now_ms)
        })
    }

    /// Where reports go against what the record says, in alphabetical order of the domains they are about; at
    /// most [`MAX_REDIRECTIONS`](crate::MAX_REDIRECTIONS).
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn redirections(&self) -> Result<Vec<Redirection>, StoreError> {
        self.inner
            .since(IMPORTS, "read the redirections", redirection::all)
    }

    /// Where the reports about a policy domain go instead, if that was said.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn redirection(&self, policy_domain: &str) -> Result<Option<Redirection>, StoreError> {
        self.inner.since(IMPORTS, "look where reports go", |sql| {
            redirection::of(sql, policy_domain)
        })
    }

    /// What waits to be sent. The cost goes with that, not with what has ended.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn outbox_counts(&self, now_ms: u64) -> Result<OutboxCounts, StoreError> {
        let ask = "count the deliveries";
        self.inner.since(REPORTS, ask, |sql| list::counts(sql, now_ms))
    }

    /// Who has which lease with a name, run out or not, in alphabetical order of the names; at most
    /// [`MAX_OWNERS`](crate::MAX_OWNERS).
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn leases(&self) -> Result<Vec<(String, Lease)>, StoreError> {
        self.inner.since(FLEET, "read the leases", lease::all)
    }
}
