//! `serve`: the service, from its settings to its last session.

mod deadline;
mod reload;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::Args;
use landmarc_milter::MilterServer;
use landmarc_net::{ListenError, SocketAddress, UnixAccess};
use landmarc_receiver::policy::Rules;
use landmarc_settings::Settings;
use landmarc_store::{Recorder, RecorderState, StoreError};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;
use crate::failure::{CommandResult, Failure};
use crate::words::{for_postfix, in_plain_words};
use landmarc_filter::Filter;
use landmarc_filter::interfaces::{BoundInterfaces, InterfaceError, ServedInterfaces};
use landmarc_filter::rule_watch;
use landmarc_filter::seen;
use landmarc_filter::seen::SeenMail;
use landmarc_filter::upkeep;
use landmarc_fleet::{FleetConfig, FleetError};
use landmarc_import::rspamd;
use landmarc_runtime::account::{Account, AccountError, find_group};
use landmarc_runtime::current::{ActiveSettings, Current};
use landmarc_runtime::database::Lock;
use landmarc_runtime::load::{LoadError, Loaded, SettingsSource};
use landmarc_runtime::logging;
use landmarc_runtime::name_servers::NameServers;
use landmarc_runtime::sockets;
use landmarc_runtime::systemd;
use landmarc_runtime::tasks::{ShutdownStage, Tasks};
use landmarc_runtime::{database, rules};
use landmarc_runtime::{failure_reports, name_servers};
use landmarc_web::board::{self, Board, Parts};
use landmarc_web::metrics::Metrics;
use reload::Reload;

/// What the help says below the options.
const AFTER_HELP: &str = "\
SIGHUP and SIGUSR1 read the settings again; a file with a mistake changes nothing. SIGTERM and SIGINT stop \
the service, after the messages that are under way.\n\n\
Exit code: 0 when it was told to stop, 69 when it cannot start (a socket is taken, a right is \
lacking), 78 for wrong settings.";

/// How long what waits for the disk or for a database may take when all else has ended: what it had begun there is
/// undone by them.
const LAST_CALLS: Duration = Duration::from_secs(2);
/// What the service may take at its end beside `server.shutdown_grace`: messages under way, records, what other hosts
/// are sent, each with a limit of its own. With the default grace it is less than the 90 s that systemd waits.
const LAST_WORK: Duration = Duration::from_secs(40);

/// ServeArguments of `serve`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ServeArguments {
    /// Read settings from this file [default: /etc/landmarc/landmarc.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Resolver(#[from] landmarc_dns::resolver::ResolverError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("web.listen: {0}")]
    Web(#[source] ListenError),
    #[error(transparent)]
    Interface(#[from] InterfaceError),
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Fleet(#[from] FleetError),
    #[error(transparent)]
    Taken(#[from] database::Taken),
    #[error("the system does not let us wait for signals, or start threads")]
    System(#[from] std::io::Error),
}

impl ServeError {
    fn remedy(&self) -> Option<String> {
        match self {
            Self::Listen(error) | Self::Web(error) => Some(error.remedy()),
            Self::Interface(error) => Some(error.remedy()),
            Self::Account(error) => Some(error.remedy()),
            Self::Store(error) => Some(error.remedy().to_owned()),
            Self::Fleet(error) => Some(error.remedy()),
            Self::Taken(error) => Some(error.remedy()),
            Self::Resolver(_) => Some("set dns.name_servers".to_owned()),
            Self::Load(_) | Self::System(_) => None,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Load(_) | Self::Account(AccountError::NoSuch { .. }) | Self::Fleet(_) => Exit::Config,
            Self::Resolver(_)
            | Self::Listen(_)
            | Self::Web(_)
            | Self::Interface(_)
            | Self::Account(_)
            | Self::Store(_)
            | Self::Taken(_)
            | Self::System(_) => Exit::Unavailable,
        }
    }
}

/// Serves until it is told to stop.
pub(crate) fn run(arguments: &ServeArguments) -> CommandResult {
    run_from(&SettingsSource::Landmarc(arguments.config.clone()))
}

/// The same with the settings from there.
pub(crate) fn run_from(source: &SettingsSource) -> CommandResult {
    serve(source)?;
    Ok(Exit::Fine)
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        let failure = Self::of(error.exit(), &error);
        match (error.remedy(), error) {
            (_, ServeError::Load(error)) => error.into(),
            (Some(remedy), _) => failure.with_remedy(remedy),
            (None, _) => failure,
        }
    }
}

fn serve(source: &SettingsSource) -> Result<(), ServeError> {
    let loaded = source.load()?;
    let account = Account::find(&loaded.settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let inside = runtime.enter();
    // Before anybody can know of us: an early SIGHUP would end us otherwise.
    let signals = Signals::new()?;
    let bound = runtime.block_on(Bound::bind(&loaded.settings, &account))?;
    let database = database::path(&loaded.settings);
    let prepared = database::prepare(&database, &account);
    let no_pid_file = source.write_pid_file();
    // The sockets are open, so root is not needed any more.
    account.assume()?;
    let level = start_logging(&loaded);
    if let Some(why) = no_pid_file {
        tracing::warn!("{why}");
    }
    if let Err(error) = prepared {
        tracing::warn!("cannot make the directory of {}: {error}", database.display());
    }
    let lock = database::lock(&database)?;
    make_room_for_sessions(&loaded.settings);
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
    let recorder = Arc::new(database::open(&loaded.settings, &database, loaded.groups())?);
    let (file, settings_from) = (loaded.file.clone(), source.describe(loaded.file.as_deref()));
    let in_force = ActiveSettings::new(loaded, None)?;
    introduce(
        &in_force.rules,
        settings_from.as_deref(),
        &server.local_addresses(),
    );
    log_records(&recorder, &database, &lock);
    for port in ports {
        tracing::info!("http port http://{port}/ for /metrics, /healthz and /readyz");
    }
    interfaces.introduce();
    fleet.introduce();
    let service = Service {
        current: Arc::new(Current::new(in_force)),
        server,
        interfaces,
        fleet,
        recorder,
        source: source.clone().pinned(file.as_deref()),
        level,
        signals,
        board,
        metrics,
    };
    runtime.block_on(async {
        serve_until_stopped(service).await;
        // Last, so that the end can be watched.
        web.end().await;
    });
    // Held to here: now all is written.
    drop(lock);
    // A database that does not answer must not hold up the end.
    drop(inside);
    runtime.shutdown_timeout(LAST_CALLS);
    Ok(())
}

/// What is opened while the process may still be root: sockets, passwords and keys.
struct Bound {
    server: MilterServer,
    web: landmarc_web::WebServer,
    interfaces: BoundInterfaces,
    fleet: FleetConfig,
}

impl Bound {
    async fn bind(settings: &Settings, account: &Account) -> Result<Self, ServeError> {
        Ok(Self {
            server: bind(settings, account).await?,
            web: board::bind(settings).await.map_err(ServeError::Web)?,
            interfaces: BoundInterfaces::bind(settings, account).await?,
            fleet: FleetConfig::of(settings).await?,
        })
    }
}

/// Starts the log with what the settings warn of.
fn start_logging(loaded: &Loaded) -> logging::LevelHandle {
    let level = logging::start(&loaded.settings);
    std::panic::set_hook(Box::new(|info| tracing::error!("panic: {info}")));
    loaded.log_warnings();
    if nix::unistd::geteuid().is_root() {
        tracing::warn!("running as root: set server.user, so that no more than that is at stake");
    }
    level
}

/// Where records go, or why they do not.
fn log_records(recorder: &Recorder, database: &Path, lock: &Lock) {
    let file = database.display();
    if recorder.state() == RecorderState::Degraded {
        // Why, the store has told already.
        let remedy = database::remedy(database);
        tracing::warn!("records wait in memory: {file} cannot be written; {remedy}");
        return;
    }
    tracing::info!("records in {file}");
    if let Lock::Unknown(error) = lock {
        tracing::warn!("whether another service writes to {file} cannot be known: no lock: {error}");
    }
}

/// Each session and each DNS question under way takes a file descriptor, and systems start
/// services with few. Without one more, neither connections nor questions can be made.
fn make_room_for_sessions(settings: &Settings) {
    const OTHERS: usize = 64;
    let needed = settings.milter.max_sessions
        + 2 * settings.dns.questions_in_flight
        + board::descriptors(settings)
        + sockets::descriptors(settings)
        + landmarc_fleet::descriptors(settings)
        + OTHERS;
    let needed = u64::try_from(needed).unwrap_or(u64::MAX);
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return;
    };
    let wanted = needed.min(hard);
    if soft < wanted {
        // Within the hard limit anybody may raise it; should it fail, the next line tells.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, wanted, hard);
    }
    let granted = getrlimit(Resource::RLIMIT_NOFILE).map_or(soft, |(soft, _)| soft);
    if granted < needed {
        tracing::warn!(
            granted,
            needed,
            "fewer files can be open at once than may be needed: raise the limit (LimitNOFILE in systemd), or lower \
             milter.max_sessions and check_api.max_connections"
        );
    }
}

/// What the service is told by.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// What OpenDMARC 1.4 reloads by, and the units and scripts that were written for it (F7).
    user1: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
        })
    }
}

async fn bind(settings: &Settings, account: &Account) -> Result<MilterServer, ServeError> {
    // The spellings were checked when the settings were read.
    let addresses: Vec<SocketAddress> = settings
        .milter
        .listen
        .iter()
        .filter_map(|spelling| spelling.parse().ok())
        .collect();
    let group_id = match settings.milter.socket_group.as_deref() {
        Some(name) => Some(find_group("milter.socket_group", name)?.as_raw()),
        None => account.group_id(),
    };
    let access = UnixAccess {
        mode: settings.milter.socket_mode.bits(),
        user_id: account.user_id(),
        group_id,
    };
    Ok(MilterServer::bind(&addresses, &access, rules::server_options(settings)).await?)
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

/// The service with its sockets open and its store at hand: all but what a reload replaces.
struct Service {
    current: Arc<Current>,
    server: MilterServer,
    interfaces: BoundInterfaces,
    fleet: FleetConfig,
    recorder: Arc<Recorder>,
    /// Where a reload finds the settings.
    source: SettingsSource,
    level: logging::LevelHandle,
    signals: Signals,
    board: Arc<Board>,
    metrics: Arc<Metrics>,
}

/// Starts all roles, and returns when the last has ended: sessions first, then the stages of [`ShutdownStage`].
async fn serve_until_stopped(service: Service) {
    let (mut tasks, running) = service.start();
    systemd::ready();
    // A sign of life before READY=1 would be one of a service that has not started.
    if let Some(watchdog) = systemd::watchdog() {
        tasks.watch(watchdog);
    }
    let Running {
        server,
        filter,
        interfaces,
        board,
        mut terminate,
        mut interrupt,
        longest_end,
    } = running;
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
}

/// What takes messages until a signal ends it.
struct Running {
    server: MilterServer,
    filter: Arc<Filter>,
    interfaces: ServedInterfaces,
    board: Arc<Board>,
    terminate: Signal,
    interrupt: Signal,
    longest_end: Duration,
}

impl Service {
    /// Starts what runs beside the sessions, and hands over what takes them.
    fn start(self) -> (Tasks, Running) {
        let Self {
            current,
            server,
            fleet,
            recorder,
            signals,
            board,
            metrics,
            ..
        } = self;
        let mut tasks = Tasks::default();
        let place = fleet.place().clone();
        let (offers, candidates) = failure_reports::channel();
        let seen = Arc::new(SeenMail::default());
        let name_servers = Arc::new(NameServers::default());
        let filter = Filter::new(
            Arc::clone(&current),
            Arc::clone(&seen),
            Arc::clone(&recorder),
            Arc::clone(&metrics.filter),
        );
        let filter = Arc::new(filter.with_failure_reports(offers));
        let reporter_metrics = Arc::clone(&metrics.reporter);
        let reporting =
            landmarc_reporter::start(Arc::clone(&current), place.clone(), reporter_metrics, candidates);
        tasks.add(ShutdownStage::Reports, reporting.end());
        let certificates = fleet.start(&current, &recorder, &metrics.fleet, &mut tasks);
        for task in [
            upkeep::start(
                Arc::clone(&current),
                Arc::clone(&recorder),
                Arc::clone(&metrics.filter),
            ),
            rule_watch::start(Arc::clone(&current), Arc::clone(&recorder)),
            seen::start(Arc::clone(&current), Arc::clone(&seen), place.clone()),
            name_servers::start(Arc::clone(&current), Arc::clone(&name_servers)),
            rspamd::start(Arc::clone(&current), place, Arc::clone(&metrics.rspamd)),
        ] {
            tasks.watch(task);
        }
        let reload = Reload {
            started_with: current.get().settings.clone(),
            current: Arc::clone(&current),
            source: self.source,
            level: self.level,
            certificates,
            metrics,
        };
        tasks.watch(tokio::spawn(reload.run(signals.hangup, signals.user1)));
        tasks.add(ShutdownStage::Records, upkeep::end(Arc::clone(&recorder)));
        let running = Running {
            interfaces: self.interfaces.open(&current, &filter),
            filter: Arc::clone(&filter),
            board: Arc::clone(&board),
            terminate: signals.terminate,
            interrupt: signals.interrupt,
            longest_end: current.get().settings.server.shutdown_grace + LAST_WORK,
            server,
        };
        board.running(Parts {
            current,
            seen,
            filter,
            recorder,
            milter: running.server.gauge(),
            sockets: running.server.local_addresses(),
            name_servers,
        });
        (tasks, running)
    }
}
