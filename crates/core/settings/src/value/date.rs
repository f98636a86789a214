//! A day, as TOML writes it.

use std::fmt;

use toml::Spanned;
use toml::de::DeValue;

use super::{Faults, Value, not_a};

/// A day of the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

const SECONDS_PER_DAY: u64 = 86_400;
/// Days from the first of March of the year 0 to the first of January 1970.
const DAYS_BEFORE_1970: u64 = 719_468;

impl Date {
    /// The Unix time at which it is over, in seconds; 0 for a day before 1970.
    #[must_use]
    pub fn end(self) -> u64 {
        // Years begin in March here, so that the day that comes and goes is the last of a year.
        let (year, month) = match self.month {
            3.. => (u64::from(self.year), u64::from(self.month) - 3),
            _ => (u64::from(self.year).saturating_sub(1), u64::from(self.month) + 9),
        };
        let of_months = (153 * month + 2) / 5;
        let of_years = 365 * year + year / 4 - year / 100 + year / 400;
        let days = of_years + of_months + u64::from(self.day);
        days.saturating_sub(DAYS_BEFORE_1970) * SECONDS_PER_DAY
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl Value for Date {
    fn kind() -> String {
        "date".to_owned()
    }

    fn allowed() -> String {
        "a day such as 2027-03-31, without quotes".to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Faults) -> Option<Self> {
        let written = value.get_ref().as_datetime();
        match written.map(|written| (written.date, written.time, written.offset)) {
            Some((Some(date), None, None)) => Some(Self {
                year: date.year,
                month: date.month,
                day: date.day,
            }),
            Some(_) => not_a::<Self>(value, Some("it has a time".to_owned()), faults),
            None => not_a::<Self>(value, None, faults),
        }
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::tests::read;

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
            assert_eq!(read::<Date>(day).unwrap().end(), end, "{day}");
        }
    }

    #[test]
    fn a_date_is_a_day_that_is_in_the_calendar() {
        assert_eq!(read::<Date>("2027-03-31").unwrap().print(), "2027-03-31");
        for (written, why) in [
            (
                "\"2027-03-31\"",
                "\"2027-03-31\" is no date; allowed: a day such as 2027-03-31, without quotes",
            ),
            (
                "2027-03-31T12:00:00Z",
                "2027-03-31T12:00:00Z is no date: it has a time; allowed: a day such as 2027-03-31, \
                 without quotes",
            ),
            (
                "12:00:00",
                "12:00:00 is no date: it has a time; allowed: a day such as 2027-03-31, without quotes",
            ),
        ] {
            assert_eq!(read::<Date>(written), Err(vec![why.to_owned()]));
        }
        for day in ["2027-02-29", "2027-13-01", "2027-04-31"] {
            assert!(DeValue::parse(day).is_err(), "{day}");
        }
    }
}
