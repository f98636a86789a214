//! The sockets, and the connections that come of them.

use std::net::SocketAddr;
use std::sync::Arc;

use landmarc_net::{AcceptLimits, AcceptLoop, Connection, Listeners, WhenFull};

use crate::answer::SegmentReceiver;
use crate::connection;
use crate::error::PushError;
use crate::limits::PushLimits;
use crate::request::Handler;
use crate::tls::ServerTls;

/// Sockets that are open, and not yet served.
#[derive(Debug)]
pub struct PushServer {
    listeners: Listeners,
    limits: PushLimits,
}

impl PushServer {
    /// Opens the sockets. When one of several cannot be opened, none is. To be called within a
    /// tokio runtime.
    ///
    /// # Errors
    /// [`PushError::Listen`].
    pub async fn bind(addresses: &[SocketAddr], limits: PushLimits) -> Result<Self, PushError> {
        let listeners = Listeners::bind_tcp(addresses)?;
        Ok(Self { listeners, limits })
    }

    /// The addresses listened on, each with the port that the system chose if it was to.
    #[must_use]
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        self.listeners.tcp_addresses()
    }

    /// Hands each segment to `taker`, with the client it comes from, until `shutdown` is done. Then
    /// the sockets are closed, and segments under way are taken within the grace.
    ///
    /// A client that is gone, or whose time is over, takes the future of `taker` with it; what was
    /// taken then stays taken, and comes again as known.
    pub async fn run(self, tls: ServerTls, taker: impl SegmentReceiver, shutdown: impl Future<Output = ()>) {
        let Self { listeners, limits } = self;
        let shared = Arc::new(Handler::new(taker, limits));
        let limits = AcceptLimits {
            // One more than can be served is accepted, to be closed rather than left waiting.
            connections: limits.connections + limits.handshakes + 1,
            when_full: WhenFull::Wait,
            shutdown_grace: limits.shutdown_grace,
        };
        let serve = |Connection {
                         stream,
                         peer,
                         stopped,
                         ..
                     }: Connection| {
            connection::serve(stream, peer, tls.acceptor(), Arc::clone(&shared), stopped)
        };
        AcceptLoop::new("collector", listeners, limits)
            .run(serve, shutdown)
            .await;
    }
}
