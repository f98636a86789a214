//! The records that wait in memory, and what is given up when there are too many.
//!
//! Knows no thread, no clock and no database.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use crate::folded::FoldedCounts;
use crate::limits::MAX_BATCH;
use crate::model::{QueueLimits, RecordLosses, Recorded};
use crate::prepared::{KeptObservation, Prepared};

/// Most octets in one transaction. What the writer has in hand may be this much beyond the limits.
const MAX_BATCH_BYTES: usize = 8 << 20;

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

/// What one transaction writes.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) records: Vec<Waiting>,
    /// Counts of observations given up earlier.
    pub(crate) folded: FoldedCounts,
    bytes: usize,
}

impl Batch {
    /// What another host has recorded.
    pub(crate) fn of_another(counts: FoldedCounts, kept: Vec<KeptObservation>) -> Self {
        let of_another = |kept| Waiting {
            prepared: Prepared::of_another(kept),
            waiter: None,
        };
        Self {
            bytes: 0,
            records: kept.into_iter().map(of_another).collect(),
            folded: counts,
        }
    }

    /// Messages in it whose observation is still there.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// All that it counts, equal rows together.
    pub(crate) fn counts(&self) -> FoldedCounts {
        let mut all = self.folded.clone();
        self.records.iter().for_each(|one| all.add(&one.prepared));
        all
    }

    /// What is lost when all of it is.
    pub(crate) fn lost(&self) -> RecordLosses {
        let records = self.records.iter().map(|waiting| waiting.prepared.lost());
        records.fold(self.folded.lost(), RecordLosses::and)
    }

    /// Tells everyone who waits.
    pub(crate) fn answer(mut self, recorded: Recorded) {
        self.records
            .iter_mut()
            .for_each(|waiting| waiting.answer(recorded));
    }
}

/// How much the writer holds.
#[derive(Clone, Copy, Debug, Default)]
struct InHand {
    len: usize,
    bytes: usize,
    /// Rows and rules among it, which may have to be merged with newer ones, and their octets.
    folded: usize,
    folded_bytes: usize,
}

/// What waits.
#[derive(Debug)]
pub(crate) struct Queue {
    limits: QueueLimits,
    records: VecDeque<Waiting>,
    folded: FoldedCounts,
    /// Octets of the records.
    bytes: usize,
    /// Records at the front that are known to have no trace left.
    without_trace: usize,
    /// What the writer holds at this moment: it is in memory as well.
    in_hand: InHand,
}

impl Queue {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            records: VecDeque::new(),
            folded: FoldedCounts::default(),
            bytes: 0,
            without_trace: 0,
            in_hand: InHand::default(),
        }
    }

    /// Takes a record in; what has to go for it is told.
    pub(crate) fn push(&mut self, waiting: Waiting) -> RecordLosses {
        self.bytes += waiting.prepared.bytes();
        self.records.push_back(waiting);
        self.evict()
    }

    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.folded.is_empty()
    }

    /// Records and folded rows, in hand included.
    pub(crate) fn len(&self) -> usize {
        self.records.len() + self.folded.len() + self.in_hand.len
    }

    /// Octets, in hand included.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes_waiting() + self.in_hand.bytes
    }

    fn bytes_waiting(&self) -> usize {
        self.bytes + self.folded.bytes()
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
        self.bytes = self.bytes.saturating_sub(batch.bytes);
        batch.folded = self.folded.take(MAX_BATCH);
        batch.bytes += batch.folded.bytes();
        self.in_hand = InHand {
            len: batch.records.len() + batch.folded.len(),
            bytes: batch.bytes,
            folded: batch.folded.len(),
            folded_bytes: batch.folded.bytes(),
        };
        batch
    }

    /// What was taken is written.
    pub(crate) fn settle(&mut self) {
        self.in_hand = InHand::default();
    }

    /// What was taken could not be written: it is the oldest again.
    pub(crate) fn put_back(&mut self, batch: Batch) -> RecordLosses {
        self.settle();
        self.without_trace = 0;
        for waiting in batch.records.into_iter().rev() {
            self.bytes += waiting.prepared.bytes();
            self.records.push_front(waiting);
        }
        self.folded.merge(batch.folded);
        self.evict()
    }

    /// Keeps what waits within the limits. What is in hand is not counted: it is the oldest, and
    /// would crowd out all that is newer as long as an attempt lasts. It has its turn when it is
    /// put back.
    fn evict(&mut self) -> RecordLosses {
        let mut lost = RecordLosses::default();
        while self.bytes_waiting() > self.limits.bytes && self.drop_oldest_trace() {
            lost.traces += 1;
        }
        while self.bytes_waiting() > self.limits.bytes
            || self.records.len() + self.folded.len() > self.limits.records
        {
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

    /// The observation goes, what it counts is folded into the others, if there is room for that much.
    fn give_up(&mut self, mut oldest: Waiting, lost: &mut RecordLosses) {
        self.without_trace = self.without_trace.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(oldest.prepared.bytes());
        oldest.answer(Recorded::Dropped);
        lost.observations += u64::from(oldest.prepared.kept.is_some());
        // Those in hand may come back.
        let limits = QueueLimits {
            bytes: self.limits.bytes.saturating_sub(self.in_hand.folded_bytes),
            records: self.limits.records.saturating_sub(self.in_hand.folded),
        };
        *lost = lost.and(self.folded.add_within(oldest.prepared, limits));
    }
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

    fn ruled(number: u64) -> Waiting {
        let mut observation = observation(number);
        observation.rule = Some("forwarder".to_owned());
        Waiting {
            prepared: prepared(observation),
            waiter: None,
        }
    }

    fn queue(bytes: usize, records: usize) -> Queue {
        Queue::new(QueueLimits { bytes, records })
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
            assert_eq!(
                queue.push(waiting(number, "example.com")),
                RecordLosses::default()
            );
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
            assert_eq!(
                queue.push(waiting(number, "example.com")),
                RecordLosses::default()
            );
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
        assert_eq!(batch.counts().lost().tallies, 100);
    }

    #[test]
    fn tallies_go_last_and_are_counted() {
        let mut queue = queue(usize::MAX, 3);
        let mut lost = RecordLosses::default();
        for number in 0..10 {
            let more = queue.push(waiting(number, &format!("{number}.example")));
            lost.observations += more.observations;
            lost.tallies += more.tallies;
        }
        assert_eq!((lost.observations, lost.tallies), (10, 7));
        // A row that is already counted needs no room.
        assert_eq!(queue.push(waiting(11, "0.example")).tallies, 0);
        let counts = queue.take().counts().lost().tallies;
        assert_eq!(counts, 4);
    }

    #[test]
    fn memory_is_bounded_by_octets_to_the_last() {
        let limit = 20_000;
        let mut queue = queue(limit, usize::MAX);
        let mut lost = RecordLosses::default();
        let total = 1_000;
        for number in 0..total {
            let more = queue.push(waiting(number, &format!("{number}.example")));
            lost.traces += more.traces;
            lost.observations += more.observations;
            lost.tallies += more.tallies;
            assert!(queue.bytes() <= limit, "{} after {number}", queue.bytes());
        }
        assert!(lost.traces > 0 && lost.observations > 0 && lost.tallies > 0);
        let counts = queue.take().counts().lost().tallies;
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
        assert_eq!(queue.put_back(batch), RecordLosses::default());
        let batch = queue.take();
        assert_eq!(ids(&batch), ["id-0", "id-1", "id-2", "id-3"]);
        queue.settle();
        assert_eq!((queue.bytes(), queue.len()), (0, 0));
    }

    #[test]
    fn what_is_in_hand_does_not_crowd_out_what_is_newer() {
        let mut queue = queue(usize::MAX, 4);
        for number in 0..3 {
            queue.push(waiting(number, "example.com"));
        }
        let batch = queue.take();
        for number in 3..6 {
            assert_eq!(
                queue.push(waiting(number, "example.com")),
                RecordLosses::default()
            );
        }
        assert_eq!(queue.len(), 6);
        let lost = queue.put_back(batch);
        // The folded tally takes up a place.
        assert_eq!((lost.observations, lost.tallies), (3, 0));
        assert_eq!(ids(&queue.take()), ["id-3", "id-4", "id-5"]);
    }

    #[test]
    fn folded_counts_stay_within_the_limits_when_they_come_back() {
        let mut queue = queue(usize::MAX, 3);
        let mut lost = RecordLosses::default();
        for round in 0..10 {
            let batch = queue.take();
            for number in 0..10 {
                let domain = format!("{round}-{number}.example");
                lost = lost.and(queue.push(waiting(number, &domain)));
                assert!(queue.len() <= 2 * 3, "{} in round {round}", queue.len());
            }
            lost = lost.and(queue.put_back(batch));
            assert!(queue.len() <= 3);
        }
        assert_eq!(queue.take().counts().lost().tallies + lost.tallies, 100);
    }

    #[test]
    fn folded_counts_survive_a_failed_attempt_once() {
        let mut queue = queue(usize::MAX, 3);
        for number in 0..6 {
            queue.push(ruled(number));
        }
        let batch = queue.take();
        for number in 6..9 {
            queue.push(ruled(number));
        }
        queue.put_back(batch);
        let mut sum = 0;
        while !queue.is_empty() {
            let counts = queue.take().counts().lost();
            assert_eq!(counts.tallies, counts.rule_hits);
            sum += counts.tallies;
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
