//! `serve`: the service, from its settings to its last session.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use dns::resolver::Resolver;
use milter::{ListenError, Server, SocketAddress, UnixAccess};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use receiver::local::Rules;
use settings::Settings;
use store::{Recorder, State, StoreError};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::account::{Account, AccountError, find_group};
use crate::database::Lock;
use crate::exit::Exit;
use crate::filter::{Filter, Running};
use crate::http::{Board, Parts};
use crate::load::{LoadError, load};
use crate::log;
use crate::metrics::Metrics;
use crate::output::{complain, in_full, tell};
use crate::words::{for_postfix, in_plain_words};
use crate::{database, failure_reports, http, reporter, rules, systemd, upkeep};

/// What the help says below the options.
const AFTER_HELP: &str = "\
SIGHUP reads the settings again; a file with a mistake changes nothing. SIGTERM and SIGINT stop\n\
the service, after the messages that are under way.\n\n\
Exit code: 0 when it was told to stop, 69 when it cannot start (a socket is taken, a right is\n\
lacking), 78 for wrong settings.";

/// The mistakes of a reload that are logged. Who mends them uses `config check`; the log is to show
/// where to look, and a broken file shall not fill it.
const MAX_MISTAKES_LOGGED: usize = 20;

/// Arguments of `serve`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
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
    Resolver(#[from] dns::resolver::ResolverError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Web(#[from] web::ListenError),
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Taken(#[from] database::Taken),
    #[error("the system does not let us wait for signals, or start threads")]
    System(#[from] std::io::Error),
}

impl ServeError {
    fn remedy(&self) -> Option<String> {
        match self {
            Self::Listen(error) => Some(error.remedy()),
            Self::Web(error) => Some(error.remedy()),
            Self::Account(error) => Some(error.remedy()),
            Self::Store(error) => Some(error.remedy().to_owned()),
            Self::Taken(error) => Some(error.remedy()),
            Self::Resolver(_) => Some("set dns.name_servers".to_owned()),
            Self::Load(_) | Self::System(_) => None,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Load(_) | Self::Account(AccountError::NoSuch { .. }) => Exit::Config,
            Self::Resolver(_)
            | Self::Listen(_)
            | Self::Web(_)
            | Self::Account(_)
            | Self::Store(_)
            | Self::Taken(_)
            | Self::System(_) => Exit::Unavailable,
        }
    }
}

/// Serves until it is told to stop.
pub(crate) fn run(arguments: &Arguments) -> Exit {
    let error = match serve(arguments.config.as_deref()) {
        Ok(()) => return Exit::Fine,
        Err(error) => error,
    };
    match &error {
        // Each line begins with its place, for editors to jump to.
        ServeError::Load(LoadError::Mistakes(lines)) => tell(lines),
        error => {
            complain(error.exit(), &in_full(error));
        }
    }
    if let Some(remedy) = error.remedy() {
        tell(&format!("  {remedy}"));
    }
    error.exit()
}

fn serve(config: Option<&Path>) -> Result<(), ServeError> {
    let loaded = load(config)?;
    let rules = Arc::new(loaded.rules());
    let account = Account::find(&loaded.settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let _inside = runtime.enter();
    // Before anybody can know of us: an early SIGHUP would end us otherwise.
    let signals = Signals::new()?;
    let server = runtime.block_on(bind(&loaded.settings, &account))?;
    let web = runtime.block_on(http::bind(&loaded.settings))?;
    let database = database::path(&loaded.settings);
    let prepared = database::prepare(&database, &account);
    // The sockets are open, so root is not needed any more.
    account.assume()?;
    let level = log::start(&loaded.settings);
    std::panic::set_hook(Box::new(|info| tracing::error!("panic: {info}")));
    loaded.log_warnings();
    if nix::unistd::geteuid().is_root() {
        tracing::warn!("running as root: set server.user, so that no more than that is at stake");
    }
    if let Err(error) = prepared {
        tracing::warn!("cannot make the directory of {}: {error}", database.display());
    }
    let lock = database::lock(&database)?;
    make_room_for_sessions(&loaded.settings);
    let ports = web.local_addresses();
    let metrics = Arc::new(Metrics::new());
    let board = Arc::new(Board::new(Arc::clone(&metrics)));
    let web = http::answer(web, &loaded.settings, Arc::clone(&board));
    let recorder = Arc::new(database::open(&loaded.settings, &database)?);
    let resolver = Resolver::new(rules::resolver_options(&loaded.settings))?;
    introduce(&rules, loaded.file.as_deref(), &server.local_addresses());
    tell_of_records(&recorder, &database, &lock);
    for port in ports {
        tracing::info!("http port http://{port}/ for /metrics, /healthz and /readyz");
    }
    let file = loaded.file.clone();
    let running = Running::new(loaded, rules, resolver);
    runtime.block_on(async {
        serve_until_stopped(server, running, recorder, file, level, signals, (&board, metrics)).await;
        // Last, so that the end can be watched.
        web.end().await;
    });
    // Held to here: now all is written.
    drop(lock);
    Ok(())
}

/// Where records go, or why they do not.
fn tell_of_records(recorder: &Recorder, database: &Path, lock: &Lock) {
    let file = database.display();
    if recorder.state() == State::Degraded {
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
        + http::descriptors(settings)
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
            "the system allows {granted} open files, {needed} may be needed: raise the limit (LimitNOFILE in \
             systemd) or lower milter.max_sessions"
        );
    }
}

/// What the service is told by.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

async fn bind(settings: &Settings, account: &Account) -> Result<Server, ServeError> {
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
    Ok(Server::bind(&addresses, &access, rules::server_options(settings)).await?)
}

/// The first lines of the log: what happens to mail, by which settings, and where.
fn introduce(rules: &Rules, file: Option<&Path>, sockets: &[SocketAddress]) {
    for line in in_plain_words(rules) {
        tracing::info!("{line}");
    }
    match file {
        Some(file) => tracing::info!("settings from {}", file.display()),
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

async fn serve_until_stopped(
    server: Server,
    running: Running,
    recorder: Arc<Recorder>,
    file: Option<PathBuf>,
    level: log::Level,
    signals: Signals,
    (board, metrics): (&Arc<Board>, Arc<Metrics>),
) {
    let Signals {
        mut terminate,
        mut interrupt,
        mut hangup,
    } = signals;
    let started_with = running.settings.clone();
    let (offers, candidates) = failure_reports::channel();
    let filter = Filter::new(running, Arc::clone(&recorder), Arc::clone(&metrics)).offering(offers);
    let filter = Arc::new(filter);
    let reporting = reporter::start(Arc::clone(&filter), Arc::clone(&metrics), candidates);
    let expiry = upkeep::start(Arc::clone(&filter), Arc::clone(&recorder));
    let watch = rules::watch::start(Arc::clone(&filter), Arc::clone(&recorder));
    let reloads = tokio::spawn({
        let filter = Arc::clone(&filter);
        async move {
            while hangup.recv().await.is_some() {
                systemd::reloading();
                match reload(&filter, &started_with, file.as_deref(), &level) {
                    true => metrics.reloads().succeeded(),
                    false => metrics.reloads().failed(),
                }
                systemd::ready();
            }
        }
    });
    board.running(Parts {
        filter: Arc::clone(&filter),
        recorder: Arc::clone(&recorder),
        milter: server.gauge(),
        sockets: server.local_addresses(),
    });
    systemd::ready();
    let watchdog = systemd::watchdog();
    let told = Arc::clone(board);
    let drained = server
        .run(filter, async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            told.stopping();
            systemd::stopping();
            tracing::info!("stopping: messages under way may end");
        })
        .await;
    board.ended();
    reporting.end().await;
    for helper in [reloads, expiry, watch].into_iter().chain(watchdog) {
        helper.abort();
        // Aborted is what it should be; and it lets go of the store.
        let _ = helper.await;
    }
    upkeep::end(recorder).await;
    tracing::info!(finished = drained.finished, cut = drained.cut, "stopped");
}

/// A failed reload keeps what is running, and says so (design D34). Whether it went well.
fn reload(filter: &Filter, started_with: &Settings, file: Option<&Path>, level: &log::Level) -> bool {
    match reloaded(&filter.running(), started_with, file) {
        Ok((running, file)) => {
            level.set(&running.settings);
            let words = in_plain_words(&running.rules);
            // The most important switch there is: whoever turns it shall see what it does.
            if words != in_plain_words(&filter.running().rules) {
                words.iter().for_each(|line| tracing::info!("{line}"));
            }
            filter.replace(running);
            let name = file.map_or_else(|| "the defaults".to_owned(), |file| file.display().to_string());
            tracing::info!("configuration reloaded from {name}");
            true
        }
        Err(error) => {
            why_not_reloaded(&error)
                .iter()
                .for_each(|line| tracing::error!("{line}"));
            false
        }
    }
}

/// A line that says so, which is what people look for, and one for each mistake.
fn why_not_reloaded(error: &ServeError) -> Vec<String> {
    const BEGINS: &str = "not reloaded, the old settings stay";
    let ServeError::Load(LoadError::Mistakes(mistakes)) = error else {
        return vec![format!("{BEGINS}: {}", in_full(error).replace('\n', "; "))];
    };
    let count = mistakes.lines().count();
    let are = if count == 1 { "mistake" } else { "mistakes" };
    let mut lines = vec![format!("{BEGINS}: {count} {are}")];
    lines.extend(mistakes.lines().take(MAX_MISTAKES_LOGGED).map(ToOwned::to_owned));
    if let Some(more) = count.checked_sub(MAX_MISTAKES_LOGGED).filter(|more| *more > 0) {
        lines.push(format!("and {more} more: landmarc config check tells them"));
    }
    lines
}

/// What the file says now, made ready to work with, and the file that was read.
fn reloaded(
    old: &Running,
    started_with: &Settings,
    file: Option<&Path>,
) -> Result<(Running, Option<PathBuf>), ServeError> {
    let loaded = load(file)?;
    let rules = Arc::new(loaded.rules());
    let settings = &loaded.settings;
    // The cache is worth keeping while its resolver stays the same.
    let resolver = if settings.dns == old.settings.dns {
        old.resolver.clone()
    } else {
        Resolver::new(rules::resolver_options(settings))?
    };
    loaded.log_warnings();
    for key in settings::restarts(started_with, settings) {
        tracing::warn!("{key} has changed; that takes a restart");
    }
    let file = loaded.file.clone();
    Ok((Running::new(loaded, rules, resolver), file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(count: usize) -> Vec<String> {
        let lines: Vec<_> = (1..=count).map(|line| format!("f:{line}:1: wrong")).collect();
        why_not_reloaded(&LoadError::Mistakes(lines.join("\n")).into())
    }

    #[test]
    fn each_mistake_of_a_reload_has_a_line_up_to_a_limit() {
        assert_eq!(
            mistakes(1),
            ["not reloaded, the old settings stay: 1 mistake", "f:1:1: wrong"]
        );
        let at_limit = mistakes(MAX_MISTAKES_LOGGED);
        assert_eq!(at_limit[0], "not reloaded, the old settings stay: 20 mistakes");
        assert_eq!(at_limit.last().map(String::as_str), Some("f:20:1: wrong"));
        let past = mistakes(MAX_MISTAKES_LOGGED + 1);
        assert_eq!(past.len(), MAX_MISTAKES_LOGGED + 2);
        assert_eq!(
            past.last().map(String::as_str),
            Some("and 1 more: landmarc config check tells them")
        );
    }

    #[test]
    fn what_is_no_mistake_of_a_file_is_told_in_one_line() {
        let error = LoadError::Io {
            file: "f".to_owned(),
            source: std::io::ErrorKind::NotFound.into(),
        };
        let lines = why_not_reloaded(&error.into());
        assert_eq!(lines.len(), 1);
        assert!(
            lines[0].starts_with("not reloaded, the old settings stay: "),
            "{lines:?}"
        );
    }
}
