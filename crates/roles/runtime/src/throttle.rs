//! What is told at most once in a while, however often it happens.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often what befalls messages is told: a log that grows by a line for each of them helps no slow disk.
const PERIOD: Duration = Duration::from_secs(1);

/// Counts what happens, and says when to tell of it.
#[derive(Debug)]
pub struct Throttle {
    period: Duration,
    state: Mutex<State>,
}

impl Default for Throttle {
    /// Once a second.
    fn default() -> Self {
        Self::every(PERIOD)
    }
}

#[derive(Debug, Default)]
struct State {
    told: Option<Instant>,
    untold: u64,
}

impl Throttle {
    /// Once in this time.
    pub fn every(period: Duration) -> Self {
        Self {
            period,
            state: Mutex::default(),
        }
    }

    /// Counts it once more. When it is to be told: how often it happened since it was told last.
    pub fn count(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.untold = state.untold.saturating_add(1);
        let since = state.told.map(|told| now.saturating_duration_since(told));
        if since.is_some_and(|since| since < self.period) {
            return None;
        }
        state.told = Some(now);
        Some(std::mem::take(&mut state.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_at_once_and_then_once_a_second_with_how_often() {
        let throttle = Throttle::default();
        let start = Instant::now();
        let at = |ms: u64| throttle.count(start + Duration::from_millis(ms));
        assert_eq!(at(0), Some(1));
        assert_eq!(at(0), None);
        assert_eq!(at(999), None);
        assert_eq!(at(1_000), Some(3));
        assert_eq!(at(1_999), None);
        assert_eq!(at(9_000), Some(2));
        let slower = Throttle::every(Duration::from_secs(60));
        assert_eq!(slower.count(start), Some(1));
        assert_eq!(slower.count(start + Duration::from_secs(59)), None);
        assert_eq!(slower.count(start + Duration::from_secs(60)), Some(2));
    }
}
