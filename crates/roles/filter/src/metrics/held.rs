//! How many messages were sent to the hold queue of the mail server within a day.
//!
//! Nothing but the mail server knows how many of them still wait there: it releases and deletes
//! them without a word to a filter. How many went there says whether somebody has to look.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

const SECONDS_PER_HOUR: u64 = 3_600;
const HOURS: usize = 24;

/// Counts of the last 24 hours, by hour since the start.
#[derive(Debug)]
pub struct HeldCounter {
    started: Instant,
    hours: Mutex<Hours>,
}

#[derive(Debug, Default)]
struct Hours {
    /// The hour that the place after the last of them belongs to.
    current: u64,
    counts: [u64; HOURS],
}

impl HeldCounter {
    pub(super) fn new(started: Instant) -> Self {
        Self {
            started,
            hours: Mutex::default(),
        }
    }

    /// One more was sent there.
    pub fn add(&self, now: Instant) {
        self.at(now, |hours, place| hours[place] += 1);
    }

    /// How many were sent there within the last 24 hours, the present one included.
    pub fn within_a_day(&self, now: Instant) -> u64 {
        self.at(now, |hours, _| hours.iter().sum())
    }

    fn at<T>(&self, now: Instant, look: impl FnOnce(&mut [u64; HOURS], usize) -> T) -> T {
        let hour = now.saturating_duration_since(self.started).as_secs() / SECONDS_PER_HOUR;
        // Each change is one call, complete or not begun.
        let mut hours = self.hours.lock().unwrap_or_else(PoisonError::into_inner);
        // Hours that have passed since the last look held nothing, and take the places of those a day before.
        for passed in (hours.current + 1..=hour).take(HOURS) {
            hours.counts[place(passed)] = 0;
        }
        hours.current = hours.current.max(hour);
        look(&mut hours.counts, place(hour))
    }
}

fn place(hour: u64) -> usize {
    usize::try_from(hour % HOURS as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_message_counts_for_a_day_and_not_longer() {
        let start = Instant::now();
        let held = HeldCounter::new(start);
        let hours = |hours: u64| start + Duration::from_secs(hours * SECONDS_PER_HOUR);
        held.add(start);
        held.add(hours(1));
        held.add(hours(1));
        assert_eq!(held.within_a_day(hours(23)), 3);
        assert_eq!(held.within_a_day(hours(24)), 2);
        held.add(hours(24));
        assert_eq!(held.within_a_day(hours(25)), 1);
        assert_eq!(held.within_a_day(hours(1_000)), 0);
    }

    #[test]
    fn hours_without_a_message_are_passed_over() {
        let start = Instant::now();
        let held = HeldCounter::new(start);
        for hour in [0, 100, 110] {
            held.add(start + Duration::from_secs(hour * SECONDS_PER_HOUR));
        }
        let at = |hour: u64| held.within_a_day(start + Duration::from_secs(hour * SECONDS_PER_HOUR));
        assert_eq!((at(110), at(123), at(124), at(134)), (2, 2, 1, 0));
    }
}
