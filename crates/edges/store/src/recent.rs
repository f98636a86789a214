//! What was used last, and not much of it.

use std::collections::HashMap;
use std::hash::Hash;

/// Remembers what was used last, up to a limit. Two generations: when the young one is full it
/// becomes the old one, and what is not used again goes with it.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

impl<K: Copy + Eq + Hash, V: Copy> Recent<K, V> {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            half: limit / 2,
        }
    }

    /// What is remembered under this key; it counts as used.
    pub(crate) fn find(&mut self, key: K) -> Option<V> {
        if let Some(value) = self.young.get(&key) {
            return Some(*value);
        }
        let value = self.old.remove(&key)?;
        self.remember(key, value);
        Some(value)
    }

    pub(crate) fn remember(&mut self, key: K, value: V) {
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_is_remembered_and_the_rest_is_bounded() {
        let mut recent = Recent::new(10);
        recent.remember(0, 0);
        for number in 1..1_000 {
            recent.remember(number, number);
            assert_eq!(recent.find(0), Some(0), "used all the time");
            assert!(recent.young.len() + recent.old.len() <= 10);
        }
        assert_eq!(recent.find(999), Some(999));
        assert_eq!(recent.find(500), None);
    }
}
