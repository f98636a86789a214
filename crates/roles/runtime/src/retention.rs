//! What is kept and what expires, and the clock that it goes by.

use std::sync::OnceLock;
use std::time::Duration;

use landmarc_settings::Settings;
use landmarc_store::{ExpiredRecords, Retention, StoreLocation};

use crate::clock::now_ms;
use crate::wall_clock::{self, WallClock};

/// What the settings say is to be kept, now.
pub fn keep(settings: &Settings) -> Retention {
    Retention {
        now_ms: now_ms(),
        observation_days: settings.store.observation_days,
        tally_days: settings.store.tally_days,
        by_time: true,
        max_bytes: Some(u64::try_from(settings.store.max_size.as_usize()).unwrap_or(u64::MAX)),
    }
}

/// The clock by which the records of this place expire.
pub async fn clock(place: StoreLocation) -> WallClock {
    let now_ms = now_ms();
    let agrees = tokio::task::spawn_blocking(move || wall_clock::store_agrees(&place, now_ms)).await;
    // A store that cannot be read has nothing to say.
    WallClock::new(matches!(agrees, Ok(Ok(true))), now_ms, uptime())
}

/// Looks at the clock: without its word nothing expires by time.
pub fn believing(clock: &mut WallClock, keep: Retention) -> Retention {
    Retention {
        by_time: clock.is_believed(keep.now_ms, uptime()),
        ..keep
    }
}

/// Since the first time that this was asked.
fn uptime() -> Duration {
    static FIRST: OnceLock<std::time::Instant> = OnceLock::new();
    FIRST.get_or_init(std::time::Instant::now).elapsed()
}

/// Logs what was removed.
pub fn log_expired(expired: &ExpiredRecords) {
    if expired.observations + expired.tally_rows > 0 {
        tracing::info!(
            observations = expired.observations,
            tally_rows = expired.tally_rows,
            "old records were removed"
        );
    }
    if expired.traces_for_size + expired.observations_for_size + expired.tally_rows_for_size > 0 {
        tracing::warn!(
            traces = expired.traces_for_size,
            observations = expired.observations_for_size,
            tally_rows = expired.tally_rows_for_size,
            "records were removed before their time, for the database is at store.max_size: raise it to keep more"
        );
    }
}
