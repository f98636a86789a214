//! The sockets, and the connections that come of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use landmarc_net::{AcceptLimits, AcceptLoop, Connection, ListenError, Listeners, WhenFull};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::connection;
use crate::limits::WebLimits;
use crate::pages::MonitoringSite;

/// Clients that are told at once that there is no room. Further ones wait, unanswered, so that
/// turning clients away is bounded too.
const REFUSED_AT_ONCE: usize = 16;

/// How long a client may take over hearing that there is no room.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

/// Sockets that are open, and not yet served.
#[derive(Debug)]
pub struct WebServer {
    listeners: Listeners,
    limits: WebLimits,
}

impl WebServer {
    /// Opens the sockets. When one of several cannot be opened, none is. To be called within a
    /// tokio runtime.
    ///
    /// # Errors
    /// With the address, the cause, and what to do about it.
    pub async fn bind(addresses: &[SocketAddr], limits: WebLimits) -> Result<Self, ListenError> {
        let listeners = Listeners::bind_tcp(addresses)?;
        Ok(Self { listeners, limits })
    }

    /// The addresses listened on, each with the port that the system chose if it was to.
    #[must_use]
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        self.listeners.tcp_addresses()
    }

    /// Serves the site until `shutdown` is done. Then the sockets are closed, and answers under way
    /// are given within the grace.
    pub async fn run(self, site: MonitoringSite, shutdown: impl Future<Output = ()>) {
        let Self { listeners, limits } = self;
        let pages = site.guarded(&limits);
        let served = Arc::new(Semaphore::new(limits.connections));
        let serve = |Connection { stream, stopped, .. }: Connection| {
            let (pages, permit) = (pages.clone(), Arc::clone(&served).try_acquire_owned());
            async move {
                if let Ok(_permit) = permit {
                    connection::serve(stream, pages, limits, stopped).await;
                } else {
                    tracing::debug!(
                        connections = limits.connections,
                        "all HTTP connections are in use"
                    );
                    // A client that does not listen is not told.
                    let _ = timeout(REFUSAL_TIMEOUT, connection::refuse(stream)).await;
                }
            }
        };
        let accepted = AcceptLimits {
            connections: limits.connections + REFUSED_AT_ONCE,
            when_full: WhenFull::Wait,
            shutdown_grace: limits.shutdown_grace,
        };
        AcceptLoop::new("web", listeners, accepted)
            .run(serve, shutdown)
            .await;
    }
}
