//! Which connection is dropped for another when all slots of a server are taken.
//!
//! Whoever reaches a TCP socket, as every user of this host reaches one on loopback, can open connections and say
//! nothing. When all slots are taken, a new connection therefore gets that of the oldest TCP connection that has
//! never begun a message: where two are equally idle, an octet now and then must not save the one that sends it. Each
//! has a second to begin one, so that many honest clients at once wait for each other. Where all have begun one, the
//! connection is dropped that has been between messages the longest. Where its SMTP client sends one more
//! message after all, the MTA does with it as without a filter (Postfix: `milter_default_action`).
//! A message that is under way is never dropped. Connections by UNIX sockets keep their slots: file permissions
//! already say who may make them.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use crate::log_limit::LogLimit;
use crate::peer::Peer;

/// The share of slots, in percent, from which a warning says that they run out.
const CROWDED_PERCENT: usize = 80;

/// How long a connection keeps its slot at least, from its beginning and after each message: clients that mean it
/// have said something by then, and a new one waits no longer than that, where mail servers wait for 30 s.
const LEAST_STAY: Duration = Duration::from_secs(1);

/// The slot of one connection among those of its server. Clones are the same. The default one is never taken away.
#[derive(Clone, Debug, Default)]
pub struct ConnectionSlot(Arc<SlotState>);

#[derive(Debug, Default)]
struct SlotState {
    phase: Mutex<SlotPhase>,
    /// Notified when a message is over.
    freed: Arc<Notify>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum SlotPhase {
    /// No message has begun yet.
    #[default]
    Waiting,
    WithinMessage,
    /// Since then.
    BetweenMessages(Instant),
    TakenAway,
}

impl ConnectionSlot {
    /// The connection has begun a message, and keeps its slot until that is over.
    pub fn begin_message(&self) {
        let mut phase = self.phase();
        // Where it was taken away in the same moment, its task is about to end.
        if *phase != SlotPhase::TakenAway {
            *phase = SlotPhase::WithinMessage;
        }
    }

    /// No message is under way any more, if one was.
    pub fn end_message(&self) {
        let mut phase = self.phase();
        if *phase == SlotPhase::WithinMessage {
            *phase = SlotPhase::BetweenMessages(Instant::now());
            self.0.freed.notify_one();
        }
    }

    /// Whether the connection has ever begun a message.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        matches!(
            *self.phase(),
            SlotPhase::WithinMessage | SlotPhase::BetweenMessages(_)
        )
    }

    /// Whether it could be taken away: from here on no message begins.
    fn take_away(&self) -> bool {
        let mut phase = self.phase();
        let is_free = matches!(*phase, SlotPhase::Waiting | SlotPhase::BetweenMessages(_));
        if is_free {
            *phase = SlotPhase::TakenAway;
        }
        is_free
    }

    fn phase(&self) -> MutexGuard<'_, SlotPhase> {
        // No panic happens under the lock.
        self.0.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a slot is free for one more connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vacancy {
    /// One is, or can be freed.
    Now,
    /// One can be freed from then on.
    From(Instant),
    /// Not before a connection ends.
    None,
}

impl Vacancy {
    /// Done when a slot can be freed; never where none can.
    pub(crate) async fn comes(self) {
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
    slot: ConnectionSlot,
    task: AbortHandle,
    since: Instant,
}

/// The connection that is dropped next has the least: first those that have begun no message, then those between
/// messages.
type DropOrder = (bool, Instant);

impl Admitted {
    /// `None` within a message, and after the end.
    fn drop_order(&self) -> Option<DropOrder> {
        if self.task.is_finished() {
            return None;
        }
        match *self.slot.phase() {
            SlotPhase::Waiting => Some((false, self.since)),
            SlotPhase::BetweenMessages(since) => Some((true, since)),
            SlotPhase::WithinMessage | SlotPhase::TakenAway => None,
        }
    }
}

/// What becomes of a connection that comes when all slots are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The oldest TCP connection that has begun no message is dropped for it. Without one it waits.
    Drop,
    /// It waits in the queue of the socket until a connection ends.
    Wait,
}

/// The slots of one server.
#[derive(Debug)]
pub(crate) struct ConnectionSlots {
    limit: usize,
    when_full: WhenFull,
    /// TCP connections, the oldest first, and some that have ended.
    admitted: Vec<Admitted>,
    freed: Arc<Notify>,
    crowded: LogLimit,
    dropped: LogLimit,
}

impl ConnectionSlots {
    /// So many, at least one.
    pub(crate) fn new(limit: usize, when_full: WhenFull) -> Self {
        Self {
            limit: limit.max(1),
            when_full,
            admitted: Vec::new(),
            freed: Arc::default(),
            crowded: LogLimit::default(),
            dropped: LogLimit::default(),
        }
    }

    /// The slot of a connection to come.
    pub(crate) fn slot(&self) -> ConnectionSlot {
        ConnectionSlot(Arc::new(SlotState {
            phase: Mutex::default(),
            freed: Arc::clone(&self.freed),
        }))
    }

    /// Notified when a message is over: a slot may be free then.
    pub(crate) fn freed(&self) -> Arc<Notify> {
        Arc::clone(&self.freed)
    }

    /// Whether a slot is free for one more beside so many connections.
    pub(crate) fn vacancy_beside(&self, connections: usize) -> Vacancy {
        if connections < self.limit {
            return Vacancy::Now;
        }
        match self.next_to_drop() {
            None => Vacancy::None,
            Some((_, (_, since))) if since + LEAST_STAY <= Instant::now() => Vacancy::Now,
            Some((_, (_, since))) => Vacancy::From(since + LEAST_STAY),
        }
    }

    /// Drops a connection where there is no slot for one more beside so many; whether it did.
    /// Should the last that could be dropped begin a message in this moment, there is one connection too many.
    pub(crate) fn free_slot_beside(&mut self, connections: usize) -> bool {
        if connections < self.limit {
            return false;
        }
        let now = Instant::now();
        while let Some((next, (between_messages, since))) = self.next_to_drop()
            && since + LEAST_STAY <= now
        {
            if next.slot.take_away() {
                next.task.abort();
                if let Some(count) = self.dropped.count() {
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

    fn next_to_drop(&self) -> Option<(&Admitted, DropOrder)> {
        let turns = self.admitted.iter();
        turns
            .filter_map(|admitted| Some((admitted, admitted.drop_order()?)))
            .min_by_key(|(_, turn)| *turn)
    }

    /// A new connection has its slot, as one of so many.
    pub(crate) fn admit(&mut self, peer: Peer, slot: ConnectionSlot, task: AbortHandle, connections: usize) {
        if self.when_full == WhenFull::Wait {
            return;
        }
        if let Peer::Tcp(_) = peer {
            let since = Instant::now();
            self.admitted.push(Admitted { slot, task, since });
        }
        if self.admitted.len() > self.limit.saturating_mul(2) {
            self.admitted.retain(|admitted| !admitted.task.is_finished());
        }
        let is_crowded = connections.saturating_mul(100) >= self.limit.saturating_mul(CROWDED_PERCENT);
        if is_crowded && self.crowded.count().is_some() {
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
    fn admit(slots: &mut ConnectionSlots, tasks: &mut JoinSet<()>, peers: &[Peer]) -> Vec<ConnectionSlot> {
        let admit = |peer: &Peer| {
            let slot = slots.slot();
            let task = tasks.spawn(pending());
            slots.admit(*peer, slot.clone(), task, tasks.len());
            slot
        };
        peers.iter().map(admit).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_limit_the_oldest_that_never_began_a_message_makes_room() {
        let (mut slots, mut tasks) = (ConnectionSlots::new(3, WhenFull::Drop), JoinSet::new());
        let admitted = admit(&mut slots, &mut tasks, &[tcp(), tcp()]);
        assert_eq!(slots.vacancy_beside(2), Vacancy::Now);
        assert!(!slots.free_slot_beside(2), "there is room");
        let last = admit(&mut slots, &mut tasks, &[tcp()]);
        admitted[0].begin_message();
        assert!(!slots.free_slot_beside(3), "it may have something to say yet");
        let vacancy = slots.vacancy_beside(3);
        assert_eq!(vacancy, Vacancy::From(Instant::now() + LEAST_STAY));
        vacancy.comes().await;
        assert_eq!(slots.vacancy_beside(3), Vacancy::Now);
        assert!(slots.free_slot_beside(3));
        assert!(tasks.join_next().await.unwrap().unwrap_err().is_cancelled());
        assert_eq!(*admitted[1].phase(), SlotPhase::TakenAway);
        assert_eq!(*last[0].phase(), SlotPhase::Waiting);
        last[0].begin_message();
        assert_eq!(slots.vacancy_beside(3), Vacancy::None);
        assert!(!slots.free_slot_beside(3));
        assert_eq!(tasks.len(), 2, "no message is given up");
    }

    #[tokio::test(start_paused = true)]
    async fn connections_by_unix_sockets_keep_their_slots() {
        let (mut slots, mut tasks) = (ConnectionSlots::new(1, WhenFull::Drop), JoinSet::new());
        admit(&mut slots, &mut tasks, &[Peer::Unix]);
        tokio::time::advance(LEAST_STAY).await;
        assert_eq!(slots.vacancy_beside(1), Vacancy::None);
        assert!(!slots.free_slot_beside(1));
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_have_begun_a_message_the_one_idle_the_longest_between_them_makes_room() {
        let (mut slots, mut tasks) = (ConnectionSlots::new(3, WhenFull::Drop), JoinSet::new());
        let admitted = admit(&mut slots, &mut tasks, &[tcp(), tcp(), tcp()]);
        for slot in &admitted {
            slot.begin_message();
        }
        assert_eq!(slots.vacancy_beside(3), Vacancy::None);
        let freed = slots.freed();
        admitted[2].end_message();
        freed.notified().await;
        assert_eq!(
            slots.vacancy_beside(3),
            Vacancy::From(Instant::now() + LEAST_STAY)
        );
        tokio::time::advance(LEAST_STAY).await;
        // A moment ago, and one that says something all the time is no younger for it.
        admitted[1].end_message();
        admitted[2].end_message();
        assert_eq!(slots.vacancy_beside(3), Vacancy::Now);
        assert!(slots.free_slot_beside(3));
        assert_eq!(*admitted[2].phase(), SlotPhase::TakenAway);
        assert!(!slots.free_slot_beside(3), "the next message may follow at once");
        admitted[1].begin_message();
        tokio::time::advance(LEAST_STAY).await;
        assert_eq!(slots.vacancy_beside(3), Vacancy::None, "messages are under way");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_never_began_a_message_makes_room_before_those_between_messages() {
        let (mut slots, mut tasks) = (ConnectionSlots::new(2, WhenFull::Drop), JoinSet::new());
        let admitted = admit(&mut slots, &mut tasks, &[tcp(), tcp()]);
        admitted[0].begin_message();
        admitted[0].end_message();
        tokio::time::advance(LEAST_STAY).await;
        assert!(slots.free_slot_beside(2));
        assert_eq!(*admitted[1].phase(), SlotPhase::TakenAway);
        assert!(admitted[0].has_begun());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_of_connections_has_a_limit() {
        let (mut slots, mut tasks) = (ConnectionSlots::new(2, WhenFull::Drop), JoinSet::new());
        let first = admit(&mut slots, &mut tasks, &[tcp()]);
        for _ in 0..100 {
            let slot = slots.slot();
            let task = tasks.spawn(async {});
            slots.admit(tcp(), slot, task, 2);
            tokio::task::yield_now().await;
            assert!(slots.admitted.len() <= 5, "{slots:?}");
        }
        tokio::time::advance(LEAST_STAY).await;
        assert!(slots.free_slot_beside(2));
        assert_eq!(*first[0].phase(), SlotPhase::TakenAway, "it is still known");
    }
}
