//! What the service does beside mail: old records go, and losses at the end are told.

use std::sync::Arc;
use std::time::Duration;

use settings::Settings;
use store::{Expired, Keep, Recorder};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::filter::Filter;
use crate::records::now_ms;

/// How often old records are looked for. Whole hours of them go (see [`Keep`]).
const BETWEEN_EXPIRIES: Duration = Duration::from_secs(3600);
/// How long the service may take at its end to write what still waits.
const LAST_WRITE: Duration = Duration::from_secs(10);

/// What the settings say is to be kept, now.
pub(crate) fn keep(settings: &Settings) -> Keep {
    Keep {
        now_ms: now_ms(),
        observation_days: settings.store.observation_days,
        tally_days: settings.store.tally_days,
        max_bytes: Some(u64::try_from(settings.store.max_size.as_usize()).unwrap_or(u64::MAX)),
    }
}

/// Lets old records go at the start and every hour, by the settings of that moment.
pub(crate) fn start(filter: Arc<Filter>, recorder: Arc<Recorder>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut hours = interval(BETWEEN_EXPIRIES);
        hours.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            hours.tick().await;
            match recorder.expire(keep(&filter.running().settings)).await {
                Ok(expired) => tell(&expired),
                Err(error) => tracing::warn!("old records were not removed: {}", error.in_full()),
            }
        }
    })
}

fn tell(expired: &Expired) {
    if expired.observations + expired.tally_rows > 0 {
        tracing::info!(
            observations = expired.observations,
            tally_rows = expired.tally_rows,
            "old records were removed"
        );
    }
    if expired.observations_for_size + expired.tally_rows_for_size > 0 {
        tracing::warn!(
            observations = expired.observations_for_size,
            tally_rows = expired.tally_rows_for_size,
            "records were removed before their time, for the database is at store.max_size"
        );
    }
}

/// Writes what waits, and tells what could not be written.
pub(crate) async fn end(recorder: Arc<Recorder>) {
    // Who still holds it is a session that was cut off; it has been answered by nobody.
    let Some(recorder) = Arc::into_inner(recorder) else {
        return;
    };
    let Ok(last) = tokio::task::spawn_blocking(move || recorder.close(LAST_WRITE)).await else {
        return;
    };
    let lost = last.dropped_observations + last.dropped_tallies;
    if lost > 0 {
        tracing::error!(
            observations = last.dropped_observations,
            tallies = last.dropped_tallies,
            "records were lost: the store could not be written"
        );
    }
}
