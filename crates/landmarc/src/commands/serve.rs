//! `serve`: the service, from its settings to its last session.

mod bound;
mod deadline;
mod reload;
mod service;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use landmarc_net::ListenError;
use landmarc_store::StoreError;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;
use crate::failure::{CommandResult, Failure};
use bound::Bound;
use landmarc_filter::interfaces::InterfaceError;
use landmarc_fleet::FleetError;
use landmarc_runtime::account::{Account, AccountError};
use landmarc_runtime::database;
use landmarc_runtime::load::{LoadError, Loaded, SettingsSource};
use landmarc_runtime::logging::{self, LevelHandle};
use service::Service;

/// What the help says below the options.
const AFTER_HELP: &str = "\
SIGHUP and SIGUSR1 read the settings again; a file with a mistake changes nothing. SIGTERM and SIGINT stop \
the service, after the messages that are under way.\n\n\
Exit code: 0 when it was told to stop, 69 when it cannot start (a socket is taken, a right is \
lacking), 78 for wrong settings.";

/// How long what waits for the disk or for a database may take when all else has ended: what it had begun there is
/// undone by them.
const LAST_CALLS: Duration = Duration::from_secs(2);

/// Arguments of `serve`.
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
    let level = give_up_root(source, &loaded, &account, &database)?;
    let lock = database::lock(&database)?;
    bound::make_room_for_sessions(&loaded.settings);
    let service = Service::open(bound, loaded, source, level, &lock)?;
    runtime.block_on(service.run(signals));
    // Held to here: now all is written.
    drop(lock);
    // A database that does not answer must not hold up the end.
    drop(inside);
    runtime.shutdown_timeout(LAST_CALLS);
    Ok(())
}

/// The sockets are open: what else takes root is done, and then the process becomes the user of the service, and
/// starts its log with what the settings warn of.
fn give_up_root(
    source: &SettingsSource,
    loaded: &Loaded,
    account: &Account,
    database: &Path,
) -> Result<LevelHandle, ServeError> {
    let prepared = database::prepare(database, account);
    let no_pid_file = source.write_pid_file();
    account.assume()?;
    let level = logging::start(&loaded.settings);
    std::panic::set_hook(Box::new(|info| tracing::error!("panic: {info}")));
    loaded.log_warnings();
    if nix::unistd::geteuid().is_root() {
        tracing::warn!("running as root: set server.user, so that no more than that is at stake");
    }
    if let Some(why) = no_pid_file {
        tracing::warn!("{why}");
    }
    if let Err(error) = prepared {
        tracing::warn!("cannot make the directory of {}: {error}", database.display());
    }
    Ok(level)
}

/// The signals that steer the service.
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
