//! A day, as TOML writes it.

use jiff::civil::Date;
use toml::Spanned;
use toml::de::DeValue;

use super::{Faults, SettingValue, not_a};

impl SettingValue for Date {
    fn kind() -> String {
        "date".to_owned()
    }

    fn allowed() -> String {
        "a day such as 2027-03-31, without quotes".to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Faults) -> Option<Self> {
        let written = value.get_ref().as_datetime();
        match written.map(|written| (written.date, written.time, written.offset)) {
            // What TOML reads as a date is in the calendar and has four digits for its year.
            Some((Some(_), None, None)) => value.get_ref().as_datetime()?.to_string().parse().ok(),
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
