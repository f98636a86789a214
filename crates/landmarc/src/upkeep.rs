//! What the service does beside mail: old records go, and losses at the end are told.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use settings::Settings;
use store::{Expired, Keep, Reader, Recorder, State, Statistics};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::database;
use crate::filter::Filter;
use crate::fleet::Way;
use crate::metrics::Metrics;
use crate::records::now_ms;

/// How often old records are looked for. Whole hours of them go (see [`Keep`]).
const BETWEEN_EXPIRIES: Duration = Duration::from_secs(3600);
/// How often the size is looked at. Who sees to it that no message and no story is like another
/// fills gigabytes within an hour.
const BETWEEN_LOOKS: Duration = Duration::from_secs(60);
/// How often the log says how many messages were sent to the hold queue.
const BETWEEN_REMINDERS: Duration = Duration::from_secs(24 * 3600);
/// How long the service may take at its end to write what still waits.
const LAST_WRITE: Duration = Duration::from_secs(10);
/// How long its writer is waited for after that: it may be in a system call that does not return.
const LAST_JOIN: Duration = Duration::from_secs(5);
/// The same where nothing could ever be written: that will not change in the last moment.
const LAST_HOPE: Duration = Duration::from_secs(2);

/// What the settings say is to be kept, now.
pub(crate) fn keep(settings: &Settings) -> Keep {
    Keep {
        now_ms: now_ms(),
        observation_days: settings.store.observation_days,
        tally_days: settings.store.tally_days,
        max_bytes: Some(u64::try_from(settings.store.max_size.as_usize()).unwrap_or(u64::MAX)),
    }
}

/// Lets old records go at the start, every hour, and as soon as the database is too large, by the
/// settings of that moment.
pub(crate) fn start(filter: Arc<Filter>, recorder: Arc<Recorder>, metrics: Arc<Metrics>) -> JoinHandle<()> {
    // Where it is does not change while we run.
    let database = database::path(&filter.running().settings);
    tokio::spawn(async move {
        let mut looks = interval(BETWEEN_LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (mut last, mut told, mut reminded) = (None, None, None);
        loop {
            let now = looks.tick().await;
            remind_of_held(&metrics, &mut reminded, now);
            let mut keep = keep(&filter.running().settings);
            let waiting = waiting_octets(&filter, &database).await;
            keep.max_bytes = keep.max_bytes.map(|most| most.saturating_add(waiting));
            if !is_due(last.map(|last| now - last), size(&database), &keep) {
                continue;
            }
            last = Some(now);
            match recorder.expire(keep).await {
                Ok(expired) => {
                    tell(&expired);
                    if is_news(expired.over_bytes, told, now, BETWEEN_EXPIRIES) {
                        told = Some(now);
                        tell_too_large(&expired, &database);
                    }
                }
                Err(error) => tracing::warn!(
                    remedy = error.remedy(),
                    "old records were not removed: {}",
                    error.in_full()
                ),
            }
        }
    })
}

/// Once a day: mail in a hold queue expires never, and its sender and recipients hear nothing of it.
fn remind_of_held(metrics: &Metrics, reminded: &mut Option<Instant>, now: Instant) {
    let messages = metrics.held().within_a_day(now.into_std());
    if !is_news(messages, *reminded, now, BETWEEN_REMINDERS) {
        return;
    }
    *reminded = Some(now);
    tracing::warn!(
        messages,
        remedy = "see them with landmarc log --action quarantine --since 1d, release or delete them in the mail server, \
                  or set action.quarantine = \"header\"",
        "messages were sent to the hold queue of the mail server within 24 hours"
    );
}

/// Octets of what waits in the database to be handed on: it has a limit of its own (`fleet.spool_max_size`), and
/// nothing that is kept here goes for it.
async fn waiting_octets(filter: &Filter, database: &Path) -> u64 {
    if Way::of(&filter.running().settings) == Way::Alone {
        return 0;
    }
    let database = database.to_owned();
    let read = move || Reader::open(database).and_then(|reader| reader.spool());
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(status)) => status.octets,
        // What cannot be read is told by whoever writes it.
        Ok(Err(_)) | Err(_) => 0,
    }
}

/// Whether records may have to go, so long after the last time, from a file of so many octets.
fn is_due(since: Option<Duration>, bytes: u64, keep: &Keep) -> bool {
    let is_time = since.is_none_or(|since| since >= BETWEEN_EXPIRIES);
    is_time || keep.max_bytes.is_some_and(|most| bytes > most)
}

/// One that cannot be looked at is not too large.
fn size(database: &Path) -> u64 {
    fs::metadata(database).map_or(0, |metadata| metadata.len())
}

pub(crate) fn tell(expired: &Expired) {
    if expired.observations + expired.tally_rows > 0 {
        tracing::info!(
            observations = expired.observations,
            tally_rows = expired.tally_rows,
            "old records were removed"
        );
    }
    if expired.traces_for_size + expired.observations_for_size + expired.tally_rows_for_size > 0 {
        tracing::warn!(
            stories = expired.traces_for_size,
            observations = expired.observations_for_size,
            tally_rows = expired.tally_rows_for_size,
            "records were removed before their time, for the database is at store.max_size: raise it to keep more"
        );
    }
}

/// Whether the log is to say that there is something: once in each `period`, however often it is looked at.
fn is_news(count: u64, logged: Option<Instant>, now: Instant, period: Duration) -> bool {
    count > 0 && logged.is_none_or(|logged| now - logged >= period)
}

fn tell_too_large(expired: &Expired, database: &Path) {
    tracing::warn!(
        bytes = expired.over_bytes,
        "{} is larger than store.max_size by so much, and nothing more in it may go: raise store.max_size, or \
         set store.observations = false",
        database.display()
    );
}

/// Writes what waits, and tells what could not be written.
pub(crate) async fn end(recorder: Arc<Recorder>) {
    // Who still holds it is a session that was cut off; it has been answered by nobody.
    let Some(recorder) = Arc::into_inner(recorder) else {
        return;
    };
    let within = time_for_the_last(&recorder.statistics());
    let closing = tokio::task::spawn_blocking(move || recorder.close(within));
    let last = match timeout(within + LAST_JOIN, closing).await {
        Ok(Ok(last)) => last,
        Ok(Err(_)) => return,
        Err(_) => {
            tracing::error!("records were lost: the store does not answer");
            return;
        }
    };
    let lost = last.dropped_observations + last.dropped_tallies;
    if lost > 0 {
        tracing::error!(
            observations = last.dropped_observations,
            tallies = last.dropped_tallies,
            "records were lost: the store could not be written to the end; the lines above say why"
        );
    }
}

fn time_for_the_last(so_far: &Statistics) -> Duration {
    match so_far.state == State::Degraded && so_far.commits == 0 {
        true => LAST_HOPE,
        false => LAST_WRITE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_lasts_is_logged_once_in_its_period() {
        let first = Instant::now();
        for period in [BETWEEN_EXPIRIES, BETWEEN_REMINDERS] {
            assert!(!is_news(0, None, first, period));
            assert!(is_news(1, None, first, period));
            assert!(!is_news(1, Some(first), first + period - BETWEEN_LOOKS, period));
            assert!(is_news(1, Some(first), first + period, period));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_reminder_a_day_of_what_is_held() {
        let metrics = Metrics::new();
        let (mut reminded, first) = (None, Instant::now());
        remind_of_held(&metrics, &mut reminded, first);
        assert_eq!(reminded, None, "nothing is held");
        metrics.held().add(first.into_std());
        remind_of_held(&metrics, &mut reminded, first);
        assert_eq!(reminded, Some(first));
        remind_of_held(&metrics, &mut reminded, first + BETWEEN_LOOKS);
        assert_eq!(reminded, Some(first));
    }

    #[test]
    fn a_store_that_never_was_there_is_not_waited_for_as_long() {
        let recorder = |path: &str| {
            let options = store::Options {
                must_open: false,
                ..store::Options::at(path)
            };
            Recorder::open(options).unwrap()
        };
        let dead = recorder("/proc/nowhere/landmarc.db");
        assert_eq!(time_for_the_last(&dead.statistics()), LAST_HOPE);
        let was_there = Statistics {
            commits: 1,
            ..dead.statistics()
        };
        assert_eq!(time_for_the_last(&was_there), LAST_WRITE);
        let works = Statistics {
            state: State::Ok,
            ..dead.statistics()
        };
        assert_eq!(time_for_the_last(&works), LAST_WRITE);
    }

    #[test]
    fn records_go_at_the_start_each_hour_and_when_there_are_too_many() {
        let keep = Keep {
            max_bytes: Some(1_000),
            ..Keep::standard(0)
        };
        let minute = Duration::from_secs(60);
        assert!(is_due(None, 0, &keep));
        assert!(!is_due(Some(BETWEEN_EXPIRIES - minute), 1_000, &keep));
        assert!(is_due(Some(BETWEEN_EXPIRIES), 0, &keep));
        assert!(is_due(Some(minute), 1_001, &keep));
        assert!(!is_due(Some(minute), 1_001, &Keep::standard(0)));
    }
}
