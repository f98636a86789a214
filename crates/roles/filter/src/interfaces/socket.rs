//! What the sockets of all interfaces have in common.

use landmarc_net::{AcceptLimits, AcceptLoop, ListenError, Listeners, SocketAddress, UnixAccess, WhenFull};
use landmarc_settings::Settings;

use landmarc_runtime::account::{Account, AccountError, find_group};
use landmarc_runtime::check_secret::SecretError;
use landmarc_runtime::rules;
use landmarc_runtime::sockets::Sockets;

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

/// Opens them.
pub(super) async fn bind(sockets: &Sockets<'_>, account: &Account) -> Result<Listeners, InterfaceError> {
    // The spellings were checked when the settings were read.
    let addresses: Vec<SocketAddress> = sockets
        .listen
        .iter()
        .filter_map(|spelling| spelling.parse().ok())
        .collect();
    let group_id = match sockets.group {
        Some(name) => Some(find_group(sockets.group_key, name)?.as_raw()),
        None => account.group_id(),
    };
    let access = UnixAccess {
        mode: sockets.mode.bits(),
        user_id: account.user_id(),
        group_id,
    };
    Listeners::bind(&addresses, &access)
        .await
        .map_err(|source| InterfaceError::Listen {
            key: sockets.listen_key,
            source,
        })
}

/// How many come in by them, and when they have to be gone.
pub(super) fn accept_loop(sockets: &Sockets<'_>, listeners: Listeners, settings: &Settings) -> AcceptLoop {
    let limits = AcceptLimits {
        connections: sockets.connections,
        when_full: WhenFull::Drop,
        shutdown_grace: rules::server_options(settings).shutdown_grace,
    };
    AcceptLoop::new(sockets.listen_key, listeners, limits)
}
