//! What the operator and letters that come back make of a delivery.

use landmarc_store::{DeliveryNumber, DeliveryState, NewReport, OutboxFilter, Resend, Strikes};

use crate::bed::{Bed, suite};
use crate::letters::{NOW, ask, claim, destinations, due, outbox, put_one, report, state, to};
use crate::samples::{HOUR, reader};

suite!(
    the_operator_sends_again_and_gives_up,
    many_are_sent_again_in_short_transactions,
    a_suppressed_destination_gets_nothing_and_the_reason_is_told,
    a_letter_that_came_back_counts_once,
);

fn the_operator_sends_again_and_gives_up(bed: &Bed) {
    let mut outbox = outbox(bed);
    for domain in ["a.example", "b.example", "c.example", "d.example"] {
        put_one(&mut outbox, report(domain));
    }
    let claimed = claim(&mut outbox, "me", NOW, 3);
    outbox.delivered(claimed[0].number, "250", NOW).unwrap();
    outbox.given_up(claimed[1].number, "me", "550", NOW).unwrap();
    let later = NOW + HOUR;
    let of = |state| OutboxFilter {
        state,
        limit: usize::MAX,
        ..OutboxFilter::default()
    };
    // The third is under lease, and the first was delivered.
    assert_eq!(outbox.retry(&of(None), Resend::Unfinished, NOW + 1).unwrap(), 2);
    assert_eq!(
        outbox
            .retry(&of(Some(DeliveryState::Delivered)), Resend::Unfinished, later)
            .unwrap(),
        0
    );
    assert_eq!(
        outbox
            .retry(&of(Some(DeliveryState::Delivered)), Resend::Everything, later)
            .unwrap(),
        1
    );
    let again = reader(bed).delivery(claimed[0].number).unwrap().unwrap();
    assert_eq!(
        (again.state, again.attempts, again.due_ms, again.next_ms),
        (DeliveryState::Queued, 0, later, later)
    );
    assert_eq!((again.first_ms, again.ended_ms), (None, None));
    insta::allow_duplicates! {
        insta::assert_snapshot!(again.reason, @"queued again by hand");
    }
    assert_eq!(
        state(&reader(bed), DeliveryNumber(4)).2,
        "",
        "it had never been tried"
    );
    let one = OutboxFilter {
        delivery: Some(claimed[0].number),
        ..OutboxFilter::default()
    };
    assert_eq!(outbox.give_up(&one, "by hand", later).unwrap(), 1);
    assert_eq!(outbox.give_up(&one, "twice", later).unwrap(), 0);
    assert_eq!(state(&reader(bed), claimed[0].number).2, "by hand");
    assert_eq!(
        outbox.give_up(&of(None), "all", NOW + 1).unwrap(),
        2,
        "not what is being sent"
    );
    bed.sql("UPDATE report SET body = NULL");
    assert_eq!(
        outbox.retry(&of(None), Resend::Everything, later).unwrap(),
        0,
        "nothing is left to send"
    );
}

fn many_are_sent_again_in_short_transactions(bed: &Bed) {
    let mut outbox = outbox(bed);
    for first in 0..13 {
        let letters = (0..100)
            .map(|one| to(&format!("{one}@{first}.example")))
            .collect();
        let new = NewReport {
            deliveries: letters,
            ..report(&format!("{first}.example"))
        };
        put_one(&mut outbox, new);
    }
    let all = OutboxFilter {
        limit: usize::MAX,
        ..OutboxFilter::default()
    };
    assert_eq!(outbox.give_up(&all, "by hand", NOW).unwrap(), 1_300);
    assert_eq!(
        outbox
            .retry(&OutboxFilter { limit: 1_200, ..all }, Resend::Unfinished, NOW)
            .unwrap(),
        1_200
    );
    assert_eq!(outbox.counts(NOW).unwrap().queued, 1_200);
}

fn a_suppressed_destination_gets_nothing_and_the_reason_is_told(bed: &Bed) {
    let mut outbox = outbox(bed);
    put_one(
        &mut outbox,
        due(
            "example.com",
            &[("A@a.example", 0), ("b@B.example", 1), ("c@c.example", 2)],
        ),
    );
    outbox
        .suppress("a@A.example", "asked for\nnothing more", None, NOW)
        .unwrap();
    outbox
        .suppress("@b.example", "refuses us", Some(NOW + HOUR), NOW)
        .unwrap();
    let strikes = Strikes {
        limit: 2,
        forget_ms: HOUR,
        suppress_ms: HOUR,
        longest_ms: HOUR,
    };
    outbox.strike("c@c.example", "unknown", &strikes, NOW).unwrap();
    let claims = outbox.claim(&ask("me", NOW + 2, 9)).unwrap();
    assert_eq!(
        destinations(&claims.claimed),
        ["c@c.example"],
        "one bounce is not enough"
    );
    let ends: Vec<_> = claims
        .suppressed
        .iter()
        .map(|one| (one.state, one.reason.as_str()))
        .collect();
    assert_eq!(
        ends,
        [
            (DeliveryState::GivenUp, "suppressed: asked for\\nnothing more"),
            (DeliveryState::GivenUp, "suppressed: refuses us")
        ]
    );
    assert!(
        outbox
            .claim(&ask("me", NOW + 2, 9))
            .unwrap()
            .suppressed
            .is_empty()
    );
    // Once it is over, they can be sent again.
    let all = OutboxFilter::default();
    assert_eq!(outbox.retry(&all, Resend::Unfinished, NOW + HOUR).unwrap(), 3);
    let claims = outbox.claim(&ask("me", NOW + HOUR, 9)).unwrap();
    assert_eq!((claims.claimed.len(), claims.suppressed.len()), (2, 1));
}

fn a_letter_that_came_back_counts_once(bed: &Bed) {
    let mut outbox = outbox(bed);
    put_one(&mut outbox, report("example.com"));
    let number = claim(&mut outbox, "me", NOW, 1)[0].number;
    outbox.delivered(number, "250 Ok", NOW).unwrap();
    let bounced = outbox.bounced(number, "5.1.1 unknown", NOW + 5).unwrap().unwrap();
    assert_eq!(
        (bounced.state, bounced.destination.as_str()),
        (DeliveryState::GivenUp, "rua@example.com")
    );
    assert_eq!(
        (bounced.ended_ms, bounced.reason.as_str()),
        (Some(NOW + 5), "5.1.1 unknown")
    );
    assert_eq!(outbox.bounced(number, "again", NOW + 6).unwrap(), None);
    assert_eq!(outbox.bounced(DeliveryNumber(77), "", NOW).unwrap(), None);
}
