//! What holds for every input.

use landmarc_auth::dkim::DkimResult;
use landmarc_auth::lookup::{Answer, DnsRecord, Lookup, Question};
use landmarc_dmarc::discovery::{MAX_QUESTIONS, names_to_ask};
use landmarc_dmarc::record::MAX_RECORD_OCTETS;
use landmarc_dmarc::{EvaluationOptions, Identifiers, PolicyRecord, Suffixes, evaluate};
use landmarc_mail::DomainName;
use landmarc_testkit::block_on;
use proptest::prelude::*;

/// Text that gets past the first tag more often than chance.
fn record_text() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        "(none|quarantine|reject|NONE|r|s|y|n|u|0|1|d:s|1:d|100)",
        "(mailto:[a-z%]{1,4}@ex(ample)?\\.com(![0-9]{1,3}[kmgt]?)?[ ,]{0,2}){1,3}",
        "[ -~]{0,12}",
    ];
    let tag = (
        "(p|sp|np|adkim|aspf|t|psd|fo|rua|ruf|pct|P|zz)",
        "[ \t]{0,2}=[ \t]{0,2}",
        value,
        "[ \t]?;[ \t]?",
    )
        .prop_map(|(name, equals, value, end)| format!("{name}{equals}{value}{end}"));
    prop::collection::vec(tag, 0..12).prop_map(|tags| format!("v=DMARC1;{}", tags.concat()))
}

fn domain() -> impl Strategy<Value = DomainName> {
    "([a-c]\\.){0,40}(com|co\\.uk|example)".prop_map(|text| crate::common::name(&text))
}

fn bare(record: PolicyRecord) -> PolicyRecord {
    PolicyRecord {
        raw: String::new(),
        problems: Vec::new(),
        ..record
    }
}

fn check_print(text: &[u8]) {
    let Some(record) = PolicyRecord::parse(text) else {
        return;
    };
    let print = record.to_string();
    assert!(print.is_ascii() && record.raw.bytes().all(|b| (b' '..=b'~').contains(&b)));
    if print.len() <= MAX_RECORD_OCTETS {
        let again = PolicyRecord::parse(print.as_bytes()).expect("a print is a record");
        assert_eq!(again.usability(), record.usability());
        assert_eq!(bare(again), bare(record), "{print}");
    }
}

/// Every name has a record of this text, or every second question fails.
struct Everywhere<'a>(&'a str, bool);

impl Lookup for Everywhere<'_> {
    async fn ask(&self, question: &Question) -> Answer {
        if self.1 && question.name.as_bytes().len().is_multiple_of(2) {
            return Answer::NoData;
        }
        Answer::from_records(vec![DnsRecord::Txt(self.0.as_bytes().into())])
    }
}

proptest! {
    #[test]
    fn what_is_printed_is_read_again_as_the_same(text in record_text()) {
        check_print(text.as_bytes());
    }

    #[test]
    fn any_octets_are_read_without_a_panic(
        head in prop_oneof![Just(&b""[..]), Just(&b"v=DMARC1;"[..])],
        octets in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        check_print(&[head, &octets].concat());
    }

    #[test]
    fn a_walk_asks_at_most_eight_names_and_ends_at_the_top(start in domain()) {
        let names: Vec<_> = names_to_ask(&start).collect();
        prop_assert!(names.len() <= MAX_QUESTIONS);
        prop_assert_eq!(&names[0], &start);
        prop_assert_eq!(names.last().unwrap().label_count(), 1);
        prop_assert!(names.windows(2).all(|pair| pair[0] != pair[1] && pair[0].is_at_or_below(&pair[1])));
    }

    #[test]
    fn the_organizational_domain_is_the_author_or_above_and_pass_means_aligned(
        author in domain(), signer in domain(), text in record_text(), gaps: bool, guard: bool,
    ) {
        let identifiers = Identifiers { spf: None, dkim: vec![(DkimResult::Pass, signer.clone())] };
        let options = EvaluationOptions { unmarked_suffix_guard: guard, pct_zero_as_test: false };
        let lookup = Everywhere(&text, gaps);
        let found = block_on(evaluate(&lookup, &author, &identifiers, &options, &Suffixes::built_in()));
        let organization = found.organizational_domain.clone().expect("nothing failed");
        prop_assert!(author.is_at_or_below(&organization));
        prop_assert_eq!(found.result.is_pass(), found.dkim_aligned);
        if found.result.is_pass() {
            prop_assert!(signer == author || signer.is_at_or_below(&organization));
        }
        prop_assert!(found.walks.iter().all(|walk| walk.steps.len() <= MAX_QUESTIONS));
    }
}
