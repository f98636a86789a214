//! The days: which are to be reported, the reports of one into the outbox, and what goes in time.

use std::sync::Arc;
use std::time::Duration;

use landmarc_report::allotment::DailyLimit;
use landmarc_store::{
    Day, DayCounts, DayState, MAX_DELIVERIES, MAX_REPORTS, NewReport, OutboxExpired, OutboxRetention, Put,
    Reader, StoreError,
};

use super::addressees::ReportDns;
use super::assemble::{Assembly, DayRequest, Settled, SettledSource, Settlement};
use super::attempt::strikes;
use super::context::ReporterContext;
use super::settings::ReportSettings;
use landmarc_runtime::clock::in_ms;
use landmarc_runtime::lease_owner::is_gone;
use landmarc_runtime::stop::Stop;
use landmarc_runtime::time::date;

/// A day that is longer ago is not reported any more, unless somebody names it: Domain Owners have
/// looked at that day by then.
pub(crate) const MAX_DAYS_BACK: u32 = 3;

/// Lines why domains got no report that are written down together.
const SKIPPED_TOGETHER: usize = 200;

/// What became of a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayMade {
    /// What was counted of it.
    pub counts: DayCounts,
    /// Messages queued.
    pub deliveries: u64,
    /// Policy domains that a limit of the day kept some or all report mail of back, by the limit.
    pub limited: Limited,
    /// Policy domains that were settled before.
    pub before: u64,
    /// Whether all of the day is settled now.
    pub is_done: bool,
}

/// How often each limit of the day kept something back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limited {
    pub reports: u64,
    pub destinations: u64,
    pub messages: u64,
}

impl Limited {
    pub fn count(&mut self, limit: DailyLimit) {
        let counted = match limit {
            DailyLimit::Reports => &mut self.reports,
            DailyLimit::Destinations => &mut self.destinations,
            DailyLimit::Messages => &mut self.messages,
        };
        *counted += 1;
    }

    pub fn all(self) -> u64 {
        self.reports + self.destinations + self.messages
    }
}

/// Of the days that have tallies, those that are over since long enough, and not too long ago.
pub fn days_due(days: &[Day], now_ms: u64, settle: Duration) -> Vec<Day> {
    let today = Day::at(now_ms);
    let is_closed = |day: &Day| day.next().begins_ms().saturating_add(in_ms(settle)) <= now_ms;
    let is_recent = |day: &Day| *day >= today.back(MAX_DAYS_BACK);
    days.iter()
        .copied()
        .filter(|day| is_closed(day) && is_recent(day))
        .collect()
}

/// The days whose reports are to be made now.
///
/// # Errors
/// When the store cannot be read.
pub(crate) async fn waiting_days<D>(
    context: &ReporterContext<D>,
    settle: Duration,
) -> Result<Vec<Day>, StoreError> {
    let days = context.read(Reader::reporting_days).await?;
    let due = days_due(&days, context.clock.now_ms(), settle);
    context
        .outbox
        .with(move |outbox| {
            let mut waiting = Vec::new();
            for day in due {
                if !matches!(outbox.day_state(day)?, DayState::Done { .. }) {
                    waiting.push(day);
                }
            }
            Ok(waiting)
        })
        .await
}

/// Makes the reports of a day and queues their messages, a policy domain at a time. What was settled
/// before stays as it is; so it may be cut off and begun again.
///
/// # Errors
/// When the store cannot be used.
pub(crate) async fn make_day<D: ReportDns>(
    context: &Arc<ReporterContext<D>>,
    settings: &Arc<ReportSettings>,
    request: &DayRequest,
    stop: &Stop,
    seen: impl Fn(&DayMade),
) -> Result<DayMade, StoreError> {
    let mut making = Making::begin(context, settings, request).await?;
    making.step(usize::MAX, stop, seen).await?;
    making.end().await
}

/// The reports of a day on their way into the outbox.
pub(super) struct Making<'a, D> {
    context: &'a Arc<ReporterContext<D>>,
    request: &'a DayRequest,
    assembly: Assembly<D>,
    made: DayMade,
    skipped: Vec<(String, String)>,
    /// Whether every policy domain is settled.
    is_complete: bool,
}

impl<'a, D: ReportDns> Making<'a, D> {
    /// Begins a day, or goes on with one.
    ///
    /// # Errors
    /// When the store cannot be used; here and below.
    pub(super) async fn begin(
        context: &'a Arc<ReporterContext<D>>,
        settings: &Arc<ReportSettings>,
        request: &'a DayRequest,
    ) -> Result<Self, StoreError> {
        let (day, now_ms) = (request.day, context.clock.now_ms());
        context
            .outbox
            .with(move |outbox| outbox.begin_day(day, now_ms))
            .await?;
        let known = SettledSource::Outbox(context.outbox.clone());
        let (place, dns) = (context.place.clone(), context.dns.clone());
        Ok(Self {
            context,
            request,
            assembly: Assembly::begin(place, known, Arc::clone(settings), request.clone(), dns),
            made: DayMade::default(),
            skipped: Vec::new(),
            is_complete: false,
        })
    }

    /// Settles so many policy domains more, or all there are; whether there is more to do.
    pub(super) async fn step(
        &mut self,
        domains: usize,
        stop: &Stop,
        seen: impl Fn(&DayMade),
    ) -> Result<bool, StoreError> {
        for _ in 0..domains {
            let settled = tokio::select! {
                settled = self.assembly.next() => settled,
                () = stop.wait() => return Ok(false),
            };
            let Some(settled) = settled else {
                self.is_complete = true;
                return Ok(false);
            };
            self.settle(settled?).await?;
            seen(&self.made);
        }
        Ok(true)
    }

    /// Writes down what is left, and that the day is done if it is.
    pub(super) async fn end(mut self) -> Result<DayMade, StoreError> {
        self.write_skipped().await?;
        let is_over = Day::at(self.context.clock.now_ms()) > self.request.day;
        if self.is_complete && self.request.selection.is_all() && is_over {
            self.finish().await?;
        }
        Ok(self.made)
    }
}

impl<D> Making<'_, D> {
    async fn settle(&mut self, settled: Settled) -> Result<(), StoreError> {
        self.made.counts.domains += 1;
        if let Some(limit) = settled.limited {
            self.made.limited.count(limit);
            if let Some(metrics) = &self.context.metrics {
                metrics.limited(limit);
            }
        }
        match settled.settlement {
            Settlement::Before => self.made.before += 1,
            Settlement::Skipped(why) => self.skip(settled.policy_domain, why).await?,
            Settlement::Reports { reports, .. } => match self.put(reports).await {
                // One domain that does not fit must not keep the day from its end.
                Err(error @ StoreError::TooLong { .. }) => {
                    tracing::warn!(
                        policy_domain = settled.policy_domain,
                        remedy = error.remedy(),
                        "a report was not stored: {error}"
                    );
                    self.skip(settled.policy_domain, error.to_string()).await?;
                }
                put => put?,
            },
        }
        Ok(())
    }

    async fn skip(&mut self, policy_domain: String, why: String) -> Result<(), StoreError> {
        self.made.counts.skipped += 1;
        self.skipped.push((policy_domain, why));
        if self.skipped.len() >= SKIPPED_TOGETHER {
            self.write_skipped().await?;
        }
        Ok(())
    }

    async fn put(&mut self, reports: Vec<NewReport>) -> Result<(), StoreError> {
        let now_ms = self.context.clock.now_ms();
        let (stored, reports) = self
            .context
            .outbox
            .with(move |outbox| {
                let mut stored = Vec::new();
                for together in batches(&reports) {
                    stored.extend(outbox.put_all(together, now_ms)?);
                }
                Ok((stored, reports))
            })
            .await?;
        for (put, report) in stored.iter().zip(&reports) {
            if let Put::Stored(_) = put {
                self.made.counts.reports += 1;
                self.made.counts.messages = self.made.counts.messages.saturating_add(report.messages);
                self.made.deliveries += u64::try_from(report.deliveries.len()).unwrap_or(u64::MAX);
                if let Some(metrics) = &self.context.metrics {
                    metrics.report(report.kind);
                }
            }
        }
        Ok(())
    }

    async fn write_skipped(&mut self) -> Result<(), StoreError> {
        let (day, skipped) = (self.request.day, std::mem::take(&mut self.skipped));
        if skipped.is_empty() {
            return Ok(());
        }
        self.context
            .outbox
            .with(move |outbox| outbox.skip_all(day, &skipped))
            .await
    }

    async fn finish(&mut self) -> Result<(), StoreError> {
        let (day, counts, now_ms) = (self.request.day, self.made.counts, self.context.clock.now_ms());
        self.context
            .outbox
            .with(move |outbox| outbox.finish_day(day, counts, now_ms))
            .await?;
        self.made.is_done = true;
        let DayMade {
            counts,
            deliveries,
            before,
            ..
        } = self.made;
        tracing::info!(
            day = date(day),
            domains = counts.domains,
            reports = counts.reports,
            deliveries,
            skipped = counts.skipped,
            before,
            "reports"
        );
        self.warn_of_limits();
        Ok(())
    }
}

impl<D> Making<'_, D> {
    /// Once for each day: owners of domains wait for what a limit kept back, and only the operator can raise it.
    fn warn_of_limits(&self) {
        let limited = self.made.limited;
        if limited.all() == 0 {
            return;
        }
        let day = date(self.request.day);
        tracing::warn!(
            day,
            reports_per_organization = limited.reports,
            destinations_per_organization = limited.destinations,
            per_day = limited.messages,
            remedy = format!(
                "landmarc outbox due --day {day} lists the policy domains; the limits are in the table [report]"
            ),
            "limits of report mail kept reports back"
        );
    }
}

/// The reports of one domain, in one transaction where that is possible: all parts of one
/// configuration always are.
fn batches(reports: &[NewReport]) -> Vec<&[NewReport]> {
    let deliveries: usize = reports.iter().map(|report| report.deliveries.len()).sum();
    if reports.len() <= MAX_REPORTS && deliveries <= MAX_DELIVERIES {
        return vec![reports];
    }
    reports
        .chunk_by(|one, next| one.configuration == next.configuration)
        .collect()
}

/// Lets go of what is no longer kept; how much.
///
/// # Errors
/// When the store cannot be written.
pub(crate) async fn expire<D>(
    context: &ReporterContext<D>,
    keep_days: u32,
) -> Result<OutboxExpired, StoreError> {
    let keep = OutboxRetention {
        now_ms: context.clock.now_ms(),
        keep_days,
        // What suppresses for longer each time must know of the times before.
        forget_ms: strikes().forget_ms,
    };
    let mut gone = OutboxExpired::default();
    loop {
        let step = context.outbox.with(move |outbox| outbox.expire(keep)).await?;
        gone.reports += step.reports;
        gone.deliveries += step.deliveries;
        gone.skipped += step.skipped;
        if !step.more {
            return Ok(gone);
        }
    }
}

/// Frees the messages that processes of this host had under lease which are not there any more.
///
/// # Errors
/// When the store cannot be used.
pub async fn release_of_gone<D>(context: &ReporterContext<D>) -> Result<u64, StoreError> {
    context
        .outbox
        .with(|outbox| {
            let mut released = 0;
            for owner in outbox.owners()? {
                if is_gone(&owner) {
                    released += outbox.release(&owner)?;
                }
            }
            for (name, lease) in outbox.leases()? {
                if is_gone(&lease.owner) {
                    outbox.release_lease(&name, &lease.owner)?;
                }
            }
            Ok(released)
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-06-05T00:00:00Z.
    const JUNE_5: u64 = 1_780_272_000_000 + 4 * 86_400_000;
    const SETTLE: Duration = Duration::from_secs(900);

    #[test]
    fn a_day_is_due_when_it_is_over_and_settled_and_not_too_long_ago() {
        let today = Day::at(JUNE_5);
        let days: Vec<_> = (0..=6).rev().map(|days| today.back(days)).collect();
        let due = |now_ms: u64| days_due(&days, now_ms, SETTLE);
        assert_eq!(
            due(JUNE_5),
            [today.back(3), today.back(2)],
            "yesterday has to settle"
        );
        assert_eq!(due(JUNE_5 + 899_999), [today.back(3), today.back(2)]);
        let settled = [today.back(3), today.back(2), today.back(1)];
        assert_eq!(due(JUNE_5 + 900_000), settled);
        assert_eq!(due(JUNE_5 + 86_399_999), settled, "and never today");
        assert!(days_due(&[], JUNE_5, SETTLE).is_empty());
    }
}
