//! Values with a unit: durations and sizes.

use std::fmt;
use std::time::Duration;

use landmarc_mail::text::quoted;
use toml::Spanned;
use toml::de::DeValue;

use super::{Faults, SettingValue, TextValue};
use crate::text::toml_string;

/// The units of time, largest first, in milliseconds.
const TIME_UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The units of size, largest first, in octets.
const SIZE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Durations are whole milliseconds; the unit must be written, because seconds and
/// milliseconds are mistaken for each other otherwise.
impl TextValue for Duration {
    const KIND: &'static str = "duration";
    const ALLOWED: &'static str = "a whole number and its unit, such as \"500ms\" or \"5s\"";
    const UNIT: Option<&'static str> = Some("ms, s, m, h or d");

    fn parse(text: &str) -> Result<Self, String> {
        let milliseconds = with_unit(text, &TIME_UNITS, "ms, s, m, h and d")?;
        Ok(Self::from_millis(milliseconds))
    }

    fn text(&self) -> String {
        let milliseconds = u64::try_from(self.as_millis()).unwrap_or(u64::MAX);
        match milliseconds {
            0 => "0s".to_owned(),
            _ => largest_unit(milliseconds, &TIME_UNITS),
        }
    }
}

/// A size in octets. Written as a plain number, or as text with `KiB`, `MiB` or `GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

impl Size {
    /// So many octets.
    #[must_use]
    pub const fn octets(octets: u64) -> Self {
        Self(octets)
    }

    /// So many times 1024 octets.
    #[must_use]
    pub const fn kib(count: u32) -> Self {
        Self((count as u64) << 10)
    }

    /// So many times 1024 × 1024 octets.
    #[must_use]
    pub const fn mib(count: u32) -> Self {
        Self((count as u64) << 20)
    }

    /// The number of octets.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The number of octets, as a length in memory; the largest there is, where that is less.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("0B"),
            octets => f.write_str(&largest_unit(octets, &SIZE_UNITS)),
        }
    }
}

impl SettingValue for Size {
    const UNIT: Option<&'static str> = Some("octets, or KiB, MiB or GiB");

    fn kind() -> String {
        "size".to_owned()
    }

    fn allowed() -> String {
        "a number of octets, or a text such as \"64KiB\", \"1MiB\" or \"2GiB\"".to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Faults) -> Option<Self> {
        let read = match value.get_ref() {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix())
                .map_err(|_| "it is below zero or too large".to_owned()),
            DeValue::String(text) => with_unit(text, &SIZE_UNITS, "B, KiB, MiB and GiB"),
            _ => Err(String::new()),
        };
        match read {
            Ok(octets) => Some(Self(octets)),
            Err(why) => super::not_a::<Self>(value, Some(why), faults),
        }
    }

    fn print(&self) -> String {
        toml_string(&self.to_string())
    }
}

/// Reads a whole number that is followed by one of the units, with or without a space.
fn with_unit(text: &str, units: &[(&str, u64)], names: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).unwrap_or((text, ""));
    let unit = unit.trim_start_matches(' ');
    if number.is_empty() {
        return Err("it does not start with a whole number".to_owned());
    }
    if unit.is_empty() {
        return Err(format!("it has no unit; there are {names}"));
    }
    let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        return Err(format!("unknown unit {}; there are {names}", quoted(unit)));
    };
    let count: Option<u64> = number.parse().ok();
    count
        .and_then(|count| count.checked_mul(*factor))
        .ok_or_else(|| "it is too large".to_owned())
}

/// The number in the largest unit that leaves it whole.
fn largest_unit(number: u64, units: &[(&str, u64)]) -> String {
    let fitting = units.iter().find(|(_, factor)| number.is_multiple_of(*factor));
    fitting.map_or_else(
        || number.to_string(),
        |(name, factor)| format!("{}{name}", number / factor),
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;
    use super::*;

    #[test]
    fn durations_are_read_and_printed_in_their_largest_unit() {
        for (written, milliseconds, printed) in [
            ("500ms", 500, "500ms"),
            ("5s", 5_000, "5s"),
            ("5 s", 5_000, "5s"),
            ("90s", 90_000, "90s"),
            ("120s", 120_000, "2m"),
            ("1h", 3_600_000, "1h"),
            ("2d", 172_800_000, "2d"),
            ("0ms", 0, "0s"),
        ] {
            let read = <Duration as TextValue>::parse(written).unwrap();
            assert_eq!(read, Duration::from_millis(milliseconds), "{written}");
            assert_eq!(read.text(), printed, "{written}");
        }
    }

    #[test]
    fn what_is_no_duration_says_why() {
        for (written, why) in [
            ("", "it does not start with a whole number"),
            ("soon", "it does not start with a whole number"),
            ("-5s", "it does not start with a whole number"),
            ("5", "it has no unit; there are ms, s, m, h and d"),
            ("1.5h", "unknown unit \".5h\"; there are ms, s, m, h and d"),
            (
                "10 fortnights",
                "unknown unit \"fortnights\"; there are ms, s, m, h and d",
            ),
            ("99999999999999999999s", "it is too large"),
            ("18446744073709551615d", "it is too large"),
        ] {
            assert_eq!(
                <Duration as TextValue>::parse(written),
                Err(why.to_owned()),
                "{written}"
            );
        }
    }

    #[test]
    fn sizes_are_numbers_or_text() {
        for (written, octets, printed) in [
            ("0", 0, "\"0B\""),
            ("1000", 1000, "\"1000B\""),
            ("65536", 65_536, "\"64KiB\""),
            ("\"64KiB\"", 65_536, "\"64KiB\""),
            ("\"1024 KiB\"", 1 << 20, "\"1MiB\""),
            ("\"3GiB\"", 3 << 30, "\"3GiB\""),
        ] {
            let size: Size = read(written).unwrap();
            assert_eq!(
                (size.as_u64(), size.print().as_str()),
                (octets, printed),
                "{written}"
            );
            assert_eq!(read(&size.print()), Ok(size));
        }
        insta::assert_snapshot!(
            read::<Size>("\"64KB\"").unwrap_err().concat(),
            @r#""64KB" is no size: unknown unit "KB"; there are B, KiB, MiB and GiB; allowed: a number of octets, or a text such as "64KiB", "1MiB" or "2GiB""#
        );
        insta::assert_snapshot!(
            read::<Size>("-1").unwrap_err().concat(),
            @r#"-1 is no size: it is below zero or too large; allowed: a number of octets, or a text such as "64KiB", "1MiB" or "2GiB""#
        );
    }
}
