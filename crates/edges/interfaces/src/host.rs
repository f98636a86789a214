//! Connections by the sockets of a door: so many at once, and an end to them.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use landmarc_milter::{AcceptTrouble, Drained, Listeners, Peer, Place, Places, Room, Stream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

/// Bounds of a host, all of its sockets together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostLimits {
    /// Connections at once. At the limit a new one gets the place of the oldest TCP connection that has begun no
    /// message; without one, no more are accepted until one ends: clients wait in the socket's queue. At least 1.
    pub connections: usize,
    /// How long connections may take to end when the host is to stop.
    pub shutdown_grace: Duration,
}

/// Who lets connections in, and sees them out.
#[derive(Debug)]
pub struct Host {
    listeners: Listeners,
    limits: HostLimits,
    connections: JoinSet<()>,
    places: Places,
    trouble: AcceptTrouble,
    /// Whether it was said that there is no room.
    is_full: bool,
}

impl Host {
    /// Of these sockets.
    #[must_use]
    pub fn new(listeners: Listeners, limits: HostLimits) -> Self {
        Self {
            listeners,
            limits,
            connections: JoinSet::new(),
            places: Places::new(limits.connections),
            trouble: AcceptTrouble::default(),
            is_full: false,
        }
    }

    /// Calls `serve` for each connection, in a task of its own, until `shutdown` is done. Then the sockets
    /// are closed, and connections may end within the grace: the channel they are given says `true`.
    pub async fn run<F>(
        mut self,
        serve: impl Fn(Box<dyn Stream>, Peer, watch::Receiver<bool>, Place) -> F,
        shutdown: impl Future<Output = ()>,
    ) -> Drained
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, stopped) = watch::channel(false);
        let mut shutdown = pin!(shutdown);
        loop {
            let room = self.places.room_beside(self.connections.len());
            self.tell_if_full(room != Room::None);
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(ended) = self.connections.join_next(), if !self.connections.is_empty() => report(&ended),
                accepted = self.listeners.accept(), if room == Room::Now => match accepted {
                    Ok((stream, peer)) => {
                        self.trouble.is_over();
                        self.places.make_room_beside(self.connections.len());
                        let place = Place::default();
                        let served = serve(stream, peer, stopped.clone(), place.clone());
                        let task = self.connections.spawn(served);
                        self.places.admit(peer, place, task, self.connections.len());
                    }
                    Err(error) => {
                        if let Some(pause) = self.trouble.pause_after(&error, &self.listeners) {
                            sleep(pause).await;
                        }
                    }
                },
                () = room.comes(), if room != Room::Now => {}
            }
        }
        let Self {
            listeners,
            limits,
            connections,
            ..
        } = self;
        drop(listeners);
        // There is no receiver left only when there is no connection.
        let _ = stop.send(true);
        drop(stopped);
        drain(connections, limits.shutdown_grace).await
    }

    fn tell_if_full(&mut self, room: bool) {
        if !room && !self.is_full {
            tracing::warn!(
                sockets = ?self.listeners,
                connections = self.limits.connections,
                "all connections of a door are taken: clients wait until one ends"
            );
        }
        self.is_full |= !room;
    }
}

async fn drain(mut connections: JoinSet<()>, grace: Duration) -> Drained {
    let mut finished = 0;
    let all = async {
        while let Some(ended) = connections.join_next().await {
            report(&ended);
            finished += 1;
        }
    };
    let in_time = timeout(grace, all).await.is_ok();
    let cut = connections.len();
    if !in_time {
        tracing::warn!(
            connections = cut,
            "cutting the connections of a door that did not end within the grace"
        );
        connections.shutdown().await;
    }
    Drained { finished, cut }
}

fn report(ended: &Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a bug: a connection of a door ended in a panic");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use landmarc_milter::{SocketAddress, UnixAccess};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    use super::*;

    struct Served {
        address: String,
        most: Arc<AtomicUsize>,
        stop: oneshot::Sender<()>,
        host: tokio::task::JoinHandle<Drained>,
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
        let limits = HostLimits {
            connections,
            shutdown_grace: grace,
        };
        let seen = Arc::clone(&most);
        let host = Host::new(listeners, limits).run(
            move |mut stream, _, _, place| {
                let (now, seen) = (Arc::clone(&now), Arc::clone(&seen));
                if begins == Begins::AtOnce {
                    place.begin_message();
                }
                async move {
                    let count = now.fetch_add(1, Ordering::SeqCst) + 1;
                    seen.fetch_max(count, Ordering::SeqCst);
                    let mut octet = [0];
                    if stream.read_exact(&mut octet).await.is_ok() {
                        place.begin_message();
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
            host: tokio::spawn(host),
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
        assert_eq!(served.host.await.unwrap().cut, 0);
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
        assert_eq!(served.host.await.unwrap().cut, 0);
    }

    #[tokio::test]
    async fn who_does_not_end_within_the_grace_is_cut() {
        let served = serve(2, Duration::ZERO, Begins::AtOnce).await;
        let mut silent = ask(&served.address).await;
        assert_eq!(answer(ask(&served.address).await).await, b'x');
        served.stop.send(()).unwrap();
        assert_eq!(served.host.await.unwrap().cut, 1);
        assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
        assert!(TcpStream::connect(&served.address).await.is_err());
    }
}
