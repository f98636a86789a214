//! `serve`: the service, from its settings to its last session.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use dns::resolver::Resolver;
use milter::{ListenError, Server, SocketAddress, UnixAccess};
use nix::unistd::{Group, User};
use receiver::local::{Mode, QuarantineBy, RejectRule, Rules};
use settings::Settings;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Exit;
use crate::filter::{Filter, Running};
use crate::log;
use crate::rules::{self, LoadError, Loaded};

/// Arguments of `serve`.
#[derive(Debug, Args)]
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
    Rules(#[from] rules::RulesError),
    #[error(transparent)]
    Resolver(#[from] dns::resolver::ResolverError),
    #[error("{0}")]
    Listen(#[from] ListenError),
    #[error("there is no {kind} {name:?} on this system")]
    NoSuch { kind: &'static str, name: String },
    #[error("cannot become {what}")]
    Privileges { what: String, source: nix::Error },
    #[error("the system does not let us wait for signals, or start threads")]
    System(#[from] std::io::Error),
}

impl ServeError {
    fn remedy(&self) -> Option<String> {
        match self {
            Self::Listen(error) => Some(error.remedy()),
            Self::NoSuch { kind, .. } => {
                Some(format!("create the {kind}, or name another one in the settings"))
            }
            Self::Privileges { .. } => {
                Some("start as root, or leave server.user and server.group empty".to_owned())
            }
            Self::Resolver(_) => Some("set dns.name_servers".to_owned()),
            Self::Load(_) | Self::Rules(_) | Self::System(_) => None,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Load(error) => error.exit(),
            Self::Rules(_) | Self::NoSuch { .. } => Exit::Config,
            Self::Resolver(_) | Self::Listen(_) | Self::Privileges { .. } | Self::System(_) => {
                Exit::Unavailable
            }
        }
    }
}

/// Serves until it is told to stop.
pub(crate) fn run(arguments: &Arguments) -> Exit {
    match serve(arguments.config.as_deref()) {
        Ok(()) => Exit::Fine,
        Err(error) => {
            eprintln!("landmarc: {error}{}", causes(&error));
            if let Some(remedy) = error.remedy() {
                eprintln!("  {remedy}");
            }
            error.exit()
        }
    }
}

fn causes(error: &ServeError) -> String {
    let mut text = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        text.push_str(&format!(": {source}"));
        cause = source.source();
    }
    text
}

fn serve(config: Option<&Path>) -> Result<(), ServeError> {
    let (loaded, warnings) = rules::load_file(config)?;
    let rules = Arc::new(rules::rules(&loaded.settings)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let server = runtime.block_on(bind(&loaded.settings))?;
    drop_privileges(&loaded.settings)?;
    let level = log::start(&loaded.settings);
    std::panic::set_hook(Box::new(|info| tracing::error!("panic: {info}")));
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let resolver = {
        let _inside = runtime.enter();
        Resolver::new(rules::resolver_options(&loaded.settings))?
    };
    introduce(&rules, &loaded, &server.local_addresses());
    let running = Running {
        settings: loaded.settings,
        rules,
        resolver,
    };
    runtime.block_on(serve_until_stopped(server, running, loaded.file, level))
}

async fn bind(settings: &Settings) -> Result<Server, ServeError> {
    // The spellings were checked when the settings were read.
    let addresses: Vec<SocketAddress> = settings
        .milter
        .listen
        .iter()
        .filter_map(|spelling| spelling.parse().ok())
        .collect();
    let access = UnixAccess {
        mode: settings.milter.socket_mode.bits(),
        user_id: None,
        group_id: settings
            .milter
            .socket_group
            .as_deref()
            .map(group_id)
            .transpose()?,
    };
    Ok(Server::bind(&addresses, &access, rules::server_options(settings)).await?)
}

fn group_id(name: &str) -> Result<u32, ServeError> {
    let group = Group::from_name(name).ok().flatten();
    group
        .map(|group| group.gid.as_raw())
        .ok_or_else(|| ServeError::NoSuch {
            kind: "group",
            name: name.to_owned(),
        })
}

/// The sockets are open, so root is not needed any more (design D35).
fn drop_privileges(settings: &Settings) -> Result<(), ServeError> {
    let Some(name) = &settings.server.user else {
        return Ok(());
    };
    let no_user = || ServeError::NoSuch {
        kind: "user",
        name: name.clone(),
    };
    let user = User::from_name(name).ok().flatten().ok_or_else(no_user)?;
    if user.uid == nix::unistd::geteuid() {
        return Ok(());
    }
    let gid = match settings.server.group.as_deref() {
        Some(group) => nix::unistd::Gid::from_raw(group_id(group)?),
        None => user.gid,
    };
    let failed = |source| ServeError::Privileges {
        what: format!("user {name}"),
        source,
    };
    let c_name = std::ffi::CString::new(name.as_str()).map_err(|_| no_user())?;
    nix::unistd::initgroups(&c_name, gid).map_err(failed)?;
    nix::unistd::setgid(gid).map_err(failed)?;
    nix::unistd::setuid(user.uid).map_err(failed)
}

/// Says in plain words what is going to happen to mail (design D33).
fn introduce(rules: &Rules, loaded: &Loaded, sockets: &[SocketAddress]) {
    for line in in_plain_words(rules) {
        tracing::info!("{line}");
    }
    match &loaded.file {
        Some(file) => tracing::info!("settings from {}", file.display()),
        None => tracing::info!("no settings file: all defaults (landmarc config default prints them)"),
    }
    for socket in sockets {
        let spelling = for_postfix(socket);
        tracing::info!("milter socket {socket}; in Postfix: smtpd_milters = {spelling}");
    }
}

/// What the mode means for mail that fails.
pub(crate) fn in_plain_words(rules: &Rules) -> Vec<String> {
    let version = env!("CARGO_PKG_VERSION");
    match rules.mode {
        Mode::Observe => vec![
            format!("landmarc {version} observes: mail is judged and marked; nothing is refused or held"),
            "a message that fails DMARC under p=reject is delivered, marked dmarc=fail".to_owned(),
            format!(
                "with mode = \"enforce\" it would be {}",
                what_enforcing_does(rules)
            ),
        ],
        Mode::Enforce => vec![
            format!("landmarc {version} enforces DMARC policies"),
            format!(
                "a message that fails DMARC under p=reject is {}",
                what_enforcing_does(rules)
            ),
        ],
    }
}

fn what_enforcing_does(rules: &Rules) -> String {
    let hold = match &rules.quarantine {
        QuarantineBy::Hold => "held by the mail server".to_owned(),
        QuarantineBy::Header(name) => format!("delivered with a {name} header field"),
    };
    match rules.reject {
        RejectRule::Evidence => {
            format!("refused (550 5.7.1) when there is further evidence that it is forged, else {hold}")
        }
        RejectRule::Always => "refused (550 5.7.1), whatever else is known of it".to_owned(),
        RejectRule::Never => hold,
    }
}

/// Postfix knows `inet:host:port` and `unix:path`.
fn for_postfix(socket: &SocketAddress) -> String {
    match socket {
        SocketAddress::Unix(path) => format!("unix:{}", path.display()),
        inet @ SocketAddress::Inet { .. } => {
            let text = inet.to_string();
            match text.split_once('@') {
                Some((front, host)) => {
                    let port = front.rsplit(':').next().unwrap_or_default();
                    format!("inet:{host}:{port}")
                }
                None => text,
            }
        }
    }
}

async fn serve_until_stopped(
    server: Server,
    running: Running,
    file: Option<PathBuf>,
    level: log::Level,
) -> Result<(), ServeError> {
    let filter = Arc::new(Filter::new(running));
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let reloads = tokio::spawn({
        let filter = Arc::clone(&filter);
        async move {
            while hangup.recv().await.is_some() {
                if reload(&filter, file.as_deref()) {
                    level.set(&filter.running().settings);
                }
            }
        }
    });
    // Without systemd there is nobody to notify.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    let drained = server
        .run(filter, async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
            tracing::info!("stopping: messages under way may end");
        })
        .await;
    reloads.abort();
    tracing::info!(finished = drained.finished, cut = drained.cut, "stopped");
    Ok(())
}

/// A failed reload keeps what is running, and says so (design D34).
fn reload(filter: &Filter, file: Option<&Path>) -> bool {
    match reloaded(&filter.running(), file) {
        Ok(running) => {
            filter.replace(running);
            let name = file.map_or_else(|| "the defaults".to_owned(), |file| file.display().to_string());
            tracing::info!("configuration reloaded from {name}");
            true
        }
        Err(error) => {
            tracing::error!("not reloaded, the old settings stay: {error}{}", causes(&error));
            false
        }
    }
}

fn reloaded(old: &Running, file: Option<&Path>) -> Result<Running, ServeError> {
    let (loaded, warnings) = rules::load_file(file)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let settings = loaded.settings;
    for key in settings::restarts(&old.settings, &settings) {
        tracing::warn!("{key} has changed; that takes a restart");
    }
    // The cache is worth keeping while its resolver stays the same.
    let resolver = if settings.dns == old.settings.dns {
        old.resolver.clone()
    } else {
        Resolver::new(rules::resolver_options(&settings))?
    };
    Ok(Running {
        rules: Arc::new(rules::rules(&settings)?),
        resolver,
        settings,
    })
}
