//! The roles put together, from the first session to the end of the last.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use landmarc_filter::interfaces::BoundInterfaces;
use landmarc_filter::seen::{self, SeenMail};
use landmarc_filter::{Filter, rule_watch, upkeep};
use landmarc_fleet::FleetConfig;
use landmarc_import::rspamd;
use landmarc_milter::MilterServer;
use landmarc_net::SocketAddress;
use landmarc_push::ServerTls;
use landmarc_receiver::policy::Rules;
use landmarc_runtime::current::{ActiveSettings, Current};
use landmarc_runtime::database::{self, Lock};
use landmarc_runtime::failure_reports::{self, Candidates, FailureReportSender};
use landmarc_runtime::load::{Loaded, SettingsSource};
use landmarc_runtime::logging::LevelHandle;
use landmarc_runtime::name_servers::{self, NameServers};
use landmarc_runtime::systemd;
use landmarc_runtime::tasks::{ShutdownStage, Tasks};
use landmarc_store::{Recorder, RecorderState};
use landmarc_web::board::{self, Board, Parts, Serving};
use landmarc_web::metrics::Metrics;

use super::bound::Bound;
use super::reload::Reload;
use super::{ServeError, Signals, deadline};
use crate::words::{for_postfix, in_plain_words};

/// What the service may take at its end beside `server.shutdown_grace`: messages under way, records, what other hosts
/// are sent, each with a limit of its own. With the default grace it is less than the 90 s that systemd waits.
const LAST_WORK: Duration = Duration::from_secs(40);

/// The service with its sockets open and its store at hand.
pub(super) struct Service {
    server: MilterServer,
    interfaces: BoundInterfaces,
    fleet: FleetConfig,
    web: Serving,
    board: Arc<Board>,
    recorder: Arc<Recorder>,
    reload: Reload,
}

impl Service {
    /// Opens the store, answers on the ports of `web`, and logs where all of it is.
    pub(super) fn open(
        bound: Bound,
        loaded: Loaded,
        source: &SettingsSource,
        level: LevelHandle,
        lock: &Lock,
    ) -> Result<Self, ServeError> {
        let Bound {
            server,
            web,
            interfaces,
            fleet,
        } = bound;
        let ports = web.local_addresses();
        let metrics = Arc::new(Metrics::new(SystemTime::now()));
        let board = Arc::new(Board::new(Arc::clone(&metrics)));
        let web = board::serve(web, &loaded.settings, Arc::clone(&board));
        let database = database::path(&loaded.settings);
        let recorder = Arc::new(database::open(&loaded.settings, &database, loaded.groups())?);
        let file = loaded.file.clone();
        let in_force = ActiveSettings::new(loaded, None)?;
        let settings_from = source.describe(file.as_deref());
        introduce(
            &in_force.rules,
            settings_from.as_deref(),
            &server.local_addresses(),
        );
        log_records(&recorder, &database, lock);
        for port in ports {
            tracing::info!("http port http://{port}/ for /metrics, /healthz and /readyz");
        }
        interfaces.introduce();
        fleet.introduce();
        let reload = Reload {
            started_with: in_force.settings.clone(),
            current: Arc::new(Current::new(in_force)),
            source: source.clone().pinned(file.as_deref()),
            level,
            certificates: None,
            metrics,
        };
        Ok(Self {
            server,
            interfaces,
            fleet,
            web,
            board,
            recorder,
            reload,
        })
    }

    /// Starts all roles, and returns when the last has ended: sessions first, then the stages of [`ShutdownStage`].
    pub(super) async fn run(self, signals: Signals) {
        let Self {
            server,
            board,
            mut reload,
            ..
        } = self;
        let Signals {
            mut terminate,
            mut interrupt,
            hangup,
            user1,
        } = signals;
        let current = Arc::clone(&reload.current);
        let longest_end = current.get().settings.server.shutdown_grace + LAST_WORK;
        let (offers, candidates) = failure_reports::channel();
        let roles = Roles::new(current, self.recorder, &reload.metrics, offers);
        let (mut tasks, certificates) = roles.start(self.fleet, &reload.metrics, candidates);
        reload.certificates = certificates;
        tasks.watch(tokio::spawn(reload.run(hangup, user1)));
        let interfaces = self.interfaces.open(&roles.current, &roles.filter);
        let filter = Arc::clone(&roles.filter);
        board.running(roles.parts(&server));
        systemd::ready();
        // A sign of life before READY=1 would be one of a service that has not started.
        if let Some(watchdog) = systemd::watchdog() {
            tasks.watch(watchdog);
        }
        let (closer, stopping) = (interfaces.closer(), Arc::clone(&board));
        let drained = server
            .run(filter, async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                deadline::end_within(longest_end);
                stopping.stopping();
                systemd::stopping();
                closer.send_replace(true);
                tracing::info!("stopping: messages under way may end");
            })
            .await;
        let by_interfaces = interfaces.end().await;
        board.ended();
        tasks.end().await;
        let finished = drained.finished + by_interfaces.finished;
        tracing::info!(finished, cut = drained.cut + by_interfaces.cut, "stopped");
        // Last, so that the end can be watched.
        self.web.end().await;
    }
}

/// What the roles share.
struct Roles {
    current: Arc<Current>,
    recorder: Arc<Recorder>,
    seen: Arc<SeenMail>,
    name_servers: Arc<NameServers>,
    filter: Arc<Filter>,
}

impl Roles {
    fn new(
        current: Arc<Current>,
        recorder: Arc<Recorder>,
        metrics: &Metrics,
        offers: FailureReportSender,
    ) -> Self {
        let seen = Arc::new(SeenMail::default());
        let filter = Filter::new(
            Arc::clone(&current),
            Arc::clone(&seen),
            Arc::clone(&recorder),
            Arc::clone(&metrics.filter),
        );
        Self {
            current,
            recorder,
            seen,
            name_servers: Arc::default(),
            filter: Arc::new(filter.with_failure_reports(offers)),
        }
    }

    /// Starts what runs beside the sessions; and what shows other hosts who we are, which a reload reads again.
    fn start(
        &self,
        fleet: FleetConfig,
        metrics: &Metrics,
        candidates: Candidates,
    ) -> (Tasks, Option<ServerTls>) {
        let (current, recorder) = (&self.current, &self.recorder);
        let mut tasks = Tasks::default();
        let place = fleet.place().clone();
        let reporting = landmarc_reporter::start(
            Arc::clone(current),
            place.clone(),
            Arc::clone(&metrics.reporter),
            candidates,
        );
        tasks.add(ShutdownStage::Reports, reporting.end());
        let certificates = fleet.start(current, recorder, &metrics.fleet, &mut tasks);
        for task in [
            upkeep::start(
                Arc::clone(current),
                Arc::clone(recorder),
                Arc::clone(&metrics.filter),
            ),
            rule_watch::start(Arc::clone(current), Arc::clone(recorder)),
            seen::start(Arc::clone(current), Arc::clone(&self.seen), place.clone()),
            name_servers::start(Arc::clone(current), Arc::clone(&self.name_servers)),
            rspamd::start(Arc::clone(current), place, Arc::clone(&metrics.rspamd)),
        ] {
            tasks.watch(task);
        }
        tasks.add(ShutdownStage::Records, upkeep::end(Arc::clone(recorder)));
        (tasks, certificates)
    }

    /// As the board asks how they are. It lets go of them at the end: what is written last takes the recorder for
    /// itself.
    fn parts(self, server: &MilterServer) -> Parts {
        Parts {
            current: self.current,
            seen: self.seen,
            filter: self.filter,
            recorder: self.recorder,
            milter: server.gauge(),
            sockets: server.local_addresses(),
            name_servers: self.name_servers,
        }
    }
}

/// Where records go, or why they do not.
fn log_records(recorder: &Recorder, database: &Path, lock: &Lock) {
    let file = database.display();
    if recorder.state() == RecorderState::Degraded {
        // Why, the store has logged already.
        let remedy = database::remedy(database);
        tracing::warn!("records wait in memory: {file} cannot be written; {remedy}");
        return;
    }
    tracing::info!("records in {file}");
    if let Lock::Unknown(error) = lock {
        tracing::warn!("whether another service writes to {file} cannot be known: no lock: {error}");
    }
}

/// The first lines of the log: what happens to mail, by which settings, and where.
fn introduce(rules: &Rules, settings_from: Option<&str>, sockets: &[SocketAddress]) {
    for line in in_plain_words(rules) {
        tracing::info!("{line}");
    }
    match settings_from {
        Some(file) => tracing::info!("settings from {file}"),
        None => tracing::info!("no settings file: all defaults (landmarc config default prints them)"),
    }
    for socket in sockets {
        let spelling = for_postfix(socket);
        tracing::info!("milter socket {spelling}; in Postfix: smtpd_milters = {spelling}");
        if let SocketAddress::Unix(_) = socket {
            tracing::info!(
                "where smtpd is chrooted, Postfix wants that path relative to its queue directory"
            );
        }
    }
}
