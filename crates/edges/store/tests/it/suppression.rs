//! Destinations that get no letters, and when they do again.

use landmarc_store::{BounceSuppression, Origin, Strikes};

use crate::bed::{Bed, suite};
use crate::letters::{NOW, outbox};
use crate::samples::{DAY, HOUR, reader};

suite!(
    an_address_or_a_host_is_suppressed_until_it_is_over,
    bounces_suppress_at_the_limit_for_longer_each_time_and_are_forgotten,
    what_the_operator_said_stays_whatever_bounces,
    what_is_no_address_is_refused_or_only_text,
);

const STRIKES: Strikes = Strikes {
    limit: 3,
    forget_ms: DAY,
    suppress_ms: HOUR,
    longest_ms: 3 * HOUR,
};

fn an_address_or_a_host_is_suppressed_until_it_is_over(bed: &Bed) {
    let mut outbox = outbox(bed);
    outbox
        .suppress("Rua@Example.com", "by hand", Some(NOW + HOUR), NOW)
        .unwrap();
    outbox.suppress("@Example.org", "whole host", None, NOW).unwrap();
    let reader = reader(bed);
    let mut is = |destination: &str, now_ms: u64| {
        let found = outbox.is_suppressed(destination, now_ms).unwrap();
        assert_eq!(reader.is_suppressed(destination, now_ms).unwrap(), found);
        found.map(|one| one.reason)
    };
    assert_eq!(is("rua@example.COM", NOW).as_deref(), Some("by hand"));
    assert_eq!(is("rua@example.com", NOW + HOUR), None, "over");
    assert_eq!(is("other@example.com", NOW), None);
    assert_eq!(
        is("any@example.org", NOW + 900 * DAY).as_deref(),
        Some("whole host")
    );
    assert_eq!(
        is("any@sub.example.org", NOW),
        None,
        "this host, and not those below it"
    );
    assert_eq!(is("@example.org", NOW).as_deref(), Some("whole host"));
    let all = outbox.suppressions().unwrap();
    let told: Vec<_> = all
        .iter()
        .map(|one| (one.destination.as_str(), one.until_ms, one.origin))
        .collect();
    assert_eq!(
        told,
        [
            ("@example.org", None, Origin::Manual),
            ("rua@example.com", Some(NOW + HOUR), Origin::Manual)
        ]
    );
    assert_eq!((reader.suppressions().unwrap(), all[0].since_ms), (all, NOW));
    assert!(outbox.unsuppress("@EXAMPLE.org").unwrap() && !outbox.unsuppress("@example.org").unwrap());
    assert_eq!(outbox.is_suppressed("any@example.org", NOW).unwrap(), None);
}

fn bounces_suppress_at_the_limit_for_longer_each_time_and_are_forgotten(bed: &Bed) {
    let mut outbox = outbox(bed);
    let mut strike = |now_ms: u64| {
        outbox
            .strike("rua@example.com", "5.1.1 unknown", &STRIKES, now_ms)
            .unwrap()
    };
    let struck = |strikes, suppressed_until_ms| BounceSuppression {
        strikes,
        suppressed_until_ms,
    };
    assert_eq!(strike(NOW), struck(1, None));
    assert_eq!(strike(NOW + 1), struck(2, None));
    assert_eq!(strike(NOW + 2), struck(3, Some(NOW + 2 + HOUR)));
    assert_eq!(strike(NOW + HOUR), struck(4, Some(NOW + 3 * HOUR)));
    assert_eq!(
        strike(NOW + HOUR),
        struck(5, Some(NOW + 4 * HOUR)),
        "no longer than that"
    );
    assert_eq!(
        strike(NOW + HOUR + DAY - 1),
        struck(6, Some(NOW + 4 * HOUR + DAY - 1))
    );
    let last = NOW + HOUR + DAY - 1;
    assert_eq!(strike(last + DAY), struck(1, None), "forgotten");
    let one = outbox.suppressions().unwrap().remove(0);
    assert_eq!(
        (one.origin, one.strikes, one.until_ms),
        (Origin::Bounce, 1, Some(0))
    );
    assert!(!one.holds_at(0) && !one.holds_at(NOW));
}

fn what_the_operator_said_stays_whatever_bounces(bed: &Bed) {
    let mut outbox = outbox(bed);
    outbox
        .suppress("rua@example.com", "by hand", Some(NOW + HOUR), NOW)
        .unwrap();
    for _ in 0..9 {
        let struck = outbox
            .strike("rua@example.com", "unknown", &STRIKES, NOW)
            .unwrap();
        assert_eq!(
            (struck.strikes, struck.suppressed_until_ms),
            (0, Some(NOW + HOUR))
        );
    }
    // Over, it is a destination like any other.
    let struck = outbox
        .strike("rua@example.com", "unknown", &STRIKES, NOW + HOUR)
        .unwrap();
    assert_eq!((struck.strikes, struck.suppressed_until_ms), (1, None));
    outbox.suppress("rua@example.com", "for ever", None, NOW).unwrap();
    let one = outbox.suppressions().unwrap().remove(0);
    assert_eq!(
        (one.reason.as_str(), one.strikes, one.until_ms),
        ("for ever", 0, None)
    );
}

fn what_is_no_address_is_refused_or_only_text(bed: &Bed) {
    let mut outbox = outbox(bed);
    assert!(outbox.suppress(&"x".repeat(255), "", None, NOW).is_err());
    assert!(outbox.strike(&"x".repeat(255), "", &STRIKES, NOW).is_err());
    for text in [
        "x".repeat(254).as_str(),
        "",
        "@",
        "'; DROP TABLE suppression; --",
        "a@b@c",
    ] {
        outbox.suppress(text, text, None, NOW).unwrap();
        assert!(outbox.is_suppressed(text, NOW).unwrap().is_some(), "{text:?}");
        assert!(outbox.unsuppress(text).unwrap(), "{text:?}");
    }
    assert!(outbox.suppressions().unwrap().is_empty());
}
