//! The sockets, and the connections that come of them.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

use crate::answer::Taker;
use crate::connection::{self, Hall};
use crate::error::PushError;
use crate::limits::Limits;
use crate::request::Desk;
use crate::tls::ServerTls;

/// Pause after the system could not give us a connection, for want of descriptors or memory: to
/// try at once would only burn what is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
    /// [`PushError::Listen`].
    pub async fn bind(addresses: &[SocketAddr], limits: Limits) -> Result<Self, PushError> {
        let mut listeners = Vec::new();
        for &address in addresses {
            let listener = TcpListener::bind(address).await;
            listeners.push(listener.map_err(|source| PushError::Listen { address, source })?);
        }
        Ok(Self { listeners, limits })
    }

    /// The addresses listened on, each with the port that the system chose if it was to.
    #[must_use]
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        let known = |listener: &TcpListener| listener.local_addr().ok();
        self.listeners.iter().filter_map(known).collect()
    }

    /// Hands each segment to `taker`, with the client it comes from, until `shutdown` is done. Then
    /// the sockets are closed, and segments under way are taken within the grace.
    ///
    /// A client that is gone, or whose time is over, takes the future of `taker` with it; what was
    /// taken then stays taken, and comes again as known.
    pub async fn run(self, tls: ServerTls, taker: impl Taker, shutdown: impl Future<Output = ()>) {
        let Self { listeners, limits } = self;
        let (stop, stopped) = watch::channel(false);
        let mut house = House {
            tls,
            hall: Arc::new(Hall {
                desk: Desk::new(taker, limits),
                limits,
                seats: Arc::new(Semaphore::new(limits.connections)),
            }),
            handshakes: Arc::new(Semaphore::new(limits.handshakes)),
            stopped,
            connections: JoinSet::new(),
        };
        house.accept_until(&listeners, shutdown).await;
        drop(listeners);
        // There is no receiver left only when there is no connection.
        let _ = stop.send(true);
        house.drain().await;
    }
}

/// All that is being served.
struct House<T> {
    tls: ServerTls,
    hall: Arc<Hall<T>>,
    handshakes: Arc<Semaphore>,
    stopped: watch::Receiver<bool>,
    connections: JoinSet<()>,
}

impl<T: Taker> House<T> {
    async fn accept_until(&mut self, listeners: &[TcpListener], shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut turn = 0;
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => return,
                Some(ended) = self.connections.join_next(), if !self.connections.is_empty() => report(&ended),
                accepted = accept(listeners, &mut turn) => match accepted {
                    Ok((stream, peer)) => self.begin(stream, peer),
                    Err(error) => pause(&error).await,
                },
            }
        }
    }

    fn begin(&mut self, stream: TcpStream, peer: SocketAddr) {
        // Without TLS there is no way to say that there is no room: it is closed.
        let Ok(waiting) = Arc::clone(&self.handshakes).try_acquire_owned() else {
            tracing::debug!(%peer, "too many TLS handshakes at once");
            return;
        };
        let (acceptor, hall, stopped) = (self.tls.acceptor(), Arc::clone(&self.hall), self.stopped.clone());
        self.connections
            .spawn(connection::serve(stream, peer, acceptor, hall, stopped, waiting));
    }

    async fn drain(mut self) {
        let grace = self.hall.limits.shutdown_grace;
        let all = async {
            while let Some(ended) = self.connections.join_next().await {
                report(&ended);
            }
        };
        if timeout(grace, all).await.is_err() {
            tracing::debug!("cutting the connections of other hosts that did not end within the grace");
        }
    }
}

/// The next connection of any socket, each getting its turn; never without a socket.
async fn accept(listeners: &[TcpListener], turn: &mut usize) -> io::Result<(TcpStream, SocketAddr)> {
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

async fn pause(error: &io::Error) {
    // The one who came is gone again, and there may be another.
    let gone = [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset];
    if !gone.contains(&error.kind()) {
        tracing::debug!(%error, "cannot accept connections of other hosts; trying on");
        sleep(ACCEPT_PAUSE).await;
    }
}

fn report(ended: &Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a bug: a connection of another host ended in a panic");
    }
}
