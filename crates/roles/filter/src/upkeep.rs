//! What the service does beside mail: old records go, and losses at the end are told.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use landmarc_store::{ExpiredRecords, Reader, Recorder, RecorderState, RecorderStatistics, Retention};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::FilterMetrics;
use landmarc_runtime::current::Current;
use landmarc_runtime::database;
use landmarc_runtime::fleet_settings::FleetMode;
use landmarc_runtime::retention;

/// How often old records are looked for. Whole hours of them go (see [`Retention`]).
const BETWEEN_EXPIRIES: Duration = Duration::from_secs(3600);
/// How often the size is looked at. Who sees to it that no message and no explanation is like another
/// fills gigabytes within an hour.
const BETWEEN_LOOKS: Duration = Duration::from_secs(60);
/// How often the log says how many messages were sent to the hold queue.
const BETWEEN_REMINDERS: Duration = Duration::from_secs(24 * 3600);
/// Percent of `store.max_size` from which on there is a warning.
const NEARLY_FULL: u64 = 80;
/// How long the service may take at its end to write what still waits.
const LAST_WRITE: Duration = Duration::from_secs(10);
/// How long its writer is waited for after that: it may be in a system call that does not return.
const LAST_JOIN: Duration = Duration::from_secs(5);
/// The same where nothing could ever be written: that will not change in the last moment.
const LAST_HOPE: Duration = Duration::from_secs(2);

/// Lets old records go at the start, every hour, and as soon as the database is too large, by the
/// settings of that moment.
pub fn start(current: Arc<Current>, recorder: Arc<Recorder>, metrics: Arc<FilterMetrics>) -> JoinHandle<()> {
    // Where it is does not change while we run.
    let database = database::path(&current.get().settings);
    tokio::spawn(async move {
        let mut looks = interval(BETWEEN_LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut clock = retention::clock(database.clone().into()).await;
        let mut last = None;
        let mut warnings = Warnings::default();
        loop {
            let now = looks.tick().await;
            warnings.remind_of_held(&metrics, now);
            let mut keep = retention::believing(&mut clock, retention::keep(&current.get().settings));
            warnings.look(&keep, size(&database), recorder.statistics().folded_messages, now);
            let waiting = waiting_octets(&current, &database).await;
            keep.max_bytes = keep.max_bytes.map(|most| most.saturating_add(waiting));
            if !is_due(last.map(|last| now - last), size(&database), &keep) {
                continue;
            }
            last = Some(now);
            match recorder.expire(keep).await {
                Ok(expired) => {
                    retention::log_expired(&expired);
                    warnings.look_at_the_rest(&expired, &database, now);
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

/// When the log said last what it says once an hour, or once a day, and no more.
#[derive(Default)]
struct Warnings {
    held: Option<Instant>,
    clock: Option<Instant>,
    size: Option<Instant>,
    over_size: Option<Instant>,
    folded: Option<Instant>,
    /// Messages in folded rows when that was said last.
    folded_messages: u64,
}

impl Warnings {
    /// A mail server never expires what it holds, and neither sender nor recipient hears of it.
    fn remind_of_held(&mut self, metrics: &FilterMetrics, now: Instant) {
        let messages = metrics.held().within_a_day(now.into_std());
        if is_due_again(&mut self.held, messages > 0, now, BETWEEN_REMINDERS) {
            tracing::warn!(
                messages,
                remedy = "see them with landmarc log --action quarantine --since 1d, release or delete them in the \
                          mail server, or set action.quarantine = \"header\"",
                "messages were sent to the hold queue of the mail server within 24 hours"
            );
        }
    }

    /// `bytes` is the size of the database.
    fn look(&mut self, keep: &Retention, bytes: u64, folded_messages: u64, now: Instant) {
        if is_due_again(&mut self.clock, !keep.by_time, now, BETWEEN_EXPIRIES) {
            tracing::warn!(
                "the clock has jumped, or the store has no records of the last days: nothing expires by time before the clock \
                 has gone on for a day; if it is wrong, set it"
            );
        }
        if is_due_again(&mut self.size, is_nearly_full(bytes, keep), now, BETWEEN_EXPIRIES) {
            tracing::warn!(
                bytes,
                limit = keep.max_bytes,
                "the database has reached 80 % of store.max_size: past it, records go before their time"
            );
        }
        let messages = folded_messages - self.folded_messages;
        if is_due_again(&mut self.folded, messages > 0, now, BETWEEN_EXPIRIES) {
            self.folded_messages = folded_messages;
            tracing::warn!(
                messages,
                "one sender made too many distinct rows in a day: these messages count in rows with less detail"
            );
        }
    }

    /// Where nothing more may go, and the file is too large still.
    fn look_at_the_rest(&mut self, expired: &ExpiredRecords, database: &Path, now: Instant) {
        if is_due_again(&mut self.over_size, expired.over_bytes > 0, now, BETWEEN_EXPIRIES) {
            tracing::warn!(
                bytes = expired.over_bytes,
                "{} is larger than store.max_size by so much, and nothing in it is left to go: raise store.max_size",
                database.display()
            );
        }
    }
}

/// Whether it is to be said now; notes that it is.
fn is_due_again(said: &mut Option<Instant>, is_so: bool, now: Instant, period: Duration) -> bool {
    let is_due = is_so && said.is_none_or(|said| now - said >= period);
    if is_due {
        *said = Some(now);
    }
    is_due
}

fn is_nearly_full(bytes: u64, keep: &Retention) -> bool {
    keep.max_bytes
        .is_some_and(|most| bytes >= most / 100 * NEARLY_FULL)
}

/// Octets of what waits in the database to be handed on: it has a limit of its own (`fleet.spool_max_size`), and
/// nothing that is kept here goes for it.
async fn waiting_octets(current: &Current, database: &Path) -> u64 {
    if FleetMode::of(&current.get().settings) == FleetMode::Alone {
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
fn is_due(since: Option<Duration>, bytes: u64, keep: &Retention) -> bool {
    let is_time = since.is_none_or(|since| since >= BETWEEN_EXPIRIES);
    is_time || keep.max_bytes.is_some_and(|most| bytes > most)
}

/// One that cannot be looked at is not too large.
fn size(database: &Path) -> u64 {
    fs::metadata(database).map_or(0, |metadata| metadata.len())
}

/// Writes what waits, and tells what could not be written.
pub async fn end(recorder: Arc<Recorder>) {
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

fn time_for_the_last(so_far: &RecorderStatistics) -> Duration {
    match so_far.state == RecorderState::Degraded && so_far.commits == 0 {
        true => LAST_HOPE,
        false => LAST_WRITE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_reminder_a_day_of_what_is_held() {
        let metrics = FilterMetrics::default();
        let (mut warnings, first) = (Warnings::default(), Instant::now());
        warnings.remind_of_held(&metrics, first);
        assert_eq!(warnings.held, None, "nothing is held");
        metrics.held().add(first.into_std());
        warnings.remind_of_held(&metrics, first);
        assert_eq!(warnings.held, Some(first));
        warnings.remind_of_held(&metrics, first + BETWEEN_LOOKS);
        assert_eq!(warnings.held, Some(first));
    }

    #[tokio::test(start_paused = true)]
    async fn what_lasts_is_logged_once_in_its_period() {
        for period in [BETWEEN_EXPIRIES, BETWEEN_REMINDERS] {
            let (mut said, first) = (None, Instant::now());
            assert!(!is_due_again(&mut said, false, first, period));
            assert!(is_due_again(&mut said, true, first, period));
            assert!(!is_due_again(
                &mut said,
                true,
                first + period - BETWEEN_LOOKS,
                period
            ));
            assert!(!is_due_again(&mut said, false, first + period, period));
            assert!(is_due_again(&mut said, true, first + period, period));
        }
    }

    #[test]
    fn a_database_is_nearly_full_at_four_fifths_of_its_limit() {
        let keep = Retention {
            max_bytes: Some(1_000),
            ..Retention::standard(0)
        };
        assert!(!is_nearly_full(799, &keep) && is_nearly_full(800, &keep));
        assert!(!is_nearly_full(u64::MAX, &Retention::standard(0)));
    }

    #[test]
    fn a_store_that_never_was_there_is_not_waited_for_as_long() {
        let recorder = |path: &str| {
            let options = landmarc_store::RecorderOptions {
                must_open: false,
                ..landmarc_store::RecorderOptions::at(path)
            };
            Recorder::open(options).unwrap()
        };
        let dead = recorder("/proc/nowhere/landmarc.db");
        assert_eq!(time_for_the_last(&dead.statistics()), LAST_HOPE);
        let was_there = RecorderStatistics {
            commits: 1,
            ..dead.statistics()
        };
        assert_eq!(time_for_the_last(&was_there), LAST_WRITE);
        let works = RecorderStatistics {
            state: RecorderState::Ok,
            ..dead.statistics()
        };
        assert_eq!(time_for_the_last(&works), LAST_WRITE);
    }

    #[test]
    fn records_go_at_the_start_each_hour_and_when_there_are_too_many() {
        let keep = Retention {
            max_bytes: Some(1_000),
            ..Retention::standard(0)
        };
        let minute = Duration::from_secs(60);
        assert!(is_due(None, 0, &keep));
        assert!(!is_due(Some(BETWEEN_EXPIRIES - minute), 1_000, &keep));
        assert!(is_due(Some(BETWEEN_EXPIRIES), 0, &keep));
        assert!(is_due(Some(minute), 1_001, &keep));
        assert!(!is_due(Some(minute), 1_001, &Retention::standard(0)));
    }
}
