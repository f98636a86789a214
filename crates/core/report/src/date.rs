//! Times as report mail writes them: always UTC, from Unix seconds.

use landmarc_mail::calendar::date_time;

/// A time as a Date field has it (RFC 5322 §3.3): `Mon, 01 Jun 2026 00:00:00 +0000`.
#[must_use]
pub fn rfc5322(seconds: u64) -> String {
    date_time(seconds)
        .strftime("%a, %d %b %Y %H:%M:%S +0000")
        .to_string()
}

/// A day as people write it: `1 June 2026`.
#[must_use]
pub fn words(seconds: u64) -> String {
    date_time(seconds).strftime("%-d %B %Y").to_string()
}

/// A time as people write it: `1 June 2026, 12:30:00 UTC`.
#[must_use]
pub fn words_with_time(seconds: u64) -> String {
    date_time(seconds).strftime("%-d %B %Y, %H:%M:%S UTC").to_string()
}

/// A time as machines write it (RFC 3339): `2026-06-01T00:00:00Z`.
#[must_use]
pub fn rfc3339(seconds: u64) -> String {
    date_time(seconds).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
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
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 +0000"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 +0000"),
        ] {
            assert_eq!(rfc5322(seconds), written);
        }
    }

    #[test]
    fn people_and_machines_read_the_same_moment() {
        assert_eq!(words(1_780_272_000), "1 June 2026");
        assert_eq!(words_with_time(1_780_317_000), "1 June 2026, 12:30:00 UTC");
        assert_eq!(rfc3339(1_780_358_399), "2026-06-01T23:59:59Z");
    }
}
