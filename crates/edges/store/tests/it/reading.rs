//! Finding messages again, in finished blocks and in the unfinished one.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use landmarc_observation::{Observation, TallyRow};
use landmarc_store::{Day, LogFilter, Reader};

use crate::bed::{Bed, suite};
use crate::samples::{Directory, HOUR, MIDNIGHT, from, message, reader, row, store_with};
use crate::ship::{record, told};

suite!(
    filters_find_what_fits_in_the_unfinished_block,
    a_range_of_clients_is_of_one_family,
    time_is_from_until,
    a_clock_that_goes_backwards_hides_nothing,
    a_queue_id_that_came_twice_has_two_traces,
    foreign_text_is_only_text,
    the_policy_domains_of_a_day_are_told_in_order,
    what_was_told_what_would_have_been_and_the_rule_can_be_asked_for,
    few_domains_and_many_are_found_alike,
);

/// Messages whose properties follow from their number.
fn varied(number: u64) -> Observation {
    let domain = ["example.com", "a.example.com", "badexample.com", "example.org"];
    let mut one = from(number, domain[number as usize % 4]);
    if number.is_multiple_of(3) {
        one.dmarc = "fail".to_owned();
        one.disposition = if number.is_multiple_of(2) {
            "reject"
        } else {
            "quarantine"
        }
        .to_owned();
    }
    one.client = Some(IpAddr::from([192, 0, 2, (number % 5) as u8]));
    // One in a hundred seconds.
    one.at_ms = MIDNIGHT + number * 100_000;
    one
}

fn clients(from: &str, to: &str) -> Option<RangeInclusive<IpAddr>> {
    Some(from.parse().unwrap()..=to.parse().unwrap())
}

fn numbers(reader: &Reader, filter: &LogFilter) -> Vec<u64> {
    let rows = reader.log(filter).unwrap();
    rows.iter()
        .map(|row| row.id.strip_prefix("id-").unwrap().parse().unwrap())
        .collect()
}

/// What the filter should let through, newest first.
fn expected(count: u64, fits: impl Fn(u64) -> bool) -> Vec<u64> {
    (0..count)
        .rev()
        .filter(|number| fits(*number))
        .take(100)
        .collect()
}

fn check_filters(reader: &Reader, count: u64) {
    let some = |text: &str| Some(text.to_owned());
    let all = LogFilter::default();
    assert_eq!(numbers(reader, &all), expected(count, |_| true));
    let below = LogFilter {
        domain: some("Example.com"),
        ..all.clone()
    };
    assert_eq!(numbers(reader, &below), expected(count, |n| n % 4 < 2));
    let one = LogFilter {
        domain: some("a.example.com"),
        ..all.clone()
    };
    assert_eq!(numbers(reader, &one), expected(count, |n| n % 4 == 1));
    let failed = LogFilter {
        result: some("fail"),
        ..all.clone()
    };
    assert_eq!(numbers(reader, &failed), expected(count, |n| n % 3 == 0));
    let rejected = LogFilter {
        disposition: some("reject"),
        ..all.clone()
    };
    assert_eq!(numbers(reader, &rejected), expected(count, |n| n % 6 == 0));
    let client = LogFilter {
        client: clients("::ffff:192.0.2.3", "::ffff:192.0.2.3"),
        ..all.clone()
    };
    assert_eq!(numbers(reader, &client), expected(count, |n| n % 5 == 3));
    let network = LogFilter {
        client: clients("192.0.2.2", "192.0.2.3"),
        ..all.clone()
    };
    assert_eq!(
        numbers(reader, &network),
        expected(count, |n| (2..=3).contains(&(n % 5)))
    );
    let other_family = LogFilter {
        client: clients("::", "ffff::"),
        ..all.clone()
    };
    assert_eq!(numbers(reader, &other_family), [0; 0]);
    let everything = LogFilter {
        domain: some("example.org"),
        result: some("fail"),
        disposition: some("quarantine"),
        client: clients("192.0.2.2", "192.0.2.2"),
        ..all.clone()
    };
    assert_eq!(numbers(reader, &everything), expected(count, |n| n % 60 == 27));
    let none = LogFilter {
        domain: some("example.net"),
        ..all.clone()
    };
    assert_eq!(numbers(reader, &none), [0; 0]);
    let no_room = LogFilter { limit: 0, ..below };
    assert_eq!(numbers(reader, &no_room), [0; 0]);
}

fn filters_find_what_fits_in_the_unfinished_block(bed: &Bed) {
    record(bed, (0..500).map(varied));
    check_filters(&reader(bed.place()), 500);
}

#[tokio::test]
async fn filters_and_ids_find_the_same_in_finished_blocks() {
    const COUNT: u64 = 2 * 65_536 + 1_000;
    let directory = Directory::new();
    let recorder = store_with(&directory, (0..COUNT).map(varied)).await;
    // The indexes are made after the batch.
    drop(recorder);
    let connection = rusqlite::Connection::open(directory.store()).unwrap();
    let blocks: i64 = connection
        .query_row("SELECT count(DISTINCT block) FROM name", [], |row| row.get(0))
        .unwrap();
    assert_eq!(blocks, 2);
    // Nothing is in the unfinished block: what is found, is found by the index.
    connection
        .execute("DELETE FROM observation WHERE id >= 2 * 65536", [])
        .unwrap();
    drop(connection);
    let reader = reader(&directory);
    check_filters(&reader, 2 * 65_536);
    for number in [0, 1, 65_535, 65_536, 65_537, 131_071] {
        for id in [format!("id-{number}"), format!("4ZQ{number:08x}")] {
            let found = reader.explain(&id).unwrap();
            assert_eq!(found.len(), 1, "{id}");
            assert_eq!(found[0].id, format!("id-{number}"));
        }
    }
    assert_eq!(reader.explain("id-131072").unwrap(), []);
    let since = MIDNIGHT + 70_000 * 100_000;
    let window = LogFilter {
        since_ms: Some(since),
        until_ms: Some(since + 1_000_000),
        ..LogFilter::default()
    };
    assert_eq!(
        numbers(&reader, &window),
        (70_000..70_010).rev().collect::<Vec<_>>()
    );
    let in_domain = LogFilter {
        domain: Some("example.org".to_owned()),
        ..window
    };
    assert_eq!(numbers(&reader, &in_domain), [70_007, 70_003]);
}

fn a_range_of_clients_is_of_one_family(bed: &Bed) {
    // The octets of the second begin like those of the first, and lie between those of 192.0.2.7 and 192.0.2.8.
    let clients_of = ["192.0.2.7", "c000:207::1", "192.0.2.8", "2001:db8::1"];
    let messages = clients_of.iter().zip(0..).map(|(client, number)| {
        let mut one = message(number);
        one.client = Some(client.parse().unwrap());
        one
    });
    let mut unknown = message(9);
    unknown.client = None;
    record(bed, messages.chain([unknown]));
    let reader = reader(bed.place());
    let found = |from: &str, to: &str, result: Option<&str>| {
        numbers(
            &reader,
            &LogFilter {
                client: clients(from, to),
                result: result.map(str::to_owned),
                ..LogFilter::default()
            },
        )
    };
    for result in [None, Some("pass")] {
        assert_eq!(found("192.0.2.7", "192.0.2.8", result), [2, 0]);
        assert_eq!(found("c000::", "c000:ffff::", result), [1]);
        assert_eq!(found("::", "ffff::", result), [3, 1]);
        assert_eq!(found("192.0.2.8", "192.0.2.7", result), [0; 0]);
    }
}

fn time_is_from_until(bed: &Bed) {
    record(bed, (0..100).map(varied));
    let reader = reader(bed.place());
    let at = |number: u64| Some(MIDNIGHT + number * 100_000);
    let between = |since_ms, until_ms| LogFilter {
        since_ms,
        until_ms,
        ..LogFilter::default()
    };
    assert_eq!(numbers(&reader, &between(at(97), None)), [99, 98, 97]);
    assert_eq!(numbers(&reader, &between(None, at(2))), [1, 0]);
    assert_eq!(numbers(&reader, &between(at(40), at(42))), [41, 40]);
    assert_eq!(numbers(&reader, &between(at(42), at(42))), [0; 0]);
    assert_eq!(
        numbers(&reader, &between(Some(MIDNIGHT + 300 * HOUR), None)),
        [0; 0]
    );
}

fn a_clock_that_goes_backwards_hides_nothing(bed: &Bed) {
    let times = [50, 51, 2, 3, 52].map(|hours| MIDNIGHT + hours * HOUR);
    let messages = times.iter().enumerate().map(|(number, at_ms)| {
        let mut one = message(number as u64);
        one.at_ms = *at_ms;
        one
    });
    record(bed, messages);
    let reader = reader(bed.place());
    let early = LogFilter {
        until_ms: Some(MIDNIGHT + 10 * HOUR),
        ..LogFilter::default()
    };
    assert_eq!(numbers(&reader, &early), [3, 2]);
    let late = LogFilter {
        since_ms: Some(MIDNIGHT + 10 * HOUR),
        ..LogFilter::default()
    };
    assert_eq!(numbers(&reader, &late), [4, 1, 0]);
    // A server goes by the time, a file by the order of recording.
    let all = if bed.is_server() {
        [4, 1, 0, 3, 2]
    } else {
        [4, 3, 2, 1, 0]
    };
    assert_eq!(numbers(&reader, &LogFilter::default()), all);
    assert_eq!(reader.explain("id-2").unwrap().len(), 1);
}

fn a_queue_id_that_came_twice_has_two_traces(bed: &Bed) {
    let mut again = message(2);
    again.queue_id = message(1).queue_id;
    let mut without = message(3);
    without.queue_id = String::new();
    record(bed, [message(1), again, without]);
    let reader = reader(bed.place());
    let found = reader.explain(&message(1).queue_id).unwrap();
    let ids: Vec<_> = found.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["id-1", "id-2"]);
    assert_eq!(reader.explain("").unwrap(), []);
    assert_eq!(reader.explain("id-").unwrap(), []);
}

fn foreign_text_is_only_text(bed: &Bed) {
    let nasty = [
        "'; drop table observation; --",
        "\"x\".example",
        "a%_b.example",
        "nul\0.example",
        "line\nfeed.example",
        "bücher.example",
        "/.example",
        "..",
    ];
    let messages = nasty.iter().zip(0..).map(|(text, number)| {
        let mut one = from(number, text);
        one.queue_id = format!("Q{text}");
        one.cause = (*text).to_owned();
        one.overrides = vec![((*text).to_owned(), (*text).to_owned())];
        one.trace = (*text).into();
        one
    });
    record(bed, messages);
    let reader = reader(bed.place());
    let day = Day::at(MIDNIGHT);
    for text in nasty {
        let found = reader.explain(&format!("Q{text}")).unwrap();
        assert_eq!(found.len(), 1, "{text:?}");
        let observation = &found[0];
        let seen = told(bed, text);
        assert_eq!(observation.author_domain.as_deref(), Some(seen.as_str()));
        assert_eq!(observation.overrides, [(text.to_owned(), text.to_owned())]);
        assert_eq!(
            (&observation.cause, observation.policy_domain.as_deref()),
            (&seen, Some(seen.as_str()))
        );
        assert_eq!(&*found[0].trace, text);
        let filter = LogFilter {
            domain: Some(text.to_owned()),
            ..LogFilter::default()
        };
        assert_eq!(reader.log(&filter).unwrap().len(), 1, "{text:?}");
        let tally = reader.tally(day, text).unwrap();
        // In a list each text comes back as it was: JSON has a word for everything.
        let expected = TallyRow {
            dkim: row(text).dkim,
            spf: row(text).spf,
            ..row(&seen)
        };
        assert_eq!(tally, [(expected, 1)]);
    }
    assert_eq!(reader.policy_domains(day).unwrap().len(), nasty.len());
    for text in ["%", "_", "' OR 1=1 --", "x\".example"] {
        let filter = LogFilter {
            domain: Some(text.to_owned()),
            ..LogFilter::default()
        };
        assert_eq!(reader.log(&filter).unwrap(), [], "{text:?}");
        assert_eq!(reader.explain(text).unwrap(), []);
    }
}

fn the_policy_domains_of_a_day_are_told_in_order(bed: &Bed) {
    let messages = (0..50).map(|number| from(number, &format!("{:02}.example", number * 7 % 50)));
    record(bed, messages);
    let domains = reader(bed.place()).policy_domains(Day::at(MIDNIGHT)).unwrap();
    let expected: Vec<_> = (0..50).map(|number| format!("{number:02}.example")).collect();
    assert_eq!(domains, expected);
    assert_eq!(reader(bed.place()).policy_domains(Day(1)).unwrap(), [""; 0]);
}

fn what_was_told_what_would_have_been_and_the_rule_can_be_asked_for(bed: &Bed) {
    let words = [("accept", "accept"), ("accept", "reject"), ("reject", "reject")];
    let messages = (0..60_u64).map(|number| {
        let (action, enforced_action) = words[number as usize % 3];
        let mut one = message(number);
        one.action = action.to_owned();
        one.enforced_action = enforced_action.to_owned();
        one.rule = number.is_multiple_of(2).then(|| "partners".to_owned());
        one
    });
    record(bed, messages);
    let reader = reader(bed.place());
    let some = |text: &str| Some(text.to_owned());
    let filter = LogFilter {
        enforced_action: some("reject"),
        ..LogFilter::default()
    };
    assert_eq!(numbers(&reader, &filter), expected(60, |n| n % 3 > 0));
    let filter = LogFilter {
        action: some("accept"),
        ..filter
    };
    assert_eq!(numbers(&reader, &filter), expected(60, |n| n % 3 == 1));
    let filter = LogFilter {
        rule: some("partners"),
        domain: some("example.com"),
        limit: 3,
        ..filter
    };
    // The limit is of those that fit.
    assert_eq!(numbers(&reader, &filter), [58, 52, 46]);
    let other = LogFilter {
        rule: some("others"),
        ..LogFilter::default()
    };
    assert_eq!(numbers(&reader, &other), [0; 0]);
}

/// On a server, those of up to 64 policy domains are looked for domain by domain, those of more by the time.
fn few_domains_and_many_are_found_alike(bed: &Bed) {
    let top = |number: u64| if number < 64 { "few.example" } else { "example" };
    record(
        bed,
        (0..130).map(|number| from(number, &format!("d{number}.{}", top(number)))),
    );
    let reader = reader(bed.place());
    let below = |domain: &str| LogFilter {
        domain: Some(domain.to_owned()),
        ..LogFilter::default()
    };
    assert_eq!(numbers(&reader, &below("few.example")), expected(64, |_| true));
    assert_eq!(numbers(&reader, &below("example")), expected(130, |_| true));
    let five = LogFilter {
        limit: 5,
        ..below("few.example")
    };
    assert_eq!(numbers(&reader, &five), [63, 62, 61, 60, 59]);
}
