//! Reporting as part of the service: on the clock, beside mail, and without a word in it.

use std::sync::Arc;
use std::time::Duration;

use dns::resolver::Resolver;
use store::{Outbox, SERVICE_PATIENCE, StoreError};
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep};

use super::assemble::{Request, Selection};
use super::clock::Clock;
use super::courier::{Courier, CourierError, SECRET};
use super::days::{expire, make_day, release_of_gone, waiting_days};
use super::desk::{Desk, Means};
use super::failure::{FailureDesk, Made};
use super::hidden::without_local_parts;
use super::send::{Orders, SendCounts, send};
use super::shared::Shared;
use super::stop::{Stop, Stopper, stop};
use super::terms::{NoTerms, Terms};
use crate::database;
use crate::failure_reports::{Candidates, FailureCandidate};
use crate::filter::{Filter, Running};
use crate::metrics::Metrics;

/// How often it is looked whether there is something to do.
const BETWEEN_LOOKS: Duration = Duration::from_secs(60);
/// How often old reports are let go.
const BETWEEN_EXPIRIES: Duration = Duration::from_secs(3600);
/// The first pause after the relay took no letters; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// How long letters of failure reports wait for others that come with them.
const GATHERING: Duration = Duration::from_secs(1);

/// Reporting, from now until [`Reporting::end`].
pub(crate) struct Reporting {
    stopper: Stopper,
    tasks: [JoinHandle<()>; 3],
}

/// Begins to report, by the settings of each moment; where they say so, not at all.
pub(crate) fn start(filter: Arc<Filter>, metrics: Arc<Metrics>, candidates: Candidates) -> Reporting {
    let (stopper, stop) = stop();
    let office = Arc::new(Office {
        filter,
        metrics,
        open: Mutex::default(),
        queued: Notify::new(),
    });
    let making = tokio::spawn(make_by_the_clock(Arc::clone(&office), stop.clone()));
    let sending = tokio::spawn(send_by_the_clock(Arc::clone(&office), stop.clone()));
    let failures = tokio::spawn(take_candidates(office, candidates, stop));
    Reporting {
        stopper,
        tasks: [making, sending, failures],
    }
}

impl Reporting {
    /// Ends: the letters under way may end, and what is under lease is free again.
    pub(crate) async fn end(self) {
        self.stopper.stop();
        for task in self.tasks {
            // A panic has been told by the hook.
            let _ = task.await;
        }
    }
}

/// Where all tasks find what they work with.
struct Office {
    filter: Arc<Filter>,
    metrics: Arc<Metrics>,
    open: Mutex<Open>,
    /// Letters were queued that are due at once.
    queued: Notify,
}

/// What is open, and by which settings.
#[derive(Default)]
struct Open {
    outbox: Option<Shared>,
    /// Why it cannot be opened, as was told.
    told: Option<String>,
    ready: Option<Ready>,
}

#[derive(Clone)]
struct Ready {
    by: Arc<Running>,
    desk: Arc<Desk<Resolver>>,
    means: Arc<Means>,
}

/// Why nothing can be reported at the moment.
#[derive(Debug, thiserror::Error)]
enum NotReady {
    #[error(transparent)]
    Terms(#[from] NoTerms),
    #[error(transparent)]
    Courier(#[from] CourierError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl NotReady {
    fn remedy(&self) -> String {
        match self {
            Self::Terms(error) => error.remedy().to_owned(),
            Self::Courier(error) => error.remedy(),
            Self::Store(error) => error.remedy().to_owned(),
        }
    }
}

impl Office {
    /// What reports are made with, by the settings of this moment; none where there are to be none, or
    /// something is in the way, which is told once.
    async fn ready(&self) -> Option<Ready> {
        let running = self.filter.running();
        let mut open = self.open.lock().await;
        if let Some(ready) = open
            .ready
            .as_ref()
            .filter(|ready| Arc::ptr_eq(&ready.by, &running))
        {
            return Some(ready.clone());
        }
        match self.make_ready(&mut open, &running).await {
            Ok(ready) => {
                open.told = None;
                open.ready = Some(ready.clone());
                Some(ready)
            }
            Err(NotReady::Terms(NoTerms::Off)) => {
                open.ready = None;
                None
            }
            Err(error) => {
                let why = crate::output::in_full(&error);
                if open.told.as_ref() != Some(&why) {
                    let consequence = match &open.ready {
                        Some(_) => "reports go on as before",
                        None => "nothing can be reported",
                    };
                    tracing::error!(remedy = error.remedy(), "{consequence}: {why}");
                    open.told = Some(why);
                }
                // Design D34: what cannot be put in force leaves the old in force.
                open.ready.clone()
            }
        }
    }

    async fn make_ready(&self, open: &mut Open, running: &Arc<Running>) -> Result<Ready, NotReady> {
        let terms = Arc::new(Terms::of(&running.settings)?);
        let database = database::path(&running.settings);
        let outbox = match &open.outbox {
            Some(outbox) => outbox.clone(),
            None => {
                let path = database.clone();
                let opened = tokio::task::spawn_blocking(move || Outbox::open(path, SERVICE_PATIENCE)).await;
                let outbox = Shared::new(opened.unwrap_or(Err(StoreError::Ended))?);
                open.outbox.insert(outbox).clone()
            }
        };
        let secret = outbox.with(|outbox| outbox.secret(SECRET)).await?;
        let for_courier = Arc::clone(&terms);
        let made = tokio::task::spawn_blocking(move || Courier::new(&for_courier, &secret)).await;
        let (courier, warnings) = made.map_err(|_| StoreError::Ended)??;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        let desk = match &open.ready {
            Some(ready) => ready.desk.with_dns(running.resolver.clone()),
            None => {
                let clock = Clock::of_system();
                let desk = Desk::new(outbox, database, clock, running.resolver.clone());
                let desk = desk.with_metrics(Arc::clone(&self.metrics));
                let released = release_of_gone(&desk).await?;
                if released > 0 {
                    tracing::info!(released, "letters of a process that has ended are free again");
                }
                desk
            }
        };
        tracing::info!(email = %terms.email, "reports are made and sent");
        Ok(Ready {
            by: Arc::clone(running),
            desk: Arc::new(desk),
            means: Arc::new(Means { terms, courier }),
        })
    }
}

/// Looks once a minute whether days are over, and lets go of what is old.
///
/// Apart from sending: a day whose domains have dead name servers may take hours, and no letter waits for that.
async fn make_by_the_clock(office: Arc<Office>, stop: Stop) {
    let mut looks = looks();
    let mut expired: Option<Instant> = None;
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = stop.wait() => return,
        }
        let Some(Ready { desk, means, .. }) = office.ready().await else {
            continue;
        };
        match make_days(&desk, &means.terms, &stop).await {
            Ok(0) => {}
            Ok(_) => office.queued.notify_one(),
            Err(error) => tell_of(&error, "reports are made later"),
        }
        if !stop.is_set() && expired.is_none_or(|last| last.elapsed() >= BETWEEN_EXPIRIES) {
            expired = Some(Instant::now());
            if let Err(error) = expire(&desk, means.terms.settings.keep_days).await {
                tell_of(&error, "old reports were not removed");
            }
        }
    }
}

/// Looks once a minute, and when letters are queued that need not wait.
async fn send_by_the_clock(office: Arc<Office>, stop: Stop) {
    let mut looks = looks();
    let mut relay = Relay::default();
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = office.queued.notified() => sleep(GATHERING).await,
            () = stop.wait() => return,
        }
        let Some(Ready { desk, means, .. }) = office.ready().await else {
            continue;
        };
        if let Err(error) = send_due(&desk, &means, &mut relay, &stop).await {
            tell_of(&error, "report letters are sent later");
        }
    }
}

fn looks() -> Interval {
    let mut looks = interval(BETWEEN_LOOKS);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
}

fn tell_of(error: &StoreError, consequence: &str) {
    tracing::warn!(remedy = error.remedy(), "{consequence}: {}", error.in_full());
}

/// Makes the reports of days that are over; how many letters that came to. One day that cannot be made does
/// not keep the next one from it.
async fn make_days(desk: &Arc<Desk<Resolver>>, terms: &Arc<Terms>, stop: &Stop) -> Result<u64, StoreError> {
    if !terms.settings.aggregate {
        return Ok(0);
    }
    let (mut letters, mut failed) = (0, None);
    for day in waiting_days(desk, terms.settings.settle).await? {
        let request = Request {
            day,
            selection: Selection::default(),
            clock: desk.clock,
            spread: true,
        };
        match make_day(desk, terms, &request, stop, |_| {}).await {
            Ok(made) => letters += made.letters,
            Err(error) => failed = Some(error),
        }
        if stop.is_set() {
            break;
        }
    }
    failed.map_or(Ok(letters), Err)
}

/// Sends what is due.
async fn send_due(
    desk: &Arc<Desk<Resolver>>,
    means: &Arc<Means>,
    relay: &mut Relay,
    stop: &Stop,
) -> Result<(), StoreError> {
    if relay.may_be_tried(Instant::now()) {
        let orders = Orders {
            pause: relay.pause(),
            ..Orders::default()
        };
        let sent = send(desk, means, &orders, stop, |_| {}).await?;
        tell_of_run(&sent);
        relay.tried(&sent, Instant::now());
    }
    let now_ms = desk.clock.now_ms();
    let counts = desk.outbox.with(move |outbox| outbox.counts(now_ms)).await?;
    if let Some(metrics) = &desk.metrics {
        metrics.reporting().outbox(counts);
    }
    Ok(())
}

/// One line for each run that did something.
fn tell_of_run(sent: &SendCounts) {
    if sent.letters() > 0 {
        tracing::info!(
            delivered = sent.delivered,
            deferred = sent.deferred,
            given_up = sent.given_up,
            suppressed = sent.suppressed,
            split = sent.split,
            "letters"
        );
    }
}

/// Whether the relay takes letters. While it takes none, it is tried less and less often, and no
/// letter is blamed.
#[derive(Debug, Default)]
struct Relay {
    failures: u32,
    next: Option<Instant>,
}

impl Relay {
    fn may_be_tried(&self, now: Instant) -> bool {
        self.next.is_none_or(|next| now >= next)
    }

    /// How long it is left alone when it takes nothing now.
    fn pause(&self) -> Duration {
        let factor = 2_u32.saturating_pow(self.failures);
        FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE)
    }

    fn tried(&mut self, sent: &SendCounts, now: Instant) {
        match &sent.relay {
            Some(why) => {
                if self.failures == 0 {
                    tracing::warn!(
                        remedy = "see report.delivery in the settings; nothing is lost, it is tried again",
                        "report letters wait: {}",
                        without_local_parts(why)
                    );
                }
                self.next = Some(now + self.pause());
                self.failures = self.failures.saturating_add(1);
            }
            // Without a letter nothing is known of it.
            None if sent.letters() == 0 => {}
            None => {
                if self.failures > 0 {
                    tracing::info!("report letters go out again");
                }
                *self = Self::default();
            }
        }
    }
}

/// Makes failure reports of what the filter hands on. One that is being made when it is to stop is made
/// no more.
async fn take_candidates(office: Arc<Office>, mut candidates: Candidates, stop: Stop) {
    let mut failures: Option<FailureDesk> = None;
    loop {
        tokio::select! {
            candidate = candidates.recv() => match candidate {
                Some(candidate) => office.take(&mut failures, &candidate).await,
                None => return,
            },
            () = stop.wait() => return,
        }
    }
}

impl Office {
    async fn take(&self, failures: &mut Option<FailureDesk>, candidate: &FailureCandidate) {
        let Some(Ready { desk, means, .. }) = self.ready().await else {
            return;
        };
        let word = match take_one(failures, &desk, &means.terms, candidate).await {
            Ok(made) => {
                if made == Made::Queued {
                    self.queued.notify_one();
                }
                made.word()
            }
            Err(error) => {
                tracing::debug!("a failure report was not made: {}", error.in_full());
                "failed"
            }
        };
        self.metrics.reporting().failure_report(word);
    }
}

async fn take_one(
    failures: &mut Option<FailureDesk>,
    desk: &Desk<Resolver>,
    terms: &Arc<Terms>,
    candidate: &FailureCandidate,
) -> Result<Made, StoreError> {
    let failures = match failures {
        Some(failures) => failures,
        none => none.insert(FailureDesk::open(desk, terms).await?),
    };
    failures.take(desk, terms, candidate).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unusable() -> SendCounts {
        SendCounts {
            relay: Some("connect: refused".to_owned()),
            ..SendCounts::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_relay_that_takes_nothing_is_tried_less_and_less_often() {
        let now = Instant::now();
        let mut relay = Relay::default();
        assert!(relay.may_be_tried(now));
        for minutes in [1, 2, 4, 8, 15, 15, 15] {
            let pause = Duration::from_secs(minutes * 60);
            assert_eq!(relay.pause(), pause);
            relay.tried(&unusable(), now);
            assert!(
                !relay.may_be_tried(now + pause - Duration::from_secs(1)),
                "{minutes}"
            );
            assert!(relay.may_be_tried(now + pause), "{minutes}");
        }
        relay.tried(&SendCounts::default(), now);
        assert!(!relay.may_be_tried(now), "no letter, no news");
        let sent = SendCounts {
            deferred: 1,
            ..SendCounts::default()
        };
        relay.tried(&sent, now);
        assert!(relay.may_be_tried(now));
        relay.tried(&unusable(), now);
        assert!(relay.may_be_tried(now + FIRST_PAUSE), "and it begins anew");
    }
}
