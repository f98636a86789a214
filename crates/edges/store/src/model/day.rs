//! UTC days.

/// Milliseconds of a UTC day. Leap seconds do not exist in Unix time.
const DAY_MS: u64 = 86_400_000;
/// Seconds of a UTC day.
const DAY_S: u64 = 86_400;
/// Milliseconds of an hour.
const HOUR_MS: u64 = 3_600_000;
/// Past the year 9999 a clock is out of order; what it says is held to this.
const LAST_MS: u64 = 253_402_300_799_999;

/// A UTC day, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub u32);

impl Day {
    /// The day of a time in milliseconds since the epoch.
    pub fn at(at_ms: u64) -> Self {
        Self(u32::try_from(at_ms.min(LAST_MS) / DAY_MS).unwrap_or(u32::MAX))
    }

    /// Its first millisecond.
    pub fn begins_ms(self) -> u64 {
        u64::from(self.0) * DAY_MS
    }

    /// Its first second, in seconds since the epoch.
    pub fn begins_s(self) -> u64 {
        self.begins_ms() / 1_000
    }

    /// Its last second: periods of reports do not overlap (RFC 9990 §3.3).
    pub fn ends_s(self) -> u64 {
        self.begins_s() + DAY_S - 1
    }

    /// The day after it, or the last of all.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The day so many days before, or the first of all.
    #[must_use]
    pub fn back(self, days: u32) -> Self {
        Self(self.0.saturating_sub(days))
    }
}

/// The number of the hour since the epoch.
pub(crate) fn hour_of(at_ms: u64) -> i64 {
    as_integer(at_ms) / as_integer(HOUR_MS)
}

/// A time as the database holds it.
pub(crate) fn as_integer(at_ms: u64) -> i64 {
    i64::try_from(at_ms.min(LAST_MS)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_midnight_utc() {
        // GR19: 2026-06-01 begins at 1780272000 and ends at 1780358399.
        let day = Day::at(1_780_272_000_000);
        assert_eq!(day.begins_ms(), 1_780_272_000_000);
        assert_eq!(Day::at(1_780_271_999_999), day.back(1));
        assert_eq!(Day::at(1_780_358_399_999), day);
        assert_eq!(Day::at(1_780_358_400_000), day.next());
        assert_eq!((day.begins_s(), day.ends_s()), (1_780_272_000, 1_780_358_399));
    }

    #[test]
    fn a_clock_out_of_order_is_held_to_the_year_9999() {
        assert_eq!(Day::at(u64::MAX), Day::at(LAST_MS));
        assert_eq!(Day::at(0), Day(0));
        assert_eq!((Day(3).back(9), Day(u32::MAX).next()), (Day(0), Day(u32::MAX)));
        assert_eq!(hour_of(u64::MAX), hour_of(LAST_MS));
    }
}
