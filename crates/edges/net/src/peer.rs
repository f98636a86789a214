//! Who is at the other end.

use std::fmt;
use std::net::SocketAddr;

/// Who is at the other end of a connection to us: the MTA, not the SMTP client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Peer {
    /// An MTA that came over TCP.
    Tcp(SocketAddr),
    /// An MTA on this machine.
    #[default]
    Unix,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}
