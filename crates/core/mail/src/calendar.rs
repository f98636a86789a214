//! The calendar of Unix time, by `jiff`: always UTC, no clock, no time zone, no leap second.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime};

/// Seconds of a day. Unix time knows no leap seconds.
pub const DAY_SECONDS: u64 = 86_400;

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// The date and time of this many seconds since 1970. What is past the year 9999 is held to its last
/// second, so that a year has four digits.
#[must_use]
pub fn date_time(seconds: u64) -> DateTime {
    EPOCH.saturating_add(SignedDuration::from_secs(
        i64::try_from(seconds).unwrap_or(i64::MAX),
    ))
}

/// The first second of a day since 1970; none for a day before.
#[must_use]
pub fn day_begin(day: Date) -> Option<u64> {
    u64::try_from(EPOCH.duration_until(day.at(0, 0, 0, 0)).as_secs()).ok()
}

/// The first second since 1970 after a day; 0 for a day before.
#[must_use]
pub fn day_end(day: Date) -> u64 {
    day_begin(day).map_or(0, |begin| begin + DAY_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let mut expected = (1970, 1, 1);
        for number in 0..146_097 {
            let date = date_time(number * DAY_SECONDS + DAY_SECONDS - 1).date();
            assert_eq!((date.year(), date.month(), date.day()), expected);
            assert_eq!(day_begin(date), Some(number * DAY_SECONDS));
            let (year, month, day) = expected;
            let is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            let last = match month {
                2 => 28 + i8::from(is_leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            expected = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (_, day) if day == last => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
        assert_eq!(expected, (2370, 1, 1));
    }

    /// `date -u -d DAY+1day +%s`
    #[test]
    fn a_day_is_over_when_the_next_one_begins() {
        for (day, end) in [
            ("1970-01-01", 86_400),
            ("1969-12-31", 0),
            ("0000-01-01", 0),
            ("2000-02-28", 951_782_400),
            ("2000-02-29", 951_868_800),
            ("2026-11-19", 1_795_132_800),
            ("2027-03-31", 1_806_537_600),
            ("2100-02-28", 4_107_542_400),
            ("9999-12-31", 253_402_300_800),
        ] {
            assert_eq!(day_end(day.parse().unwrap()), end, "{day}");
        }
    }

    #[test]
    fn what_no_calendar_has_is_its_last_second() {
        for seconds in [253_402_300_799, 253_402_300_800, u64::MAX] {
            let last = date_time(seconds).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            assert_eq!(last, "9999-12-31T23:59:59Z");
        }
    }
}
