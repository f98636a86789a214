//! The interfaces beside the milter: opened with the settings, and closed with the service.
//!
//! All of them drive the sessions of the [`Filter`], so nothing about judging is here.

use std::sync::Arc;

use landmarc_interfaces::readsocket::{EximService, spool::EximSpool};
use landmarc_interfaces::{DriveLimits, http};
use landmarc_net::{
    AcceptLimits, AcceptLoop, Connection, Drained, ListenError, Listeners, SocketAddress, WhenFull,
};
use landmarc_runtime::account::{Account, AccountError};
use landmarc_runtime::check_secret::{SecretError, secret};
use landmarc_runtime::current::Current;
use landmarc_runtime::rules;
use landmarc_runtime::sockets::Sockets;
use landmarc_settings::Settings;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Filter;

/// Interfaces whose sockets are open, and that are not served yet.
pub struct BoundInterfaces {
    check_api: Listeners,
    secret: Option<Vec<u8>>,
    exim: Listeners,
}

impl BoundInterfaces {
    /// Opens the sockets of the settings; there may be none. To be called while there are rights to.
    ///
    /// # Errors
    /// With the setting, the cause, and what to do about it.
    pub async fn bind(settings: &Settings, account: &Account) -> Result<Self, InterfaceError> {
        let api = &settings.check_api;
        let path = api.secret_file.as_deref().filter(|_| !api.listen.is_empty());
        Ok(Self {
            secret: path.map(secret).transpose()?,
            check_api: bind(&Sockets::of_check_api(settings), account).await?,
            exim: bind(&Sockets::of_exim(settings), account).await?,
        })
    }

    /// Logs where they are.
    pub fn introduce(&self) {
        for socket in self.check_api.local_addresses() {
            tracing::info!("check API on {}", in_words(&socket));
        }
        for socket in self.exim.local_addresses() {
            tracing::info!("socket for Exim {socket}");
        }
    }

    /// Serves, from now until [`ServedInterfaces::end`].
    pub fn open(self, current: &Current, filter: &Arc<Filter>) -> ServedInterfaces {
        let (stop, stopped) = watch::channel(false);
        let in_force = current.get();
        let settings = &in_force.settings;
        let field_octets = settings.limits.header_field.as_usize();
        let mut tasks = Vec::new();
        if !settings.check_api.listen.is_empty() {
            let limits = DriveLimits {
                message_octets: settings.check_api.max_message_size.as_u64(),
                field_octets,
            };
            let host_names = settings.check_api.host_names.iter().map(ToString::to_string);
            let site = Arc::new(http::CheckApiService::new(
                Arc::clone(filter),
                limits,
                self.secret,
                host_names,
            ));
            let accept_loop = accept_loop(&Sockets::of_check_api(settings), self.check_api, settings);
            let serve = move |connection: Connection| {
                let Connection {
                    stream,
                    peer,
                    slot,
                    stopped,
                } = connection;
                http::serve(stream, peer, Arc::clone(&site), stopped, slot)
            };
            tasks.push(tokio::spawn(accept_loop.run(serve, is_stopped(stopped.clone()))));
        }
        if !settings.exim.listen.is_empty() {
            let limits = DriveLimits {
                field_octets,
                ..DriveLimits::default()
            };
            let spool = EximSpool::new(settings.exim.spool_directory.clone().unwrap_or_default());
            let handler = EximService::new(Arc::clone(filter), spool, limits);
            let accept_loop = accept_loop(&Sockets::of_exim(settings), self.exim, settings);
            let serve = move |connection: Connection| {
                let handler = handler.clone();
                async move {
                    let Connection {
                        stream,
                        peer,
                        slot,
                        stopped,
                    } = connection;
                    handler.serve(stream, peer, stopped, &slot).await;
                }
            };
            tasks.push(tokio::spawn(accept_loop.run(serve, is_stopped(stopped))));
        }
        ServedInterfaces { stop, tasks }
    }
}

/// Interfaces that are served.
pub struct ServedInterfaces {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<Drained>>,
}

impl ServedInterfaces {
    /// What closes them.
    pub fn closer(&self) -> watch::Sender<bool> {
        self.stop.clone()
    }

    /// Closes them, if that was not done, and waits until messages under way have ended.
    pub async fn end(self) -> Drained {
        self.stop.send_replace(true);
        let mut all = Drained::default();
        for task in self.tasks {
            // It fails only by a panic, which has been logged.
            let drained = task.await.unwrap_or_default();
            all.finished += drained.finished;
            all.cut += drained.cut;
        }
        all
    }
}

/// Why an interface cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum InterfaceError {
    /// One of its sockets.
    #[error("{key}: {source}")]
    Listen {
        /// The setting.
        key: &'static str,
        /// Why.
        source: ListenError,
    },
    /// The group of its sockets.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// Its secret.
    #[error("check_api.secret_file: {0}")]
    Secret(#[from] SecretError),
}

impl InterfaceError {
    /// What the operator can do.
    pub fn remedy(&self) -> String {
        match self {
            Self::Listen { source, .. } => source.remedy(),
            Self::Account(error) => error.remedy(),
            Self::Secret(error) => error.remedy().to_owned(),
        }
    }
}

async fn bind(sockets: &Sockets<'_>, account: &Account) -> Result<Listeners, InterfaceError> {
    Listeners::bind(&sockets.addresses(), &sockets.access(account)?)
        .await
        .map_err(|source| InterfaceError::Listen {
            key: sockets.listen_key,
            source,
        })
}

/// How many connections come in by them, and when these have to be gone.
fn accept_loop(sockets: &Sockets<'_>, listeners: Listeners, settings: &Settings) -> AcceptLoop {
    let limits = AcceptLimits {
        connections: sockets.connections,
        when_full: WhenFull::Drop,
        shutdown_grace: rules::server_options(settings).shutdown_grace,
    };
    AcceptLoop::new(sockets.listen_key, listeners, limits)
}

async fn is_stopped(mut stopped: watch::Receiver<bool>) {
    // A sender that is gone stops them, too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

fn in_words(socket: &SocketAddress) -> String {
    match socket {
        SocketAddress::Unix(path) => format!("unix:{}", path.display()),
        SocketAddress::Inet { host, port, .. } => match host.as_deref() {
            Some(host) if host.contains(':') => format!("http://[{host}]:{port}/"),
            host => format!("http://{}:{port}/", host.unwrap_or("0.0.0.0")),
        },
    }
}
