//! The present, by the clock of the system.

use std::time::{Duration, SystemTime};

/// The present, in milliseconds since the epoch.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, in_ms)
}

/// A span in milliseconds.
pub fn in_ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
