//! Times in UTC, as people write and read them (RFC 3339).
//!
//! What is read by programs and people alike: days, times of day, and spans before the present.
//! Time zones other than a written offset are not known here: mail hosts and logs differ in
//! theirs, and a record that is read somewhere else is to mean the same.

use std::str::FromStr;

use jiff::civil::Date;
use landmarc_mail::calendar;
use landmarc_store::Day;

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// The units of a span.
const UNITS: [(&str, u64); 5] = [
    ("s", SECOND_MS),
    ("m", MINUTE_MS),
    ("h", HOUR_MS),
    ("d", DAY_MS),
    ("w", 7 * DAY_MS),
];

/// The days that have a name, and how long ago they are.
const DAYS: [(&str, u32); 2] = [("today", 0), ("yesterday", 1)];

/// A time in milliseconds since the epoch: `2026-06-01T14:30:00.005Z`.
pub fn to_the_millisecond(at_ms: u64) -> String {
    let seconds = to_the_second(at_ms);
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), at_ms % SECOND_MS)
}

/// The same without fractions of a second: `2026-06-01T14:30:00Z`.
pub fn to_the_second(at_ms: u64) -> String {
    calendar::date_time(at_ms / SECOND_MS)
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

/// A UTC day: `2026-06-01`.
pub fn date(day: Day) -> String {
    calendar::date_time(day.begins_s())
        .strftime("%Y-%m-%d")
        .to_string()
}

/// A time as it is given on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// So many milliseconds before the present.
    Ago(u64),
    /// A whole day.
    Date(Day),
    /// The day that is so many days ago.
    DaysAgo(u32),
    /// So many milliseconds into the present day.
    Today(u64),
    /// Milliseconds since the epoch.
    At(u64),
}

impl When {
    /// Its first millisecond.
    pub fn begins_ms(self, now_ms: u64) -> u64 {
        match self {
            Self::Ago(span) => now_ms.saturating_sub(span),
            Self::Date(day) => day.begins_ms(),
            Self::DaysAgo(days) => Day(Day::at(now_ms).0.saturating_sub(days)).begins_ms(),
            Self::Today(within) => Day::at(now_ms).begins_ms() + within,
            Self::At(at_ms) => at_ms,
        }
    }

    /// The first millisecond behind it: who says *until June 1* means all of that day.
    pub fn ends_ms(self, now_ms: u64) -> u64 {
        match self {
            Self::Date(_) | Self::DaysAgo(_) => self.begins_ms(now_ms) + DAY_MS,
            Self::Ago(_) | Self::At(_) | Self::Today(_) => self.begins_ms(now_ms),
        }
    }
}

/// A text that is no time.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "write a date (2026-06-01, today, yesterday), a time (2026-06-01T14:30:00Z, 14:30), \
     or a span before now (30m, 2h, 3d)"
)]
pub struct NoTime;

impl FromStr for When {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        let text = text.trim();
        let time = DAYS.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
        let time = time.map(|(_, days)| Self::DaysAgo(*days));
        let time = time.or_else(|| span(text).map(Self::Ago));
        let time = time.or_else(|| day(text).map(Self::Date));
        let time = time.or_else(|| time_of_day_ms(text).map(Self::Today));
        time.or_else(|| date_time(text).map(Self::At)).ok_or(NoTime)
    }
}

/// `2h`: a whole number and its unit.
fn span(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at_checked(digits)?;
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    count.parse::<u64>().ok()?.checked_mul(*factor)
}

/// `2026-06-01`.
fn day(text: &str) -> Option<Day> {
    // As long as a date with all its zeros; `strptime` would do without them.
    let is_date = text.len() == "2026-06-01".len() && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let date = Date::strptime("%Y-%m-%d", text).ok().filter(|_| is_date)?;
    Some(Day::at(calendar::day_begin(date)? * SECOND_MS))
}

/// RFC 3339 §5.6: `2026-06-01T14:30:00.25+02:00`; a blank may stand for the T, seconds may be
/// left out, and without an offset it is UTC.
fn date_time(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let (clock, ahead_ms) = match time.strip_suffix(['Z', 'z']) {
        Some(clock) => (clock, 0),
        None => match time.rfind(['+', '-']) {
            Some(place) => {
                let (clock, offset) = time.split_at_checked(place)?;
                (clock, offset_ms(offset)?)
            }
            None => (time, 0),
        },
    };
    let local = day(date)?.begins_ms() + time_of_day_ms(clock)?;
    local.checked_add_signed(-ahead_ms)
}

/// `14:30`, `14:30:00` or `14:30:00.25`.
fn time_of_day_ms(text: &str) -> Option<u64> {
    let (hour, rest) = text.split_once(':')?;
    let (minute, seconds) = rest.split_once(':').unwrap_or((rest, "00"));
    let (second, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let (hour, minute, second) = (number(hour, 2)?, number(minute, 2)?, number(second, 2)?);
    // RFC 3339 §5.7: 60 is a leap second, which Unix time takes for the next one.
    let is_time = hour < 24 && minute < 60 && second <= 60;
    let whole = u64::from(hour) * HOUR_MS + u64::from(minute) * MINUTE_MS + u64::from(second) * SECOND_MS;
    is_time.then_some(whole + milliseconds(fraction)?)
}

/// The first three digits of a fraction.
fn milliseconds(fraction: &str) -> Option<u64> {
    let is_number = !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit());
    let digits = fraction.bytes().chain([b'0'; 3]).take(3);
    is_number.then(|| digits.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

/// `+02:00`: how far local time is ahead.
fn offset_ms(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('+') {
        Some(text) => (1, text),
        None => (-1, text.strip_prefix('-')?),
    };
    let ahead = time_of_day_ms(text).filter(|_| text.len() == "02:00".len())?;
    i64::try_from(ahead).ok().map(|ahead| sign * ahead)
}

/// So many digits.
fn number(text: &str, digits: usize) -> Option<u32> {
    let is_number = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-06-01T00:00:00Z, by GR19.
    const JUNE: u64 = 1_780_272_000_000;

    #[test]
    fn days_have_their_dates_in_leap_years_and_others() {
        let known = [
            (0, "1970-01-01"),
            (58, "1970-02-28"),
            (59, "1970-03-01"),
            (789, "1972-02-29"),
            (790, "1972-03-01"),
            (10_956, "1999-12-31"),
            // 2000 is a leap year, as every four hundredth is; 2100 is none.
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (20_605, "2026-06-01"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
            (2_932_896, "9999-12-31"),
        ];
        for (number, text) in known {
            assert_eq!(date(Day(number)), text);
            assert_eq!(day(text), Some(Day(number)), "{text}");
        }
    }

    #[test]
    fn what_no_clock_says_is_no_panic() {
        assert_eq!(to_the_second(u64::MAX), "9999-12-31T23:59:59Z");
        let past = date(Day(u32::MAX));
        assert!(past.starts_with("9999-12-"), "{past}");
    }

    #[test]
    fn times_are_told_in_utc() {
        assert_eq!(to_the_millisecond(JUNE + 5), "2026-06-01T00:00:00.005Z");
        assert_eq!(to_the_second(JUNE - 1), "2026-05-31T23:59:59Z");
        assert_eq!(
            to_the_second(JUNE + 14 * HOUR_MS + 30 * MINUTE_MS + 59_999),
            "2026-06-01T14:30:59Z"
        );
    }

    #[test]
    fn times_are_read_in_every_spelling() {
        let at = |text: &str| match text.parse() {
            Ok(When::At(at_ms)) => at_ms,
            other => panic!("{text}: {other:?}"),
        };
        let half_past = JUNE + 14 * HOUR_MS + 30 * MINUTE_MS;
        for text in [
            "2026-06-01T14:30:00Z",
            "2026-06-01t14:30:00z",
            "2026-06-01 14:30",
            "2026-06-01T14:30:00.000",
            "2026-06-01T16:30:00+02:00",
            "2026-06-01T09:00:00-05:30",
            "2026-06-02T02:30+12:00",
        ] {
            assert_eq!(at(text), half_past, "{text}");
        }
        assert_eq!(at("2026-06-01T00:00:00.25Z"), JUNE + 250);
        assert_eq!(at("2026-06-01T00:00:00.0059Z"), JUNE + 5);
        // RFC 3339 §5.8: the leap second at the end of 1990.
        assert_eq!(at("1990-12-31T23:59:60Z"), at("1991-01-01T00:00:00Z"));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "h",
            "2",
            "2y",
            "-2h",
            "2h30",
            "2h 30m",
            "99999999999999999999d",
            "18446744073709551615w",
            "2026-13-01",
            "2026-00-01",
            "2026-02-29",
            "2026-06-00",
            "2026-06-31",
            "1969-12-31",
            "26-06-01",
            "2026-6-1",
            "2026-06",
            "2026-06-01T",
            "2026-06-01T24:00Z",
            "2026-06-01T14:60Z",
            "2026-06-01T14:30:61Z",
            "2026-06-01T14:30:00.Z",
            "2026-06-01T14:30:00,5Z",
            "2026-06-01T14Z",
            "2026-06-01T14:30+2:00",
            "2026-06-01T14:30+02:00:00",
            "2026-06-01T14:30+0200",
            "2026-06-01T14:30:00ZZ",
            "1970-01-01T00:00+00:01",
            "٢٠٢٦-06-01",
            "tomorrow",
            "24:00",
            "9:30",
        ] {
            assert_eq!(text.parse::<When>(), Err(NoTime), "{text}");
        }
    }

    #[test]
    fn a_span_is_before_the_present_and_a_day_has_two_ends() {
        let when = |text: &str| text.parse::<When>().unwrap();
        assert_eq!(when("30m").begins_ms(JUNE), JUNE - 30 * MINUTE_MS);
        assert_eq!(when("3d").ends_ms(JUNE), JUNE - 3 * DAY_MS);
        assert_eq!(when("2w").begins_ms(JUNE), JUNE - 14 * DAY_MS);
        assert_eq!(when("10s").begins_ms(5), 0);
        assert_eq!(when(" 2026-06-01 ").begins_ms(0), JUNE);
        assert_eq!(when("2026-06-01").ends_ms(0), JUNE + DAY_MS);
    }

    #[test]
    fn days_with_a_name_and_times_of_today_follow_the_clock() {
        let when = |text: &str| text.parse::<When>().unwrap();
        let noon = JUNE + 12 * HOUR_MS;
        assert_eq!(when("today").begins_ms(noon), JUNE);
        assert_eq!(when("Today").ends_ms(noon), JUNE + DAY_MS);
        assert_eq!(when("yesterday").begins_ms(noon), JUNE - DAY_MS);
        assert_eq!(when("yesterday").ends_ms(noon), JUNE);
        assert_eq!(when("yesterday").begins_ms(5), 0);
        assert_eq!(when("09:30").begins_ms(noon), JUNE + 9 * HOUR_MS + 30 * MINUTE_MS);
        assert_eq!(
            when("09:30:05").ends_ms(noon),
            JUNE + 9 * HOUR_MS + 30 * MINUTE_MS + 5_000
        );
    }
}
