//! Days as rspamd names them, and when a message of one was seen.

use std::fmt;

use jiff::civil::Date;
use landmarc_mail::calendar::{DAY_SECONDS, date_time, day_begin};

/// The days of 9999-12-31 and before: what follows has no eight digits.
const MAX_DAYS: u64 = 2_932_896;

/// A day, written `YYYYMMDD`. rspamd means that of its host: by local time since 3.0, by UTC before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RspamdDay(u64);

impl RspamdDay {
    /// The UTC day of this time in Unix seconds; the last one there is for those past it.
    #[must_use]
    pub fn at(unix_s: u64) -> Self {
        Self((unix_s / DAY_SECONDS).min(MAX_DAYS))
    }

    /// Reads eight digits that are a date since 1970.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 8 || !text.bytes().all(|octet| octet.is_ascii_digit()) {
            return None;
        }
        let date = Date::strptime("%Y%m%d", text).ok()?;
        Some(Self(day_begin(date)? / DAY_SECONDS))
    }

    /// The day so many days later, or earlier.
    #[must_use]
    pub fn plus(self, days: i64) -> Self {
        Self(self.0.saturating_add_signed(days).min(MAX_DAYS))
    }

    /// Its noon in UTC, in Unix seconds.
    #[must_use]
    pub fn noon_s(self) -> u64 {
        self.0 * DAY_SECONDS + DAY_SECONDS / 2
    }

    /// The first second after it in UTC, in Unix seconds.
    #[must_use]
    pub fn end_s(self) -> u64 {
        (self.0 + 1) * DAY_SECONDS
    }
}

impl fmt::Display for RspamdDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", date_time(self.0 * DAY_SECONDS).strftime("%Y%m%d"))
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
    pub fn time_of(self, day: RspamdDay) -> u64 {
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
            assert_eq!(
                RspamdDay::parse(text).map(|day| day.to_string()).as_deref(),
                Some(text)
            );
        }
        assert_eq!(RspamdDay::parse("20260601"), Some(RspamdDay::at(JUNE_1)));
        assert_eq!(RspamdDay::at(JUNE_1 - 1).to_string(), "20260531");
        assert_eq!(RspamdDay::at(JUNE_1).plus(-1).to_string(), "20260531");
        assert_eq!(RspamdDay::at(0).plus(-1), RspamdDay::at(0));
        assert_eq!(RspamdDay::at(u64::MAX).plus(1).to_string(), "99991231");
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
            assert_eq!(RspamdDay::parse(text), None, "{text}");
        }
    }

    /// Hosts in UTC, east and west of it, looked at every five minutes.
    #[test]
    fn a_time_is_the_one_of_the_window_that_is_nearest_to_the_day() {
        let day = RspamdDay::at(JUNE_1);
        let at = |since_s, now_s| RspamdDay::at(Window { since_s, now_s }.time_of(day)).to_string();
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
