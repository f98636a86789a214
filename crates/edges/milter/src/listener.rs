//! Sockets that wait for MTAs, and the conversations that come of them.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use landmarc_net::{
    AcceptTrouble, ListenError, Listeners, Peer, Places, Room, SocketAddress, Stream, UnixAccess,
};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

use crate::handler::Service;
use crate::options::ServerOptions;
use crate::session::{Context, SessionError, serve};
use crate::statistics::{Counters, Gauge};

/// Sockets that are open, and not yet served.
#[derive(Debug)]
pub struct Server {
    listeners: Listeners,
    options: ServerOptions,
    counters: Arc<Counters>,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Connections that ended by themselves within the grace.
    pub finished: usize,
    /// Connections that had to be cut, with a message under way.
    pub cut: usize,
}

impl Server {
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
        let counters = Arc::new(Counters::with_limit(options.max_sessions.max(1)));
        Ok(Self {
            listeners,
            options,
            counters,
        })
    }

    /// The addresses listened on, each with the port that the system chose if it was to.
    #[must_use]
    pub fn local_addresses(&self) -> Vec<SocketAddress> {
        self.listeners.local_addresses()
    }

    /// What tells of the server while it runs.
    #[must_use]
    pub fn gauge(&self) -> Gauge {
        Gauge(Arc::clone(&self.counters))
    }

    /// Serves until `shutdown` is done. Then the sockets are closed, connections at
    /// rest are ended, and messages under way may end within the grace.
    pub async fn run<S: Service>(self, service: S, shutdown: impl Future<Output = ()>) -> Drained {
        let Self {
            mut listeners,
            options,
            counters,
        } = self;
        let (stop, stopped) = watch::channel(false);
        let grace = options.shutdown_grace;
        let mut house = House {
            places: Places::new(options.max_sessions),
            limit: options.max_sessions.max(1),
            trouble: AcceptTrouble::default(),
            service: Arc::new(service),
            context: Context::new(options)
                .with_counters(Arc::clone(&counters))
                .with_shutdown(stopped),
            sessions: JoinSet::new(),
        };
        counters.set_accepting(true);
        house.accept_until(&mut listeners, shutdown).await;
        counters.set_accepting(false);
        drop(listeners);
        // There is no receiver left only when there is no session.
        let _ = stop.send(true);
        house.drain(grace).await
    }
}

/// All that is being served.
struct House<S> {
    places: Places,
    limit: usize,
    trouble: AcceptTrouble,
    service: Arc<S>,
    context: Context,
    sessions: JoinSet<()>,
}

impl<S: Service> House<S> {
    async fn accept_until(&mut self, listeners: &mut Listeners, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let freed = self.places.freed();
        let mut was_full = false;
        loop {
            let open = self.sessions.len();
            let is_full = open >= self.limit;
            if is_full && !was_full {
                self.context.counters.full();
            }
            was_full = is_full;
            let room = self.places.room_beside(open);
            if room == Room::None && self.context.notices.no_room.first_time() {
                tracing::warn!(
                    max_sessions = self.limit,
                    "all sessions are taken: MTAs wait until one ends; see max_sessions"
                );
            }
            tokio::select! {
                biased;
                () = &mut shutdown => return,
                Some(ended) = self.sessions.join_next(), if !self.sessions.is_empty() => report(&ended),
                accepted = listeners.accept(), if room == Room::Now => match accepted {
                    Ok((stream, peer)) => self.begin(stream, peer),
                    Err(error) => self.pause(&error, listeners).await,
                },
                () = room.comes(), if room != Room::Now => {}
                () = freed.notified(), if room == Room::None => {}
            }
        }
    }

    fn begin(&mut self, stream: Box<dyn Stream>, peer: Peer) {
        self.trouble.is_over();
        if self.places.make_room_beside(self.sessions.len()) {
            self.context.counters.dropped();
        }
        let place = self.places.place();
        let place_of_session = place.clone();
        let context = self.context.clone().with_place(place.clone());
        let service = Arc::clone(&self.service);
        let served = self.context.counters.begin();
        let task = self.sessions.spawn(async move {
            let _served = served;
            match serve(stream, &*service, peer, &context).await {
                Ok(end) => tracing::debug!(%peer, ?end, "the session ended"),
                Err(error) => note_early_end(peer, &error, place_of_session.has_begun(), &context),
            }
        });
        self.places.admit(peer, place, task, self.sessions.len());
    }

    async fn pause(&mut self, error: &io::Error, listeners: &Listeners) {
        let Some(pause) = self.trouble.pause_after(error, listeners) else {
            return;
        };
        self.context.counters.accept_failed();
        sleep(pause).await;
        // Whoever waited may be gone, and then no attempt would show that all is well again.
        self.context.counters.set_accepting(true);
    }

    async fn drain(mut self, grace: Duration) -> Drained {
        let mut finished = 0;
        let all = async {
            while let Some(ended) = self.sessions.join_next().await {
                report(&ended);
                finished += 1;
            }
        };
        let in_time = timeout(grace, all).await.is_ok();
        let cut = self.sessions.len();
        if !in_time {
            tracing::warn!(
                sessions = cut,
                "cutting the sessions that did not end within the grace"
            );
            self.sessions.shutdown().await;
        }
        Drained { finished, cut }
    }
}

/// A session guards itself against its own bugs; what gets through is one of ours.
fn report(ended: &Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a bug: a session ended in a panic");
    }
}

fn note_early_end(peer: Peer, error: &SessionError, has_begun: bool, context: &Context) {
    if error.is_protocol_error() {
        context.counters.protocol_error();
    } else {
        context.counters.interrupted();
    }
    let cause = std::error::Error::source(error).map(ToString::to_string);
    // Each user of this host can end as many sessions as they like, and fill the log with it.
    let is_worth_a_line = has_begun || matches!(error, SessionError::Negotiation(_));
    let count = is_worth_a_line.then(|| context.notices.early_ends.happened());
    match count.flatten() {
        Some(sessions) => tracing::warn!(%peer, %error, cause, sessions, "the session ended early"),
        None => tracing::debug!(%peer, %error, cause, "the session ended early"),
    }
}
