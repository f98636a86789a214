//! The interfaces beside the milter: opened with the settings, and closed with the service.
//!
//! All of them drive the sessions of the [`Filter`], so nothing about judging is here.

mod check_api;
mod exim;
mod socket;

use std::sync::Arc;

use landmarc_net::{Drained, SocketAddress};
use landmarc_settings::Settings;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Filter;
use check_api::CheckApiSockets;
use exim::Exim;
use landmarc_runtime::account::Account;
use landmarc_runtime::current::Current;
pub use socket::InterfaceError;

/// Interfaces whose sockets are open, and that are not served yet.
pub struct BoundInterfaces {
    check_api: CheckApiSockets,
    exim: Exim,
}

impl BoundInterfaces {
    /// Opens the sockets of the settings; there may be none. To be called while there are rights to.
    ///
    /// # Errors
    /// With the setting, the cause, and what to do about it.
    pub async fn bind(settings: &Settings, account: &Account) -> Result<Self, InterfaceError> {
        Ok(Self {
            check_api: CheckApiSockets::bind(settings, account).await?,
            exim: Exim::bind(settings, account).await?,
        })
    }

    /// Says in the log where they are.
    pub fn introduce(&self) {
        for socket in self.check_api.sockets.local_addresses() {
            tracing::info!("check API on {}", in_words(&socket));
        }
        for socket in self.exim.sockets.local_addresses() {
            tracing::info!("socket for Exim {socket}");
        }
    }

    /// Serves, from now until [`ServedInterfaces::end`].
    pub fn open(self, current: &Current, filter: &Arc<Filter>) -> ServedInterfaces {
        let (stop, stopped) = watch::channel(false);
        let tasks = [
            self.check_api.serve(current, Arc::clone(filter), stopped.clone()),
            self.exim.serve(current, Arc::clone(filter), stopped),
        ];
        ServedInterfaces {
            stop,
            tasks: tasks.into_iter().flatten().collect(),
        }
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
            // It fails only by a panic, which has been told.
            let drained = task.await.unwrap_or_default();
            all.finished += drained.finished;
            all.cut += drained.cut;
        }
        all
    }
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
