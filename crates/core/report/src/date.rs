//! Moments as letters write them: always UTC, from Unix seconds.

/// Seconds of a day. Unix time knows no leap seconds.
pub const DAY_SECONDS: u64 = 86_400;

/// The last moment of the year 9999: later ones are written as this one, so that a year has four digits.
const LATEST: u64 = 253_402_300_799;

const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A moment as a Date field has it (RFC 5322 §3.3): `Mon, 01 Jun 2026 00:00:00 +0000`.
#[must_use]
pub fn rfc5322(seconds: u64) -> String {
    let Moment {
        weekday,
        year,
        month,
        day,
        time,
    } = Moment::at(seconds);
    let month = month_name(month).get(..3).unwrap_or_default();
    format!("{weekday}, {day:02} {month} {year:04} {time} +0000")
}

/// A day as people write it: `1 June 2026`.
#[must_use]
pub fn words(seconds: u64) -> String {
    let Moment { year, month, day, .. } = Moment::at(seconds);
    format!("{day} {} {year}", month_name(month))
}

/// A moment as people write it: `1 June 2026, 12:30:00 UTC`.
#[must_use]
pub fn words_with_time(seconds: u64) -> String {
    format!("{}, {} UTC", words(seconds), Moment::at(seconds).time)
}

/// A moment as machines write it (RFC 3339): `2026-06-01T00:00:00Z`.
#[must_use]
pub fn rfc3339(seconds: u64) -> String {
    let Moment {
        year,
        month,
        day,
        time,
        ..
    } = Moment::at(seconds);
    format!("{year:04}-{month:02}-{day:02}T{time}Z")
}

struct Moment {
    weekday: &'static str,
    year: u64,
    /// 1 to 12.
    month: u64,
    /// 1 to 31.
    day: u64,
    /// `hh:mm:ss`
    time: String,
}

impl Moment {
    /// The Gregorian calendar by arithmetic on eras of 400 years (146,097 days), each year taken
    /// to begin on 1 March, so that the leap day is its last.
    fn at(seconds: u64) -> Self {
        let seconds = seconds.min(LATEST);
        let (days, second) = (seconds / DAY_SECONDS, seconds % DAY_SECONDS);
        // 719,468 days lie between 1 March of the year 0 and 1 January 1970.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // Months of 153 days in fives, from March on.
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = (month_from_march + 2) % 12 + 1;
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        let weekday = usize::try_from(days % 7).unwrap_or_default();
        Self {
            weekday: WEEKDAYS.get(weekday).copied().unwrap_or_default(),
            year,
            month,
            day,
            time: format!("{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60),
        }
    }
}

fn month_name(month: u64) -> &'static str {
    let at = usize::try_from(month.saturating_sub(1)).unwrap_or_default();
    MONTHS.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, written) in [
            (0, "Thu, 01 Jan 1970 00:00:00 +0000"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 +0000"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 +0000"),
            (1_013_662_812, "Thu, 14 Feb 2002 05:00:12 +0000"),
            (1_780_272_000, "Mon, 01 Jun 2026 00:00:00 +0000"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 +0000"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 +0000"),
            (LATEST, "Fri, 31 Dec 9999 23:59:59 +0000"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 +0000"),
        ] {
            assert_eq!(rfc5322(seconds), written);
        }
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let mut expected = (1970, 1, 1);
        for day in 0..146_097 {
            let Moment { year, month, day, .. } = Moment::at(day * DAY_SECONDS);
            assert_eq!((year, month, day), expected);
            let is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            let last = match month {
                2 => 28 + u64::from(is_leap),
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

    #[test]
    fn people_and_machines_read_the_same_moment() {
        assert_eq!(words(1_780_272_000), "1 June 2026");
        assert_eq!(words_with_time(1_780_317_000), "1 June 2026, 12:30:00 UTC");
        assert_eq!(rfc3339(1_780_358_399), "2026-06-01T23:59:59Z");
    }
}
