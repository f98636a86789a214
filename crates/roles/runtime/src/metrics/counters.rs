//! Counters that many tasks add to at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{PoisonError, RwLock};

/// Names that are counted apart; as many as there can be rules in a file. Reloads may bring others: past
/// that they are counted together, as [`OTHER`].
const MAX_NAMES: usize = 1_000;

/// What has no name of its own in a table.
pub const OTHER: &str = "other";

/// A counter for each place of a table.
#[derive(Debug)]
pub struct Counts<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for Counts<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl<const N: usize> Counts<N> {
    /// One more at this place.
    pub fn add(&self, place: usize) {
        if let Some(counter) = self.0.get(place) {
            counter.fetch_add(1, Relaxed);
        }
    }

    /// In the order of the places.
    pub fn read(&self) -> [u64; N] {
        std::array::from_fn(|place| self.0.get(place).map_or(0, |counter| counter.load(Relaxed)))
    }
}

/// A counter for each name of a rule.
#[derive(Debug, Default)]
pub struct Named(RwLock<BTreeMap<String, AtomicU64>>);

impl Named {
    /// One more of this name.
    pub fn add(&self, name: &str) {
        // Each change is one call, complete or not begun; here and below.
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = known.get(name) {
            counter.fetch_add(1, Relaxed);
            return;
        }
        drop(known);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let name = if known.len() < MAX_NAMES { name } else { OTHER };
        known.entry(name.to_owned()).or_default().fetch_add(1, Relaxed);
    }

    /// In the order of the names.
    pub fn read(&self) -> Vec<(String, u64)> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let read = |(name, counter): (&String, &AtomicU64)| (name.clone(), counter.load(Relaxed));
        known.iter().map(read).collect()
    }
}

/// How often values were how large: at most each of the bounds, or more than all.
#[derive(Debug)]
pub struct Distribution<const N: usize> {
    bounds: [u64; N],
    within: Counts<N>,
    beyond: AtomicU64,
    sum: AtomicU64,
}

impl<const N: usize> Distribution<N> {
    /// By these bounds, in their order.
    pub fn new(bounds: [u64; N]) -> Self {
        Self {
            bounds,
            within: Counts::default(),
            beyond: AtomicU64::new(0),
            sum: AtomicU64::new(0),
        }
    }

    /// One more of this value.
    pub fn add(&self, value: u64) {
        match self.bounds.iter().position(|bound| value <= *bound) {
            Some(place) => self.within.add(place),
            None => {
                self.beyond.fetch_add(1, Relaxed);
            }
        }
        self.sum.fetch_add(value, Relaxed);
    }

    /// The sum of all values; and how many there were within each bound and past the one before, then
    /// past all.
    pub fn read(&self) -> (u64, Vec<(Option<u64>, u64)>) {
        let bounds = self.bounds.iter().copied().map(Some);
        let mut buckets: Vec<_> = bounds.zip(self.within.read()).collect();
        buckets.push((None, self.beyond.load(Relaxed)));
        (self.sum.load(Relaxed), buckets)
    }
}

/// The place of a word; that of the last one, which is for all others, where it has none.
pub fn place_of(word: &str, words: &[&str]) -> usize {
    let place = words.iter().position(|known| *known == word);
    place.unwrap_or(words.len().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_at_the_limit_and_one_past_it() {
        let named = Named::default();
        for number in 0..MAX_NAMES {
            named.add(&format!("rule-{number}"));
        }
        assert_eq!(named.read().len(), MAX_NAMES);
        for name in ["one more", "and another", "rule-0"] {
            named.add(name);
        }
        let read = named.read();
        assert_eq!(read.len(), MAX_NAMES + 1);
        assert!(read.contains(&(OTHER.to_owned(), 2)));
        assert!(read.contains(&("rule-0".to_owned(), 2)));
    }

    #[test]
    fn a_value_belongs_to_the_first_bound_that_is_not_below_it() {
        let distribution = Distribution::new([0, 10, 20]);
        for value in [0, 1, 10, 11, 20, 21, 1_000] {
            distribution.add(value);
        }
        let (sum, buckets) = distribution.read();
        assert_eq!(sum, 1_063);
        assert_eq!(buckets, [(Some(0), 1), (Some(10), 2), (Some(20), 2), (None, 2)]);
    }
}
