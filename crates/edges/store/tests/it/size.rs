//! What goes when the file is too large, and in which order.

use landmarc_store::{Day, LogFilter, Retention};

use crate::samples::{DAY, Directory, MIDNIGHT, counted, from, on_day, reader, record_all, store_with};

/// A trace of so many octets that does not compress, and is like no other.
fn noise(seed: u64, octets: usize) -> String {
    // Xorshift, from a seed that is never 0.
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + u8::try_from(state % 90).unwrap())
    };
    (0..octets).map(|_| next()).collect()
}

#[tokio::test]
async fn a_flood_of_traces_within_a_day_costs_traces_and_no_hitrace() {
    const HONEST: u64 = 2_000;
    const FLOOD: u64 = 600;
    const CAP: u64 = 4 << 20;
    let today = MIDNIGHT + 10 * DAY;
    let directory = Directory::new();
    let honest = (0..HONEST).map(|number| {
        let mut one = from(number, &format!("d{}.example", number % 50));
        one.at_ms = MIDNIGHT + number * 400_000;
        one
    });
    let recorder = store_with(&directory, honest).await;
    let flood = (0..FLOOD).map(|number| {
        let mut one = from(HONEST + number, "attacker.example");
        one.at_ms = today + number * 1_000;
        one.trace = noise(number, 20_000).into();
        one
    });
    record_all(&recorder, flood).await;
    assert!(pages(&directory) > 2 * CAP);
    let keep = Retention {
        max_bytes: Some(CAP),
        ..Retention::standard(today + DAY / 2)
    };
    let expired = recorder.expire(keep).await.unwrap();
    assert_eq!((expired.observations, expired.tally_rows), (0, 0), "{expired:?}");
    assert!(expired.traces_for_size > FLOOD / 2 && expired.traces == expired.traces_for_size);
    assert!(expired.steps > 3, "in short transactions: {expired:?}");
    assert_eq!(expired.over_bytes, 0);
    assert!(pages(&directory) <= CAP, "{}", pages(&directory));

    let reader = reader(&directory);
    let status = reader.status().unwrap();
    assert!(status.file_bytes <= CAP, "written back: {status:?}");
    assert_eq!(status.observations, HONEST + FLOOD);
    let tallied: u64 = (0..=10)
        .map(|day| counted(&reader, Day(Day::at(MIDNIGHT).0 + day)))
        .sum();
    assert_eq!(tallied, HONEST + FLOOD);
    // The trace is gone, the observation is not damaged; the last trace of the flood is there.
    let oldest = reader.explain("id-0").unwrap();
    assert_eq!((oldest.len(), &*oldest[0].trace), (1, ""));
    let last = reader.explain(&format!("id-{}", HONEST + FLOOD - 1)).unwrap();
    assert_eq!(&*last[0].trace, noise(FLOOD - 1, 20_000).as_str());
    assert_eq!(reader.log(&LogFilter::default()).unwrap().len(), 100);

    // A trace that went is recorded again, and no observation takes it for its own that had another.
    let mut again = from(9_999, "d0.example");
    again.at_ms = today;
    record_all(&recorder, [again.clone()]).await;
    let found = reader.explain("id-9999").unwrap();
    assert_eq!(&*found[0].trace, &*again.trace);
}

/// A number of a trace is not given out twice while an observation may still refer to the first.
#[tokio::test]
async fn an_observation_that_lost_its_trace_never_tells_another() {
    let directory = Directory::new();
    let told = |number: u64, day: u64| {
        let mut one = on_day(day, number);
        one.trace = format!("trace of {number}").into();
        one
    };
    // The last trace is of a clock that was behind: by its day it is the first to go.
    let first = (1..=4).map(|number| told(number, 9));
    let recorder = store_with(&directory, first.chain([told(5, 0)])).await;
    let keep = Retention {
        max_bytes: Some(1),
        ..Retention::standard(MIDNIGHT + 10 * DAY)
    };
    // Too little room for anything.
    let expired = recorder.expire(keep).await.unwrap();
    assert_eq!((expired.observations_for_size, expired.traces), (5, 5));
    assert!(
        expired.over_bytes > 0,
        "empty tables take a page each: {expired:?}"
    );

    record_all(
        &recorder,
        (1..=4).map(|number| told(number, 9)).chain([told(5, 0)]),
    )
    .await;
    let connection = rusqlite::Connection::open(directory.store()).unwrap();
    connection
        .execute("DELETE FROM trace WHERE id < (SELECT max(id) FROM trace)", [])
        .unwrap();
    let keep = Retention {
        observation_days: 5,
        max_bytes: None,
        ..keep
    };
    let expired = recorder.expire(keep).await.unwrap();
    assert_eq!((expired.observations, expired.traces), (1, 0));
    record_all(&recorder, (6..=12).map(|number| told(number, 9))).await;
    let reader = reader(&directory);
    for number in 1..=4 {
        assert_eq!(&*reader.explain(&format!("id-{number}")).unwrap()[0].trace, "");
    }
    for number in 6..=12 {
        let found = reader.explain(&format!("id-{number}")).unwrap();
        assert_eq!(&*found[0].trace, format!("trace of {number}"));
    }
}

/// Outcomes that no observation has any more go at once, and not with their day.
#[tokio::test]
async fn a_flood_of_outcomes_within_a_day_leaves_its_tallies() {
    let directory = Directory::new();
    let flood = (0..3_000).map(|number| {
        let mut one = on_day(3, number);
        one.cause = noise(number, 1_000);
        one
    });
    let recorder = store_with(&directory, (0..3).map(|day| on_day(day, day)).chain(flood)).await;
    let keep = Retention {
        max_bytes: Some(512 << 10),
        ..Retention::standard(MIDNIGHT + 3 * DAY + 1)
    };
    let expired = recorder.expire(keep).await.unwrap();
    assert!(expired.observations_for_size > 2_000, "{expired:?}");
    assert_eq!((expired.tally_rows, expired.over_bytes), (2, 0), "of old days");
    let reader = reader(&directory);
    assert!(reader.status().unwrap().file_bytes <= 512 << 10);
    let left = [0, 1, 2, 3].map(|day| counted(&reader, Day(Day::at(MIDNIGHT).0 + day)));
    assert_eq!(left, [0, 0, 1, 3_000]);
}

#[tokio::test]
async fn a_size_cap_takes_traces_then_what_is_old_and_todays_tally_last() {
    let directory = Directory::new();
    let mut messages = Vec::new();
    for day in 0..4 {
        for number in 0..3_000 {
            let mut one = on_day(day, day * 3_000 + number);
            one.at_ms = MIDNIGHT + day * DAY + number * 28_000;
            one.trace = format!("trace of message {number} on {day}").into();
            one.row.as_mut().unwrap().header_from = format!("{number}.example");
            messages.push(one);
        }
    }
    let recorder = store_with(&directory, messages).await;
    let reader = reader(&directory);
    let full = reader.status().unwrap();
    let now_ms = MIDNIGHT + 3 * DAY + 1;
    let keep = |share| Retention {
        max_bytes: Some(pages(&directory) * share / 8),
        ..Retention::standard(now_ms)
    };
    let expired = recorder.expire(keep(7)).await.unwrap();
    assert!(expired.traces > 0 && expired.traces == expired.traces_for_size);
    assert_eq!(
        (expired.observations, expired.tally_rows, expired.over_bytes),
        (0, 0, 0)
    );

    let keep = keep(4);
    let expired = recorder.expire(keep).await.unwrap();
    assert!(expired.observations > 0 && expired.observations == expired.observations_for_size);
    assert_eq!(
        (expired.tally_rows, expired.over_bytes),
        (6_000, 0),
        "it has its share"
    );
    let cap = keep.max_bytes.unwrap();
    assert!(pages(&directory) <= cap, "{} of {cap}", pages(&directory));
    let status = reader.status().unwrap();
    assert!(status.observations > 0 && status.observations < full.observations);
    assert_eq!(
        status.traces, 1,
        "the last one tells which numbers were given out"
    );
    assert_eq!(reader.explain("id-0").unwrap(), [], "the oldest went");
    assert_eq!(reader.explain("id-11999").unwrap().len(), 1, "the newest stayed");

    let today = Day::at(now_ms);
    let left = [3, 2, 1, 0].map(|back| counted(&reader, today.back(back)));
    assert_eq!(left, [0, 0, 3_000, 3_000]);
    let keep = Retention {
        max_bytes: Some(1),
        ..keep
    };
    let expired = recorder.expire(keep).await.unwrap();
    assert_eq!(expired.tally_rows_for_size, 6_000);
    let left = [3, 2, 1, 0].map(|back| counted(&reader, today.back(back)));
    assert_eq!(left, [0, 0, 0, 0]);
    assert!(expired.pages > 0 && reader.status().unwrap().free_bytes == Some(0));
}

/// Octets of the database as its header has them: the file itself follows at the next checkpoint.
fn pages(directory: &Directory) -> u64 {
    let connection = rusqlite::Connection::open(directory.store()).unwrap();
    let sql = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}
