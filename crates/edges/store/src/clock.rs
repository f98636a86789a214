//! The clock of this host.

use std::time::{SystemTime, UNIX_EPOCH};

/// The present, in milliseconds since the epoch; 0 where the clock stands before that.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
