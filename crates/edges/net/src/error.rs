//! What keeps a socket from being opened, and what the operator can do about it.

use std::io::{self, ErrorKind};

use crate::address::SocketAddress;

/// Why we cannot listen. Each names the socket; [`remedy`](Self::remedy) says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Somebody listens there already.
    #[error("cannot listen on {address}: another program does")]
    InUse {
        /// The socket.
        address: SocketAddress,
    },
    /// The directory of the socket file does not exist.
    #[error("cannot listen on {address}: its directory does not exist")]
    NoDirectory {
        /// The socket.
        address: SocketAddress,
    },
    /// We lack the right.
    #[error("cannot listen on {address}: permission denied")]
    Denied {
        /// The socket.
        address: SocketAddress,
    },
    /// The path is taken by something that is no socket.
    #[error("cannot listen on {address}: there is something at this path that is no socket")]
    NotASocket {
        /// The socket.
        address: SocketAddress,
    },
    /// The system has no room for such a path.
    #[error("cannot listen on {address}: the path has more than {limit} octets")]
    PathTooLong {
        /// The socket.
        address: SocketAddress,
        /// How long it may be.
        limit: usize,
    },
    /// Between making the socket file and setting its owner and mode, somebody put another file in its place.
    #[error("cannot listen on {address}: another file took the place of the socket")]
    Replaced {
        /// The socket.
        address: SocketAddress,
    },
    /// Owner or permissions cannot be set.
    #[error("cannot set owner and mode of {address}")]
    Access {
        /// The socket.
        address: SocketAddress,
        /// What the system said.
        source: io::Error,
    },
    /// The host name leads nowhere.
    #[error("cannot find the host of {address}")]
    Host {
        /// The socket.
        address: SocketAddress,
        /// What the resolver said.
        source: io::Error,
    },
    /// The host has no address of that family.
    #[error("cannot listen on {address}: the host has no {family} address")]
    Family {
        /// The socket.
        address: SocketAddress,
        /// `IPv4` or `IPv6`.
        family: &'static str,
    },
    /// The address belongs to another machine.
    #[error("cannot listen on {address}: this machine has no such address")]
    NotOurs {
        /// The socket.
        address: SocketAddress,
    },
    /// Anything else.
    #[error("cannot listen on {address}")]
    Other {
        /// The socket.
        address: SocketAddress,
        /// What the system said.
        source: io::Error,
    },
}

impl ListenError {
    pub(crate) fn new(address: &SocketAddress, source: io::Error) -> Self {
        let address = address.clone();
        match source.kind() {
            ErrorKind::AddrInUse => Self::InUse { address },
            ErrorKind::PermissionDenied => Self::Denied { address },
            ErrorKind::AddrNotAvailable => Self::NotOurs { address },
            ErrorKind::NotFound | ErrorKind::NotADirectory => Self::NoDirectory { address },
            _ => Self::Other { address, source },
        }
    }

    /// What the operator can do.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::InUse {
                address: SocketAddress::Unix(path),
            } => format!(
                "stop the program that holds it (`ss -xlp | grep {}`), or choose another path",
                path.display()
            ),
            Self::InUse {
                address: SocketAddress::Inet { port, .. },
            } => format!(
                "stop the program that holds it (`ss -tlnp 'sport = :{port}'`), or choose another port"
            ),
            Self::NoDirectory { address } => format!("create {}, owned by the user of this service", directory(address)),
            Self::Denied {
                address: address @ SocketAddress::Unix(_),
            } => format!("let the user of this service write to {}", directory(address)),
            Self::Denied { .. } => "choose a port from 1024 up".to_owned(),
            Self::NotASocket { .. } => "choose another path, or move away what is there".to_owned(),
            Self::Replaced { address } => format!(
                "find out who writes to {}: only root and the user of this service should",
                directory(address)
            ),
            Self::PathTooLong { .. } => "choose a shorter path, such as one below /run".to_owned(),
            Self::Access { .. } => {
                "only root may give a socket away; else choose a group that the user of this service belongs to"
                    .to_owned()
            }
            Self::Host { .. } => "write an IP address, or a name that /etc/hosts or DNS knows".to_owned(),
            Self::Family { .. } => "use inet: for IPv4 and inet6: for IPv6".to_owned(),
            Self::NotOurs { .. } => "choose an address that `ip address` shows".to_owned(),
            Self::Other { .. } => "see the cause above".to_owned(),
        }
    }
}

fn directory(address: &SocketAddress) -> String {
    match address {
        SocketAddress::Unix(path) => path.parent().unwrap_or(path).display().to_string(),
        SocketAddress::Inet { .. } => "the directory".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_not_to_listen_has_its_remedy() {
        let address = SocketAddress::Inet {
            host: Some("192.0.2.1".to_owned()),
            port: 8443,
            v6: false,
        };
        for (kind, words) in [
            (ErrorKind::AddrInUse, "ss -tlnp 'sport = :8443'"),
            (ErrorKind::PermissionDenied, "from 1024 up"),
            (ErrorKind::AddrNotAvailable, "`ip address` shows"),
            (ErrorKind::OutOfMemory, "the cause above"),
        ] {
            let remedy = ListenError::new(&address, kind.into()).remedy();
            assert!(remedy.contains(words), "{remedy}");
        }
    }
}
