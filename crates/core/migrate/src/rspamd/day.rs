//! Days as rspamd names them, and when a message of one was seen.

use std::fmt;
use std::ops::Range;

const DAY_S: u64 = 86_400;
/// The days of 9999-12-31 and before: what follows has no eight digits.
const MAX_DAYS: u64 = 2_932_896;

/// A day, written `YYYYMMDD`. rspamd means that of its host: by local time since 3.0, by UTC before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u64);

impl Day {
    /// The UTC day of this time in Unix seconds; the last one there is for those past it.
    #[must_use]
    pub fn at(unix_s: u64) -> Self {
        Self((unix_s / DAY_S).min(MAX_DAYS))
    }

    /// Reads eight digits that are a date since 1970.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 8 || !text.bytes().all(|octet| octet.is_ascii_digit()) {
            return None;
        }
        let number = |range: Range<usize>| text.get(range)?.parse::<u64>().ok();
        let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
        let days = days_since_1970(year, month, day)?;
        // A day that is not in its month would be another one when it is written again.
        Some(Self(days)).filter(|found| found.to_string() == text)
    }

    /// The day so many days later, or earlier.
    #[must_use]
    pub fn plus(self, days: i64) -> Self {
        Self(self.0.saturating_add_signed(days).min(MAX_DAYS))
    }

    /// Its noon in UTC, in Unix seconds.
    #[must_use]
    pub fn noon_s(self) -> u64 {
        self.0 * DAY_S + DAY_S / 2
    }

    /// The first second after it in UTC, in Unix seconds.
    #[must_use]
    pub fn end_s(self) -> u64 {
        (self.0 + 1) * DAY_S
    }
}

/// From the proleptic Gregorian calendar; none before 1970, or for a month that is none.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // The year begins in March, so that the leap day is its last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year.checked_sub(1)?, month + 9)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    let of_year = (153 * month + 2) / 5 + day - 1;
    // The days from March 1 of the year 0 to 1970-01-01.
    (year * 365 + leap_days + of_year).checked_sub(719_468)
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.0 + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let (month, next) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        write!(f, "{:04}{month:02}{day:02}", era * 400 + year + next)
    }
}

/// The time in which messages were counted that were not counted at the last look: from that look to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The last look, in Unix seconds; 0 when this is the first one.
    pub since_s: u64,
    /// Now, in Unix seconds.
    pub now_s: u64,
}

impl Window {
    /// When messages were seen that rspamd counts under this day, as far as that can be known.
    ///
    /// Its day is that of its host, ours is that of UTC. Whoever looks every few minutes knows better: at
    /// 22:30 UTC a host in Vienna counts under tomorrow, and the messages are of today. So it is the time
    /// within the window that is nearest to the day; at the first look, its noon.
    #[must_use]
    pub fn time_of(self, day: Day) -> u64 {
        day.noon_s().max(self.since_s).min(self.now_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JUNE_1: u64 = 1_780_272_000;

    #[test]
    fn a_day_is_written_as_it_is_read() {
        for text in [
            "19700101", "20000229", "20260601", "20261231", "21000301", "99991231",
        ] {
            assert_eq!(Day::parse(text).map(|day| day.to_string()).as_deref(), Some(text));
        }
        assert_eq!(Day::parse("20260601"), Some(Day::at(JUNE_1)));
        assert_eq!(Day::at(JUNE_1 - 1).to_string(), "20260531");
        assert_eq!(Day::at(JUNE_1).plus(-1).to_string(), "20260531");
        assert_eq!(Day::at(0).plus(-1), Day::at(0));
        assert_eq!(Day::at(u64::MAX).plus(1).to_string(), "99991231");
    }

    #[test]
    fn what_is_no_date_is_no_day() {
        for text in [
            "",
            "2026060",
            "202606011",
            "20260631",
            "20260229",
            "20261301",
            "20260600",
            "2026 601",
            "+2026601",
            "19691231",
            "00000101",
            "２０２６０６０１",
        ] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
    }

    /// Hosts in UTC, east and west of it, looked at every five minutes.
    #[test]
    fn a_time_is_the_one_of_the_window_that_is_nearest_to_the_day() {
        let day = Day::at(JUNE_1);
        let at = |since_s, now_s| Day::at(Window { since_s, now_s }.time_of(day)).to_string();
        let (midnight, hour) = (day.end_s(), 3_600);
        assert_eq!(at(JUNE_1 + hour, JUNE_1 + hour + 300), "20260601");
        assert_eq!(
            at(midnight - 180, midnight + 120),
            "20260601",
            "counted before midnight"
        );
        assert_eq!(
            at(JUNE_1 - 2 * hour, JUNE_1 - 2 * hour + 300),
            "20260531",
            "east of UTC"
        );
        assert_eq!(
            at(midnight + 3 * hour, midnight + 3 * hour + 300),
            "20260602",
            "west of UTC"
        );
        assert_eq!(at(0, midnight + 3 * hour), "20260601", "the first look");
        assert_eq!(at(0, JUNE_1 - hour), "20260531", "nothing is seen in the future");
    }
}
