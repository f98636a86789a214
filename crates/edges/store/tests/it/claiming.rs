//! Who sends what, and what comes of it.

use std::collections::HashSet;

use landmarc_store::{DeliveryNumber, DeliveryState, NewReport, OutboxFilter};

use crate::bed::{Bed, suite};
use crate::letters::{LEASE, NOW, ask, claim, destinations, due, outbox, part, put_one, report, state, to};
use crate::samples::reader;

suite!(
    what_is_due_first_goes_first_and_to_one_sender_only,
    a_host_that_had_enough_holds_up_no_other,
    reports_about_some_domains_can_be_asked_for_or_left_out,
    a_claim_is_bounded_whatever_is_asked_for,
    every_end_has_its_state_and_its_reason,
    a_letter_that_was_taken_over_is_delivered_whoever_has_the_lease,
    what_is_given_back_was_never_tried,
    what_is_put_off_says_why_and_was_never_tried,
    a_report_too_large_is_divided_once_for_all_who_refuse_it,
);

fn what_is_due_first_goes_first_and_to_one_sender_only(bed: &Bed) {
    let (mut one, mut two) = (outbox(bed), outbox(bed));
    put_one(
        &mut one,
        due(
            "example.com",
            &[("c@c.example", 300), ("a@a.example", 100), ("b@b.example", 200)],
        ),
    );
    assert!(claim(&mut one, "one", NOW + 99, 9).is_empty(), "nothing is due");
    let first = claim(&mut one, "one", NOW + 300, 2);
    assert_eq!(destinations(&first), ["a@a.example", "b@b.example"]);
    let lease = first[0].lease.as_ref().unwrap();
    assert_eq!((lease.owner.as_str(), lease.until_ms), ("one", NOW + 300 + LEASE));
    assert_eq!(
        (first[0].attempts, first[0].first_ms, first[0].due_ms),
        (1, Some(NOW + 300), NOW + 100)
    );
    assert_eq!(
        one.body(first[0].report.number).unwrap().unwrap(),
        b"about example.com"
    );
    assert_eq!(
        destinations(&claim(&mut two, "two", NOW + 300, 9)),
        ["c@c.example"]
    );
    assert!(claim(&mut two, "two", NOW + 300 + LEASE - 1, 9).is_empty());
    // The leases ran out: whoever comes first may send them.
    let again = claim(&mut two, "two", NOW + 300 + LEASE, 9);
    assert_eq!(
        destinations(&again),
        ["a@a.example", "b@b.example", "c@c.example"]
    );
    assert_eq!((again[0].attempts, again[0].first_ms), (2, Some(NOW + 300)));
    assert_eq!(one.owners().unwrap(), ["two"]);
}

fn a_host_that_had_enough_holds_up_no_other(bed: &Bed) {
    let mut outbox = outbox(bed);
    let letters: Vec<_> = (0..20)
        .map(|number| to(&format!("{number}@BIG.example")))
        .collect();
    let big = NewReport {
        deliveries: letters,
        ..report("example.com")
    };
    put_one(&mut outbox, big);
    put_one(&mut outbox, due("example.org", &[("z@small.example", 0)]));
    let mut question = ask("me", NOW, 10);
    question.per_host = 3;
    let claimed = outbox.claim(&question).unwrap().claimed;
    assert_eq!(claimed.len(), 4);
    assert_eq!(claimed[3].destination, "z@small.example");
    question.hosts_left_out = HashSet::from(["big.example".to_owned()]);
    assert!(outbox.claim(&question).unwrap().claimed.is_empty());
    question.hosts_left_out.clear();
    question.limit = 0;
    assert!(outbox.claim(&question).unwrap().claimed.is_empty());
}

fn reports_about_some_domains_can_be_asked_for_or_left_out(bed: &Bed) {
    let mut outbox = outbox(bed);
    for domain in ["a.example", "b.example", "c.example"] {
        put_one(&mut outbox, report(domain));
    }
    let mut question = ask("me", NOW, 9);
    question.policy_domains = HashSet::from(["a.example".to_owned(), "b.example".to_owned()]);
    question.policy_domains_left_out = HashSet::from(["b.example".to_owned()]);
    let claimed = outbox.claim(&question).unwrap().claimed;
    assert_eq!(destinations(&claimed), ["rua@a.example"]);
    question.policy_domains.clear();
    let claimed = outbox.claim(&question).unwrap().claimed;
    assert_eq!(destinations(&claimed), ["rua@c.example"]);
}

fn a_claim_is_bounded_whatever_is_asked_for(bed: &Bed) {
    let mut outbox = outbox(bed);
    for first in 0..11 {
        let letters = (0..100)
            .map(|one| to(&format!("{one}@{first}.example")))
            .collect();
        let new = NewReport {
            deliveries: letters,
            ..report(&format!("{first}.example"))
        };
        put_one(&mut outbox, new);
    }
    assert_eq!(claim(&mut outbox, "me", NOW, usize::MAX).len(), 1_000);
    assert_eq!(claim(&mut outbox, "me", NOW, usize::MAX).len(), 100);
    let spread = "UPDATE delivery SET lease_owner = concat('', id)";
    bed.sql(&format!("{spread} WHERE id <= 1000"));
    bed.sql("UPDATE delivery SET lease_owner = '1' WHERE id > 1000");
    assert_eq!(outbox.owners().unwrap().len(), 1_000, "at the limit");
    bed.sql(spread);
    assert_eq!(outbox.owners().unwrap().len(), 1_000, "past it");
    assert!(outbox.claim(&ask(&"x".repeat(255), NOW, 1)).is_ok());
    assert!(outbox.claim(&ask(&"x".repeat(256), NOW, 1)).is_err());
}

fn every_end_has_its_state_and_its_reason(bed: &Bed) {
    let mut outbox = outbox(bed);
    put_one(
        &mut outbox,
        due(
            "example.com",
            &[("a@a.example", 0), ("b@b.example", 0), ("c@c.example", 0)],
        ),
    );
    let [a, b, c] = claim(&mut outbox, "me", NOW, 3).try_into().unwrap();
    let reader = reader(bed);
    assert!(
        outbox
            .delivered(a.number, "250 2.0.0 Ok: queued as 4Z\r\n", NOW + 5)
            .unwrap()
    );
    let delivered = (
        DeliveryState::Delivered,
        1,
        "250 2.0.0 Ok: queued as 4Z\\r\\n".to_owned(),
    );
    assert_eq!(state(&reader, a.number), delivered);
    assert_eq!(
        reader.delivery(a.number).unwrap().unwrap().ended_ms,
        Some(NOW + 5)
    );
    assert!(!outbox.delivered(a.number, "again", NOW + 6).unwrap());
    assert!(!outbox.given_up(a.number, "me", "too late", NOW).unwrap());
    assert_eq!(state(&reader, a.number), delivered, "what is delivered stays so");

    assert!(
        outbox
            .deferred(b.number, "me", &"x".repeat(600), NOW + 1_000)
            .unwrap()
    );
    assert_eq!(
        state(&reader, b.number),
        (DeliveryState::Deferred, 1, "x".repeat(512))
    );
    assert!(
        !outbox.deferred(b.number, "me", "twice", NOW).unwrap(),
        "the lease is over"
    );
    assert!(claim(&mut outbox, "me", NOW + 999, 9).is_empty());

    assert!(!outbox.given_up(c.number, "somebody else", "550", NOW).unwrap());
    // The lease ran out, and nobody else has taken it: it is still his.
    assert!(
        outbox
            .given_up(c.number, "me", "550 5.1.1 unknown", NOW + 2 * LEASE)
            .unwrap()
    );
    assert_eq!(
        state(&reader, c.number),
        (DeliveryState::GivenUp, 1, "550 5.1.1 unknown".to_owned())
    );
    for nobody in [DeliveryNumber(0), DeliveryNumber(99), DeliveryNumber(u64::MAX)] {
        assert!(!outbox.delivered(nobody, "", NOW).unwrap());
        assert!(!outbox.deferred(nobody, "me", "", NOW).unwrap());
        assert_eq!(reader.delivery(nobody).unwrap(), None);
    }
}

fn a_letter_that_was_taken_over_is_delivered_whoever_has_the_lease(bed: &Bed) {
    let (mut slow, mut quick) = (outbox(bed), outbox(bed));
    put_one(&mut slow, report("example.com"));
    put_one(&mut slow, report("example.org"));
    let first = claim(&mut slow, "slow", NOW, 2);
    let second = claim(&mut quick, "quick", NOW + LEASE, 2);
    assert_eq!(first[0].number, second[0].number);
    assert!(
        !slow.deferred(first[0].number, "slow", "timed out", NOW).unwrap(),
        "it is not his to put off"
    );
    assert!(!slow.given_up(first[0].number, "slow", "timed out", NOW).unwrap());
    assert!(slow.delivered(first[0].number, "250 Ok", NOW + LEASE).unwrap());
    assert!(!quick.deferred(first[0].number, "quick", "451", NOW).unwrap());
    assert!(!quick.delivered(first[0].number, "250 Ok", NOW).unwrap());
    // Given up, and then it was there after all.
    assert!(
        quick
            .given_up(second[1].number, "quick", "no answer", NOW)
            .unwrap()
    );
    assert!(slow.delivered(second[1].number, "250 Ok", NOW).unwrap());
    let all = reader(bed).deliveries(&OutboxFilter::default()).unwrap();
    assert!(
        all.iter()
            .all(|one| one.state == DeliveryState::Delivered && one.lease.is_none())
    );
}

fn what_is_given_back_was_never_tried(bed: &Bed) {
    let mut outbox = outbox(bed);
    put_one(
        &mut outbox,
        due("example.com", &[("a@a.example", 0), ("b@b.example", 0)]),
    );
    let first = claim(&mut outbox, "me", NOW, 1);
    outbox
        .deferred(first[0].number, "me", "451 later", NOW + 1)
        .unwrap();
    assert_eq!(claim(&mut outbox, "me", NOW + 1, 2).len(), 2);
    claim(&mut outbox, "other", NOW + 1, 2);
    assert_eq!(outbox.release("me").unwrap(), 2);
    assert_eq!(outbox.release("me").unwrap(), 0);
    let all = reader(bed).deliveries(&OutboxFilter::default()).unwrap();
    let tried: Vec<_> = all
        .iter()
        .map(|one| (one.state, one.attempts, one.first_ms))
        .collect();
    assert_eq!(
        tried,
        [
            (DeliveryState::Queued, 0, None),
            (DeliveryState::Deferred, 1, Some(NOW))
        ]
    );
    assert_eq!(claim(&mut outbox, "other", NOW + 1, 2).len(), 2, "at once");
}

fn what_is_put_off_says_why_and_was_never_tried(bed: &Bed) {
    let mut outbox = outbox(bed);
    let letters = [
        ("a@a.example", 0),
        ("b@b.example", 0),
        ("c@c.example", 0),
        ("d@d.example", 900),
    ];
    put_one(&mut outbox, due("example.com", &letters));
    let first = claim(&mut outbox, "me", NOW, 1);
    outbox
        .deferred(first[0].number, "me", "451 later", NOW + 1)
        .unwrap();
    claim(&mut outbox, "other", NOW + 1, 1);
    claim(&mut outbox, "me", NOW + 1, 1);
    let next_ms = NOW + 60_000;
    assert_eq!(outbox.postpone("me", "no relay", NOW + 2, next_ms).unwrap(), 2);
    assert_eq!(outbox.postpone("me", "no relay", NOW + 2, next_ms).unwrap(), 0);
    let mut all = reader(bed).deliveries(&OutboxFilter::default()).unwrap();
    all.reverse();
    let told: Vec<_> = all
        .iter()
        .map(|one| (one.state, one.attempts, one.next_ms, one.reason.as_str()))
        .collect();
    let queued = DeliveryState::Queued;
    assert_eq!(
        told,
        [
            (DeliveryState::Deferred, 1, next_ms, "no relay"),
            (queued, 1, NOW, ""),
            (queued, 0, next_ms, "no relay"),
            (queued, 0, NOW + 900, ""),
        ],
        "neither what somebody else sends nor what is not due"
    );
    assert_eq!(all[1].lease.as_ref().unwrap().owner, "other");
    assert!(all[0].lease.is_none() && all[0].first_ms == Some(NOW) && all[2].first_ms.is_none());
    assert!(
        claim(&mut outbox, "me", next_ms - 1, 9)
            .iter()
            .all(|one| one.destination == "d@d.example")
    );
}

fn a_report_too_large_is_divided_once_for_all_who_refuse_it(bed: &Bed) {
    let mut outbox = outbox(bed);
    put_one(
        &mut outbox,
        due(
            "example.com",
            &[("a@a.example", 0), ("b@b.example", 0), ("c@c.example", 0)],
        ),
    );
    let whole = claim(&mut outbox, "me", NOW, 3);
    let halves = |destination: &str| {
        [11, 12].map(|number| NewReport {
            deliveries: vec![to(destination)],
            ..part("example.com", number)
        })
    };
    let first = outbox
        .replace(
            whole[0].number,
            "me",
            "552 too large: sent in 2 parts",
            &halves("a@a.example"),
            NOW,
        )
        .unwrap()
        .unwrap();
    let second = outbox
        .replace(
            whole[1].number,
            "me",
            "552 too large: sent in 2 parts",
            &halves("b@b.example"),
            NOW,
        )
        .unwrap()
        .unwrap();
    assert_eq!(first, second, "the same reports under the same Report-IDs");
    let stranger = outbox.replace(whole[2].number, "other", "552", &halves("c@c.example"), NOW);
    assert_eq!(stranger.unwrap(), None);
    let twice = outbox.replace(whole[0].number, "me", "552", &halves("a@a.example"), NOW);
    assert_eq!(twice.unwrap(), None);
    let reader = reader(bed);
    assert_eq!(state(&reader, whole[0].number).0, DeliveryState::GivenUp);
    let queued = OutboxFilter {
        state: Some(DeliveryState::Queued),
        ..OutboxFilter::default()
    };
    let queued = reader.deliveries(&queued).unwrap();
    let mut waiting: Vec<_> = queued
        .iter()
        .map(|one| (one.report.part, one.destination.as_str()))
        .collect();
    waiting.sort_unstable();
    let all = [
        (11, "a@a.example"),
        (11, "b@b.example"),
        (12, "a@a.example"),
        (12, "b@b.example"),
        (1, "c@c.example"),
    ];
    assert_eq!(waiting, {
        let mut all = all;
        all.sort_unstable();
        all
    });
    assert_eq!(reader.status().unwrap().outbox.reports, 3);
}
