//! What time it is for a run: the system's, or one that was set.

use landmarc_runtime::clock::{in_ms, now_ms};
use std::time::Instant;

/// The present of a run. One that was set goes on from there, so that leases end and waits pass.
#[derive(Clone, Copy, Debug)]
pub struct RunClock {
    set: Option<(u64, Instant)>,
}

impl RunClock {
    /// The system's.
    pub fn of_system() -> Self {
        Self { set: None }
    }

    /// One that shows this now, in milliseconds since the epoch.
    pub fn at(ms: u64) -> Self {
        Self {
            set: Some((ms, Instant::now())),
        }
    }

    /// The present in milliseconds since the epoch.
    pub fn now_ms(self) -> u64 {
        let Some((ms, since)) = self.set else {
            return now_ms();
        };
        ms.saturating_add(in_ms(since.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_goes_on_from_there() {
        let clock = RunClock::at(5_000);
        let shown = clock.now_ms();
        assert!((5_000..5_000 + 60_000).contains(&shown), "{shown}");
        assert!(clock.now_ms() >= shown);
        assert_eq!(RunClock::at(u64::MAX).now_ms(), u64::MAX);
        assert!(RunClock::of_system().now_ms() > 1_700_000_000_000);
    }
}
