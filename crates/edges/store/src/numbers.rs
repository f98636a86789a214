//! Which entries of a host are in: all up to a number, and some beyond it.

/// Numbers of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// All up to this one are in; none when it is 0.
    pub(crate) through: u64,
    /// From one to another, both included, in order; none reaches or touches the next, or `through`.
    pub(crate) ahead: Vec<(u64, u64)>,
}

impl Numbers {
    /// What is noted, in whatever order.
    pub(crate) fn new(through: u64, mut ahead: Vec<(u64, u64)>) -> Self {
        ahead.sort_unstable();
        let mut numbers = Self {
            through,
            ahead: Vec::with_capacity(ahead.len()),
        };
        for (first, last) in ahead {
            numbers.push(first, last);
        }
        numbers
    }

    /// Whether any of these is in.
    pub(crate) fn has_any(&self, first: u64, last: u64) -> bool {
        let behind = self.ahead.partition_point(|(_, end)| *end < first);
        first <= self.through || self.ahead.get(behind).is_some_and(|(begin, _)| *begin <= last)
    }

    /// Notes that these are in.
    pub(crate) fn note(&mut self, first: u64, last: u64) {
        let mut all = std::mem::take(&mut self.ahead);
        all.push((first, last));
        *self = Self::new(self.through, all);
    }

    /// The highest that is in.
    pub(crate) fn highest(&self) -> u64 {
        self.ahead.last().map_or(self.through, |(_, last)| *last)
    }

    /// How many below the highest are not.
    pub(crate) fn missing(&self) -> u64 {
        let there = self.ahead.iter().map(|(first, last)| last - first + 1);
        self.highest() - self.through - there.sum::<u64>()
    }

    /// Behind all that is there.
    fn push(&mut self, first: u64, last: u64) {
        let last = last.max(first);
        if first <= self.through.saturating_add(1) {
            self.through = self.through.max(last);
            return;
        }
        match self.ahead.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => self.ahead.push((first, last)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_any_order_is_in_once_and_without_gaps_in_the_end() {
        let mut numbers = Numbers::default();
        assert_eq!((numbers.highest(), numbers.missing()), (0, 0));
        for (first, last) in [(2, 2), (7, 9), (4, 5), (3, 3)] {
            assert!(!numbers.has_any(first, last), "{first}");
            numbers.note(first, last);
            assert!(numbers.has_any(first, last), "{first}");
        }
        assert_eq!(
            (numbers.through, numbers.ahead.as_slice()),
            (0, &[(2, 5), (7, 9)][..])
        );
        assert_eq!((numbers.highest(), numbers.missing()), (9, 2));
        numbers.note(1, 1);
        assert_eq!((numbers.through, numbers.ahead.as_slice()), (5, &[(7, 9)][..]));
        numbers.note(6, 6);
        assert_eq!(numbers, Numbers::new(9, Vec::new()));
    }

    #[test]
    fn a_range_of_which_one_is_in_is_known() {
        let numbers = Numbers::new(3, vec![(10, 12), (6, 7)]);
        for (first, last, known) in [
            (1, 1, true),
            (3, 5, true),
            (4, 5, false),
            (4, 6, true),
            (7, 9, true),
            (8, 9, false),
            (8, 99, true),
            (12, 12, true),
            (13, u64::MAX, false),
        ] {
            assert_eq!(numbers.has_any(first, last), known, "{first} to {last}");
        }
    }

    #[test]
    fn the_last_number_of_all_is_a_number() {
        let mut numbers = Numbers::new(u64::MAX - 1, Vec::new());
        numbers.note(u64::MAX, u64::MAX);
        assert_eq!(numbers, Numbers::new(u64::MAX, Vec::new()));
        assert!(numbers.has_any(u64::MAX, u64::MAX));
    }
}
