//! Events that may happen often and are logged seldom.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// By default there is one line a minute.
const MINUTE: Duration = Duration::from_secs(60);

/// Lets one line into the log in each period, however often the event happens.
#[derive(Debug)]
pub struct LogLimit {
    period: Duration,
    state: Mutex<Unlogged>,
}

#[derive(Debug)]
struct Unlogged {
    /// When the last line was written.
    last: Option<Instant>,
    /// Events since then.
    count: u64,
}

/// One line a minute.
impl Default for LogLimit {
    fn default() -> Self {
        Self::every(MINUTE)
    }
}

impl LogLimit {
    /// One line in each period of this length.
    #[must_use]
    pub const fn every(period: Duration) -> Self {
        let (last, count) = (None, 0);
        Self {
            period,
            state: Mutex::new(Unlogged { last, count }),
        }
    }

    /// Counts one event. When a line is due: the events since the last one, this one included.
    pub fn count(&self) -> Option<u64> {
        let now = Instant::now();
        // No panic happens under the lock.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.count = state.count.saturating_add(1);
        if state.last.is_some_and(|last| now - last < self.period) {
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.count))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_a_minute_says_how_often_it_happened() {
        let limit = LogLimit::default();
        assert_eq!(limit.count(), Some(1));
        for _ in 1..60 {
            advance(Duration::from_secs(1)).await;
            assert_eq!(limit.count(), None);
        }
        advance(Duration::from_secs(1)).await;
        assert_eq!(limit.count(), Some(60));
        advance(2 * MINUTE).await;
        assert_eq!(limit.count(), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_is_due_at_once_and_then_once_in_the_period() {
        let limit = LogLimit::every(Duration::from_secs(1));
        let after = async |ms| {
            advance(Duration::from_millis(ms)).await;
            limit.count()
        };
        assert_eq!(after(0).await, Some(1));
        assert_eq!(after(0).await, None);
        assert_eq!(after(999).await, None);
        assert_eq!(after(1).await, Some(3));
        assert_eq!(after(999).await, None);
        assert_eq!(after(7_001).await, Some(2));
    }
}
