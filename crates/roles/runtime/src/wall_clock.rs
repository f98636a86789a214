//! Whether the wall clock can be believed, as far as removing by time goes.
//!
//! A clock that jumps ahead (NTP after the resume of a virtual machine, a broken battery) makes all records old at once, and
//! what was removed does not come back with the right time. So nothing expires by time before the clock has
//! agreed for a day: with the monotonic clock, or at the start with what is in the store.

use std::time::Duration;

use landmarc_store::{Day, LogFilter, Reader, StoreError, StoreLocation};

/// So long a clock agrees before it is believed. What is to be removed waits for weeks or months: a day more is nothing to it.
const A_DAY: Duration = Duration::from_secs(86_400);
/// So much may lie between it and the monotonic clock in a day: what NTP corrects in small steps, and a bad oscillator.
const TOLERANCE_MS: u64 = 3_600_000;

/// A store that has nothing of so many days is one that stood still, or the clock is wrong: a weekend is not enough.
const RECENT_DAYS: u32 = 3;

/// A wall clock, looked at now and then.
#[derive(Debug)]
pub struct WallClock {
    believed: Option<Line>,
    /// Another time than was believed, and since when the clock goes by it.
    doubted: Option<Line>,
}

/// What both clocks showed at one moment.
#[derive(Clone, Copy, Debug)]
struct Line {
    wall_ms: u64,
    monotonic: Duration,
}

impl Line {
    /// Whether both clocks have gone on alike since.
    fn goes_on_at(self, now: Self) -> bool {
        let passed = now.monotonic.saturating_sub(self.monotonic).as_millis();
        let expected = self
            .wall_ms
            .saturating_add(u64::try_from(passed).unwrap_or(u64::MAX));
        expected.abs_diff(now.wall_ms) <= TOLERANCE_MS
    }

    fn is_a_day_before(self, now: Self) -> bool {
        now.monotonic.saturating_sub(self.monotonic) >= A_DAY
    }
}

impl WallClock {
    /// One of which nothing is known but whether the store agrees with it at this moment.
    pub fn new(store_agrees: bool, wall_ms: u64, monotonic: Duration) -> Self {
        let line = Line { wall_ms, monotonic };
        Self {
            believed: store_agrees.then_some(line),
            doubted: (!store_agrees).then_some(line),
        }
    }

    /// Whether the time that it shows now is believed. `monotonic` is since whatever moment, always the same.
    pub fn is_believed(&mut self, wall_ms: u64, monotonic: Duration) -> bool {
        let now = Line { wall_ms, monotonic };
        if let Some(line) = self.believed.filter(|line| line.goes_on_at(now)) {
            self.doubted = None;
            // Day by day: over a year even a good clock drifts by more than is allowed for in one.
            if line.is_a_day_before(now) {
                self.believed = Some(now);
            }
            return true;
        }
        let since = self.doubted.filter(|line| line.goes_on_at(now)).unwrap_or(now);
        if since.is_a_day_before(now) {
            *self = Self {
                believed: Some(now),
                doubted: None,
            };
            return true;
        }
        self.doubted = Some(since);
        false
    }
}

/// Whether the store agrees with a clock that shows this: it has records of the day before the last 24 hours, or of the two
/// days before this one, or none that is older. What a wrong clock has recorded within the hour says nothing.
///
/// # Errors
/// When the store cannot be read.
pub fn store_agrees(place: &StoreLocation, now_ms: u64) -> Result<bool, StoreError> {
    let reader = Reader::open(place.clone())?;
    let day_ms = Day(1).begins_ms();
    let of_the_day_before = LogFilter {
        since_ms: Some(now_ms.saturating_sub(2 * day_ms)),
        until_ms: Some(now_ms.saturating_sub(day_ms)),
        limit: 1,
        ..LogFilter::default()
    };
    if !reader.log(&of_the_day_before)?.is_empty() {
        return Ok(true);
    }
    let (days, today) = (reader.reporting_days()?, Day::at(now_ms));
    if days.contains(&today.back(1)) && days.contains(&today.back(2)) {
        return Ok(true);
    }
    // Where nothing is older than two days, nothing of it expires.
    let older = LogFilter {
        until_ms: Some(now_ms.saturating_sub(2 * day_ms)),
        limit: 1,
        ..LogFilter::default()
    };
    Ok(days.iter().all(|day| *day >= today.back(2)) && reader.log(&older)?.is_empty())
}

/// Whether the store has records of the last days, or none at all. Otherwise expiry by hand asks whether the clock is right.
///
/// # Errors
/// When the store cannot be read.
pub fn has_recent(place: &StoreLocation, now_ms: u64) -> Result<bool, StoreError> {
    let reader = Reader::open(place.clone())?;
    let (days, today) = (reader.reporting_days()?, Day::at(now_ms));
    let from = today.back(RECENT_DAYS);
    if days.iter().any(|day| (from..=today.next()).contains(day)) {
        return Ok(true);
    }
    let one = |since_ms| LogFilter {
        since_ms,
        limit: 1,
        ..LogFilter::default()
    };
    let is_empty = days.is_empty() && reader.log(&one(None))?.is_empty();
    Ok(is_empty || !reader.log(&one(Some(from.begins_ms())))?.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: u64 = 3_600_000;
    const DAY_MS: u64 = 24 * HOUR_MS;
    const YEAR_MS: u64 = 365 * DAY_MS;
    const NOW: u64 = 1_780_272_000_000;

    /// A clock that is so far from the right time, looked at each minute from one hour to another.
    fn hours(clock: &mut WallClock, from: u64, to: u64, ahead_ms: i64) -> Vec<bool> {
        let minutes = from * 60..to * 60;
        minutes
            .map(|minute| {
                let passed = Duration::from_mins(minute);
                let wall_ms = (NOW + minute * 60_000).saturating_add_signed(ahead_ms);
                clock.is_believed(wall_ms, passed)
            })
            .collect()
    }

    fn all(of: &[bool], believed: bool) -> bool {
        of.iter().all(|one| *one == believed)
    }

    #[test]
    fn a_clock_that_jumps_is_doubted_and_believed_again_when_it_is_back() {
        for ahead in [
            YEAR_MS.cast_signed(),
            -DAY_MS.cast_signed(),
            2 * HOUR_MS.cast_signed(),
        ] {
            let mut clock = WallClock::new(true, NOW, Duration::ZERO);
            assert!(all(&hours(&mut clock, 0, 30, 0), true));
            assert!(all(&hours(&mut clock, 30, 31, ahead), false), "{ahead}");
            assert!(all(&hours(&mut clock, 31, 60, 0), true), "{ahead}");
        }
    }

    #[test]
    fn a_clock_that_stays_where_it_jumped_to_is_believed_after_a_day() {
        let mut clock = WallClock::new(true, NOW, Duration::ZERO);
        let (jump, other) = (30 * DAY_MS.cast_signed(), 40 * DAY_MS.cast_signed());
        assert!(all(&hours(&mut clock, 1, 25, jump), false));
        assert!(all(&hours(&mut clock, 25, 26, jump), true));
        assert!(all(&hours(&mut clock, 26, 49, other), false));
        assert!(all(&hours(&mut clock, 49, 50, jump), true), "back");
        assert!(
            all(&hours(&mut clock, 50, 74, other), false),
            "the day begins anew"
        );
        assert!(all(&hours(&mut clock, 74, 75, other), true));
    }

    #[test]
    fn a_clock_that_the_store_does_not_know_is_believed_after_a_day() {
        let mut clock = WallClock::new(false, NOW, Duration::ZERO);
        assert!(all(&hours(&mut clock, 0, 24, 0), false));
        assert!(all(&hours(&mut clock, 24, 300, 0), true));
    }

    #[test]
    fn a_clock_that_drifts_within_the_tolerance_of_a_day_stays_believed() {
        let mut clock = WallClock::new(true, NOW, Duration::ZERO);
        for day in 0..400_u64 {
            let ahead = (day * HOUR_MS / 2).cast_signed();
            assert!(
                all(&hours(&mut clock, day * 24, day * 24 + 24, ahead), true),
                "{day}"
            );
        }
        assert!(clock.is_believed(NOW + 400 * DAY_MS + 200 * HOUR_MS, 400 * A_DAY));
    }

    #[test]
    fn an_hour_is_tolerated_and_no_millisecond_more() {
        for (ahead, believed) in [(TOLERANCE_MS, true), (TOLERANCE_MS + 1, false)] {
            let mut clock = WallClock::new(true, NOW, Duration::ZERO);
            assert_eq!(clock.is_believed(NOW + ahead, Duration::ZERO), believed);
        }
    }

    /// Observations of these times, in a store of its own.
    async fn agrees(name: &str, times_ms: &[u64]) -> bool {
        let directory = std::env::temp_dir().join(format!("landmarc-believed-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let file = directory.join("landmarc.db");
        let recorder = landmarc_store::Recorder::open(landmarc_store::RecorderOptions::at(&file)).unwrap();
        for at_ms in times_ms {
            recorder.record(observation(*at_ms)).await;
        }
        let agrees = tokio::task::spawn_blocking(move || {
            recorder.close(Duration::from_secs(30));
            store_agrees(&StoreLocation::File(file), NOW).unwrap()
        });
        let agrees = agrees.await.unwrap();
        std::fs::remove_dir_all(directory).unwrap();
        agrees
    }

    fn observation(at_ms: u64) -> landmarc_observation::Observation {
        let none = || "none".to_owned();
        landmarc_observation::Observation {
            at_ms,
            queue_id: String::new(),
            id: format!("{at_ms}"),
            client: None,
            author_domain: None,
            spf: none(),
            dkim: none(),
            arc: none(),
            dmarc: none(),
            policy_domain: None,
            policy: None,
            disposition: none(),
            action: "accept".to_owned(),
            enforced_action: "accept".to_owned(),
            overrides: Vec::new(),
            rule: None,
            cause: String::new(),
            questions: 0,
            ms: 0,
            trace: std::sync::Arc::default(),
            row: None,
        }
    }

    #[tokio::test]
    async fn a_store_agrees_unless_it_has_old_records_and_none_of_the_day_before() {
        assert!(agrees("empty", &[]).await);
        assert!(agrees("new", &[NOW - HOUR_MS]).await);
        assert!(agrees("yesterday", &[NOW - 40 * DAY_MS, NOW - DAY_MS - HOUR_MS]).await);
        assert!(!agrees("jumped", &[NOW - 40 * DAY_MS, NOW - HOUR_MS]).await);
        assert!(!agrees("silent", &[NOW - 3 * DAY_MS]).await);
    }
}
