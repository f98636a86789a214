//! Messages that are due go out: a few at a time, each under lease, each marked as soon as it is known
//! what came of it.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use landmarc_store::{Claim, Delivery, StoreError};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use super::addressees::ReportDns;
use super::assemble::Selection;
use super::attempt::Attempt;
use super::context::{ReportSetup, ReporterContext};
use super::hidden::without_local_parts;
use super::outcome::AttemptOutcome;
use landmarc_runtime::clock::in_ms;
use landmarc_runtime::stop::Stop;

/// Messages that are taken under lease at once, for each connection. A claim is a transaction, and
/// synced; a few share one.
const CLAIMED_A_CONNECTION: usize = 8;

/// How long messages under way may take when it is to stop. What is cut then is sent again, under the same
/// Message-ID.
pub const LAST_MESSAGES: Duration = Duration::from_secs(10);

/// A lease lasts for so many attempts: those that wait in line behind others have time, too.
const ATTEMPTS_OF_A_LEASE: u32 = 2;

/// What a run of sending is to do.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    /// Which are sent.
    pub selection: Selection,
    /// Whether to wait for hosts that have had their messages of the minute; else they are for the next run.
    pub waits: bool,
    /// How long messages that are due wait when the relay takes none.
    pub pause: Duration,
    /// After how long nothing more is begun; none: when nothing is due.
    pub for_at_most: Option<Duration>,
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendCounts {
    /// Delivered.
    pub delivered: u64,
    /// Deferred.
    pub deferred: u64,
    /// Given up.
    pub given_up: u64,
    /// Not sent, for their recipient is suppressed.
    pub suppressed: u64,
    /// Made into smaller ones.
    pub split: u64,
    /// Why the first that was given up was.
    pub why_given_up: Option<String>,
    /// Why the relay takes no messages, when it takes none.
    pub relay: Option<String>,
}

impl SendCounts {
    /// Messages that something came of.
    pub fn deliveries(&self) -> u64 {
        self.delivered + self.deferred + self.given_up + self.suppressed + self.split
    }

    /// Adds what a later run came to. Whether the relay takes messages is what that one found.
    pub fn add(&mut self, later: Self) {
        self.delivered += later.delivered;
        self.deferred += later.deferred;
        self.given_up += later.given_up;
        self.suppressed += later.suppressed;
        self.split += later.split;
        self.why_given_up = self.why_given_up.take().or(later.why_given_up);
        self.relay = later.relay;
    }

    fn count(&mut self, ended: &AttemptOutcome) {
        match ended {
            AttemptOutcome::Delivered => self.delivered += 1,
            AttemptOutcome::Deferred => self.deferred += 1,
            AttemptOutcome::GivenUp(why) => {
                self.given_up += 1;
                self.why_given_up.get_or_insert_with(|| why.clone());
            }
            AttemptOutcome::Split(_) => self.split += 1,
            AttemptOutcome::Unusable(why) => self.relay = Some(why.clone()),
            AttemptOutcome::Lapsed => {}
        }
    }
}

/// Sends what is due, until nothing is, the relay takes none, or it is to stop. What was under lease
/// and not sent is free again at the end.
///
/// # Errors
/// When the store cannot be used.
pub async fn send<D: ReportDns>(
    context: &Arc<ReporterContext<D>>,
    setup: &Arc<ReportSetup>,
    orders: &Orders,
    stop: &Stop,
    seen: impl Fn(&SendCounts),
) -> Result<SendCounts, StoreError> {
    let mut run = Run {
        context,
        setup,
        orders,
        counts: SendCounts::default(),
        line: VecDeque::new(),
        under_way: JoinSet::new(),
        failed: None,
    };
    run.go(stop, seen).await;
    // What is cut off must have ended before somebody else can have it.
    run.under_way.shutdown().await;
    setup.mailer.close().await;
    let released = let_go(context, orders, run.counts.relay.as_deref()).await;
    match run.failed {
        Some(error) => Err(error),
        None => released.map(|()| run.counts),
    }
}

/// Ends our leases. Where the relay takes no messages, all that are due say so, and wait: it is no fault of
/// theirs, and no attempt.
async fn let_go<D>(
    context: &ReporterContext<D>,
    orders: &Orders,
    relay: Option<&str>,
) -> Result<(), StoreError> {
    let owner = Arc::clone(&context.owner);
    let reason = relay.map(|why| format!("the relay takes no messages: {why}"));
    let now_ms = context.clock.now_ms();
    let next_ms = now_ms.saturating_add(in_ms(orders.pause));
    context
        .outbox
        .with(move |outbox| {
            if let Some(reason) = reason {
                outbox.postpone(&owner, &reason, now_ms, next_ms)?;
            }
            outbox.release(&owner).map(|_| ())
        })
        .await
}

struct Run<'a, D> {
    context: &'a Arc<ReporterContext<D>>,
    setup: &'a Arc<ReportSetup>,
    orders: &'a Orders,
    counts: SendCounts,
    /// Under lease, and not begun.
    line: VecDeque<Delivery>,
    under_way: JoinSet<(Delivery, Result<AttemptOutcome, StoreError>)>,
    failed: Option<StoreError>,
}

impl<D: ReportDns> Run<'_, D> {
    async fn go(&mut self, stop: &Stop, seen: impl Fn(&SendCounts)) {
        let mut last_moment = pin!(last_moment(stop));
        let until = self.orders.for_at_most.map(|time| Instant::now() + time);
        loop {
            let goes_on = !stop.is_set() && self.counts.relay.is_none() && self.failed.is_none();
            let goes_on = goes_on && until.is_none_or(|until| Instant::now() < until);
            if goes_on {
                self.begin_some().await;
            }
            seen(&self.counts);
            let ended = tokio::select! {
                ended = self.under_way.join_next() => ended,
                () = &mut last_moment => return,
            };
            match ended {
                Some(ended) => self.ended(ended),
                // Nothing under way, and nothing more to begin.
                None if !goes_on || self.failed.is_some() => return,
                None => match self.next_window().await {
                    Some(window) => tokio::select! {
                        () = sleep_until(window) => {}
                        () = stop.wait() => return,
                    },
                    None => return,
                },
            }
        }
    }

    /// As many as there are connections for.
    async fn begin_some(&mut self) {
        let connections = self.setup.settings.keys.delivery.connections;
        while self.under_way.len() < connections {
            if self.line.is_empty()
                && let Err(error) = self.fill_line(connections).await
            {
                self.failed = Some(error);
                return;
            }
            let Some(delivery) = self.line.pop_front() else {
                return;
            };
            if self.has_time(&delivery) {
                self.begin(delivery);
            }
        }
    }

    /// Whether its lease lasts for an attempt. If not, it is somebody's who claims it anew.
    fn has_time(&self, delivery: &Delivery) -> bool {
        let until_ms = delivery.lease.as_ref().map_or(0, |lease| lease.until_ms);
        let attempt_ms = in_ms(self.setup.settings.attempt());
        self.context.clock.now_ms().saturating_add(attempt_ms) <= until_ms
    }

    fn begin(&mut self, delivery: Delivery) {
        let (context, setup) = (Arc::clone(self.context), Arc::clone(self.setup));
        self.under_way.spawn(async move {
            let attempt = Attempt {
                context: &context,
                setup: &setup,
                delivery: &delivery,
            };
            let ended = attempt.run().await;
            (delivery, ended)
        });
    }

    /// Until there is a message in line, or none is due. Those that are suppressed take places of a claim
    /// without being messages to send.
    async fn fill_line(&mut self, connections: usize) -> Result<(), StoreError> {
        while self.claim(connections).await? && self.line.is_empty() {}
        Ok(())
    }

    /// Whether anything was due.
    async fn claim(&mut self, connections: usize) -> Result<bool, StoreError> {
        let limit = self.setup.settings.keys.per_host;
        let now = Instant::now();
        let (full, left) = {
            let mut pace = self.context.pace();
            (pace.full(limit, now), pace.left(limit, now))
        };
        let claim = Claim {
            now_ms: self.context.clock.now_ms(),
            owner: self.context.owner.to_string(),
            lease_ms: in_ms(self.setup.settings.attempt().saturating_mul(ATTEMPTS_OF_A_LEASE)),
            limit: connections.saturating_mul(CLAIMED_A_CONNECTION),
            per_host: usize::try_from(left).unwrap_or(usize::MAX),
            hosts_left_out: full,
            policy_domains: self.orders.selection.only.clone(),
            policy_domains_left_out: self.orders.selection.except.clone(),
        };
        let claims = self
            .context
            .outbox
            .with(move |outbox| outbox.claim(&claim))
            .await?;
        for delivery in &claims.suppressed {
            self.counts.suppressed += 1;
            self.count("suppressed");
            tracing::debug!(
                report_id = delivery.report.report_id,
                "a delivery was given up: its destination is suppressed"
            );
        }
        let mut pace = self.context.pace();
        for delivery in &claims.claimed {
            pace.count(host(delivery), now);
        }
        let was_due = !(claims.claimed.is_empty() && claims.suppressed.is_empty());
        self.line.extend(claims.claimed);
        Ok(was_due)
    }

    /// When there may be more to send, where hosts have to wait; nothing where nobody does.
    async fn next_window(&mut self) -> Option<Instant> {
        let next = self
            .context
            .pace()
            .next(self.setup.settings.keys.per_host, Instant::now());
        let next = next.filter(|_| self.orders.waits)?;
        let now_ms = self.context.clock.now_ms();
        let counts = self
            .context
            .outbox
            .with(move |outbox| outbox.counts(now_ms))
            .await;
        counts.is_ok_and(|counts| counts.due > 0).then_some(next)
    }

    fn ended(&mut self, ended: Result<(Delivery, Result<AttemptOutcome, StoreError>), JoinError>) {
        // A panic is a bug, told by the hook; the lease of that message runs out.
        let Ok((delivery, ended)) = ended else {
            return;
        };
        match ended {
            Ok(ended) => {
                self.counts.count(&ended);
                self.count(ended.word());
                log(self.context, &delivery, &ended);
            }
            Err(error) => self.failed = Some(error),
        }
    }

    fn count(&self, outcome: &'static str) {
        if let Some(metrics) = &self.context.metrics {
            metrics.delivery(outcome);
        }
    }
}

/// The end of the time that messages under way have after the sign to stop.
pub async fn last_moment(stop: &Stop) {
    stop.wait().await;
    sleep(LAST_MESSAGES).await;
}

fn host(delivery: &Delivery) -> &str {
    let host = delivery.destination.rsplit_once('@');
    host.map_or(delivery.destination.as_str(), |(_, host)| host)
}

/// A line for each message; where someone should look, a warning, but no flood of them. Local parts stay out
/// (decision D37).
fn log<D>(context: &ReporterContext<D>, delivery: &Delivery, ended: &AttemptOutcome) {
    let report = &delivery.report;
    let (host, attempts) = (host(delivery), delivery.attempts);
    if let AttemptOutcome::GivenUp(why) = ended
        && let Some(deliveries) = context.given_up.count()
    {
        tracing::warn!(
            deliveries,
            report_id = report.report_id,
            policy_domain = report.policy_domain,
            host,
            attempts,
            remedy = format!(
                "landmarc outbox show {}; outbox retry {}",
                report.report_id, delivery.number
            ),
            "deliveries were given up, this one last: {}",
            without_local_parts(why)
        );
    }
    tracing::debug!(
        report_id = report.report_id,
        policy_domain = report.policy_domain,
        host,
        attempts,
        outcome = ended.word(),
        "delivery"
    );
}
