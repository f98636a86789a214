//! What keeps a port from being opened, and what the operator can do about it.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

/// Why we cannot listen. Each names the address; [`remedy`](Self::remedy) says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Somebody listens there already.
    #[error("cannot listen on http://{address}: another program does")]
    InUse {
        /// Where.
        address: SocketAddr,
    },
    /// We lack the right.
    #[error("cannot listen on http://{address}: permission denied")]
    Denied {
        /// Where.
        address: SocketAddr,
    },
    /// The address belongs to another machine.
    #[error("cannot listen on http://{address}: this machine has no such address")]
    NotOurs {
        /// Where.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("cannot listen on http://{address}")]
    Other {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

impl ListenError {
    pub(crate) fn new(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            ErrorKind::AddrInUse => Self::InUse { address },
            ErrorKind::PermissionDenied => Self::Denied { address },
            ErrorKind::AddrNotAvailable => Self::NotOurs { address },
            _ => Self::Other { address, source },
        }
    }

    /// What the operator can do.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::InUse { address } => format!(
                "stop the program that holds it (`ss -tlnp 'sport = :{}'`), or set web.listen to another port, \
                 or to [] for none",
                address.port()
            ),
            Self::Denied { .. } => "set web.listen to a port from 1024 up".to_owned(),
            Self::NotOurs { .. } => "set web.listen to an address that `ip address` shows".to_owned(),
            Self::Other { .. } => "see the cause above".to_owned(),
        }
    }
}
