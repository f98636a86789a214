//! Rows of the store, whole and broken.

use landmarc_observation::{PublishedPolicy, TallyRow};
use proptest::prelude::*;

use super::*;

const JUNE_1: u64 = 1_780_272_000;
/// That evening.
const NOW_S: u64 = JUNE_1 + 72_000;

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// A forged message of a domain that asks for rejection, as Mail::DMARC writes it down.
fn forged() -> StoredRecord {
    StoredRecord {
        id: 17,
        begin_s: JUNE_1,
        policy_domain: text("example.com"),
        p: text("reject"),
        sp: text("none"),
        adkim: text("s"),
        aspf: None,
        rua: text("mailto:one@example.com!10m, mailto:two@example.net,"),
        source_ip: vec![192, 0, 2, 7],
        disposition: text("reject"),
        dkim_aligned: text("fail"),
        spf_aligned: text("fail"),
        header_from: text("News.Example.com"),
        envelope_from: text("bounces.example.net"),
        reasons: Vec::new(),
        dkim: vec![StoredDkim {
            domain: text("Other.example"),
            selector: text("s1"),
            result: text("pass"),
        }],
        spf: vec![
            StoredSpf {
                domain: text("mx.example.net"),
                scope: text("helo"),
                result: text("none"),
            },
            StoredSpf {
                domain: text("bounces.example.net"),
                scope: text("mfrom"),
                result: text("softfail"),
            },
        ],
    }
}

fn source() -> StoreName {
    StoreName::new("mx1").expect("a name")
}

fn wrong(change: impl Fn(&mut StoredRecord)) -> String {
    let mut record = forged();
    change(&mut record);
    let broken = counted(&record, &source(), NOW_S).expect_err("it is broken");
    assert!(broken.remedy().contains("id=17"));
    broken.to_string()
}

fn right(change: impl Fn(&mut StoredRecord)) -> Counted {
    let mut record = forged();
    change(&mut record);
    counted(&record, &source(), NOW_S).expect("it is whole")
}

/// Q18.
#[test]
fn a_row_says_what_the_report_would_have_said() {
    let expected = Counted {
        key: "mail-dmarc/mx1/17/1780272000/example.com".to_owned(),
        at_s: JUNE_1,
        count: 1,
        row: TallyRow {
            policy_domain: "example.com".to_owned(),
            published: PublishedPolicy {
                p: "reject".to_owned(),
                sp: "none".to_owned(),
                adkim: "s".to_owned(),
                rua: vec![
                    "mailto:one@example.com!10m".to_owned(),
                    "mailto:two@example.net".to_owned(),
                ],
                ..PublishedPolicy::of_rfc_7489()
            },
            source_ip: IpAddr::from([192, 0, 2, 7]),
            disposition: "reject".to_owned(),
            dkim_aligned: false,
            spf_aligned: false,
            reasons: Vec::new(),
            header_from: "news.example.com".to_owned(),
            envelope_from: text("bounces.example.net"),
            dkim: vec![("other.example".to_owned(), "s1".to_owned(), "pass".to_owned())],
            spf: Some((
                "bounces.example.net".to_owned(),
                "mfrom".to_owned(),
                "softfail".to_owned(),
            )),
            envelope_to: None,
            incidental: false,
        },
    };
    assert_eq!(right(|_| ()), expected);
}

#[test]
fn what_is_not_there_is_as_a_record_without_it() {
    let row = right(|record| {
        (record.p, record.sp, record.adkim, record.rua) = (None, None, None, None);
        (record.dkim_aligned, record.spf_aligned, record.envelope_from) = (text(""), None, None);
        record.dkim.clear();
        record.spf.clear();
    });
    assert_eq!(row.row.published, PublishedPolicy::of_rfc_7489());
    assert_eq!((row.row.envelope_from, row.row.spf), (None, None));
    assert!(!row.row.dkim_aligned && !row.row.spf_aligned && row.row.dkim.is_empty());
    assert_eq!(right(|record| record.sp = None).row.published.sp, "reject");
}

/// RFC 9990 §3.1.1.9 has a word of its own for messages that pass a policy which asks for something.
#[test]
fn a_message_that_passes_says_so() {
    let passes = |record: &mut StoredRecord| {
        record.disposition = text("none");
        record.dkim_aligned = text("PASS");
        record.sp = text("quarantine");
    };
    assert_eq!(right(passes).row.disposition, "pass");
    let below_none = |record: &mut StoredRecord| {
        passes(record);
        record.sp = text("none");
    };
    assert_eq!(right(below_none).row.disposition, "none");
    let at_the_policy_domain = |record: &mut StoredRecord| {
        below_none(record);
        record.header_from = text("example.com");
    };
    assert_eq!(right(at_the_policy_domain).row.disposition, "pass");
    assert_eq!(
        right(|record| record.disposition = text("none")).row.disposition,
        "none"
    );
}

#[test]
fn reasons_and_an_address_of_sixteen_octets() {
    let row = right(|record| {
        record.source_ip = "2001:db8::7".parse::<Ipv6Addr>().unwrap().octets().to_vec();
        record.reasons = vec![
            ("mailing_list".to_owned(), text("apache.org")),
            ("Sampled_Out".to_owned(), None),
        ];
    });
    assert_eq!(row.row.source_ip.to_string(), "2001:db8::7");
    let reasons = [("mailing_list", "apache.org"), ("sampled_out", "")];
    assert_eq!(
        row.row.reasons,
        reasons.map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
}

/// The HELO identity stands in only where MAIL FROM was not looked at.
#[test]
fn one_spf_result_is_told() {
    let row = right(|record| record.spf.truncate(1));
    assert_eq!(row.row.spf.map(|(_, scope, _)| scope).as_deref(), Some("helo"));
    let row = right(|record| record.spf.iter_mut().for_each(|one| one.scope = None));
    assert_eq!(
        row.row.spf,
        Some(("mx.example.net".to_owned(), "mfrom".to_owned(), "none".to_owned()))
    );
}

#[test]
fn a_signature_without_a_domain_is_passed_over() {
    let row = right(|record| {
        record.dkim.insert(0, StoredDkim::default());
        record.dkim.insert(
            1,
            StoredDkim {
                domain: text("not a name"),
                ..StoredDkim::default()
            },
        );
    });
    assert_eq!(row.row.dkim.len(), 1);
}

#[test]
fn broken_rows_are_told_with_their_number_and_a_remedy() {
    let told = [
        wrong(|record| record.begin_s = 0),
        wrong(|record| record.policy_domain = None),
        wrong(|record| record.policy_domain = text("a b")),
        wrong(|record| record.header_from = text("")),
        wrong(|record| record.source_ip.push(0)),
        wrong(|record| record.source_ip.clear()),
        wrong(|record| record.disposition = None),
        wrong(|record| record.disposition = text("\u{1b}[31mdiscard")),
        wrong(|record| record.p = text("nnoe")),
        wrong(|record| record.spf_aligned = text("yes")),
        wrong(|record| record.reasons = vec![("because".to_owned(), None)]),
        wrong(|record| record.dkim[0].result = text("invalid")),
        wrong(|record| record.spf[1].result = None),
    ];
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_hundred_signatures_are_taken_and_no_more() {
    let with = |count| {
        move |record: &mut StoredRecord| {
            let one = record.dkim[0].clone();
            record.dkim = vec![one; count];
        }
    };
    assert_eq!(right(with(MAX_PER_RECORD)).row.dkim.len(), MAX_PER_RECORD);
    let told = wrong(with(MAX_PER_RECORD + 1));
    insta::assert_snapshot!(told, @"report_record 17: it has more than 100 signatures");
}

/// Nothing is imported twice: the key is the same whatever else of the row changes, and no other row's.
#[test]
fn a_key_is_of_one_row_of_one_report_of_one_store() {
    let key = right(|_| ()).key;
    let changed = right(|record| {
        record.disposition = text("none");
        record.dkim.clear();
        record.policy_domain = text("EXAMPLE.com");
    });
    assert_eq!(changed.key, key);
    assert_ne!(right(|record| record.id = 18).key, key);
    assert_ne!(right(|record| record.begin_s += 86_400).key, key);
    assert_ne!(
        right(|record| record.policy_domain = text("example.net")).key,
        key
    );
    let other = StoreName::new("mx2").unwrap();
    assert_ne!(counted(&forged(), &other, NOW_S).unwrap().key, key);
}

#[test]
fn names_of_sources() {
    for name in ["a", "mx1.example.org", &"a".repeat(MAX_SOURCE)] {
        assert!(StoreName::new(name).is_ok(), "{name}");
    }
    for name in ["", "a/b", "a b", "ä", &"a".repeat(MAX_SOURCE + 1)] {
        assert_eq!(StoreName::new(name), Err(UnusableStoreName), "{name}");
    }
}

/// A clock that was wrong makes no days of the future: nothing would ever report them.
#[test]
fn a_report_that_begins_more_than_a_day_ahead_is_told() {
    let ahead = NOW_S + crate::MAX_AHEAD_S;
    assert_eq!(right(|record| record.begin_s = ahead).at_s, ahead);
    assert_eq!(
        wrong(|record| record.begin_s = ahead + 1),
        format!(
            "report_record 17: report.begin is {}, more than a day ahead of now",
            ahead + 1
        )
    );
}

proptest! {
    #[test]
    fn whatever_a_row_says_it_counts_or_is_told(
        octets in prop::collection::vec(any::<u8>(), 0..18),
        words in prop::collection::vec(prop::option::of("\\PC{0,12}"), 12),
    ) {
        let word = |at: usize| words.get(at).cloned().flatten();
        let record = StoredRecord {
            id: 1,
            begin_s: JUNE_1,
            policy_domain: word(0),
            p: word(1),
            sp: word(2),
            adkim: word(3),
            aspf: word(4),
            rua: word(5),
            source_ip: octets,
            disposition: word(6),
            dkim_aligned: word(7),
            spf_aligned: word(8),
            header_from: word(9),
            envelope_from: word(10),
            reasons: vec![(word(11).unwrap_or_default(), word(0))],
            dkim: vec![StoredDkim { domain: word(1), selector: word(2), result: word(3) }],
            spf: vec![StoredSpf { domain: word(4), scope: word(5), result: word(6) }],
        };
        match counted(&record, &source(), NOW_S) {
            Ok(row) => prop_assert_eq!(row.count, 1),
            Err(broken) => prop_assert!(!broken.to_string().is_empty()),
        }
    }
}
