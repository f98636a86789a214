//! Sockets of these spellings and rights for protocols other than this one.

use std::fmt;

use super::socket::Listener;
use super::{ListenError, Stream, UnixAccess, accept};
use crate::address::SocketAddress;
use crate::handler::Peer;

/// Sockets that are open. When this is dropped they are closed, and their files are removed.
pub struct Listeners {
    listeners: Vec<Listener>,
    turn: usize,
}

impl Listeners {
    /// Opens the sockets, as [`Server::bind`](crate::Server::bind) does; there may be none.
    ///
    /// # Errors
    /// With the socket, the cause, and what to do about it.
    pub async fn bind(addresses: &[SocketAddress], access: &UnixAccess) -> Result<Self, ListenError> {
        let mut listeners = Vec::new();
        for address in addresses {
            listeners.extend(Listener::open(address, access).await?);
        }
        Ok(Self { listeners, turn: 0 })
    }

    /// The addresses listened on, each with the port that the system chose if it was to.
    #[must_use]
    pub fn local_addresses(&self) -> Vec<SocketAddress> {
        self.listeners
            .iter()
            .filter_map(Listener::local_address)
            .collect()
    }

    /// The next connection of any socket, each getting its turn; never without a socket. To drop the
    /// future loses no connection.
    ///
    /// # Errors
    /// When the system cannot give one, for want of descriptors or memory.
    pub async fn accept(&mut self) -> std::io::Result<(Box<dyn Stream>, Peer)> {
        accept(&self.listeners, &mut self.turn).await
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.local_addresses()).finish()
    }
}
