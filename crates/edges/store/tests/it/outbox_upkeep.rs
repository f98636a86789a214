//! What expires of the outbox, and what goes when the file is too large.

use landmarc_store::{
    Day, DayCounts, DayState, DeliveryNumber, DeliveryState, NewReport, Outbox, OutboxExpired,
    OutboxRetention, Retention, Strikes,
};

use crate::bed::{Bed, suite};
use crate::letters::{NOW, claim, outbox, put_one, report, to};
use crate::samples::{DAY, Directory, HOUR, MIDNIGHT, message, reader, store_with};

suite!(
    reports_expire_when_their_last_delivery_ended_long_enough_ago,
    a_day_that_was_reported_is_known_for_ever_and_the_rest_of_it_expires,
    old_reports_go_a_little_at_a_time,
    what_an_interrupted_hand_over_left_is_removed,
);

/// Expires until nothing is left; what it removed in all, and in how many steps.
fn expire(outbox: &mut Outbox, now_ms: u64, keep_days: u32) -> (OutboxExpired, u32) {
    let mut all = OutboxExpired::default();
    let mut steps = 0;
    loop {
        let step = outbox
            .expire(OutboxRetention {
                now_ms,
                keep_days,
                forget_ms: 64 * DAY,
            })
            .unwrap();
        steps += 1;
        all.reports += step.reports;
        all.deliveries += step.deliveries;
        all.bodies += step.bodies;
        all.skipped += step.skipped;
        all.suppressions += step.suppressions;
        if !step.more {
            return (all, steps);
        }
    }
}

fn deliver_all(outbox: &mut Outbox, now_ms: u64) {
    for one in claim(outbox, "me", now_ms, 1_000) {
        outbox.delivered(one.number, "250", now_ms).unwrap();
    }
}

fn reports_expire_when_their_last_delivery_ended_long_enough_ago(bed: &Bed) {
    let mut outbox = outbox(bed);
    put_one(&mut outbox, report("ended.example"));
    deliver_all(&mut outbox, NOW);
    let two = NewReport {
        deliveries: vec![to("a@half.example"), to("b@half.example")],
        ..report("half.example")
    };
    put_one(&mut outbox, two);
    let half = claim(&mut outbox, "me", NOW, 1)[0].number;
    outbox.delivered(half, "250", NOW).unwrap();
    assert_eq!(expire(&mut outbox, NOW + 30 * DAY, 30).0.reports, 0, "to the day");
    let (gone, _) = expire(&mut outbox, NOW + 31 * DAY, 30);
    assert_eq!((gone.reports, gone.deliveries, gone.bodies), (1, 1, 1));
    assert!(
        reader(bed).report("id-of-half.example").unwrap().is_some(),
        "one letter is on its way"
    );
    deliver_all(&mut outbox, NOW + 31 * DAY);
    assert_eq!(expire(&mut outbox, NOW + 60 * DAY, 30).0.reports, 0);
    let (gone, _) = expire(&mut outbox, NOW + 62 * DAY, 30);
    assert_eq!((gone.reports, gone.deliveries), (1, 2));
    let status = reader(bed).status().unwrap().outbox;
    assert_eq!((status.reports, status.body_bytes, status.delivered), (0, 0, 0));
    // A number is never given out again.
    put_one(&mut outbox, report("next.example"));
    assert_eq!(
        claim(&mut outbox, "me", NOW + 62 * DAY, 1)[0].number,
        DeliveryNumber(4)
    );
}

fn a_day_that_was_reported_is_known_for_ever_and_the_rest_of_it_expires(bed: &Bed) {
    let mut outbox = outbox(bed);
    let day = Day::at(MIDNIGHT);
    outbox.begin_day(day, NOW).unwrap();
    outbox.finish_day(day, DayCounts::default(), NOW).unwrap();
    let lines: Vec<_> = (0..200)
        .map(|one| (format!("{one}.example"), "no rua".to_owned()))
        .collect();
    for first in 0..3 {
        let lines: Vec<_> = lines
            .iter()
            .map(|(one, why)| (format!("{first}.{one}"), why.clone()))
            .collect();
        outbox.skip_all(day, &lines).unwrap();
    }
    let strikes = Strikes {
        limit: 1,
        forget_ms: 64 * DAY,
        suppress_ms: HOUR,
        longest_ms: HOUR,
    };
    outbox.strike("a@example.com", "unknown", &strikes, NOW).unwrap();
    outbox.suppress("b@example.com", "by hand", None, NOW).unwrap();
    outbox
        .suppress("c@example.com", "by hand", Some(NOW + 400 * DAY), NOW)
        .unwrap();
    let (gone, steps) = expire(&mut outbox, NOW + 64 * DAY, 30);
    assert_eq!(
        (gone.skipped, gone.suppressions, steps),
        (600, 0, 4),
        "a little at a time, and a bounce is remembered for longer than a report"
    );
    assert_eq!(expire(&mut outbox, NOW + 64 * DAY + 1, 30).0.suppressions, 1);
    let left: Vec<_> = outbox
        .suppressions()
        .unwrap()
        .into_iter()
        .map(|one| one.destination)
        .collect();
    assert_eq!(left, ["b@example.com", "c@example.com"]);
    assert!(matches!(outbox.day_state(day).unwrap(), DayState::Done { .. }));
}

fn old_reports_go_a_little_at_a_time(bed: &Bed) {
    let mut outbox = outbox(bed);
    for first in 0..3 {
        let reports: Vec<_> = (0..200)
            .map(|one| report(&format!("{first}-{one}.example")))
            .collect();
        outbox.put_all(&reports, NOW).unwrap();
    }
    deliver_all(&mut outbox, NOW);
    let large = (0..5).map(|one| NewReport {
        body: vec![7; 3 << 20],
        deliveries: Vec::new(),
        ..report(&format!("large-{one}.example"))
    });
    outbox.put_all(&large.collect::<Vec<_>>(), NOW).unwrap();
    let (gone, steps) = expire(&mut outbox, NOW + 40 * DAY, 30);
    assert_eq!((gone.reports, gone.deliveries, gone.bodies), (605, 600, 605));
    assert!(steps >= 6, "{steps} steps");
}

fn what_an_interrupted_hand_over_left_is_removed(bed: &Bed) {
    let mut outbox = outbox(bed);
    // A body whose report never came, as a process leaves it that was killed in between.
    let [column, domain, chunk] = match bed.server() {
        Some(_) => ["policy_domain, ", "'example.com', ", "'abc'"],
        None => ["", "", "x'616263'"],
    };
    bed.sql(&format!(
        "INSERT INTO body ({column}created_ms, size, staged) VALUES ({domain}{NOW}, 3, 1)"
    ));
    bed.sql(&format!(
        "INSERT INTO chunk ({column}id, octets) SELECT {column}id * 256, {chunk} FROM body"
    ));
    put_one(&mut outbox, report("example.com"));
    assert_eq!(
        expire(&mut outbox, NOW + DAY, 30).0.bodies,
        0,
        "it may still be under way"
    );
    assert_eq!(expire(&mut outbox, NOW + DAY + 1, 30).0.bodies, 1);
    assert_eq!(
        bed.sql("SELECT count(*) FROM chunk").trim(),
        "1",
        "that of the report"
    );
}

#[tokio::test]
async fn a_file_too_large_loses_bodies_of_what_has_ended_before_any_observation() {
    let directory = Directory::new();
    let recorder = store_with(&directory, (0..2_000).map(message)).await;
    let mut outbox = outbox(&directory);
    let noise = |seed: usize| {
        (0..60_000)
            .map(move |place| (place * seed * 31 / 7 % 251) as u8)
            .collect::<Vec<u8>>()
    };
    for number in 1..=60 {
        let new = NewReport {
            body: noise(number),
            ..report(&format!("{number}.example"))
        };
        put_one(&mut outbox, new);
    }
    for one in claim(&mut outbox, "me", NOW, 50) {
        outbox.delivered(one.number, "250", NOW).unwrap();
    }
    let keep = Retention {
        max_bytes: Some(2 << 20),
        ..Retention::standard(MIDNIGHT + DAY)
    };
    let expired = recorder.expire(keep).await.unwrap();
    assert!(
        expired.bodies_for_size >= 25 && expired.bodies_for_size <= 50,
        "{expired:?}"
    );
    assert_eq!(
        (expired.observations, expired.tally_rows, expired.over_bytes),
        (0, 0, 0),
        "{expired:?}"
    );
    let all = landmarc_store::OutboxFilter::default();
    for one in reader(&directory).deliveries(&all).unwrap() {
        let open = one.state == DeliveryState::Queued;
        assert!(one.report.has_body || !open, "what is to be sent stays: {one:?}");
        assert_eq!(
            outbox.body(one.report.number).unwrap().is_some(),
            one.report.has_body
        );
    }
    assert_eq!(claim(&mut outbox, "me", NOW, 99).len(), 10);
}
