//! When reports are due, and when report messages are tried again. Pure arithmetic: the clock is read elsewhere.

use std::time::Duration;

use landmarc_mail::DomainName;
use landmarc_mail::calendar::DAY_SECONDS;

use crate::report_id::IdHasher;

/// The share of a waiting time by which it is made longer or shorter, in percent: report messages that failed
/// together, at a relay that was down, do not come back together.
const JITTER_PERCENT: u64 = 20;
/// The first suppression of a destination that bounced.
const FIRST_SUPPRESSION: Duration = Duration::from_secs(DAY_SECONDS);
/// The longest.
const LONGEST_SUPPRESSION: Duration = Duration::from_secs(32 * DAY_SECONDS);
/// A destination that did not bounce for this long is as one that never did. Twice the longest
/// suppression, so that the next report mail after it has the time to come back.
pub const BOUNCES_FORGOTTEN_AFTER: Duration = Duration::from_secs(64 * DAY_SECONDS);

/// How a report mail that could not be delivered is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The wait after the first failure. It doubles with each failure.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// The age at which a report mail is given up.
    pub give_up_after: Duration,
}

impl Retry {
    /// How long to wait after that many failures (the first is 1), 20 % more or less: by how much
    /// follows from the delivery and the number, so that a restart changes nothing.
    #[must_use]
    pub fn wait(&self, failures: u32, delivery: u64) -> Duration {
        let wait = doubled(self.first, failures, self.longest);
        let mut hash = IdHasher::new("landmarc jitter 1");
        hash.add(&delivery.to_be_bytes());
        hash.add(&failures.to_be_bytes());
        let range = millis(wait).saturating_mul(2 * JITTER_PERCENT) / 100;
        let least = millis(wait).saturating_mul(100 - JITTER_PERCENT) / 100;
        Duration::from_millis(least.saturating_add(below(hash.finish_number(), range.saturating_add(1))))
    }

    /// Whether a report mail of this age is to be given up.
    #[must_use]
    pub fn is_over(&self, age: Duration) -> bool {
        age >= self.give_up_after
    }
}

/// When the report about a domain and a day is due, in seconds since 1970: after the day's last second (UTC),
/// `settle` for records that come late, and the moment of the domain within `spread`. `day` counts from
/// 1 January 1970.
#[must_use]
pub fn due_at(day: u64, settle: Duration, spread: Duration, policy_domain: &DomainName) -> u64 {
    day.saturating_add(1)
        .saturating_mul(DAY_SECONDS)
        .saturating_add(settle.as_secs())
        .saturating_add(offset(policy_domain, day, spread).as_secs())
}

/// The moment of a domain within the time over which reports are spread, in whole seconds: its own for each
/// day, so that no domain is always the last, and the same on each host of a fleet.
#[must_use]
pub fn offset(policy_domain: &DomainName, day: u64, spread: Duration) -> Duration {
    let mut hash = IdHasher::new("landmarc offset 1");
    hash.add(policy_domain.as_str().as_bytes());
    hash.add(&day.to_be_bytes());
    Duration::from_secs(below(hash.finish_number(), spread.as_secs()))
}

/// How long nothing is sent to a destination after that many bounces (the first is 1): a day, two,
/// four, up to 32.
#[must_use]
pub fn suppression(bounces: u32) -> Duration {
    doubled(FIRST_SUPPRESSION, bounces, LONGEST_SUPPRESSION)
}

/// `first`, doubled for each time after the first, at most `longest`.
fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    let factor = 1_u32.checked_shl(times.saturating_sub(1)).unwrap_or(u32::MAX);
    first.saturating_mul(factor.max(1)).min(longest)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A number below `limit`, zero where that is zero: the bits that the hash gives, scaled.
fn below(hash: u64, limit: u64) -> u64 {
    let scaled = (u128::from(hash) * u128::from(limit)) >> 64;
    // Less than `limit`, which is a u64.
    u64::try_from(scaled).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3_600);
    const RETRY: Retry = Retry {
        first: Duration::from_secs(15 * 60),
        longest: Duration::from_secs(6 * 3_600),
        give_up_after: Duration::from_secs(4 * DAY_SECONDS),
    };

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    #[test]
    fn waits_double_from_the_first_to_the_longest() {
        let bare: Vec<_> = (1..=7)
            .map(|n| doubled(RETRY.first, n, RETRY.longest) / 60)
            .collect();
        assert_eq!(
            bare.iter().map(Duration::as_secs).collect::<Vec<_>>(),
            [15, 30, 60, 120, 240, 360, 360]
        );
        assert_eq!(doubled(RETRY.first, 0, RETRY.longest), 15 * MINUTE);
        assert_eq!(doubled(RETRY.first, u32::MAX, RETRY.longest), 6 * HOUR);
        assert_eq!(doubled(Duration::MAX, 9, RETRY.longest), 6 * HOUR);
    }

    #[test]
    fn jitter_stays_within_a_fifth_and_is_the_same_again() {
        let waits: Vec<_> = (0..1_000).map(|delivery| RETRY.wait(1, delivery)).collect();
        let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
        assert!(*least >= 12 * MINUTE && *most <= 18 * MINUTE);
        // A thousand deliveries come near both ends.
        assert!(*least < 12 * MINUTE + MINUTE / 10 && *most > 18 * MINUTE - MINUTE / 10);
        assert_eq!(RETRY.wait(1, 5), RETRY.wait(1, 5));
        assert_ne!(RETRY.wait(6, 5), RETRY.wait(7, 5));
    }

    #[test]
    fn waits_of_odd_settings_do_no_harm() {
        let odd = |first, longest| Retry {
            first,
            longest,
            give_up_after: Duration::ZERO,
        };
        assert_eq!(odd(Duration::ZERO, HOUR).wait(9, 1), Duration::ZERO);
        assert!(odd(HOUR, MINUTE).wait(1, 1) <= MINUTE * 6 / 5);
        assert!(odd(Duration::MAX, Duration::MAX).wait(u32::MAX, 1) > HOUR);
    }

    #[test]
    fn a_message_is_given_up_at_its_age() {
        assert!(!RETRY.is_over(RETRY.give_up_after - Duration::from_nanos(1)));
        assert!(RETRY.is_over(RETRY.give_up_after));
    }

    #[test]
    fn gr19_a_day_is_due_after_midnight_and_settling() {
        // 1 June 2026 is the day 20,605.
        let (day, midnight_after) = (20_605, 1_780_358_400);
        let due = |settle, spread| due_at(day, settle, spread, &name("example.com"));
        assert_eq!(due(Duration::ZERO, Duration::ZERO), midnight_after);
        assert_eq!(due(15 * MINUTE, Duration::ZERO), midnight_after + 900);
        let spread = due(15 * MINUTE, 4 * HOUR);
        assert!((midnight_after + 900..midnight_after + 900 + 4 * 3_600).contains(&spread));
        assert_eq!(
            due_at(u64::MAX, Duration::MAX, Duration::MAX, &name("example.com")),
            u64::MAX
        );
    }

    #[test]
    fn domains_have_their_own_moments_within_the_spread() {
        let moment = |n: u64, day| offset(&name(&format!("d{n}.example")), day, 4 * HOUR).as_secs();
        let mut hours = [0; 4];
        for domain in 0..1_000 {
            hours[usize::try_from(moment(domain, 1) / 3_600).unwrap()] += 1;
        }
        // Even enough: each hour gets its quarter, give or take a fifth of it.
        assert!(hours.iter().all(|count| (200..=300).contains(count)), "{hours:?}");
        assert_eq!(moment(1, 1), moment(1, 1));
        assert_ne!(moment(1, 1), moment(1, 2));
        assert_eq!(offset(&name("example.com"), 1, Duration::ZERO), Duration::ZERO);
        assert_eq!(
            offset(&name("example.com"), 1, Duration::from_secs(1)),
            Duration::ZERO
        );
    }

    #[test]
    fn suppressions_double_from_a_day_to_32() {
        let days: Vec<_> = (0..=8).map(|n| suppression(n).as_secs() / DAY_SECONDS).collect();
        assert_eq!(days, [1, 1, 2, 4, 8, 16, 32, 32, 32]);
        assert_eq!(suppression(u32::MAX), LONGEST_SUPPRESSION);
        assert!(BOUNCES_FORGOTTEN_AFTER > LONGEST_SUPPRESSION);
    }
}
