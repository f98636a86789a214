//! How often a service may be started again (P5): `n/t[u]`.

use std::time::Duration;

/// So many times within so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many times.
    pub count: u32,
    /// Within how long.
    pub per: Duration,
}

/// Reads `10/1h`: a number, and a time in seconds, or with s, m, h or d in either case.
pub(super) fn parse(text: &str) -> Option<Rate> {
    let (count, time) = text.split_once('/')?;
    let (number, seconds) = match time.char_indices().next_back()? {
        (at, 's' | 'S') => (time.get(..at)?, 1),
        (at, 'm' | 'M') => (time.get(..at)?, 60),
        (at, 'h' | 'H') => (time.get(..at)?, 3_600),
        (at, 'd' | 'D') => (time.get(..at)?, 86_400),
        _ => (time, 1),
    };
    let seconds = number_of(number)?.checked_mul(seconds)?;
    Some(Rate {
        count: number_of(count)?,
        per: Duration::from_secs(seconds.into()),
    })
}

fn number_of(digits: &str) -> Option<u32> {
    let is_plain = digits.bytes().all(|octet| octet.is_ascii_digit());
    digits.parse().ok().filter(|number| is_plain && *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p5_rates_in_all_their_units() {
        for (text, count, seconds) in [
            ("10/1h", 10, 3_600),
            ("10/1H", 10, 3_600),
            ("3/90", 3, 90),
            ("3/90s", 3, 90),
            ("1/2m", 1, 120),
            ("5/1D", 5, 86_400),
        ] {
            let per = Duration::from_secs(seconds);
            assert_eq!(parse(text), Some(Rate { count, per }), "{text}");
        }
        for text in [
            "",
            "10",
            "10/",
            "/1h",
            "0/1h",
            "1/0s",
            "x/1h",
            "10/h",
            "10/1w",
            "+1/1h",
            "1/99999999999d",
            "1/é",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
