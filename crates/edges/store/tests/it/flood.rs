//! One sender makes each message like no other: what that costs, and whom.

use std::net::IpAddr;
use std::sync::Arc;

use landmarc_observation::Observation;
use landmarc_store::{Day, ExpiredRecords, Groups, LogFilter, Recorder, RecorderOptions, Retention};

use crate::samples::{DAY, Directory, HOUR, MIDNIGHT, counted, from, patient, reader, record_all};

/// The last two labels, and IPv4 /24.
#[derive(Debug)]
struct TwoLabels;

impl Groups for TwoLabels {
    fn organizational_domain(&self, name: &str) -> String {
        let mut labels: Vec<_> = name.rsplit('.').take(2).collect();
        labels.reverse();
        labels.join(".")
    }

    fn client_network(&self, client: IpAddr) -> IpAddr {
        match client {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                [a, b, c, 0].into()
            }
            address @ IpAddr::V6(_) => address,
        }
    }
}

/// Random digits, the same for the same seed.
struct Digits(u64);

impl Digits {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Three labels of 58.
    fn labels(&mut self) -> String {
        let mut label = || -> String {
            let digits: String = (0..4).map(|_| format!("{:016x}", self.next())).collect();
            digits.chars().take(58).collect()
        };
        [label(), label(), label()].join(".")
    }
}

/// A message of big.test: name, MAIL FROM, HELO, and signatures of four domains are new with each. It fails.
fn flood(number: u64, at_ms: u64) -> Observation {
    let mut digits = Digits(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let labels = digits.labels();
    let mut one = from(number, "big.test");
    let author = format!("{labels}.big.test");
    let envelope = format!("{labels}.env.test");
    one.at_ms = at_ms;
    one.id = format!("flood-{number}");
    one.client = Some([192, 0, 2, u8::try_from(digits.next() % 255).unwrap()].into());
    one.author_domain = Some(author.clone());
    one.dmarc = "fail".to_owned();
    let dkim: Vec<_> = (0..4)
        .map(|place| {
            let domain = format!("x{place}{}.sig.test", digits.labels());
            (domain, format!("s{:x}", digits.next()), "permerror".to_owned())
        })
        .collect();
    one.trace = format!("author {author}, envelope {envelope}, signatures {dkim:?}").into();
    let row = one.row.as_mut().unwrap();
    row.source_ip = one.client.unwrap();
    row.dkim_aligned = false;
    row.header_from = author;
    row.envelope_from = Some(envelope.clone());
    row.spf = Some((envelope, "mfrom".to_owned(), "none".to_owned()));
    row.dkim = dkim;
    one
}

/// So many messages of fifty domains within an hour.
fn honest(first: u64, count: u64, from_ms: u64) -> impl Iterator<Item = Observation> {
    (first..first + count).map(move |number| {
        let mut one = from(number, &format!("d{}.example", number % 50));
        one.at_ms = from_ms + (number - first) * HOUR / count;
        one.client = Some([198, 51, 100, 7].into());
        one
    })
}

fn limited(directory: &Directory) -> RecorderOptions {
    RecorderOptions {
        groups: Some(Arc::new(TwoLabels)),
        ..patient(directory.store())
    }
}

async fn expire(recorder: &Recorder, now_ms: u64, max_bytes: u64) -> ExpiredRecords {
    let keep = Retention {
        max_bytes: Some(max_bytes),
        ..Retention::standard(now_ms)
    };
    recorder.expire(keep).await.unwrap()
}

fn size(directory: &Directory, ending: &str) -> u64 {
    let path = format!("{}{ending}", directory.store().display());
    std::fs::metadata(path).map_or(0, |file| file.len())
}

fn lines(directory: &Directory, domain: &str) -> usize {
    let filter = LogFilter {
        domain: Some(domain.to_owned()),
        limit: 10_000,
        ..LogFilter::default()
    };
    reader(directory).log(&filter).unwrap().len()
}

/// A flood of so many messages, fifty a second, into a file of so many octets; the size is looked at each minute.
async fn flood_is_held(messages: u64, max_bytes: u64) {
    const HONEST: u64 = 500;
    const A_MINUTE: u64 = 3_000;
    let directory = Directory::new();
    let recorder = Recorder::open(limited(&directory)).unwrap();
    record_all(&recorder, honest(0, HONEST, MIDNIGHT + DAY)).await;
    record_all(&recorder, honest(HONEST, HONEST, MIDNIGHT + 2 * DAY)).await;
    let begins = MIDNIGHT + 2 * DAY + HOUR;
    let (mut sum, mut peak, mut wal) = (ExpiredRecords::default(), 0, 0);
    let mut now_ms = begins;
    for first in (0..messages).step_by(usize::try_from(A_MINUTE).unwrap()) {
        let last = messages.min(first + A_MINUTE);
        record_all(
            &recorder,
            (first..last).map(|number| flood(number, begins + number * 20)),
        )
        .await;
        now_ms = begins + last * 20;
        peak = peak.max(size(&directory, ""));
        let expired = expire(&recorder, now_ms, max_bytes).await;
        sum.traces += expired.traces;
        sum.observations += expired.observations;
        sum.tally_rows += expired.tally_rows;
        sum.distinct_rows += expired.distinct_rows;
        assert_eq!(expired.over_bytes, 0, "after {last}: {expired:?}");
        assert!(size(&directory, "") <= max_bytes, "after {last}");
        wal = wal.max(size(&directory, "-wal"));
    }
    record_all(&recorder, honest(2 * HONEST, 30, now_ms)).await;
    expire(&recorder, now_ms + HOUR, max_bytes).await;
    println!(
        "{messages} messages: file {}, at most {peak}, log at most {wal}, {sum:?}",
        size(&directory, "")
    );

    // A minute of the flood may be in it that was not looked at yet.
    assert!(peak <= max_bytes + A_MINUTE * 4_096, "{peak}");
    assert!(wal <= 48 << 20, "{wal}");
    let left: usize = (0..50)
        .map(|number| lines(&directory, &format!("d{number}.example")))
        .sum();
    assert_eq!(left as u64, 2 * HONEST + 30, "observations of others");
    let reader = reader(&directory);
    for (day, count) in [(1, HONEST), (2, HONEST + 30)] {
        let day = Day(Day::at(MIDNIGHT).0 + day);
        let others = reader
            .policy_domains(day)
            .unwrap()
            .into_iter()
            .filter(|name| name.ends_with(".example"));
        let rows: Vec<_> = others
            .flat_map(|name| reader.tally(day, &name).unwrap())
            .collect();
        assert_eq!(rows.iter().map(|(_, count)| count).sum::<u64>(), count);
        assert!(
            rows.iter().all(|(row, _)| row.published.problems.is_empty()),
            "none is folded"
        );
    }
    let today = Day(Day::at(MIDNIGHT).0 + 2);
    assert_eq!(
        counted(&reader, today),
        HONEST + 30 + messages,
        "each message counts once"
    );
    let folded = recorder.statistics().folded_messages;
    assert_eq!(
        folded,
        messages - 500,
        "all but the rows that one network may make"
    );
}

#[tokio::test]
async fn a_flood_costs_others_nothing_and_the_file_stays_at_its_limit() {
    flood_is_held(12_000, 6 << 20).await;
}

#[tokio::test]
#[ignore = "an hour of flood takes minutes: cargo nextest run -p landmarc-store --run-ignored only -E 'test(an_hour)'"]
async fn an_hour_of_flood_costs_others_nothing_and_the_file_stays_at_its_limit() {
    flood_is_held(180_000, 64 << 20).await;
}

/// As a store of an earlier version has it: nothing was folded.
#[tokio::test]
async fn old_days_of_a_flood_go_before_todays_messages_and_before_old_days_of_others() {
    const FLOOD: u64 = 4_000;
    let directory = Directory::new();
    let recorder = Recorder::open(patient(directory.store())).unwrap();
    let mut old: Vec<_> = (0..FLOOD)
        .map(|number| flood(number, MIDNIGHT + number))
        .collect();
    old.iter_mut().for_each(|one| one.trace = "".into());
    record_all(&recorder, old).await;
    record_all(&recorder, honest(FLOOD, 500, MIDNIGHT)).await;
    let today = MIDNIGHT + 30 * DAY;
    // What is older than 14 days has no observations any more.
    recorder.expire(Retention::standard(today)).await.unwrap();
    record_all(&recorder, honest(2 * FLOOD, 30, today)).await;
    let expired = expire(&recorder, today + HOUR, 4 << 20).await;
    assert_eq!((expired.observations, expired.over_bytes), (0, 0), "{expired:?}");
    assert!(expired.tally_rows_for_size > FLOOD / 4 && expired.tally_rows_for_size <= FLOOD);
    let left: usize = (0..50)
        .map(|number| lines(&directory, &format!("d{number}.example")))
        .sum();
    assert_eq!(left, 30);
    let reader = reader(&directory);
    let others = counted(&reader, Day::at(MIDNIGHT))
        - reader
            .tally(Day::at(MIDNIGHT), "big.test")
            .unwrap()
            .iter()
            .map(|(_, count)| count)
            .sum::<u64>();
    assert_eq!(others, 500, "old days of others");
    let size = size(&directory, "");
    assert!(size <= 4 << 20, "{size}");
}

/// Rows that are too many of today go for themselves when nothing else is left.
#[tokio::test]
async fn where_only_today_is_left_the_largest_sender_goes_first() {
    let directory = Directory::new();
    let recorder = Recorder::open(patient(directory.store())).unwrap();
    record_all(&recorder, honest(0, 500, MIDNIGHT)).await;
    record_all(
        &recorder,
        (0..3_000).map(|number| flood(number, MIDNIGHT + HOUR + number)),
    )
    .await;
    let expired = expire(&recorder, MIDNIGHT + 2 * HOUR, 3 << 20).await;
    assert_eq!(expired.over_bytes, 0, "{expired:?}");
    let left: usize = (0..50)
        .map(|number| lines(&directory, &format!("d{number}.example")))
        .sum();
    assert_eq!(left, 500, "{expired:?}");
    assert!(expired.tally_rows_for_size > 1_000, "{expired:?}");
    let reader = reader(&directory);
    let day = Day::at(MIDNIGHT);
    let others: u64 = (0..50)
        .flat_map(|number| reader.tally(day, &format!("d{number}.example")).unwrap())
        .map(|(_, count)| count)
        .sum();
    assert_eq!(others, 500);
    // Words that nothing refers to are gone, those in use are not.
    let connection = rusqlite::Connection::open(directory.store()).unwrap();
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let unused = "SELECT count(*) FROM reporting_row WHERE id NOT IN (SELECT reporting_row FROM tally)";
    assert_eq!(count(unused), 0);
    let unused = "SELECT count(*) FROM text WHERE id NOT IN (SELECT header_from FROM reporting_row) \
                  AND id NOT IN (SELECT dkim FROM reporting_row) AND id NOT IN (SELECT policy_domain FROM reporting_row) \
                  AND id NOT IN (SELECT envelope_from FROM reporting_row WHERE envelope_from IS NOT NULL) \
                  AND id NOT IN (SELECT spf FROM reporting_row) AND id NOT IN (SELECT reasons FROM reporting_row) \
                  AND id NOT IN (SELECT disposition FROM reporting_row) \
                  AND id NOT IN (SELECT envelope_to FROM reporting_row WHERE envelope_to IS NOT NULL)";
    assert_eq!(count(unused), 0);
    let unused = "SELECT count(*) FROM outcome WHERE id NOT IN (SELECT outcome FROM observation)";
    assert_eq!(count(unused), 0);
    let lost = "SELECT count(*) FROM observation WHERE outcome NOT IN (SELECT id FROM outcome)";
    assert_eq!(count(lost), 0);
    // What went may come again, whole.
    record_all(&recorder, [flood(2_999, MIDNIGHT + 2 * HOUR)]).await;
    assert_eq!(
        reader.explain("flood-2999").unwrap().last().unwrap().dmarc,
        "fail"
    );
}

/// So many messages, each of a policy domain of its own below one owner, over days up to this one. Then the limit leaves room for half
/// of their rows.
async fn a_policy_domain_for_each_row(rows: u64, days: u64, now_ms: u64) {
    const OTHERS: u64 = 50;
    let directory = Directory::new();
    let recorder = Recorder::open(patient(directory.store())).unwrap();
    let wild = (0..rows).map(|number| {
        let mut one = from(number, &format!("d{number}.wild.evil.test"));
        one.at_ms = MIDNIGHT + number % days * DAY + number;
        one.trace = "".into();
        one
    });
    record_all(&recorder, wild).await;
    for day in 0..days {
        record_all(
            &recorder,
            honest(rows + day * OTHERS, OTHERS, MIDNIGHT + day * DAY),
        )
        .await;
    }
    drop(recorder);
    let recorder = Recorder::open(limited(&directory)).unwrap();
    let keep = Retention {
        observation_days: 0,
        ..Retention::standard(now_ms)
    };
    let expired = recorder.expire(keep).await.unwrap();
    assert_eq!(
        (expired.observations, expired.tally_rows),
        (rows + days * OTHERS, 0)
    );
    let max_bytes = size(&directory, "") / 2;
    let expired = expire(&recorder, now_ms, max_bytes).await;
    println!("{rows} rows of {days} days: {expired:?}");
    assert_eq!(expired.over_bytes, 0, "{expired:?}");
    assert!(size(&directory, "") <= max_bytes);
    assert!(expired.tally_rows > rows / 4, "{expired:?}");
    assert!(
        expired.tally_rows < rows * 3 / 4,
        "no more than has to: {expired:?}"
    );
    // Sixteen rounds, each with a sweep that looks at the 20,000 rows and 60,000 texts and removes 2,000 of them in a step.
    assert!(expired.steps <= 16 * 12, "{expired:?}");
    let reader = reader(&directory);
    for day in (0..days).map(|day| Day::at(MIDNIGHT + day * DAY)) {
        let names = reader.policy_domains(day).unwrap();
        let others = names.iter().filter(|name| name.ends_with(".example"));
        let count = others.flat_map(|name| reader.tally(day, name).unwrap());
        assert_eq!(count.map(|(_, count)| count).sum::<u64>(), OTHERS, "{day:?}");
    }
}

#[tokio::test]
async fn old_rows_of_a_policy_domain_each_go_many_in_a_step() {
    a_policy_domain_for_each_row(20_000, 10, MIDNIGHT + 30 * DAY).await;
}

#[tokio::test]
async fn recent_rows_of_a_policy_domain_each_go_many_in_a_step() {
    a_policy_domain_for_each_row(20_000, 2, MIDNIGHT + DAY + 2 * HOUR).await;
}
