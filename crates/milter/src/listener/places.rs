//! The places of a listener: how many there are, and who gives up theirs when all are taken.
//!
//! Whoever reaches a TCP socket, as every user of this host reaches one on loopback, can open connections and say
//! nothing. When all places are taken, a new connection therefore gets that of the oldest TCP connection that has
//! never begun a message: where two are equally idle, an octet now and then must not save the one that sends it. Each
//! has a moment to begin one, so that many honest clients at once wait for each other. A message that has begun is
//! never given up. Connections by UNIX sockets keep their places: file permissions
//! already say who may make them.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::trouble::EachMinute;
use crate::handler::Peer;

/// The share of places, in percent, from which a warning says that they run out.
const CROWDED_PERCENT: usize = 80;

/// How long a connection keeps its place at least: clients that mean it have said something by then, and a new one
/// waits no longer than that, where mail servers wait for 30 s.
const LEAST_STAY: Duration = Duration::from_secs(1);

/// The place of one connection. Clones are the same. By default nobody takes it away.
#[derive(Clone, Debug, Default)]
pub struct Place(Arc<AtomicU8>);

const WAITING: u8 = 0;
const BEGUN: u8 = 1;
const TAKEN_AWAY: u8 = 2;

impl Place {
    /// The connection has begun a message, and keeps its place from now on.
    pub fn begin_message(&self) {
        // Where it was taken away in the same moment, its task is about to end.
        let _ = self.change(BEGUN);
    }

    /// Whether it could be taken away: from here on no message begins.
    fn take_away(&self) -> bool {
        self.change(TAKEN_AWAY)
    }

    fn change(&self, to: u8) -> bool {
        let changed = self
            .0
            .compare_exchange(WAITING, to, Ordering::AcqRel, Ordering::Acquire);
        changed.is_ok()
    }

    fn is_waiting(&self) -> bool {
        self.0.load(Ordering::Acquire) == WAITING
    }
}

/// Whether there is room for one more connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is, or it can be made.
    Now,
    /// It can be made from then on.
    From(Instant),
    /// Not before a connection ends.
    None,
}

impl Room {
    /// Done when room can be made; never where none can.
    pub async fn comes(self) {
        match self {
            Self::Now => {}
            Self::From(at) => sleep_until(at).await,
            Self::None => pending().await,
        }
    }
}

/// A connection that has begun no message.
#[derive(Debug)]
struct Waiting {
    place: Place,
    task: AbortHandle,
    since: Instant,
}

impl Waiting {
    /// Whether it has ended, or cannot be dropped any more.
    fn is_over(&self) -> bool {
        self.task.is_finished() || !self.place.is_waiting()
    }

    fn stays_until(&self) -> Instant {
        self.since + LEAST_STAY
    }
}

/// The places of one listener.
#[derive(Debug)]
pub struct Places {
    limit: usize,
    /// TCP connections that had begun no message when they were last looked at, the oldest first.
    waiting: VecDeque<Waiting>,
    crowded: EachMinute,
    dropped: EachMinute,
}

impl Places {
    /// So many, at least one.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            waiting: VecDeque::new(),
            crowded: EachMinute::default(),
            dropped: EachMinute::default(),
        }
    }

    /// Whether there is room for one more beside so many connections.
    pub fn room_beside(&mut self, connections: usize) -> Room {
        while self.waiting.front().is_some_and(Waiting::is_over) {
            self.waiting.pop_front();
        }
        match self.waiting.front() {
            _ if connections < self.limit => Room::Now,
            None => Room::None,
            Some(oldest) if oldest.stays_until() <= Instant::now() => Room::Now,
            Some(oldest) => Room::From(oldest.stays_until()),
        }
    }

    /// Makes room for one more beside so many connections, where there is none; whether one was dropped for it.
    /// Should the last that could be dropped begin a message in this moment, there is one connection too many.
    pub fn make_room_beside(&mut self, connections: usize) -> bool {
        if connections < self.limit {
            return false;
        }
        let now = Instant::now();
        while self
            .waiting
            .front()
            .is_some_and(|oldest| oldest.stays_until() <= now)
            && let Some(oldest) = self.waiting.pop_front()
        {
            if !oldest.task.is_finished() && oldest.place.take_away() {
                oldest.task.abort();
                if let Some(count) = self.dropped.happened(now) {
                    tracing::warn!(
                        dropped = count,
                        limit = self.limit,
                        "all connections were taken: the oldest that had begun no message made room"
                    );
                }
                return true;
            }
        }
        false
    }

    /// A new connection has its place, as one of so many.
    pub fn admit(&mut self, peer: Peer, place: Place, task: AbortHandle, connections: usize) {
        if let Peer::Tcp(_) = peer {
            let since = Instant::now();
            self.waiting.push_back(Waiting { place, task, since });
        }
        // One that waits for hours must not keep all in the list that came after it.
        if self.waiting.len() > self.limit.saturating_mul(2) {
            self.waiting.retain(|waiting| !waiting.is_over());
        }
        let is_crowded = connections.saturating_mul(100) >= self.limit.saturating_mul(CROWDED_PERCENT);
        if is_crowded && self.crowded.happened(Instant::now()).is_some() {
            tracing::warn!(
                connections,
                limit = self.limit,
                "most connections are taken; a UNIX socket lets only the mail server connect"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::net::SocketAddr;

    use tokio::task::JoinSet;

    use super::*;

    fn tcp() -> Peer {
        Peer::Tcp(SocketAddr::from(([127, 0, 0, 1], 1)))
    }

    /// Admits connections by these peers.
    fn admit(places: &mut Places, tasks: &mut JoinSet<()>, peers: &[Peer]) -> Vec<Place> {
        let admit = |peer: &Peer| {
            let place = Place::default();
            let task = tasks.spawn(pending());
            places.admit(*peer, place.clone(), task, tasks.len());
            place
        };
        peers.iter().map(admit).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_limit_the_oldest_that_never_began_a_message_makes_room() {
        let (mut places, mut tasks) = (Places::new(3), JoinSet::new());
        let admitted = admit(&mut places, &mut tasks, &[tcp(), tcp()]);
        assert_eq!(places.room_beside(2), Room::Now);
        assert!(!places.make_room_beside(2), "there is room");
        let last = admit(&mut places, &mut tasks, &[tcp()]);
        admitted[0].begin_message();
        assert!(!places.make_room_beside(3), "it may have something to say yet");
        let room = places.room_beside(3);
        assert_eq!(room, Room::From(Instant::now() + LEAST_STAY));
        room.comes().await;
        assert_eq!(places.room_beside(3), Room::Now);
        assert!(places.make_room_beside(3));
        assert!(tasks.join_next().await.unwrap().unwrap_err().is_cancelled());
        assert!(!admitted[1].is_waiting() && last[0].is_waiting());
        last[0].begin_message();
        assert_eq!(places.room_beside(3), Room::None);
        assert!(!places.make_room_beside(3));
        assert_eq!(tasks.len(), 2, "no message is given up");
    }

    #[tokio::test(start_paused = true)]
    async fn connections_by_unix_sockets_keep_their_places() {
        let (mut places, mut tasks) = (Places::new(1), JoinSet::new());
        admit(&mut places, &mut tasks, &[Peer::Unix]);
        tokio::time::advance(LEAST_STAY).await;
        assert_eq!(places.room_beside(1), Room::None);
        assert!(!places.make_room_beside(1));
    }

    #[tokio::test]
    async fn what_is_remembered_of_connections_has_a_limit() {
        let (mut places, mut tasks) = (Places::new(2), JoinSet::new());
        let peers = [tcp(); 100];
        let first = admit(&mut places, &mut tasks, &peers[..1]);
        for peer in peers {
            admit(&mut places, &mut tasks, &[peer])[0].begin_message();
            assert!(places.waiting.len() <= 5, "{places:?}");
        }
        assert!(first[0].is_waiting());
    }
}
