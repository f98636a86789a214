//! Reporting as part of the service: on the clock, beside mail, and without a word in it.

mod candidates;

use std::sync::Arc;
use std::time::Duration;

use landmarc_dns::resolver::Resolver;
use landmarc_store::{Day, Outbox, SERVICE_BUSY_TIMEOUT, StoreError, StoreLocation};
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep, timeout_at};

use super::assemble::{DayRequest, Selection};
use super::clock::RunClock;
use super::context::{ReportSetup, ReporterContext};
use super::day_lease::{DayLease, DayReadiness, in_words, readiness};
use super::days::{DayMade, expire, make_day, release_of_gone, waiting_days};
use super::mailer::{Mailer, MailerError, SECRET};
use super::metrics::ReporterMetrics;
use super::relay::Relay;
use super::send::{LAST_MESSAGES, Orders, SendCounts, send};
use super::settings::{NoReportSettings, ReportSettings};
use super::shared::SharedOutbox;
use super::trouble::RepeatedError;
use candidates::take_candidates;
use landmarc_runtime::current::{ActiveSettings, Current};
use landmarc_runtime::error_chain::error_chain;
use landmarc_runtime::failure_reports::Candidates;
use landmarc_runtime::fleet_settings::FleetMode;
use landmarc_runtime::stop::{Stop, Stopper, stop};
use landmarc_runtime::time::date;

/// How often it is looked whether there is something to do.
const BETWEEN_LOOKS: Duration = Duration::from_secs(60);
/// How often old reports are let go.
const BETWEEN_EXPIRIES: Duration = Duration::from_secs(3600);

/// Policy domains that are settled before messages are sent again, where a day takes longer than a look.
const BETWEEN_SENDS: u64 = 500;

/// How long all of it may take at the end: messages under way, and what is written down of them. A database that does not
/// answer must not hold up the end.
const LAST_WORDS: Duration = LAST_MESSAGES.saturating_add(Duration::from_secs(5));

/// How long messages of failure reports wait for others that come with them.
const GATHERING: Duration = Duration::from_secs(1);

/// Reporting, from now until [`Reporting::end`].
pub struct Reporting {
    stopper: Stopper,
    tasks: [JoinHandle<()>; 3],
}

/// Begins to report, by the settings of each moment; where they say so, not at all.
///
/// They are made of what is counted at `place`, and kept there.
pub fn start(
    current: Arc<Current>,
    place: StoreLocation,
    metrics: Arc<ReporterMetrics>,
    candidates: Candidates,
) -> Reporting {
    let (stopper, stop) = stop();
    let state = Arc::new(ReporterState {
        current,
        place,
        metrics,
        open: Mutex::default(),
        queued: Notify::new(),
    });
    let making = tokio::spawn(make_by_the_clock(Arc::clone(&state), stop.clone()));
    let sending = tokio::spawn(send_by_the_clock(Arc::clone(&state), stop.clone()));
    let failures = tokio::spawn(take_candidates(state, candidates, stop));
    Reporting {
        stopper,
        tasks: [making, sending, failures],
    }
}

impl Reporting {
    /// Ends: the messages under way may end, and what is under lease is free again.
    pub async fn end(self) {
        self.stopper.stop();
        let until = Instant::now() + LAST_WORDS;
        for task in self.tasks {
            let cut = task.abort_handle();
            // A panic has been told by the hook. What is cut is as after a crash at that moment.
            if timeout_at(until, task).await.is_err() {
                cut.abort();
            }
        }
    }
}

/// Where all tasks find what they work with.
struct ReporterState {
    current: Arc<Current>,
    place: StoreLocation,
    metrics: Arc<ReporterMetrics>,
    open: Mutex<Open>,
    /// Messages were queued that are due at once.
    queued: Notify,
}

/// What is open, and by which settings.
#[derive(Default)]
struct Open {
    outbox: Option<SharedOutbox>,
    /// Why it cannot be opened, as was told.
    logged: Option<String>,
    ready: Option<Ready>,
}

#[derive(Clone)]
struct Ready {
    by: Arc<ActiveSettings>,
    context: Arc<ReporterContext<Resolver>>,
    setup: Arc<ReportSetup>,
}

/// Why nothing can be reported at the moment.
#[derive(Debug, thiserror::Error)]
enum NotReady {
    #[error(transparent)]
    ReportSettings(#[from] NoReportSettings),
    #[error(transparent)]
    Mailer(#[from] MailerError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl NotReady {
    fn remedy(&self) -> String {
        match self {
            Self::ReportSettings(error) => error.remedy().to_owned(),
            Self::Mailer(error) => error.remedy(),
            Self::Store(error) => error.remedy().to_owned(),
        }
    }
}

impl ReporterState {
    /// What reports are made with, by the settings of this moment; none where there are to be none, or
    /// something is in the way, which is told once.
    async fn ready(&self) -> Option<Ready> {
        let in_force = self.current.get();
        let mut open = self.open.lock().await;
        if let Some(ready) = open
            .ready
            .as_ref()
            .filter(|ready| Arc::ptr_eq(&ready.by, &in_force))
        {
            return Some(ready.clone());
        }
        match self.make_ready(&mut open, &in_force).await {
            Ok(ready) => {
                open.logged = None;
                open.ready = Some(ready.clone());
                Some(ready)
            }
            Err(NotReady::ReportSettings(NoReportSettings::Off)) => {
                open.ready = None;
                None
            }
            Err(error) => {
                let why = error_chain(&error);
                if open.logged.as_ref() != Some(&why) {
                    let consequence = match &open.ready {
                        Some(_) => "reports go on as before",
                        None => "nothing can be reported",
                    };
                    tracing::error!(remedy = error.remedy(), "{consequence}: {why}");
                    open.logged = Some(why);
                }
                // Decision D34: what cannot be put in force leaves the old in force.
                open.ready.clone()
            }
        }
    }

    /// The same, and none when it is time to stop: opening waits for a database that may not answer.
    async fn ready_or_stop(&self, stop: &Stop) -> Option<Ready> {
        tokio::select! {
            ready = self.ready() => ready,
            () = stop.wait() => None,
        }
    }

    async fn make_ready(&self, open: &mut Open, in_force: &Arc<ActiveSettings>) -> Result<Ready, NotReady> {
        let settings = ReportSettings::of(&in_force.settings)?;
        let settings = Arc::new(settings.with_suffixes(Arc::clone(&in_force.rules.suffixes)));
        let outbox = match &open.outbox {
            Some(outbox) => outbox.clone(),
            None => {
                let place = self.place.clone();
                let opened =
                    tokio::task::spawn_blocking(move || Outbox::open(place, SERVICE_BUSY_TIMEOUT)).await;
                let outbox = SharedOutbox::new(opened.unwrap_or(Err(StoreError::Ended))?);
                open.outbox.insert(outbox).clone()
            }
        };
        let secret = outbox.with(|outbox| outbox.secret(SECRET)).await?;
        let for_mailer = Arc::clone(&settings);
        let made = tokio::task::spawn_blocking(move || Mailer::new(&for_mailer, &secret)).await;
        let (mailer, warnings) = made.map_err(|_| StoreError::Ended)??;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        let context = match &open.ready {
            Some(ready) => ready.context.with_dns(in_force.resolver.clone()),
            None => {
                let clock = RunClock::of_system();
                let context =
                    ReporterContext::new(outbox, self.place.clone(), clock, in_force.resolver.clone());
                let context = context.with_metrics(Arc::clone(&self.metrics));
                let released = release_of_gone(&context).await?;
                if released > 0 {
                    tracing::info!(released, "deliveries of a process that has ended are free again");
                }
                context
            }
        };
        tracing::info!(email = %settings.email, "reports are made and sent");
        Ok(Ready {
            by: Arc::clone(in_force),
            context: Arc::new(context),
            setup: Arc::new(ReportSetup { settings, mailer }),
        })
    }
}

/// Looks once a minute whether days are over, and lets go of what is old.
///
/// Apart from sending: a day whose domains have dead name servers may take hours, and no message waits for that.
async fn make_by_the_clock(state: Arc<ReporterState>, stop: Stop) {
    let mut looks = looks();
    let mut expired: Option<Instant> = None;
    let (mut of_making, mut of_expiry) = (RepeatedError::default(), RepeatedError::default());
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = stop.wait() => return,
        }
        let Some(Ready { context, setup, .. }) = state.ready_or_stop(&stop).await else {
            continue;
        };
        match make_days(&state, &context, &setup.settings, &stop).await {
            Ok(deliveries) => {
                of_making.passed();
                if deliveries > 0 {
                    state.queued.notify_one();
                }
            }
            Err(error) => of_making.log(&error, "reports are made later"),
        }
        if !stop.is_set() && expired.is_none_or(|last| last.elapsed() >= BETWEEN_EXPIRIES) {
            expired = Some(Instant::now());
            match expire(&context, setup.settings.keys.keep_days).await {
                Ok(_) => of_expiry.passed(),
                Err(error) => of_expiry.log(&error, "old reports were not removed"),
            }
        }
    }
}

/// Looks once a minute, and when messages are queued that need not wait.
async fn send_by_the_clock(state: Arc<ReporterState>, stop: Stop) {
    let mut looks = looks();
    let (mut relay, mut trouble) = (Relay::default(), RepeatedError::default());
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = state.queued.notified() => sleep(GATHERING).await,
            () = stop.wait() => return,
        }
        let Some(Ready { context, setup, .. }) = state.ready_or_stop(&stop).await else {
            continue;
        };
        match send_due(&context, &setup, &mut relay, &stop).await {
            Ok(()) => trouble.passed(),
            Err(error) => trouble.log(&error, "report mail is sent later"),
        }
    }
}

fn looks() -> Interval {
    let mut looks = interval(BETWEEN_LOOKS);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
}

/// Makes the reports of days that are over; how many messages that came to. One day that cannot be made does
/// not keep the next one from it.
async fn make_days(
    state: &ReporterState,
    context: &Arc<ReporterContext<Resolver>>,
    settings: &Arc<ReportSettings>,
    stop: &Stop,
) -> Result<u64, StoreError> {
    let in_force = state.current.get();
    if !settings.keys.aggregate || FleetMode::of(&in_force.settings).leaves_reports_to_another() {
        return Ok(0);
    }
    let times = (settings.keys.settle, in_force.settings.fleet.wait_for_hosts);
    let (mut deliveries, mut failed) = (0, None);
    for day in waiting_days(context, settings.keys.settle).await? {
        if !is_ready(context, day, times).await? {
            continue;
        }
        let Some(turn) = DayLease::take(context, day).await? else {
            continue;
        };
        let request = DayRequest {
            day,
            selection: Selection::default(),
            clock: context.clock,
            spread: true,
        };
        let seen = |made: &DayMade| {
            // Messages that need not wait go out while others are made.
            if made.counts.domains.is_multiple_of(BETWEEN_SENDS) {
                state.queued.notify_one();
            }
        };
        match make_day(context, settings, &request, stop, seen).await {
            Ok(made) => deliveries += made.deliveries,
            Err(error) => failed = Some(error),
        }
        turn.end().await;
        if stop.is_set() {
            break;
        }
    }
    failed.map_or(Ok(deliveries), Err)
}

/// Whether the reports of a day can be made: all hosts have handed on what they counted, or it is too late for
/// those that have not.
async fn is_ready(
    context: &ReporterContext<Resolver>,
    day: Day,
    times: (Duration, Duration),
) -> Result<bool, StoreError> {
    match readiness(context, day, times).await? {
        DayReadiness::Complete => Ok(true),
        DayReadiness::Waiting(hosts) => {
            tracing::debug!("reports of {} wait for {}", date(day), in_words(&hosts));
            Ok(false)
        }
        DayReadiness::Without(hosts) => {
            tracing::warn!(
                remedy = "landmarc store status tells what is still to come; fleet.wait_for_hosts says how long to wait",
                "reports of {} are made without all of {}",
                date(day),
                in_words(&hosts)
            );
            Ok(true)
        }
    }
}

/// Sends what is due.
async fn send_due(
    context: &Arc<ReporterContext<Resolver>>,
    setup: &Arc<ReportSetup>,
    relay: &mut Relay,
    stop: &Stop,
) -> Result<(), StoreError> {
    if relay.may_be_tried(Instant::now()) {
        let orders = Orders {
            pause: relay.pause(),
            ..Orders::default()
        };
        let sent = send(context, setup, &orders, stop, |_| {}).await?;
        log_run(&sent);
        relay.tried(&sent, Instant::now());
    }
    let now_ms = context.clock.now_ms();
    let counts = context.outbox.with(move |outbox| outbox.counts(now_ms)).await?;
    if let Some(metrics) = &context.metrics {
        metrics.outbox(counts);
    }
    Ok(())
}

/// One line for each run that did something.
fn log_run(sent: &SendCounts) {
    if sent.deliveries() > 0 {
        tracing::info!(
            delivered = sent.delivered,
            deferred = sent.deferred,
            given_up = sent.given_up,
            suppressed = sent.suppressed,
            split = sent.split,
            "deliveries"
        );
    }
}
