//! Slots: how many queries are under way at once, who goes next when more want to be, and which
//! one is ended early to make room.
//!
//! A name whose servers are silent keeps its slot for as long as a query may take, so a sender
//! with a few dozen such names could keep all slots, and the DMARC policies of others would not be
//! found. Two rules prevent that:
//!
//! * Each [`Purpose`] has slots of its own and lends none. What happens to key or SPF queries is
//!   not visible to policy queries.
//! * Within a purpose, client networks share. A free slot goes to the network that holds the
//!   fewest. When none is free, the network that holds the most gives one up: its oldest query
//!   that has had its certain time. A network that holds no more than
//!   the one that waits gives up nothing, so a client with one slow name keeps its slot.
//!
//! So a sender can starve his own network at most. A query that got no slot, or was ended early, failed because of us:
//! [`LookupError::Overload`](landmarc_auth::lookup::LookupError::Overload), which is not cached.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use landmarc_auth::lookup::Purpose;
use landmarc_mail::ClientNetwork;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::warn;

use super::Asker;

/// How long a slot is certain for each name server, as a part of the time of a query: 250 ms of
/// the 5 s by default, in which nearly all answers come.
const CERTAIN_DIVISOR: u32 = 20;

/// Of this many parts of all slots a purpose has as many as [`eighths`] says.
const PARTS: usize = 8;

/// Queries waiting for each slot. Past that, one fails at once, as it would after its whole time:
/// the newest one of the network that has the most waiting.
const WAITING_PER_SLOT: usize = 128;

/// The most slots that may be configured; far above what a host has sockets for.
pub(super) const MAX_SLOTS: usize = 1 << 20;

/// Policies have the largest part: a message can need eight of them, and without them no other
/// answer is of use.
fn eighths(purpose: Purpose) -> usize {
    match purpose {
        Purpose::Policy => 3,
        Purpose::Spf | Purpose::Keys => 2,
        Purpose::Other => 1,
    }
}

pub(super) struct Slots {
    policy: Arc<Pool>,
    spf: Arc<Pool>,
    keys: Arc<Pool>,
    other: Arc<Pool>,
    /// For one name server.
    certain: Duration,
    servers: u32,
    warned: AtomicBool,
}

impl Slots {
    /// So many slots in all, though at least one for each purpose.
    pub(super) fn new(slots: usize, query_timeout: Duration, servers: usize) -> Self {
        let pool = |purpose| Arc::new(Pool::new((slots * eighths(purpose) / PARTS).max(1)));
        Self {
            policy: pool(Purpose::Policy),
            spf: pool(Purpose::Spf),
            keys: pool(Purpose::Keys),
            other: pool(Purpose::Other),
            certain: query_timeout / CERTAIN_DIVISOR,
            servers: u32::try_from(servers).unwrap_or(u32::MAX).max(1),
            warned: AtomicBool::new(false),
        }
    }

    /// A slot as soon as there is one; none when too many wait already, or when it comes so late
    /// that not even the certain time of one server is left before `deadline`.
    pub(super) async fn take(&self, asker: Asker, deadline: Instant) -> Option<Slot> {
        let latest = deadline.checked_sub(self.certain)?;
        let (mut slot, given) = self.pool(asker.purpose).enter(asker.client);
        if let Some(given) = given {
            self.warn_once();
            timeout_at(latest, given).await.ok()?.ok()?;
        }
        let now = Instant::now();
        slot.certain = self.certain;
        slot.overdue_at = now + self.certain * self.servers;
        (now <= latest).then_some(slot)
    }

    fn pool(&self, purpose: Purpose) -> &Arc<Pool> {
        match purpose {
            Purpose::Policy => &self.policy,
            Purpose::Spf => &self.spf,
            Purpose::Keys => &self.keys,
            Purpose::Other => &self.other,
        }
    }

    fn warn_once(&self) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            warn!(
                "as many DNS queries are under way as may be: slow ones of the client network that \
                 has the most are ended early; see dns.questions_in_flight"
            );
        }
    }
}

/// The slots of one purpose.
struct Pool {
    slots: usize,
    state: Mutex<State>,
    /// Whether any query waits.
    crowded: watch::Sender<bool>,
}

/// Who holds and who waits.
struct State {
    free: usize,
    waiting: usize,
    next_number: u64,
    /// Networks with queries that hold a slot or wait for one. Clients whose address is not known
    /// are one network.
    networks: BTreeMap<Option<ClientNetwork>, Share>,
}

/// The queries of one network, by number: the lower, the longer they wait or hold.
#[derive(Default)]
struct Share {
    held: BTreeMap<u64, SlotHolder>,
    waiting: BTreeMap<u64, Waiting>,
}

/// A slot that is held.
struct SlotHolder {
    is_overdue: bool,
    /// Notified when the slot goes to another query.
    lost: Arc<Notify>,
}

/// A query that waits for a slot.
struct Waiting {
    given: oneshot::Sender<()>,
    lost: Arc<Notify>,
}

impl Pool {
    fn new(slots: usize) -> Self {
        Self {
            slots,
            state: Mutex::new(State {
                free: slots,
                waiting: 0,
                next_number: 0,
                networks: BTreeMap::new(),
            }),
            crowded: watch::Sender::new(false),
        }
    }

    /// Joins those who want a slot. There is no receiver where the slot is there at once; it fails
    /// where too many wait.
    fn enter(self: &Arc<Self>, network: Option<ClientNetwork>) -> (Slot, Option<oneshot::Receiver<()>>) {
        let lost = Arc::new(Notify::new());
        let mut state = self.state();
        let number = state.next_number;
        state.next_number += 1;
        let slot = Slot {
            pool: Arc::clone(self),
            network,
            number,
            lost: Arc::clone(&lost),
            certain: Duration::ZERO,
            overdue_at: Instant::now(),
        };
        let (given, receiver) = oneshot::channel();
        let share = state.networks.entry(network).or_default();
        share.waiting.insert(number, Waiting { given, lost });
        state.waiting += 1;
        if state.free == 0 && state.waiting > self.slots.saturating_mul(WAITING_PER_SLOT) {
            state.refuse_one();
        }
        self.arrange(&mut state);
        let is_given = state.held(&slot).is_some();
        (slot, (!is_given).then_some(receiver))
    }

    fn overdue(&self, slot: &Slot) {
        let mut state = self.state();
        if let Some(held) = state.held(slot) {
            held.is_overdue = true;
            self.arrange(&mut state);
        }
    }

    fn leave(&self, slot: &Slot) {
        let mut state = self.state();
        state.leave(slot);
        self.arrange(&mut state);
    }

    fn arrange(&self, state: &mut State) {
        state.arrange();
        let is_crowded = state.waiting > 0;
        self.crowded
            .send_if_modified(|crowded| std::mem::replace(crowded, is_crowded) != is_crowded);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is made by one call that does not panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Gives slots to those who wait, until none is free and nobody has to make room.
    fn arrange(&mut self) {
        while let Some(network) = self.next_network() {
            if self.free > 0 {
                self.free -= 1;
            } else if !self.end_one_for(network) {
                return;
            }
            self.give(network);
        }
    }

    /// Of the networks with queries that wait, the one that holds the fewest slots; among equals
    /// the one whose query waits the longest.
    fn next_network(&self) -> Option<Option<ClientNetwork>> {
        let first = |share: &Share| share.waiting.first_key_value().map(|(&number, _)| number);
        let waiting = self
            .networks
            .iter()
            .filter(|(_, share)| !share.waiting.is_empty());
        waiting
            .min_by_key(|(_, share)| (share.held.len(), first(share)))
            .map(|(&network, _)| network)
    }

    /// Ends a query so that its slot can go to `network`. Where the networks hold equally many,
    /// only its own queries make room.
    fn end_one_for(&mut self, network: Option<ClientNetwork>) -> bool {
        let own = self.networks.get(&network).map_or(0, |share| share.held.len());
        let candidates = self.networks.iter().filter_map(|(&other, share)| {
            let held = share.held.len();
            let (&number, _) = share.held.iter().find(|(_, held)| held.is_overdue)?;
            (held > own || other == network).then_some((held, Reverse(number), other))
        });
        let Some((_, Reverse(number), network)) = candidates.max() else {
            return false;
        };
        let share = self.networks.get_mut(&network);
        if let Some(held) = share.and_then(|share| share.held.remove(&number)) {
            held.lost.notify_one();
        }
        self.forget_if_idle(network);
        true
    }

    /// Gives a slot that was taken for it to the longest waiting query of a network.
    fn give(&mut self, network: Option<ClientNetwork>) {
        let share = self.networks.entry(network).or_default();
        if let Some((number, waiting)) = share.waiting.pop_first() {
            let held = SlotHolder {
                is_overdue: false,
                lost: waiting.lost,
            };
            share.held.insert(number, held);
            self.waiting -= 1;
            // Where it stopped waiting just now, it is about to leave, and the slot is free then.
            let _ = waiting.given.send(());
        }
    }

    /// Refuses the newest query of the network that has the most waiting.
    fn refuse_one(&mut self) {
        let most = self
            .networks
            .iter_mut()
            .max_by_key(|(_, share)| share.waiting.len());
        if let Some((&network, share)) = most
            && share.waiting.pop_last().is_some()
        {
            self.waiting -= 1;
            self.forget_if_idle(network);
        }
    }

    fn held(&mut self, slot: &Slot) -> Option<&mut SlotHolder> {
        self.networks.get_mut(&slot.network)?.held.get_mut(&slot.number)
    }

    fn leave(&mut self, slot: &Slot) {
        let Some(share) = self.networks.get_mut(&slot.network) else {
            return;
        };
        if share.held.remove(&slot.number).is_some() {
            self.free += 1;
        } else if share.waiting.remove(&slot.number).is_some() {
            self.waiting -= 1;
        }
        self.forget_if_idle(slot.network);
    }

    fn forget_if_idle(&mut self, network: Option<ClientNetwork>) {
        let is_idle = |share: &Share| share.held.is_empty() && share.waiting.is_empty();
        if self.networks.get(&network).is_some_and(is_idle) {
            self.networks.remove(&network);
        }
    }
}

/// The slot of one query, or its place among those that wait, until it is dropped.
pub(super) struct Slot {
    pool: Arc<Pool>,
    network: Option<ClientNetwork>,
    number: u64,
    lost: Arc<Notify>,
    certain: Duration,
    overdue_at: Instant,
}

impl Slot {
    /// The time that one name server has where others wait.
    pub(super) fn certain(&self) -> Duration {
        self.certain
    }

    /// Comes back when the slot has gone to another query: this one is to end then. It does not
    /// go before its time is up, nor while there are servers that were not asked.
    pub(super) async fn is_lost(&self, all_asked: bool) {
        tokio::select! {
            () = self.lost.notified() => return,
            () = sleep_until(self.overdue_at), if all_asked => self.pool.overdue(self),
        }
        self.lost.notified().await;
    }

    /// Comes back when other queries wait: there is no time to wait for one server after another.
    pub(super) async fn others_wait(&self) {
        let mut crowded = self.pool.crowded.subscribe();
        if crowded.wait_for(|crowded| *crowded).await.is_err() {
            // Its sender lives as long as this slot.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.pool.leave(self);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{sleep, timeout};

    use super::*;

    const QUERY: Duration = Duration::from_secs(5);
    const CERTAIN: Duration = Duration::from_millis(250);
    /// Sixteen slots for keys.
    const SLOTS: usize = 64;

    fn asker(purpose: Purpose, client: u8) -> Asker {
        let client = std::net::IpAddr::from([192, 0, client, 1]);
        Asker {
            purpose,
            client: Some(ClientNetwork::of(client)),
        }
    }

    fn deadline() -> Instant {
        Instant::now() + QUERY
    }

    async fn taken(slots: &Slots, asker: Asker) -> Option<Slot> {
        slots.take(asker, deadline()).await
    }

    /// One slot for keys.
    fn one() -> Slots {
        Slots::new(1, QUERY, 1)
    }

    async fn all_keys(slots: &Slots, client: u8) -> Vec<Slot> {
        let mut held = Vec::new();
        for _ in 0..SLOTS / 4 {
            held.push(taken(slots, asker(Purpose::Keys, client)).await.unwrap());
        }
        held
    }

    /// A query that nobody answers, from the slot to its end.
    async fn silent(slots: Arc<Slots>, asker: Asker) {
        if let Some(slot) = slots.take(asker, deadline()).await {
            let _ = timeout(QUERY, slot.is_lost(true)).await;
        }
    }

    async fn is_at_once(slots: &Slots, asker: Asker) -> bool {
        timeout(Duration::ZERO, taken(slots, asker)).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_purpose_has_slots_of_its_own() {
        let slots = Slots::new(SLOTS, QUERY, 1);
        let keys = all_keys(&slots, 1).await;
        assert!(!is_at_once(&slots, asker(Purpose::Keys, 2)).await);
        let mut policies = Vec::new();
        for _ in 0..SLOTS * 3 / 8 {
            policies.push(taken(&slots, asker(Purpose::Policy, 2)).await);
        }
        assert!(policies.iter().all(Option::is_some));
        assert!(!is_at_once(&slots, asker(Purpose::Policy, 2)).await);
        assert!(is_at_once(&slots, asker(Purpose::Spf, 2)).await);
        assert!(is_at_once(&slots, asker(Purpose::Other, 2)).await);
        drop(keys);
        assert!(is_at_once(&slots, asker(Purpose::Keys, 2)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn the_smallest_number_leaves_one_slot_for_each_purpose() {
        for purpose in [Purpose::Policy, Purpose::Spf, Purpose::Keys, Purpose::Other] {
            let slots = one();
            let _held = taken(&slots, asker(purpose, 1)).await.unwrap();
            assert!(!is_at_once(&slots, asker(purpose, 1)).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_that_comes_too_late_is_none() {
        for (until, in_time) in [(QUERY - CERTAIN, true), (QUERY - CERTAIN / 2, false)] {
            let slots = one();
            let held = taken(&slots, asker(Purpose::Keys, 1)).await.unwrap();
            let holder = async {
                sleep(until).await;
                drop(held);
            };
            let (late, ()) = tokio::join!(taken(&slots, asker(Purpose::Keys, 1)), holder);
            assert_eq!(late.is_some(), in_time, "{until:?}");
            drop(late);
            assert!(is_at_once(&slots, asker(Purpose::Keys, 1)).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_that_nobody_waits_for_is_never_lost() {
        let slots = one();
        let slot = taken(&slots, asker(Purpose::Keys, 1)).await.unwrap();
        assert!(timeout(QUERY, slot.is_lost(true)).await.is_err());
        assert!(timeout(QUERY, slot.others_wait()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn within_a_network_a_slot_is_certain_for_a_while_and_then_lost() {
        let slots = one();
        let start = Instant::now();
        let slot = taken(&slots, asker(Purpose::Keys, 1)).await.unwrap();
        let holder = async {
            slot.others_wait().await;
            assert_eq!(start.elapsed(), Duration::ZERO);
            slot.is_lost(true).await;
            assert_eq!(start.elapsed(), CERTAIN);
        };
        let (second, ()) = tokio::join!(taken(&slots, asker(Purpose::Keys, 1)), holder);
        assert!(second.is_some());
        drop(slot);
        assert!(
            !is_at_once(&slots, asker(Purpose::Keys, 1)).await,
            "it has gone already"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn each_name_server_has_its_certain_time() {
        let slots = Slots::new(1, QUERY, 3);
        let start = Instant::now();
        let slot = taken(&slots, asker(Purpose::Keys, 1)).await.unwrap();
        let holder = async {
            assert!(
                timeout(4 * CERTAIN, slot.is_lost(false)).await.is_err(),
                "not all are asked"
            );
            slot.is_lost(true).await;
            start.elapsed()
        };
        let (_, after) = tokio::join!(taken(&slots, asker(Purpose::Keys, 1)), holder);
        assert_eq!(after, 4 * CERTAIN);
        let slots = Slots::new(1, QUERY, 3);
        let start = Instant::now();
        let slot = taken(&slots, asker(Purpose::Keys, 1)).await.unwrap();
        tokio::join!(taken(&slots, asker(Purpose::Keys, 1)), slot.is_lost(true));
        assert_eq!(start.elapsed(), 3 * CERTAIN);
    }

    /// The flood of one network; the query of another takes as long as a query may.
    #[tokio::test(start_paused = true)]
    async fn a_network_with_one_query_gets_a_slot_at_once_and_keeps_it() {
        let slots = Arc::new(Slots::new(SLOTS, QUERY, 1));
        for _ in 0..1_000 {
            tokio::spawn(silent(Arc::clone(&slots), asker(Purpose::Keys, 1)));
        }
        sleep(Duration::from_secs(1)).await;
        let start = Instant::now();
        let slot = taken(&slots, asker(Purpose::Keys, 2)).await.unwrap();
        assert!(start.elapsed() <= CERTAIN, "{:?}", start.elapsed());
        let kept = timeout(Duration::from_secs(3), slot.is_lost(true)).await;
        assert!(kept.is_err(), "lost after {:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_that_holds_as_many_gives_up_nothing() {
        let slots = Slots::new(8, QUERY, 1);
        let start = Instant::now();
        let (first, second) = (
            taken(&slots, asker(Purpose::Keys, 1)).await.unwrap(),
            taken(&slots, asker(Purpose::Keys, 2)).await.unwrap(),
        );
        let holder = async {
            tokio::select! {
                () = first.is_lost(true) => 1,
                () = second.is_lost(true) => 2,
            }
        };
        let (third, lost) = tokio::join!(taken(&slots, asker(Purpose::Keys, 2)), holder);
        assert!(third.is_some());
        assert_eq!((lost, start.elapsed()), (2, CERTAIN), "its own makes room");
    }

    #[tokio::test(start_paused = true)]
    async fn a_free_slot_goes_to_the_network_that_holds_the_fewest() {
        let slots = Slots::new(8, QUERY, 1);
        let held = [
            taken(&slots, asker(Purpose::Keys, 1)).await.unwrap(),
            taken(&slots, asker(Purpose::Keys, 1)).await.unwrap(),
        ];
        let order = Mutex::new(Vec::new());
        let waits = async |client, pause: u64| {
            sleep(Duration::from_millis(pause)).await;
            let slot = taken(&slots, asker(Purpose::Keys, client)).await;
            order.lock().unwrap().push(client);
            slot
        };
        let ends = async {
            let [first, second] = held;
            sleep(Duration::from_millis(10)).await;
            drop(first);
            sleep(Duration::from_millis(10)).await;
            assert_eq!(*order.lock().unwrap(), [2], "though it came later");
            drop(second);
        };
        let (one, two, ()) = tokio::join!(waits(1, 0), waits(2, 1), ends);
        assert!(one.is_some() && two.is_some());
        assert_eq!(*order.lock().unwrap(), [2, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_waiting_leaves_no_trace() {
        let slots = one();
        let slot = taken(&slots, asker(Purpose::Keys, 1)).await.unwrap();
        assert!(
            timeout(CERTAIN, taken(&slots, asker(Purpose::Keys, 2)))
                .await
                .is_err()
        );
        assert!(timeout(QUERY, slot.is_lost(true)).await.is_err());
        drop(slot);
        let state = slots.keys.state();
        assert_eq!((state.free, state.waiting, state.networks.len()), (1, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn past_128_waiting_for_a_slot_the_newest_of_the_largest_network_is_refused() {
        let slots = Arc::new(one());
        let _held = taken(&slots, asker(Purpose::Keys, 1)).await.unwrap();
        let refused = Arc::new(Mutex::new(Vec::new()));
        let ask = async |name: usize, client| {
            let (slots, refused) = (Arc::clone(&slots), Arc::clone(&refused));
            tokio::spawn(async move {
                if taken(&slots, asker(Purpose::Keys, client)).await.is_none() {
                    refused.lock().unwrap().push(name);
                }
            });
            tokio::task::yield_now().await;
        };
        for name in 0..WAITING_PER_SLOT {
            ask(name, 1).await;
        }
        tokio::task::yield_now().await;
        assert!(refused.lock().unwrap().is_empty());
        ask(1_000, 2).await;
        tokio::task::yield_now().await;
        assert_eq!(
            *refused.lock().unwrap(),
            [WAITING_PER_SLOT - 1],
            "not the newcomer"
        );
        ask(1_001, 1).await;
        tokio::task::yield_now().await;
        assert_eq!(*refused.lock().unwrap(), [WAITING_PER_SLOT - 1, 1_001]);
    }

    /// One connection of a flood: message after message with eleven queries that nobody answers.
    async fn flood(slots: Arc<Slots>, asker: Asker) {
        loop {
            let queries = (0..11).map(|_| tokio::spawn(silent(Arc::clone(&slots), asker)));
            for query in queries.collect::<Vec<_>>() {
                query.await.unwrap();
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_policy_is_found_in_its_usual_time_whatever_another_network_floods() {
        for connections in [30, 100, 300] {
            for (purpose, slow) in [
                (Purpose::Keys, 400),
                (Purpose::Keys, 1_500),
                (Purpose::Policy, 400),
                (Purpose::Policy, 1_500),
            ] {
                let slots = Arc::new(Slots::new(256, QUERY, 1));
                let mut floods = tokio::task::JoinSet::new();
                for _ in 0..connections {
                    floods.spawn(flood(Arc::clone(&slots), asker(purpose, 1)));
                }
                sleep(Duration::from_secs(10)).await;
                for _ in 0..10 {
                    let (start, slow) = (Instant::now(), Duration::from_millis(slow));
                    let slot = taken(&slots, asker(Purpose::Policy, 2)).await.unwrap();
                    let lost = timeout(slow, slot.is_lost(true)).await.is_ok();
                    let after = start.elapsed();
                    assert!(
                        !lost,
                        "{purpose:?}, {connections} connections: lost after {after:?}"
                    );
                    assert!(after <= slow + CERTAIN, "{purpose:?}, {connections}: {after:?}");
                }
            }
        }
    }
}
