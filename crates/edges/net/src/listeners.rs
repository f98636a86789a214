//! The sockets of one server.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;

use crate::address::SocketAddress;
use crate::error::ListenError;
use crate::peer::Peer;
use crate::socket::{Listener, Stream, UnixAccess};

/// Sockets that are open. When this is dropped they are closed, and their files are removed.
pub struct Listeners {
    listeners: Vec<Listener>,
    turn: usize,
}

impl Listeners {
    /// Opens the sockets; there may be none. `access` says who may connect to the UNIX sockets
    /// among them. To be called within a tokio runtime.
    ///
    /// A socket file that nobody listens on any more is replaced. When one of several
    /// sockets cannot be opened, none is.
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

    /// Opens TCP sockets at these addresses; there may be none. When one of several cannot be opened, none is. To be
    /// called within a tokio runtime.
    ///
    /// # Errors
    /// With the address, the cause, and what to do about it.
    pub fn bind_tcp(addresses: &[SocketAddr]) -> Result<Self, ListenError> {
        let opened = addresses.iter().map(|&address| Listener::open_tcp(address));
        let listeners = opened.collect::<Result<_, _>>()?;
        Ok(Self { listeners, turn: 0 })
    }

    /// The addresses of the TCP sockets, each with the port that the system chose if it was to.
    #[must_use]
    pub fn tcp_addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(Listener::tcp_address).collect()
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
    pub async fn accept(&mut self) -> io::Result<(Box<dyn Stream>, Peer)> {
        let Self { listeners, turn } = self;
        poll_fn(|context| {
            for step in 0..listeners.len() {
                let index = (*turn + step) % listeners.len();
                if let Some(listener) = listeners.get(index)
                    && let Poll::Ready(accepted) = listener.poll_accept(context)
                {
                    *turn = index + 1;
                    return Poll::Ready(accepted);
                }
            }
            Poll::Pending
        })
        .await
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.local_addresses()).finish()
    }
}
