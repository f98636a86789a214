//! Failures of one key and of many, by the second.

use super::*;
use crate::failure::sample::{RECORD, list_message};

fn key(domain: &str) -> LimiterKey {
    LimiterKey {
        policy_domain: DomainName::parse(domain).unwrap(),
        dkim_failed: true,
        spf_failed: true,
        signer: None,
        network: None,
        spf_domain: None,
    }
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

const OPEN: FailureLimits = FailureLimits {
    per_destination_minute: u32::MAX,
    per_destination_day: u32::MAX,
    per_day: u32::MAX,
};

/// The incidents of a report, or why there is none.
fn incidents(verdict: &LimiterVerdict) -> Result<u32, Withheld> {
    match verdict {
        LimiterVerdict::Report { incidents, .. } => Ok(*incidents),
        LimiterVerdict::Counted(held) => Err(*held),
    }
}

/// Which of the incidents of one key are reported, one a second, and what each report stands for.
fn reported(limiter: &mut Limiter, start: u64, count: u64) -> Vec<(u64, u32)> {
    let destinations = [address("ruf@example.com")];
    let admitted = (1..=count).filter_map(|nth| {
        let verdict = limiter.admit(start + nth, key("example.com"), &destinations);
        Some((nth, incidents(&verdict).ok()?))
    });
    admitted.collect()
}

#[test]
fn fr32_the_eleventh_alike_is_counted_and_told_of_by_a_later_report() {
    let mut limiter = Limiter::new(OPEN);
    let first: Vec<_> = (1..=10).map(|nth| (nth, 1)).collect();
    assert_eq!(reported(&mut limiter, 0, 11), first);
    let destinations = [address("ruf@example.com")];
    for nth in 12..20 {
        let verdict = limiter.admit(nth, key("example.com"), &destinations);
        assert_eq!(incidents(&verdict), Err(Withheld::Alike), "{nth}");
    }
    let verdict = limiter.admit(20, key("example.com"), &destinations);
    assert_eq!(incidents(&verdict), Ok(10), "the eleventh to the twentieth");
}

#[test]
fn the_more_there_are_the_fewer_are_reported() {
    let mut limiter = Limiter::new(OPEN);
    let found = reported(&mut limiter, 0, 3_000);
    let later: Vec<_> = found.into_iter().skip(10).collect();
    let mut expected: Vec<_> = (2..=10).map(|tens| (tens * 10, 10)).collect();
    expected.extend((2..=10).map(|hundreds| (hundreds * 100, 100)));
    expected.extend([(2_000, 1_000), (3_000, 1_000)]);
    assert_eq!(later, expected);
}

#[test]
fn a_quiet_hour_begins_anew() {
    for (quiet, expected) in [(QUIET_SECONDS - 1, Err(Withheld::Alike)), (QUIET_SECONDS, Ok(2))] {
        let mut limiter = Limiter::new(OPEN);
        reported(&mut limiter, 0, 11);
        let verdict = limiter.admit(11 + quiet, key("example.com"), &[address("ruf@example.com")]);
        assert_eq!(incidents(&verdict), expected, "after {quiet} s");
    }
}

#[test]
fn failures_that_differ_are_counted_apart() {
    let mut limiter = Limiter::new(OPEN);
    reported(&mut limiter, 0, 11);
    let other = LimiterKey {
        spf_domain: DomainName::parse("example.net").ok(),
        ..key("example.com")
    };
    let verdict = limiter.admit(12, other, &[address("ruf@example.com")]);
    assert_eq!(incidents(&verdict), Ok(1));
}

#[test]
fn networks_are_24_and_64_bits() {
    let network = |text: &str| {
        let mut facts = list_message(RECORD);
        facts.source_ip = Some(text.parse().unwrap());
        LimiterKey::of(&facts).network.unwrap().to_string()
    };
    assert_eq!(network("192.0.2.77"), "192.0.2.0");
    assert_eq!(network("::ffff:192.0.2.77"), "192.0.2.0");
    assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
}

/// Admits failures of ever new keys, all at this second, until one is not reported.
fn admitted(limiter: &mut Limiter, now: u64, first_key: u32, destination: &str) -> (u32, Withheld) {
    for count in 0..20_000 {
        let key = key(&format!("d{}.example", first_key + count));
        if let Err(held) = incidents(&limiter.admit(now, key, &[address(destination)])) {
            return (count, held);
        }
    }
    unreachable!("nothing was held back")
}

#[test]
fn a_destination_gets_so_many_a_minute_and_a_day() {
    let limits = FailureLimits {
        per_destination_minute: 10,
        per_destination_day: 25,
        per_day: u32::MAX,
    };
    let mut limiter = Limiter::new(limits);
    let ruf = "ruf@example.com";
    assert_eq!(
        admitted(&mut limiter, 1_000, 0, ruf),
        (10, Withheld::Destinations)
    );
    assert_eq!(
        admitted(&mut limiter, 1_059, 100, ruf),
        (0, Withheld::Destinations)
    );
    assert_eq!(
        admitted(&mut limiter, 1_060, 200, ruf),
        (10, Withheld::Destinations)
    );
    assert_eq!(
        admitted(&mut limiter, 5_000, 300, ruf),
        (5, Withheld::Destinations),
        "the day"
    );
    assert_eq!(
        admitted(&mut limiter, 5_000, 400, "b@example.com").0,
        10,
        "another"
    );
    assert_eq!(
        admitted(&mut limiter, DAY_SECONDS, 500, ruf).0,
        10,
        "the next day"
    );
}

#[test]
fn a_new_day_does_not_end_the_minute() {
    let mut limiter = Limiter::new(FailureLimits::default());
    let ruf = "ruf@example.com";
    assert_eq!(admitted(&mut limiter, DAY_SECONDS - 1, 0, ruf).0, 10);
    assert_eq!(admitted(&mut limiter, DAY_SECONDS, 100, ruf).0, 0);
    assert_eq!(admitted(&mut limiter, DAY_SECONDS + 59, 200, ruf).0, 10);
}

#[test]
fn so_many_go_out_in_a_day() {
    let limits = FailureLimits { per_day: 7, ..OPEN };
    let mut limiter = Limiter::new(limits);
    assert_eq!(
        admitted(&mut limiter, 1_000, 0, "a@example.com"),
        (7, Withheld::Day)
    );
    assert_eq!(
        admitted(&mut limiter, 1_000, 100, "b@example.com"),
        (0, Withheld::Day)
    );
    assert_eq!(
        admitted(&mut limiter, DAY_SECONDS, 200, "b@example.com"),
        (7, Withheld::Day)
    );
}

#[test]
fn fr23_each_destination_has_its_own_limit() {
    let limits = FailureLimits {
        per_destination_minute: 1,
        ..OPEN
    };
    let mut limiter = Limiter::new(limits);
    let [a, b] = [address("a@example.com"), address("b@example.com")];
    limiter.admit(1, key("one.example"), std::slice::from_ref(&a));
    let verdict = limiter.admit(2, key("two.example"), &[a.clone(), b.clone()]);
    let expected = LimiterVerdict::Report {
        incidents: 1,
        destinations: vec![b],
        held: vec![a],
    };
    assert_eq!(verdict, expected);
}

#[test]
fn what_was_held_back_is_told_of_later() {
    let limits = FailureLimits {
        per_destination_minute: 1,
        ..OPEN
    };
    let mut limiter = Limiter::new(limits);
    let to = [address("ruf@example.com")];
    let mut admit = |now, to: &[Address]| incidents(&limiter.admit(now, key("example.com"), to));
    assert_eq!(admit(1, &to), Ok(1));
    assert_eq!(admit(2, &to), Err(Withheld::Destinations));
    assert_eq!(admit(3, &[]), Err(Withheld::Nowhere));
    assert_eq!(admit(61, &to), Ok(3));
}

#[test]
fn the_quietest_key_goes_when_there_are_too_many() {
    let mut limiter = Limiter::new(OPEN);
    reported(&mut limiter, 0, 11);
    let mut fill = |count: usize| {
        for n in 0..count {
            limiter.admit(20, key(&format!("d{n}.example")), &[address("a@b.example")]);
        }
        assert_eq!(limiter.keys.len(), limiter.by_age.len());
        (limiter.keys.len(), limiter.keys.contains_key(&key("example.com")))
    };
    assert_eq!(fill(MAX_KEYS - 1), (MAX_KEYS, true));
    assert_eq!(fill(MAX_KEYS), (MAX_KEYS, false));
}

#[test]
fn a_clock_that_is_set_back_opens_nothing() {
    let mut limiter = Limiter::new(FailureLimits::default());
    assert_eq!(admitted(&mut limiter, 10 * DAY_SECONDS, 0, "a@example.com").0, 10);
    assert_eq!(admitted(&mut limiter, 0, 100, "a@example.com").0, 0);
}

#[test]
fn a_restart_gives_nobody_another_ration() {
    let limits = FailureLimits {
        per_destination_day: 5,
        per_day: 8,
        ..OPEN
    };
    let mut limiter = Limiter::new(limits);
    limiter.refill(1_000, &address("a@example.com"), 4);
    limiter.refill(1_000, &address("b@example.com"), 0);
    assert_eq!(
        admitted(&mut limiter, 1_000, 0, "a@example.com"),
        (1, Withheld::Destinations)
    );
    assert_eq!(
        admitted(&mut limiter, 1_000, 100, "b@example.com"),
        (3, Withheld::Day)
    );
}
