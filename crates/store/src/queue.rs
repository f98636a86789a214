//! The records that wait in memory, and what is given up when there are too many.
//!
//! Knows no thread, no clock and no database.

use std::collections::{HashMap, VecDeque};

use tokio::sync::oneshot;

use crate::day::Day;
use crate::digest::Digest;
use crate::observation::Recorded;
use crate::prepared::{Counted, Prepared};

/// How much may wait in memory. Past either, first the traces of the oldest records go, then the
/// oldest observations; their tallies are kept, folded together, and go last of all. What the
/// writer has in hand, one batch, may come on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets, about.
    pub bytes: usize,
    /// Records, and folded rows of the tally with them.
    pub records: usize,
}

impl Default for Limits {
    /// 64 MiB and 200,000 records: half an hour of 10 million messages a day, with few traces lost.
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            records: 200_000,
        }
    }
}

/// Most records in one transaction: about 30 ms of work, so that the answer keeps within design D13.
pub(crate) const MAX_BATCH: usize = 4_096;
/// Most octets in one transaction. What the writer has in hand may be this much beyond the limits.
const MAX_BATCH_BYTES: usize = 8 << 20;

/// What had to be given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) traces: u64,
    /// A trace that is lost with its observation is not counted again.
    pub(crate) observations: u64,
    pub(crate) tallies: u64,
}

impl Lost {
    fn and(self, other: Self) -> Self {
        Self {
            traces: self.traces + other.traces,
            observations: self.observations + other.observations,
            tallies: self.tallies + other.tallies,
        }
    }
}

/// A record, and who waits for it.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) prepared: Prepared,
    pub(crate) waiter: Option<oneshot::Sender<Recorded>>,
}

impl Waiting {
    fn answer(&mut self, recorded: Recorded) {
        if let Some(waiter) = self.waiter.take() {
            // Who stopped waiting has been told *later*.
            let _ = waiter.send(recorded);
        }
    }
}

/// Rows of the tally and how often each was seen.
pub(crate) type Folded = HashMap<(Day, Digest), (Counted, u64)>;

/// What one transaction writes.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) records: Vec<Waiting>,
    /// Tallies of observations given up earlier.
    pub(crate) folded: Folded,
    bytes: usize,
}

impl Batch {
    /// Messages in it whose observation is still there.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Every tally in it, equal rows together.
    pub(crate) fn tallies(&self) -> Folded {
        let mut all = self.folded.clone();
        for counted in self
            .records
            .iter()
            .filter_map(|one| one.prepared.counted.as_ref())
        {
            add(&mut all, counted.clone(), 1);
        }
        all
    }

    /// What is lost when all of it is.
    pub(crate) fn lost(&self) -> Lost {
        let records = self.records.iter().map(|waiting| waiting.prepared.lost());
        let mut sum = records.fold(Lost::default(), Lost::and);
        sum.tallies += self.folded.values().map(|(_, count)| count).sum::<u64>();
        sum
    }

    /// Tells everyone who waits.
    pub(crate) fn answer(mut self, recorded: Recorded) {
        self.records
            .iter_mut()
            .for_each(|waiting| waiting.answer(recorded));
    }
}

/// What waits.
#[derive(Debug)]
pub(crate) struct Queue {
    limits: Limits,
    records: VecDeque<Waiting>,
    folded: Folded,
    /// Octets of both.
    bytes: usize,
    /// Octets of `folded` alone.
    folded_bytes: usize,
    /// Records at the front that are known to have no trace left.
    without_trace: usize,
    /// What the writer holds at this moment: it is in memory as well.
    in_hand: (usize, usize),
}

impl Queue {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            records: VecDeque::new(),
            folded: Folded::new(),
            bytes: 0,
            folded_bytes: 0,
            without_trace: 0,
            in_hand: (0, 0),
        }
    }

    /// Takes a record in; what has to go for it is told.
    pub(crate) fn push(&mut self, waiting: Waiting) -> Lost {
        self.bytes += waiting.prepared.bytes();
        self.records.push_back(waiting);
        self.shed()
    }

    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.folded.is_empty()
    }

    /// Records and folded rows, in hand included.
    pub(crate) fn len(&self) -> usize {
        self.records.len() + self.folded.len() + self.in_hand.0
    }

    /// Octets, in hand included.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.in_hand.1
    }

    /// The oldest, as many as one transaction may hold. They stay counted until [`Queue::settle`]
    /// or [`Queue::put_back`].
    pub(crate) fn take(&mut self) -> Batch {
        let mut batch = Batch::default();
        while batch.records.len() < MAX_BATCH
            && batch.bytes < MAX_BATCH_BYTES
            && let Some(oldest) = self.records.pop_front()
        {
            batch.bytes += oldest.prepared.bytes();
            batch.records.push(oldest);
        }
        self.without_trace = self.without_trace.saturating_sub(batch.records.len());
        batch.folded = self.folded.extract_if(|_, _| true).take(MAX_BATCH).collect();
        let folded_bytes = batch
            .folded
            .values()
            .map(|(counted, _)| folded_bytes(counted))
            .sum::<usize>();
        self.folded_bytes = self.folded_bytes.saturating_sub(folded_bytes);
        batch.bytes += folded_bytes;
        self.bytes = self.bytes.saturating_sub(batch.bytes);
        self.in_hand = (batch.records.len() + batch.folded.len(), batch.bytes);
        batch
    }

    /// What was taken is written.
    pub(crate) fn settle(&mut self) {
        self.in_hand = (0, 0);
    }

    /// What was taken could not be written: it is the oldest again.
    pub(crate) fn put_back(&mut self, batch: Batch) -> Lost {
        self.settle();
        self.without_trace = 0;
        for waiting in batch.records.into_iter().rev() {
            self.bytes += waiting.prepared.bytes();
            self.records.push_front(waiting);
        }
        for (counted, count) in batch.folded.into_values() {
            self.fold(counted, count);
        }
        self.shed()
    }

    fn shed(&mut self) -> Lost {
        let mut lost = Lost::default();
        while self.bytes() > self.limits.bytes && self.drop_oldest_trace() {
            lost.traces += 1;
        }
        while self.bytes() > self.limits.bytes || self.len() > self.limits.records {
            let Some(oldest) = self.records.pop_front() else {
                break;
            };
            self.give_up(oldest, &mut lost);
        }
        lost
    }

    fn drop_oldest_trace(&mut self) -> bool {
        while let Some(waiting) = self.records.get_mut(self.without_trace) {
            self.without_trace += 1;
            let trace = waiting.prepared.kept.as_mut().and_then(|kept| kept.trace.take());
            if let Some(trace) = trace {
                self.bytes = self.bytes.saturating_sub(trace.text.len());
                return true;
            }
        }
        false
    }

    /// The observation goes, its tally is folded into the others, if there is room for that much.
    fn give_up(&mut self, mut oldest: Waiting, lost: &mut Lost) {
        self.without_trace = self.without_trace.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(oldest.prepared.bytes());
        oldest.answer(Recorded::Dropped);
        lost.observations += u64::from(oldest.prepared.kept.is_some());
        let Some(counted) = oldest.prepared.counted else {
            return;
        };
        let bytes = folded_bytes(&counted);
        let known = self.folded.contains_key(&(counted.day, counted.digest));
        let room = self.folded.len() < self.limits.records && self.folded_bytes + bytes <= self.limits.bytes;
        if known || room {
            self.fold(counted, 1);
        } else {
            lost.tallies += 1;
        }
    }

    fn fold(&mut self, counted: Counted, count: u64) {
        if !self.folded.contains_key(&(counted.day, counted.digest)) {
            let bytes = folded_bytes(&counted);
            self.bytes += bytes;
            self.folded_bytes += bytes;
        }
        add(&mut self.folded, counted, count);
    }
}

fn folded_bytes(counted: &Counted) -> usize {
    size_of::<(Counted, u64)>() + counted.bytes
}

fn add(folded: &mut Folded, counted: Counted, count: u64) {
    let entry = folded
        .entry((counted.day, counted.digest))
        .or_insert_with(|| (counted, 0));
    entry.1 = entry.1.saturating_add(count);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepared::tests::{observation, prepared, row};

    const TRACE: usize = 1_000;

    fn waiting(number: u64, domain: &str) -> Waiting {
        let mut observation = observation(number);
        observation.trace = "t".repeat(TRACE).into();
        observation.row = Some(row(domain));
        Waiting {
            prepared: prepared(observation),
            waiter: None,
        }
    }

    fn queue(bytes: usize, records: usize) -> Queue {
        Queue::new(Limits { bytes, records })
    }

    fn ids(batch: &Batch) -> Vec<&str> {
        let kept = batch.records.iter().filter_map(|one| one.prepared.kept.as_ref());
        kept.map(|kept| kept.short_id.as_str()).collect()
    }

    #[test]
    fn the_oldest_traces_go_first() {
        let one = waiting(0, "example.com").prepared.bytes();
        // Room for four and a part of the fifth: one trace is enough.
        let mut queue = queue(4 * one + (one - TRACE), 100);
        for number in 0..4 {
            assert_eq!(queue.push(waiting(number, "example.com")), Lost::default());
        }
        let lost = queue.push(waiting(4, "example.com"));
        assert_eq!((lost.traces, lost.observations, lost.tallies), (1, 0, 0));
        assert!(queue.bytes() <= 4 * one + (one - TRACE));
        let batch = queue.take();
        let traces = batch
            .records
            .iter()
            .map(|one| one.prepared.kept.as_ref().unwrap().trace.is_some());
        assert_eq!(traces.collect::<Vec<_>>(), [false, true, true, true, true]);
    }

    #[test]
    fn then_the_oldest_observations_and_their_tallies_stay() {
        let mut queue = queue(usize::MAX, 3);
        for number in 0..3 {
            assert_eq!(queue.push(waiting(number, "example.com")), Lost::default());
        }
        // The first makes room for the fourth; its folded tally takes up a place, so the second goes too.
        let lost = queue.push(waiting(3, "example.com"));
        assert_eq!((lost.traces, lost.observations, lost.tallies), (0, 2, 0));
        assert_eq!(queue.len(), 3);
        for number in 4..100 {
            assert_eq!(queue.push(waiting(number, "example.com")).observations, 1);
        }
        let batch = queue.take();
        assert_eq!(ids(&batch), ["id-98", "id-99"]);
        let tallies = batch.tallies();
        assert_eq!(tallies.values().map(|(_, count)| count).sum::<u64>(), 100);
    }

    #[test]
    fn tallies_go_last_and_are_counted() {
        let mut queue = queue(usize::MAX, 3);
        let mut lost = Lost::default();
        for number in 0..10 {
            let more = queue.push(waiting(number, &format!("{number}.example")));
            lost.observations += more.observations;
            lost.tallies += more.tallies;
        }
        assert_eq!((lost.observations, lost.tallies), (10, 7));
        // A row that is already counted needs no room.
        assert_eq!(queue.push(waiting(11, "0.example")).tallies, 0);
        let counts: u64 = queue.take().tallies().values().map(|(_, count)| count).sum();
        assert_eq!(counts, 4);
    }

    #[test]
    fn memory_is_bounded_by_octets_to_the_last() {
        let limit = 20_000;
        let mut queue = queue(limit, usize::MAX);
        let mut lost = Lost::default();
        let total = 1_000;
        for number in 0..total {
            let more = queue.push(waiting(number, &format!("{number}.example")));
            lost.traces += more.traces;
            lost.observations += more.observations;
            lost.tallies += more.tallies;
            assert!(queue.bytes() <= limit, "{} after {number}", queue.bytes());
        }
        assert!(lost.traces > 0 && lost.observations > 0 && lost.tallies > 0);
        let counts: u64 = queue.take().tallies().values().map(|(_, count)| count).sum();
        assert_eq!(counts + lost.tallies, total);
    }

    #[test]
    fn what_could_not_be_written_is_the_oldest_again() {
        let mut queue = queue(usize::MAX, 100);
        for number in 0..3 {
            queue.push(waiting(number, "example.com"));
        }
        let (bytes, len) = (queue.bytes(), queue.len());
        let batch = queue.take();
        assert_eq!(
            (queue.bytes(), queue.len()),
            (bytes, len),
            "what is in hand is in memory"
        );
        queue.push(waiting(3, "example.com"));
        assert_eq!(queue.put_back(batch), Lost::default());
        let batch = queue.take();
        assert_eq!(ids(&batch), ["id-0", "id-1", "id-2", "id-3"]);
        queue.settle();
        assert_eq!((queue.bytes(), queue.len()), (0, 0));
    }

    #[test]
    fn folded_tallies_survive_a_failed_attempt_once() {
        let mut queue = queue(usize::MAX, 2);
        for number in 0..6 {
            queue.push(waiting(number, "example.com"));
        }
        let batch = queue.take();
        for number in 6..9 {
            queue.push(waiting(number, "example.com"));
        }
        queue.put_back(batch);
        let mut sum = 0;
        while !queue.is_empty() {
            sum += queue
                .take()
                .tallies()
                .values()
                .map(|(_, count)| count)
                .sum::<u64>();
            queue.settle();
        }
        assert_eq!(sum, 9);
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn one_batch_is_bounded() {
        let mut queue = queue(usize::MAX, usize::MAX);
        for number in 0..=MAX_BATCH as u64 {
            let mut waiting = waiting(number, "example.com");
            waiting.prepared.kept = None;
            queue.push(waiting);
        }
        assert_eq!(queue.take().len(), MAX_BATCH);
        queue.settle();
        assert_eq!(queue.take().len(), 1);
    }

    #[test]
    fn one_batch_is_bounded_in_octets() {
        let mut queue = queue(usize::MAX, usize::MAX);
        for number in 0..300 {
            let mut large = observation(number);
            large.trace = "t".repeat(crate::MAX_TRACE).into();
            let prepared = prepared(large);
            queue.push(Waiting {
                prepared,
                waiter: None,
            });
        }
        let batch = queue.take();
        assert!((MAX_BATCH_BYTES..MAX_BATCH_BYTES + 2 * crate::MAX_TRACE).contains(&batch.bytes));
        assert_eq!(batch.len() + queue.records.len(), 300);
    }
}
