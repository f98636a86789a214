//! Which days were reported about, and why a domain got nothing.

use landmarc_store::{Day, DayCounts, DayState};

use crate::bed::{Bed, suite};
use crate::letters::{NOW, outbox};
use crate::samples::{MIDNIGHT, reader};

suite!(
    days_are_begun_gone_on_with_and_done,
    each_domain_without_a_report_has_its_first_reason_and_they_are_bounded,
);

fn days_are_begun_gone_on_with_and_done(bed: &Bed) {
    let mut outbox = outbox(bed);
    let day = Day::at(MIDNIGHT);
    assert_eq!(outbox.day_state(day).unwrap(), DayState::Untouched);
    assert_eq!(outbox.begin_day(day, NOW).unwrap(), DayState::Untouched);
    assert_eq!(
        outbox.begin_day(day, NOW + 1).unwrap(),
        DayState::Begun { since_ms: NOW }
    );
    let counts = DayCounts {
        domains: 4,
        reports: 3,
        messages: 100,
        skipped: 1,
    };
    outbox.finish_day(day, counts, NOW + 2).unwrap();
    let done = DayState::Done {
        at_ms: NOW + 2,
        counts,
    };
    assert_eq!(outbox.begin_day(day, NOW + 3).unwrap(), done, "done stays done");
    outbox.finish_day(day.next(), DayCounts::default(), NOW).unwrap();
    let reader = reader(bed);
    let days = reader.reported_days(9).unwrap();
    assert_eq!(
        days.iter().map(|(day, _)| day.0).collect::<Vec<_>>(),
        [day.0 + 1, day.0]
    );
    assert_eq!((days[1].1, reader.reported_days(1).unwrap().len()), (done, 1));
    assert_eq!(
        reader.status().unwrap().outbox.last_finished_day,
        Some(day.next())
    );
}

fn each_domain_without_a_report_has_its_first_reason_and_they_are_bounded(bed: &Bed) {
    let mut outbox = outbox(bed);
    let day = Day::at(MIDNIGHT);
    let line = |domain: &str, why: &str| (domain.to_owned(), why.to_owned());
    outbox
        .skip_all(
            day,
            &[line("b.example", "no rua"), line("a.example", "not\nauthorised")],
        )
        .unwrap();
    outbox
        .skip_all(day, &[line("b.example", "another reason")])
        .unwrap();
    let reader = reader(bed);
    assert_eq!(
        reader.skipped(day, 10).unwrap(),
        [line("a.example", "not\\nauthorised"), line("b.example", "no rua")]
    );
    assert_eq!(
        (
            reader.skipped(day, 1).unwrap().len(),
            reader.skipped(day.next(), 9).unwrap().len()
        ),
        (1, 0)
    );
    assert!(
        outbox.is_settled(day, "b.example").unwrap() && !outbox.is_settled(day.next(), "b.example").unwrap()
    );
    // Most of them quickly: 97 times 100.
    let digits = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)";
    bed.sql(&format!(
        "INSERT INTO skipped (day, policy_domain, reason) {digits} \
         SELECT {}, concat(a.i, '-', b.i, '.many.example'), '' FROM n AS a, n AS b WHERE a.i <= 97",
        day.0
    ));
    for first in 0..3 {
        let lines: Vec<_> = (0..200)
            .map(|one| line(&format!("{first}-{one}.example"), ""))
            .collect();
        outbox.skip_all(day, &lines).unwrap();
    }
    assert_eq!(reader.skipped(day, usize::MAX).unwrap().len(), 10_000);
    outbox
        .skip_all(day.next(), &[line("b.example", "no rua")])
        .unwrap();
    assert_eq!(
        reader.skipped(day.next(), 9).unwrap().len(),
        1,
        "each day has its own"
    );
    assert!(outbox.skip_all(day, &vec![line("c.example", ""); 201]).is_err());
    assert!(outbox.skip_all(day, &[line(&"c".repeat(256), "")]).is_err());
}
