//! The sockets, and the connections that come of them.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

use crate::connection;
use crate::error::ListenError;
use crate::limits::Limits;
use crate::pages::Site;

/// Pause after the system could not give us a connection, for want of descriptors or memory: to
/// try at once would only burn what is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Clients that are told at once that there is no room. Further ones wait, unanswered, so that
/// turning clients away is bounded too.
const TURNED_AWAY_AT_ONCE: usize = 16;

/// How long a client may take over hearing that there is no room.
const TURN_AWAY_TIMEOUT: Duration = Duration::from_secs(1);

/// Sockets that are open, and not yet served.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<TcpListener>,
    limits: Limits,
}

impl Server {
    /// Opens the sockets. When one of several cannot be opened, none is. To be called within a
    /// tokio runtime.
    ///
    /// # Errors
    /// With the address, the cause, and what to do about it.
    pub async fn bind(addresses: &[SocketAddr], limits: Limits) -> Result<Self, ListenError> {
        let mut listeners = Vec::new();
        for &address in addresses {
            let listener = TcpListener::bind(address).await;
            listeners.push(listener.map_err(|source| ListenError::new(address, source))?);
        }
        Ok(Self { listeners, limits })
    }

    /// The addresses listened on, each with the port that the system chose if it was to.
    #[must_use]
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        let known = |listener: &TcpListener| listener.local_addr().ok();
        self.listeners.iter().filter_map(known).collect()
    }

    /// Serves the site until `shutdown` is done. Then the sockets are closed, and answers under way
    /// are given within the grace.
    pub async fn run(self, site: Site, shutdown: impl Future<Output = ()>) {
        let Self { listeners, limits } = self;
        let (stop, stopped) = watch::channel(false);
        let mut house = House {
            pages: site.guarded(&limits),
            limits,
            stopped,
            connections: JoinSet::new(),
            turned_away: JoinSet::new(),
        };
        house.accept_until(&listeners, shutdown).await;
        drop(listeners);
        // There is no receiver left only when there is no connection.
        let _ = stop.send(true);
        house.drain().await;
    }
}

/// All that is being served.
struct House {
    pages: Router,
    limits: Limits,
    stopped: watch::Receiver<bool>,
    connections: JoinSet<()>,
    turned_away: JoinSet<()>,
}

impl House {
    async fn accept_until(&mut self, listeners: &[TcpListener], shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut turn = 0;
        loop {
            let room = self.turned_away.len() < TURNED_AWAY_AT_ONCE;
            tokio::select! {
                biased;
                () = &mut shutdown => return,
                Some(ended) = self.connections.join_next(), if !self.connections.is_empty() => report(&ended),
                Some(_) = self.turned_away.join_next(), if !self.turned_away.is_empty() => {}
                accepted = accept(listeners, &mut turn), if room => match accepted {
                    Ok(stream) => self.begin(stream),
                    Err(error) => pause(&error).await,
                },
            }
        }
    }

    fn begin(&mut self, stream: TcpStream) {
        if self.connections.len() >= self.limits.connections {
            tracing::debug!(
                connections = self.limits.connections,
                "all HTTP connections are in use"
            );
            self.turned_away.spawn(async move {
                // Whoever does not listen is not told.
                let _ = timeout(TURN_AWAY_TIMEOUT, connection::turn_away(stream)).await;
            });
            return;
        }
        let (pages, limits, stopped) = (self.pages.clone(), self.limits, self.stopped.clone());
        self.connections
            .spawn(connection::serve(stream, pages, limits, stopped));
    }

    async fn drain(mut self) {
        let all = async {
            while let Some(ended) = self.connections.join_next().await {
                report(&ended);
            }
        };
        if timeout(self.limits.shutdown_grace, all).await.is_err() {
            tracing::debug!("cutting the HTTP connections that did not end within the grace");
        }
    }
}

/// The next connection of any socket, each getting its turn; never without a socket.
async fn accept(listeners: &[TcpListener], turn: &mut usize) -> io::Result<TcpStream> {
    poll_fn(|context| {
        for step in 0..listeners.len() {
            let index = (*turn + step) % listeners.len();
            if let Some(listener) = listeners.get(index)
                && let Poll::Ready(accepted) = listener.poll_accept(context)
            {
                *turn = index + 1;
                return Poll::Ready(accepted.map(|(stream, _client)| stream));
            }
        }
        Poll::Pending
    })
    .await
}

async fn pause(error: &io::Error) {
    // The one who came is gone again, and there may be another.
    let gone = [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset];
    if !gone.contains(&error.kind()) {
        tracing::debug!(%error, "cannot accept HTTP connections; trying on");
        sleep(ACCEPT_PAUSE).await;
    }
}

fn report(ended: &Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a bug: an HTTP connection ended in a panic");
    }
}
