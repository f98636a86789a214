//! Sockets that wait for MTAs, and the conversations that come of them.

use std::future::Future;
use std::sync::Arc;

use landmarc_net::{
    AcceptLimits, AcceptLoop, ConnectionSlot, Drained, ListenError, Listeners, Peer, SocketAddress,
    UnixAccess, WhenFull,
};

use crate::handler::Service;
use crate::options::ServerOptions;
use crate::session::{Context, SessionError, serve};
use crate::statistics::{Gauge, SessionCounters};

/// Sockets that are open, and not yet served.
#[derive(Debug)]
pub struct MilterServer {
    accept_loop: AcceptLoop,
    options: ServerOptions,
    counters: Arc<SessionCounters>,
}

impl MilterServer {
    /// Opens the sockets, as [`Listeners::bind`] does.
    ///
    /// # Errors
    /// With the socket, the cause, and what to do about it.
    pub async fn bind(
        addresses: &[SocketAddress],
        access: &UnixAccess,
        options: ServerOptions,
    ) -> Result<Self, ListenError> {
        let listeners = Listeners::bind(addresses, access).await?;
        let limits = AcceptLimits {
            connections: options.max_sessions,
            when_full: WhenFull::Drop,
            shutdown_grace: options.shutdown_grace,
        };
        Ok(Self {
            accept_loop: AcceptLoop::new("milter", listeners, limits),
            options,
            counters: Arc::default(),
        })
    }

    /// The addresses listened on, each with the port that the system chose if it was to.
    #[must_use]
    pub fn local_addresses(&self) -> Vec<SocketAddress> {
        self.accept_loop.local_addresses()
    }

    /// Reads the statistics of the server while it runs.
    #[must_use]
    pub fn gauge(&self) -> Gauge {
        Gauge {
            connections: self.accept_loop.gauge(),
            sessions: Arc::clone(&self.counters),
        }
    }

    /// Serves until `shutdown` is done. Then the sockets are closed, connections at
    /// rest are ended, and messages under way may end within the grace.
    pub async fn run<S: Service>(self, service: S, shutdown: impl Future<Output = ()>) -> Drained {
        let service = Arc::new(service);
        let context = Context {
            counters: self.counters,
            ..Context::new(self.options)
        };
        let serve = |connection: landmarc_net::Connection| {
            let service = Arc::clone(&service);
            let (peer, slot) = (connection.peer, connection.slot);
            let context = Context {
                slot: slot.clone(),
                shutdown: connection.stopped,
                ..context.clone()
            };
            async move {
                match serve(connection.stream, &*service, peer, &context).await {
                    Ok(end) => tracing::debug!(%peer, ?end, "the session ended"),
                    Err(error) => note_early_end(peer, &error, &slot, &context),
                }
            }
        };
        self.accept_loop.run(serve, shutdown).await
    }
}

fn note_early_end(peer: Peer, error: &SessionError, slot: &ConnectionSlot, context: &Context) {
    if error.is_protocol_error() {
        context.counters.count(|ended| ended.protocol_errors += 1);
    } else {
        context.counters.count(|ended| ended.interrupted += 1);
    }
    let cause = std::error::Error::source(error).map(ToString::to_string);
    // Each user of this host can end as many sessions as they like, and fill the log with it.
    let is_worth_a_line = slot.has_begun() || matches!(error, SessionError::Negotiation(_));
    let count = is_worth_a_line.then(|| context.notices.early_ends.count());
    match count.flatten() {
        Some(sessions) => tracing::warn!(%peer, %error, cause, sessions, "the session ended early"),
        None => tracing::debug!(%peer, %error, cause, "the session ended early"),
    }
}
