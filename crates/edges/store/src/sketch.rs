//! Counts of very many keys in little memory.

use std::hash::{BuildHasher, Hash, RandomState};

/// Counters in one line. A day of 10 million messages with 312,000 distinct rows adds about 900,000: seven a counter, of limits of
/// hundreds.
const WIDTH: usize = 1 << 17;
/// Lines, each with a hash of its own: a key is counted too high only if it meets others in all of them.
const LINES: usize = 4;

/// A count-min sketch: a count is right or too high, never too low, and the memory (1 MB) is the same for any number of
/// keys. The hash is keyed at random, so that nobody can choose names that share the counters of another.
#[derive(Debug)]
pub(crate) struct Sketch {
    keys: RandomState,
    counters: Vec<u16>,
}

/// Where a key is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SketchPlace([usize; LINES]);

impl Sketch {
    pub(crate) fn new() -> Self {
        Self {
            keys: RandomState::new(),
            counters: vec![0; WIDTH * LINES],
        }
    }

    pub(crate) fn place(&self, key: impl Hash) -> SketchPlace {
        let hash = self.keys.hash_one(key);
        let mut place = [0; LINES];
        for (line, counter) in place.iter_mut().enumerate() {
            // Two halves of one hash make as many as are needed (Kirsch and Mitzenmacher, 2006).
            let (step, start) = (hash >> 32 | 1, hash & 0xffff_ffff);
            let within = start.wrapping_add(step.wrapping_mul(line as u64)) % WIDTH as u64;
            *counter = line * WIDTH + usize::try_from(within).unwrap_or(0);
        }
        SketchPlace(place)
    }

    pub(crate) fn count(&self, place: SketchPlace) -> u16 {
        let counters = place.0.iter().filter_map(|counter| self.counters.get(*counter));
        counters.min().copied().unwrap_or(u16::MAX)
    }

    pub(crate) fn add(&mut self, place: SketchPlace) {
        self.change(place, |counter| counter.saturating_add(1));
    }

    /// Takes back what was added.
    pub(crate) fn take_back(&mut self, place: SketchPlace) {
        self.change(place, |counter| counter.saturating_sub(1));
    }

    pub(crate) fn clear(&mut self) {
        self.counters.fill(0);
    }

    fn change(&mut self, place: SketchPlace, change: fn(u16) -> u16) {
        for counter in place.0 {
            if let Some(counter) = self.counters.get_mut(counter) {
                *counter = change(*counter);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_right_or_too_high_and_what_is_taken_back_is_gone() {
        let mut sketch = Sketch::new();
        for key in 0..50_000_u32 {
            let place = sketch.place(key);
            for _ in 0..=key % 3 {
                sketch.add(place);
            }
        }
        let counts = || (0..50_000_u32).map(|key| (key, sketch.count(sketch.place(key))));
        assert!(counts().all(|(key, count)| u32::from(count) > key % 3));
        let wrong = counts()
            .filter(|(key, count)| u32::from(*count) != key % 3 + 1)
            .count();
        assert!(wrong < 2_500, "{wrong} of 50,000 are too high");

        let place = sketch.place("one more");
        let before = sketch.count(place);
        sketch.add(place);
        assert_eq!(sketch.count(place), before + 1);
        sketch.take_back(place);
        assert_eq!(sketch.count(place), before);
        sketch.clear();
        assert_eq!(sketch.count(sketch.place(7)), 0);
    }

    #[test]
    fn a_counter_stays_within_its_number() {
        let mut sketch = Sketch::new();
        let place = sketch.place("flood");
        for _ in 0..=u32::from(u16::MAX) {
            sketch.add(place);
        }
        assert_eq!(sketch.count(place), u16::MAX);
    }
}
