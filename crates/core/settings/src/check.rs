//! What must hold between keys: each is allowed alone, but not with the other.

mod fleet;
mod report;

use std::time::Duration;

use crate::Settings;
use crate::mistake::{Mistake, MistakeKind};
use crate::value::SettingValue;

/// A check, and the keys it looks at.
type Check = (fn(&Settings) -> Option<Mistake>, &'static [&'static str]);

/// A function and the keys it looks at: `check!(directory: report.delivery.by, report.delivery.directory)`.
macro_rules! check {
    ($check:ident: $($($key:ident).+),+) => {
        ($check, &[$(key!($($key).+)),+])
    };
}
use check;

/// The mistakes that these checks find. One that looks at a key which is in `mistakes` already is left out: there is
/// no value to look at.
fn found(checks: &[Check], settings: &Settings, mistakes: &[Mistake]) -> Vec<Mistake> {
    let mistaken = |key: &&str| mistakes.iter().any(|mistake| mistake.key == *key);
    let checks = checks.iter().filter(|(_, keys)| !keys.iter().any(mistaken));
    checks.filter_map(|(check, _)| check(settings)).collect()
}

/// The mistakes that take two keys to make. A key that is in `mistakes` already has no
/// value to compare, so it is left out.
pub(crate) fn conflicts(settings: &Settings, mistakes: &[Mistake]) -> Vec<Mistake> {
    macro_rules! at_most {
        ($($smaller:ident).+, $($larger:ident).+) => {
            at_most(
                settings,
                mistakes,
                (key!($($smaller).+), &settings.$($smaller).+),
                (key!($($larger).+), &settings.$($larger).+),
            )
        };
    }
    let found = [
        // One question that outlasts its message would never be told from a dead server.
        at_most!(dns.question_timeout, dns.message_timeout),
        // Otherwise no RSA key is left to verify with.
        at_most!(dkim.min_rsa_bits, dkim.max_rsa_bits),
        at_most!(limits.header_field, limits.header_section),
        // A single session has to fit, or it waits for room that never comes.
        at_most!(limits.header_section, limits.memory),
        at_most!(report.retry_first, report.retry_longest),
        at_most!(report.retry_longest, report.give_up_after),
        at_most!(
            report.failure.per_destination_minute,
            report.failure.per_destination_day
        ),
        at_most!(report.failure.per_destination_day, report.failure.per_day),
        // What is tried has to be there still.
        at_most(
            settings,
            mistakes,
            (key!(report.give_up_after), &settings.report.give_up_after),
            (key!(report.keep_days), &days(settings.report.keep_days)),
        ),
    ];
    let found = found.into_iter().flatten();
    let of_reports = self::found(&report::CHECKS, settings, mistakes);
    let of_fleet = self::found(&fleet::CHECKS, settings, mistakes);
    found.chain(of_reports).chain(of_fleet).collect()
}

fn days(count: u32) -> Duration {
    Duration::from_secs(86_400) * count
}

/// The mistake that the first key is more than the second; told at whichever of them the
/// file mentions, the first before the second.
fn at_most<T: SettingValue + PartialOrd>(
    settings: &Settings,
    mistakes: &[Mistake],
    (key, value): (&str, &T),
    (other, limit): (&str, &T),
) -> Option<Mistake> {
    let mistaken = |name: &str| mistakes.iter().any(|mistake| mistake.key == name);
    if value <= limit || mistaken(key) || mistaken(other) {
        return None;
    }
    let other_place = settings.written.place(other);
    let wrong = MistakeKind::MoreThan {
        found: value.print(),
        other: other.to_owned(),
        limit: limit.print(),
        line: other_place.map(|place| place.line),
    };
    Some(Mistake {
        place: settings.written.place(key).or(other_place),
        key: key.to_owned(),
        wrong,
    })
}
