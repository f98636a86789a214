//! The loop that accepts connections, and sees them out at shutdown.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

use crate::address::SocketAddress;
use crate::backoff::AcceptBackoff;
use crate::listeners::Listeners;
use crate::peer::Peer;
use crate::slots::{ConnectionSlot, ConnectionSlots, Vacancy, WhenFull};
use crate::socket::Stream;
use crate::statistics::AcceptGauge;

/// Bounds of an [`AcceptLoop`], all of its sockets together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptLimits {
    /// Connections at once; at least 1.
    pub connections: usize,
    /// What becomes of one more.
    pub when_full: WhenFull,
    /// How long connections may take to end at shutdown.
    pub shutdown_grace: Duration,
}

/// A connection that was accepted.
pub struct Connection {
    /// Octets in both directions.
    pub stream: Box<dyn Stream>,
    /// Where it comes from.
    pub peer: Peer,
    /// Its slot; to be told of messages where [`WhenFull::Drop`] holds.
    pub slot: ConnectionSlot,
    /// Becomes `true` when the connection is to end.
    pub stopped: watch::Receiver<bool>,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Connections that ended by themselves within the grace.
    pub finished: usize,
    /// Connections that had to be cut, with a message under way.
    pub cut: usize,
}

/// Accepts the connections of one server.
#[derive(Debug)]
pub struct AcceptLoop {
    server: &'static str,
    listeners: Listeners,
    limits: AcceptLimits,
    gauge: AcceptGauge,
}

impl AcceptLoop {
    /// Of these sockets. `server` names the server in the log.
    #[must_use]
    pub fn new(server: &'static str, listeners: Listeners, limits: AcceptLimits) -> Self {
        let connections = limits.connections.max(1);
        Self {
            server,
            listeners,
            limits: AcceptLimits {
                connections,
                ..limits
            },
            gauge: AcceptGauge::with_limit(connections),
        }
    }

    /// The addresses listened on, each with the port that the system chose if it was to.
    #[must_use]
    pub fn local_addresses(&self) -> Vec<SocketAddress> {
        self.listeners.local_addresses()
    }

    /// Reads what the loop has done while it runs.
    #[must_use]
    pub fn gauge(&self) -> AcceptGauge {
        self.gauge.clone()
    }

    /// Calls `serve` for each connection, and runs what it returns in a task of its own, until `shutdown` is
    /// done. Then the sockets are closed, and connections may end within the grace: [`Connection::stopped`] is `true`.
    pub async fn run<F>(self, serve: impl Fn(Connection) -> F, shutdown: impl Future<Output = ()>) -> Drained
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Self {
            server,
            mut listeners,
            limits,
            gauge,
        } = self;
        let (stop, stopped) = watch::channel(false);
        let mut open = OpenConnections {
            server,
            limits,
            slots: ConnectionSlots::new(limits.connections, limits.when_full),
            gauge,
            backoff: AcceptBackoff::default(),
            has_warned: false,
            tasks: JoinSet::new(),
        };
        open.gauge.count(|all| all.accepting = true);
        let begin = |stream, peer, slot| {
            let stopped = stopped.clone();
            serve(Connection {
                stream,
                peer,
                slot,
                stopped,
            })
        };
        open.accept_until(&mut listeners, begin, shutdown).await;
        open.gauge.count(|all| all.accepting = false);
        drop(listeners);
        // There is no receiver left only when there is no connection.
        let _ = stop.send(true);
        open.drain().await
    }
}

struct OpenConnections {
    server: &'static str,
    limits: AcceptLimits,
    slots: ConnectionSlots,
    gauge: AcceptGauge,
    backoff: AcceptBackoff,
    /// Whether the log says that all slots were taken.
    has_warned: bool,
    tasks: JoinSet<()>,
}

impl OpenConnections {
    async fn accept_until<F>(
        &mut self,
        listeners: &mut Listeners,
        serve: impl Fn(Box<dyn Stream>, Peer, ConnectionSlot) -> F,
        shutdown: impl Future<Output = ()>,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut shutdown = pin!(shutdown);
        let freed = self.slots.freed();
        let mut was_full = false;
        loop {
            let is_full = self.tasks.len() >= self.limits.connections;
            if is_full && !was_full {
                self.gauge.count(|all| all.full += 1);
            }
            was_full = is_full;
            let vacancy = self.slots.vacancy_beside(self.tasks.len());
            self.warn_once_without(vacancy, listeners);
            tokio::select! {
                biased;
                () = &mut shutdown => return,
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => report(self.server, &ended),
                accepted = listeners.accept(), if vacancy == Vacancy::Now => match accepted {
                    Ok((stream, peer)) => self.begin(stream, peer, &serve),
                    Err(error) => self.pause(&error, listeners).await,
                },
                () = vacancy.comes(), if vacancy != Vacancy::Now => {}
                () = freed.notified(), if vacancy != Vacancy::Now => {}
            }
        }
    }

    fn begin<F>(
        &mut self,
        stream: Box<dyn Stream>,
        peer: Peer,
        serve: impl Fn(Box<dyn Stream>, Peer, ConnectionSlot) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        self.backoff.reset();
        if self.slots.free_slot_beside(self.tasks.len()) {
            self.gauge.count(|all| all.dropped += 1);
        }
        let slot = self.slots.slot();
        let counted = self.gauge.begin();
        let served = serve(stream, peer, slot.clone());
        let task = self.tasks.spawn(async move {
            let _counted = counted;
            served.await;
        });
        self.slots.admit(peer, slot, task, self.tasks.len());
    }

    async fn pause(&mut self, error: &io::Error, listeners: &Listeners) {
        let Some(pause) = self.backoff.pause_after(error, listeners) else {
            return;
        };
        self.gauge.count(|all| {
            all.accept_failures += 1;
            all.accepting = false;
        });
        sleep(pause).await;
        // A client that waited may be gone, and then no attempt would show that all is well again.
        self.gauge.count(|all| all.accepting = true);
    }

    fn warn_once_without(&mut self, vacancy: Vacancy, listeners: &Listeners) {
        let is_worth_a_line = vacancy == Vacancy::None && self.limits.when_full == WhenFull::Drop;
        if is_worth_a_line && !self.has_warned {
            tracing::warn!(
                server = self.server,
                sockets = ?listeners,
                limit = self.limits.connections,
                "all connections are taken: clients wait until one ends"
            );
            self.has_warned = true;
        }
    }

    async fn drain(mut self) -> Drained {
        let server = self.server;
        let mut finished = 0;
        let all = async {
            while let Some(ended) = self.tasks.join_next().await {
                report(server, &ended);
                finished += 1;
            }
        };
        let in_time = timeout(self.limits.shutdown_grace, all).await.is_ok();
        let cut = self.tasks.len();
        if !in_time {
            tracing::warn!(
                server,
                connections = cut,
                "cutting the connections that did not end within the grace"
            );
            self.tasks.shutdown().await;
        }
        Drained { finished, cut }
    }
}

/// A server guards its sessions against their bugs; what gets through is a bug of the server.
fn report(server: &str, ended: &Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(server, %error, "a bug: a connection ended in a panic");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    use super::*;
    use crate::socket::UnixAccess;

    struct Served {
        address: String,
        most: Arc<AtomicUsize>,
        stop: oneshot::Sender<()>,
        accept_loop: tokio::task::JoinHandle<Drained>,
    }

    /// Whether a connection has begun a message from its start, or with its first octet.
    #[derive(Clone, Copy, PartialEq)]
    enum Begins {
        AtOnce,
        WithAnOctet,
    }

    /// Echoes one octet and notes how many were served at once.
    async fn serve(connections: usize, grace: Duration, begins: Begins) -> Served {
        let wanted: SocketAddress = "inet:127.0.0.1:0".parse().unwrap();
        let listeners = Listeners::bind(&[wanted], &UnixAccess::default()).await.unwrap();
        let address = match listeners.local_addresses().remove(0) {
            SocketAddress::Inet { host, port, .. } => format!("{}:{port}", host.unwrap()),
            SocketAddress::Unix(_) => unreachable!(),
        };
        let (stop, stopped) = oneshot::channel();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let limits = AcceptLimits {
            connections,
            when_full: WhenFull::Drop,
            shutdown_grace: grace,
        };
        let seen = Arc::clone(&most);
        let accept_loop = AcceptLoop::new("test", listeners, limits).run(
            move |Connection { mut stream, slot, .. }| {
                let (now, seen) = (Arc::clone(&now), Arc::clone(&seen));
                if begins == Begins::AtOnce {
                    slot.begin_message();
                }
                async move {
                    let count = now.fetch_add(1, Ordering::SeqCst) + 1;
                    seen.fetch_max(count, Ordering::SeqCst);
                    let mut octet = [0];
                    if stream.read_exact(&mut octet).await.is_ok() {
                        slot.begin_message();
                        let _ = stream.write_all(&octet).await;
                    }
                    now.fetch_sub(1, Ordering::SeqCst);
                }
            },
            async {
                let _ = stopped.await;
            },
        );
        Served {
            address,
            most,
            stop,
            accept_loop: tokio::spawn(accept_loop),
        }
    }

    async fn ask(address: &str) -> TcpStream {
        TcpStream::connect(address).await.unwrap()
    }

    async fn answer(mut stream: TcpStream) -> u8 {
        stream.write_all(b"x").await.unwrap();
        stream.read_u8().await.unwrap()
    }

    #[tokio::test]
    async fn one_past_the_limit_waits_until_another_has_ended() {
        let served = serve(2, Duration::from_secs(5), Begins::AtOnce).await;
        let clients = [
            ask(&served.address).await,
            ask(&served.address).await,
            ask(&served.address).await,
        ];
        let [first, second, third] = clients;
        assert_eq!(answer(first).await, b'x');
        assert_eq!(answer(second).await, b'x');
        assert_eq!(answer(third).await, b'x');
        assert!(served.most.load(Ordering::SeqCst) <= 2);
        served.stop.send(()).unwrap();
        assert_eq!(served.accept_loop.await.unwrap().cut, 0);
    }

    #[tokio::test]
    async fn clients_that_say_nothing_make_room_for_those_that_do() {
        let served = serve(2, Duration::ZERO, Begins::WithAnOctet).await;
        let mut silent = [ask(&served.address).await, ask(&served.address).await];
        assert_eq!(answer(ask(&served.address).await).await, b'x');
        // The oldest of them.
        assert_eq!(silent[0].read(&mut [0]).await.unwrap(), 0);
        let [_, younger] = silent;
        assert_eq!(answer(younger).await, b'x');
        served.stop.send(()).unwrap();
        assert_eq!(served.accept_loop.await.unwrap().cut, 0);
    }

    #[tokio::test]
    async fn a_connection_that_does_not_end_within_the_grace_is_cut() {
        let served = serve(2, Duration::ZERO, Begins::AtOnce).await;
        let mut silent = ask(&served.address).await;
        assert_eq!(answer(ask(&served.address).await).await, b'x');
        served.stop.send(()).unwrap();
        assert_eq!(served.accept_loop.await.unwrap().cut, 1);
        assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
        assert!(TcpStream::connect(&served.address).await.is_err());
    }
}
