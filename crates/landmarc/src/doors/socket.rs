//! What the sockets of all doors have in common.

use landmarc_interfaces::{Host, HostLimits};
use landmarc_milter::{ListenError, Listeners, SocketAddress, UnixAccess};
use landmarc_settings::{FileMode, Mistake, Settings, key};

use super::check_api::SecretError;
use crate::account::{Account, AccountError, find_group};
use crate::load::is_exposed;
use crate::rules;

/// Why a door cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DoorError {
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

impl DoorError {
    /// What the operator can do.
    pub(crate) fn remedy(&self) -> String {
        match self {
            Self::Listen { source, .. } => source.remedy(),
            Self::Account(error) => error.remedy(),
            Self::Secret(error) => error.remedy().to_owned(),
        }
    }
}

/// The settings of the sockets of one door.
pub(super) struct Sockets<'a> {
    listen: &'a [String],
    listen_key: &'static str,
    mode: FileMode,
    group: Option<&'a str>,
    group_key: &'static str,
    connections: usize,
}

/// Requests of Exim that are served at once: as many as it serves SMTP clients by default, and a few more
/// for those it has put off.
const EXIM_CONNECTIONS: usize = 256;

impl<'a> Sockets<'a> {
    pub(super) fn of_check_api(settings: &'a Settings) -> Self {
        let api = &settings.check_api;
        Self {
            listen: &api.listen,
            listen_key: key!(check_api.listen),
            mode: api.socket_mode,
            group: api.socket_group.as_deref(),
            group_key: key!(check_api.socket_group),
            connections: api.max_connections,
        }
    }

    pub(super) fn of_exim(settings: &'a Settings) -> Self {
        let exim = &settings.exim;
        Self {
            listen: &exim.listen,
            listen_key: key!(exim.listen),
            mode: exim.socket_mode,
            group: exim.socket_group.as_deref(),
            group_key: key!(exim.socket_group),
            connections: EXIM_CONNECTIONS,
        }
    }

    /// Opens them.
    pub(super) async fn bind(&self, account: &Account) -> Result<Listeners, DoorError> {
        // The spellings were checked when the settings were read.
        let addresses: Vec<SocketAddress> = self
            .listen
            .iter()
            .filter_map(|spelling| spelling.parse().ok())
            .collect();
        let group_id = match self.group {
            Some(name) => Some(find_group(self.group_key, name)?.as_raw()),
            None => account.group_id(),
        };
        let access = UnixAccess {
            mode: self.mode.bits(),
            user_id: account.user_id(),
            group_id,
        };
        Listeners::bind(&addresses, &access)
            .await
            .map_err(|source| DoorError::Listen {
                key: self.listen_key,
                source,
            })
    }

    /// How many come in by them, and when they have to be gone.
    pub(super) fn host(&self, listeners: Listeners, settings: &Settings) -> Host {
        let limits = HostLimits {
            connections: self.connections,
            shutdown_grace: rules::server_options(settings).shutdown_grace,
        };
        Host::new(listeners, limits)
    }

    pub(super) fn descriptors(&self) -> usize {
        match self.listen.len() {
            0 => 0,
            sockets => sockets + self.connections,
        }
    }

    pub(super) fn mistakes(&self, settings: &Settings, taken: &mut Vec<SocketAddress>) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        for (index, spelling) in self.listen.iter().enumerate() {
            let refuse = |why: String| settings.refuse(self.listen_key, Some(index), why);
            match spelling.parse::<SocketAddress>() {
                Err(error) => mistakes.push(refuse(error.to_string())),
                Ok(socket) if taken.contains(&socket) && !is_any_port(&socket) => {
                    mistakes.push(refuse(format!("{spelling} is there twice")));
                }
                Ok(socket) => taken.push(socket),
            }
        }
        if let Some(name) = self.group
            && find_group(self.group_key, name).is_err()
        {
            let why = format!("there is no group {name:?} on this system");
            mistakes.push(settings.refuse(self.group_key, None, why));
        }
        mistakes
    }

    /// Those that listen beyond this host.
    pub(super) fn exposed(&self) -> Vec<(&'static str, String)> {
        let exposed = self.listen.iter().filter(|spelling| is_exposed(spelling));
        exposed
            .map(|spelling| (self.listen_key, spelling.clone()))
            .collect()
    }
}

/// Of port 0 there is one each time.
fn is_any_port(socket: &SocketAddress) -> bool {
    matches!(socket, SocketAddress::Inet { port: 0, .. })
}
