//! What is known at the end of the header section, before anything was asked.

use landmarc_receiver::policy::ClientFacts;
use landmarc_receiver::{Arrival, Head, Removal, removals};
use landmarc_testkit::message::NOW;

use crate::scenario::Given;

const FORGED: &str = "from   a@example.com
    header Authentication-Results: mx.receiver.example; dmarc=pass header.from=example.com
    header Authentication-Results: mx.other.example; dmarc=pass header.from=example.com";

fn head(given: &Given) -> Head {
    let arrival = Arrival::of(&given.envelope, NOW);
    Head::new(&given.message.headers(), &given.rules, &arrival)
}

fn numbers(removals: &[Removal]) -> Vec<u32> {
    removals.iter().map(|removal| removal.nth).collect()
}

/// RFC 8601 §5. Of a message that is not judged they are found without a [`Head`].
#[test]
fn a_forged_result_in_our_name_goes_whether_the_message_is_judged_or_not() {
    let given = Given::read(FORGED);
    assert_eq!(numbers(head(&given).removals()), [1]);
    let of = |client| numbers(&removals(&given.message.headers(), &given.rules, client));
    assert_eq!(of(ClientFacts::default()), [1]);
    let relay = ClientFacts {
        keeps_results: true,
        ..ClientFacts::default()
    };
    assert!(of(relay).is_empty());
}

#[test]
fn a_filter_ahead_that_is_not_looked_for_removes_nothing_of_its_name() {
    let trusted = "\n rules trusted mx.other.example";
    assert_eq!(
        numbers(head(&Given::read(&format!("{FORGED}{trusted}"))).removals()),
        [1]
    );
    let used = format!("{FORGED}{trusted}\n rules arc always\n rules upstream_arc upstream");
    assert_eq!(numbers(head(&Given::read(&used)).removals()), [1, 2]);
}

#[test]
fn whether_a_filter_ahead_is_there_is_known_where_one_is_looked_for() {
    let of = |rules: &str| head(&Given::read(&format!("{FORGED}\n{rules}"))).is_upstream_heard();
    assert_eq!(of(""), None);
    assert_eq!(of("rules spf upstream"), Some(true));
    let without = Given::read("from a@example.com\n rules spf upstream");
    assert_eq!(head(&without).is_upstream_heard(), Some(false));
}
