//! The places of a listener: how many there are, and who gives up theirs when all are taken.
//!
//! Whoever reaches a TCP socket, as every user of this host reaches one on loopback, can open connections and say
//! nothing. When all places are taken, a new connection therefore gets that of the oldest TCP connection that has
//! never begun a message: where two are equally idle, an octet now and then must not save the one that sends it. Each
//! has a moment to begin one, so that many honest clients at once wait for each other. Where all have begun one, the
//! connection makes room that has been between messages the longest. Where its SMTP client sends one more
//! message after all, the MTA does with it as without a filter (Postfix: `milter_default_action`).
//! A message that is under way is never given up. Connections by UNIX sockets keep their places: file permissions
//! already say who may make them.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use crate::peer::Peer;
use crate::trouble::EachMinute;

/// The share of places, in percent, from which a warning says that they run out.
const CROWDED_PERCENT: usize = 80;

/// How long a connection keeps its place at least, from its beginning and after each message: clients that mean it
/// have said something by then, and a new one waits no longer than that, where mail servers wait for 30 s.
const LEAST_STAY: Duration = Duration::from_secs(1);

/// The place of one connection. Clones are the same. By default nobody takes it away.
#[derive(Clone, Debug, Default)]
pub struct Place(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Hears of messages that are over.
    freed: Arc<Notify>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// No message has begun yet.
    #[default]
    Waiting,
    WithinMessage,
    /// Since then.
    BetweenMessages(Instant),
    TakenAway,
}

impl Place {
    /// The connection has begun a message, and keeps its place until that is over.
    pub fn begin_message(&self) {
        let mut state = self.state();
        // Where it was taken away in the same moment, its task is about to end.
        if *state != State::TakenAway {
            *state = State::WithinMessage;
        }
    }

    /// No message is under way any more, if one was.
    pub fn end_message(&self) {
        let mut state = self.state();
        if *state == State::WithinMessage {
            *state = State::BetweenMessages(Instant::now());
            self.0.freed.notify_one();
        }
    }

    /// Whether the connection has ever begun a message.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        matches!(*self.state(), State::WithinMessage | State::BetweenMessages(_))
    }

    /// Whether it could be taken away: from here on no message begins.
    fn take_away(&self) -> bool {
        let mut state = self.state();
        let is_free = matches!(*state, State::Waiting | State::BetweenMessages(_));
        if is_free {
            *state = State::TakenAway;
        }
        is_free
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No panic happens under the lock.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
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

/// A TCP connection.
#[derive(Debug)]
struct Admitted {
    place: Place,
    task: AbortHandle,
    since: Instant,
}

/// Who makes room: the least does. First those that have begun no message, then those between messages.
type Turn = (bool, Instant);

impl Admitted {
    /// `None` within a message, and after the end.
    fn turn(&self) -> Option<Turn> {
        if self.task.is_finished() {
            return None;
        }
        match *self.place.state() {
            State::Waiting => Some((false, self.since)),
            State::BetweenMessages(since) => Some((true, since)),
            State::WithinMessage | State::TakenAway => None,
        }
    }
}

/// The places of one listener.
#[derive(Debug)]
pub struct Places {
    limit: usize,
    /// TCP connections, the oldest first, and some that have ended.
    admitted: Vec<Admitted>,
    freed: Arc<Notify>,
    crowded: EachMinute,
    dropped: EachMinute,
}

impl Places {
    /// So many, at least one.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            admitted: Vec::new(),
            freed: Arc::default(),
            crowded: EachMinute::default(),
            dropped: EachMinute::default(),
        }
    }

    /// The place of a connection to come.
    #[must_use]
    pub fn place(&self) -> Place {
        Place(Arc::new(Shared {
            state: Mutex::default(),
            freed: Arc::clone(&self.freed),
        }))
    }

    /// Notified when a message is over: there may be room then.
    #[must_use]
    pub fn freed(&self) -> Arc<Notify> {
        Arc::clone(&self.freed)
    }

    /// Whether there is room for one more beside so many connections.
    #[must_use]
    pub fn room_beside(&self, connections: usize) -> Room {
        if connections < self.limit {
            return Room::Now;
        }
        match self.next_turn() {
            None => Room::None,
            Some((_, (_, since))) if since + LEAST_STAY <= Instant::now() => Room::Now,
            Some((_, (_, since))) => Room::From(since + LEAST_STAY),
        }
    }

    /// Makes room for one more beside so many connections, where there is none; whether one was dropped for it.
    /// Should the last that could be dropped begin a message in this moment, there is one connection too many.
    pub fn make_room_beside(&mut self, connections: usize) -> bool {
        if connections < self.limit {
            return false;
        }
        let now = Instant::now();
        while let Some((next, (between_messages, since))) = self.next_turn()
            && since + LEAST_STAY <= now
        {
            if next.place.take_away() {
                next.task.abort();
                if let Some(count) = self.dropped.happened(now) {
                    tracing::warn!(
                        dropped = count,
                        limit = self.limit,
                        between_messages,
                        "all connections were taken: one without a message under way made room"
                    );
                }
                return true;
            }
        }
        false
    }

    fn next_turn(&self) -> Option<(&Admitted, Turn)> {
        let turns = self.admitted.iter();
        turns
            .filter_map(|admitted| Some((admitted, admitted.turn()?)))
            .min_by_key(|(_, turn)| *turn)
    }

    /// A new connection has its place, as one of so many.
    pub fn admit(&mut self, peer: Peer, place: Place, task: AbortHandle, connections: usize) {
        if let Peer::Tcp(_) = peer {
            let since = Instant::now();
            self.admitted.push(Admitted { place, task, since });
        }
        if self.admitted.len() > self.limit.saturating_mul(2) {
            self.admitted.retain(|admitted| !admitted.task.is_finished());
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
            let place = places.place();
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
        assert_eq!(*admitted[1].state(), State::TakenAway);
        assert_eq!(*last[0].state(), State::Waiting);
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

    #[tokio::test(start_paused = true)]
    async fn where_all_have_begun_a_message_the_one_idle_the_longest_between_them_makes_room() {
        let (mut places, mut tasks) = (Places::new(3), JoinSet::new());
        let admitted = admit(&mut places, &mut tasks, &[tcp(), tcp(), tcp()]);
        for place in &admitted {
            place.begin_message();
        }
        assert_eq!(places.room_beside(3), Room::None);
        let freed = places.freed();
        admitted[2].end_message();
        freed.notified().await;
        assert_eq!(places.room_beside(3), Room::From(Instant::now() + LEAST_STAY));
        tokio::time::advance(LEAST_STAY).await;
        // A moment ago, and one that says something all the time is no younger for it.
        admitted[1].end_message();
        admitted[2].end_message();
        assert_eq!(places.room_beside(3), Room::Now);
        assert!(places.make_room_beside(3));
        assert_eq!(*admitted[2].state(), State::TakenAway);
        assert!(!places.make_room_beside(3), "the next message may follow at once");
        admitted[1].begin_message();
        tokio::time::advance(LEAST_STAY).await;
        assert_eq!(places.room_beside(3), Room::None, "messages are under way");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_never_began_a_message_makes_room_before_those_between_messages() {
        let (mut places, mut tasks) = (Places::new(2), JoinSet::new());
        let admitted = admit(&mut places, &mut tasks, &[tcp(), tcp()]);
        admitted[0].begin_message();
        admitted[0].end_message();
        tokio::time::advance(LEAST_STAY).await;
        assert!(places.make_room_beside(2));
        assert_eq!(*admitted[1].state(), State::TakenAway);
        assert!(admitted[0].has_begun());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_of_connections_has_a_limit() {
        let (mut places, mut tasks) = (Places::new(2), JoinSet::new());
        let first = admit(&mut places, &mut tasks, &[tcp()]);
        for _ in 0..100 {
            let place = places.place();
            let task = tasks.spawn(async {});
            places.admit(tcp(), place, task, 2);
            tokio::task::yield_now().await;
            assert!(places.admitted.len() <= 5, "{places:?}");
        }
        tokio::time::advance(LEAST_STAY).await;
        assert!(places.make_room_beside(2));
        assert_eq!(*first[0].state(), State::TakenAway, "it is still known");
    }
}
