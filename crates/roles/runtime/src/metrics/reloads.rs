//! Whether the settings that run are those of the file.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

/// What came of reading the settings. At the start they were read, or there would be no service.
#[derive(Debug)]
pub struct Reloads {
    ok: AtomicU64,
    failed: AtomicU64,
    last_failed: AtomicBool,
    /// Unix time in seconds.
    loaded: AtomicU64,
}

impl Reloads {
    /// Of settings that have just been read for the first time.
    pub fn new(loaded: SystemTime) -> Self {
        Self {
            ok: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            last_failed: AtomicBool::new(false),
            loaded: AtomicU64::new(unix_seconds(loaded)),
        }
    }

    /// They were read again and are in force.
    pub fn succeeded(&self) {
        self.ok.fetch_add(1, Relaxed);
        self.loaded.store(unix_seconds(SystemTime::now()), Relaxed);
        self.last_failed.store(false, Relaxed);
    }

    /// They could not be, so the old ones stay.
    pub fn failed(&self) {
        self.failed.fetch_add(1, Relaxed);
        self.last_failed.store(true, Relaxed);
    }

    /// Whether those in force are the last that somebody wanted.
    pub fn is_current(&self) -> bool {
        !self.last_failed.load(Relaxed)
    }

    /// How many went well, and how many failed.
    pub fn counts(&self) -> [u64; 2] {
        [self.ok.load(Relaxed), self.failed.load(Relaxed)]
    }

    /// When those in force were read, in Unix time.
    pub fn loaded_seconds(&self) -> u64 {
        self.loaded.load(Relaxed)
    }
}

fn unix_seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_attempt_tells_whether_the_settings_are_those_of_the_file() {
        let reloads = Reloads::new(UNIX_EPOCH);
        assert!(reloads.is_current());
        assert_eq!(reloads.loaded_seconds(), 0);
        reloads.failed();
        reloads.failed();
        assert_eq!((reloads.is_current(), reloads.counts()), (false, [0, 2]));
        assert_eq!(reloads.loaded_seconds(), 0, "the old ones stay");
        reloads.succeeded();
        assert_eq!((reloads.is_current(), reloads.counts()), (true, [1, 2]));
        assert!(reloads.loaded_seconds() > 0);
    }
}
