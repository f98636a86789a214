//! History files of each dialect, whole, cut and joined.

use proptest::prelude::*;

use super::*;
use crate::opendmarc::message::{Meaning, NotReported, RecordedSignature, Seal};

mod broken;

/// As OpenDMARC 1.4.2 writes it.
pub(super) const OF_1_4: &str = "\
job 4ZQ0000001\nreporter mx01.example.net\nreceived 1780272000\nipaddr 192.0.2.7\nfrom mail.example.com\n\
mfrom bounce.example.com\nspf 0\ndkim example.com s1 7\ndkim example.net - 0\npdomain example.com\npolicy 15\n\
rua mailto:dmarc@example.com!10m\nrua mailto:b@example.net\npct 100\nadkim 114\naspf 115\np 114\nsp 113\n\
align_dkim 5\nalign_spf 4\narc 7\narc_policy 2 json:[]\naction 2\n";

/// HF5: as 1.2 wrote it.
const OF_1_2: &str = "\
job C198981\nreporter mx01.nausch.org\nreceived 1398696000\nipaddr 209.85.220.44\nfrom gmail.com\nmfrom gmail.com\n\
dkim gmail.com 0\nspf 0\npdomain gmail.com\npolicy 15\nrua mailto:mailauth-reports@google.com\npct 100\n\
adkim 114\naspf 114\np 110\nsp 0\nalign_dkim 4\nalign_spf 4\naction 2\n";

/// HF4: as Exim writes it: no line for SPF that gave nothing, the action before the lines of ARC.
const OF_EXIM: &str = "\
job 1tAbCd-0001Zz-2X\nreporter exim.example.net\nreceived 1780272001\nipaddr 2001:db8::7\nfrom example.org\n\
mfrom example.org\ndkim example.org s1 0\npdomain example.org\npolicy 2\nrua mailto:d@example.org\npct 100\n\
adkim 114\naspf 114\np 114\nsp 0\nalign_dkim 4\nalign_spf 5\naction 2\narc 11\narc_policy 1 json[ ]\n";

/// HF3: what came after 1.4.
const OF_DEVELOP: &str = "\
job D1\nreporter mx.example.net\nreceived 1780272002\nipaddr 192.0.2.8\nfrom example.com\nmfrom \nspf 0\nspf_scope 2\n\
pdomain example.com\npolicy 15\nrua -\npct 100\nadkim 114\naspf 114\np 110\nsp 0\nfo 9\nnew_key 1\nalign_dkim 5\n\
align_spf 4\narc 0\narc_policy 0 json:[{ \"i\": 1, \"d\":\"list.example\", \"s\":\"arc\", \"ip\":\"198.51.100.1\" }]\naction 2\n";

/// All that is found, fed so many octets at a time.
pub(super) fn found_by(octets: &[u8], at_a_time: usize) -> Vec<HistoryEvent> {
    let mut found = Vec::new();
    let mut history = History::new();
    for piece in octets.chunks(at_a_time) {
        history.feed(piece, &mut |one| found.push(one));
    }
    history.end(&mut |one| found.push(one));
    found
}

pub(super) fn found(text: &str) -> Vec<HistoryEvent> {
    found_by(text.as_bytes(), usize::MAX)
}

pub(super) fn messages(text: &str) -> Vec<Message> {
    let message = |one| match one {
        HistoryEvent::Message(_, message) => Some(*message),
        _ => None,
    };
    found(text).into_iter().filter_map(message).collect()
}

#[test]
fn a_record_of_1_4_is_read_whole() {
    insta::assert_debug_snapshot!(messages(OF_1_4), @r#"
    [
        Message {
            job: "4ZQ0000001",
            reporter: "mx01.example.net",
            received_s: 1780272000,
            client: 192.0.2.7,
            author_domain: "mail.example.com",
            mail_from: "bounce.example.com",
            spf: Some(
                0,
            ),
            spf_scope: None,
            dkim: [
                RecordedSignature {
                    domain: "example.com",
                    selector: Some(
                        "s1",
                    ),
                    result: 7,
                },
                RecordedSignature {
                    domain: "example.net",
                    selector: None,
                    result: 0,
                },
            ],
            policy_domain: "example.com",
            policy: 15,
            rua: [
                "mailto:dmarc@example.com!10m",
                "mailto:b@example.net",
            ],
            pct: 100,
            adkim: 114,
            aspf: 115,
            p: 114,
            sp: 113,
            fo: 0,
            align_dkim: 5,
            align_spf: 4,
            arc: None,
            action: 2,
        },
    ]
    "#);
}

#[test]
fn hf5_records_of_1_2_have_no_selectors_and_no_arc() {
    let message = messages(OF_1_2).remove(0);
    assert_eq!(
        (message.dkim[0].selector.as_deref(), message.dkim[0].result),
        (None, 0)
    );
    assert_eq!(message.arc, None);
    assert!(matches!(message.meaning(), Meaning::Counts(_)));
}

#[test]
fn hf4_records_of_exim_are_read() {
    let message = messages(OF_EXIM).remove(0);
    assert_eq!((message.spf, message.policy, message.action), (None, 2, 2));
    let Meaning::Counts(counted) = message.meaning() else {
        panic!("{message:?}");
    };
    assert_eq!(
        (counted.row.disposition.as_str(), counted.row.dkim_aligned),
        ("pass", true)
    );
    // A domain without a record: the tags are all 0, whatever stands for the policy.
    let without = OF_EXIM
        .replace("pct 100", "pct 0")
        .replace("adkim 114", "adkim 0");
    let without = without.replace("aspf 114", "aspf 0").replace("\np 114", "\np 0");
    let meaning = messages(&without).remove(0).meaning();
    assert_eq!(meaning, Meaning::IsNotReported(NotReported::NoPolicy));
}

#[test]
fn hf3_keys_after_1_4_are_read_and_others_told_once() {
    let twice = format!("{OF_DEVELOP}{OF_DEVELOP}");
    let told: Vec<_> = found(&twice)
        .into_iter()
        .filter(|one| matches!(one, HistoryEvent::Unknown { .. }))
        .collect();
    assert_eq!(
        told,
        [HistoryEvent::Unknown {
            line: 18,
            key: "new_key".to_owned()
        }]
    );
    let message = messages(OF_DEVELOP).remove(0);
    assert_eq!(
        (message.spf_scope, message.fo, message.rua.len()),
        (Some(2), 9, 0)
    );
    assert_eq!(
        message.arc,
        Some(vec![Seal {
            instance: 1,
            domain: "list.example".to_owned(),
            selector: "arc".to_owned(),
            client: "198.51.100.1".to_owned(),
        }])
    );
}

#[test]
fn so_many_unknown_keys_are_told_and_no_more() {
    let unknown = |count: usize| -> String { (0..count).map(|number| format!("x{number} 1\n")).collect() };
    let told = |count| {
        let text = OF_1_2.replace("action", &format!("{}action", unknown(count)));
        found(&text).len() - 1
    };
    assert_eq!(
        (told(MAX_UNKNOWN), told(MAX_UNKNOWN + 1)),
        (MAX_UNKNOWN, MAX_UNKNOWN)
    );
}

/// Where a record without the lines of ARC ends: 1.2 writes none, nor does an Exim that was built without ARC. A
/// record of another Exim that is cut just there is the one that cannot be told from a whole one.
fn end_without_arc(record: &str) -> usize {
    let action = "action 2\n";
    record.find(action).unwrap() + action.len()
}

/// HF6, at every octet: what was cut off counts once it is there, and nothing counts before.
#[test]
fn hf6_a_last_record_that_is_not_whole_is_left_out_and_told() {
    for dialect in [OF_1_4, OF_1_2, OF_EXIM, OF_DEVELOP] {
        let text = format!("{OF_1_2}{dialect}");
        let end_without_arc = OF_1_2.len() + end_without_arc(dialect);
        for end in OF_1_2.len() + 1..text.len() {
            let of_cut = found(&text[..end]);
            let counted = messages(&text[..end]).len();
            if end == end_without_arc {
                assert_eq!((counted, of_cut.len()), (2, 2), "{end}");
                continue;
            }
            assert_eq!(counted, 1, "{end}: {:?}", &text[OF_1_2.len()..end]);
            let last = of_cut.last().unwrap();
            assert!(
                matches!(last, HistoryEvent::Unfinished { line: 20, .. }),
                "{end}: {last:?}"
            );
        }
        assert_eq!(messages(&text).len(), 2);
        let is_known =
            |one: &HistoryEvent| matches!(one, HistoryEvent::Message(..) | HistoryEvent::Unknown { .. });
        assert!(found(&text).iter().all(is_known));
    }
}

/// HF6: a collector that copies a file while it is written, and joins it to the next host's. At every octet,
/// the next host's record is whole, and none but the one that was cut is lost.
#[test]
fn hf6_a_record_that_was_cut_by_copying_costs_itself_only() {
    let next = OF_1_4.replace("4ZQ0000001", "NEXT");
    let last = OF_EXIM.replace("1tAbCd-0001Zz-2X", "LAST");
    for cut in [OF_1_2, OF_1_4, OF_EXIM] {
        let end_without_arc = end_without_arc(cut);
        for end in 0..cut.len() {
            let joined = format!("{}{next}{last}", &cut[..end]);
            let jobs: Vec<_> = messages(&joined).into_iter().map(|message| message.job).collect();
            // The last line feed alone may be what was cut off, or all.
            let is_whole = jobs.len() == 3;
            let may_be_whole = [cut.len() - 1, end_without_arc - 1, end_without_arc].contains(&end);
            assert!(!is_whole || may_be_whole, "{end}: {jobs:?}");
            let rest = jobs.get(usize::from(is_whole)..).unwrap();
            assert_eq!(rest, ["NEXT", "LAST"], "{end}");
        }
    }
}

#[test]
fn it_does_not_matter_how_the_octets_come() {
    let text = format!("stray\n{OF_1_4}{OF_EXIM}{OF_DEVELOP}job X\nfrom y\n{OF_1_2}job cut");
    let whole = found_by(text.as_bytes(), usize::MAX);
    assert_eq!(whole.len(), 8, "{whole:?}");
    for at_a_time in [1, 2, 7, 64] {
        assert_eq!(found_by(text.as_bytes(), at_a_time), whole, "{at_a_time}");
    }
    assert_eq!(
        found(&text.replace('\n', "\r\n")),
        whole,
        "line ends of another world"
    );
}

#[test]
fn the_longest_line_and_the_longest_record_are_read_and_no_more() {
    let with_line = |octets: usize| {
        let rua = format!("rua {}\n", "x".repeat(octets - 4));
        messages(&OF_1_2.replace("pct", &format!("{rua}pct"))).len()
    };
    assert_eq!((with_line(MAX_LINE), with_line(MAX_LINE + 1)), (1, 0));
    let with_lines = |lines: u32| {
        let more: String = (19..lines).map(|_| "rua mailto:a@example.com\n").collect();
        messages(&OF_1_2.replace("pct", &format!("{more}pct"))).len()
    };
    assert_eq!(
        (with_lines(MAX_RECORD_LINES), with_lines(MAX_RECORD_LINES + 1)),
        (1, 0)
    );
}

#[test]
fn nothing_is_found_in_nothing() {
    assert_eq!(found(""), []);
    assert_eq!(found("\n\n"), []);
}

fn word() -> impl Strategy<Value = String> {
    "[a-z0-9.@:!/-]{1,40}".prop_filter("a hyphen alone means none", |text| text != "-")
}

fn signature() -> impl Strategy<Value = RecordedSignature> {
    (word(), proptest::option::of(word()), -1_i64..=12).prop_map(|(domain, selector, result)| {
        RecordedSignature {
            domain,
            selector,
            result,
        }
    })
}

fn seal() -> impl Strategy<Value = Seal> {
    (0_u64..60, ".{0,20}", ".{0,20}", ".{0,20}").prop_map(|(instance, domain, selector, client)| Seal {
        instance,
        domain,
        selector,
        client,
    })
}

prop_compose! {
    fn message()(
        (job, reporter, author_domain, mail_from) in (word(), word(), word(), "[a-z.]{0,30}"),
        received_s in 0_u64..253_402_300_800,
        client in any::<std::net::IpAddr>(),
        spf in -1_i64..=12,
        dkim in proptest::collection::vec(signature(), 0..5),
        (policy_domain, policy) in (word(), proptest::sample::select(vec![0_i64, 2, 4, 13, 14, 15, 16, 17, 18])),
        rua in proptest::collection::vec(word(), 0..4),
        (pct, adkim, aspf) in (0_i64..=100, proptest::sample::select(vec![0_i64, 114, 115]), proptest::sample::select(vec![0_i64, 114, 115])),
        (p, sp) in (proptest::sample::select(vec![0_i64, 110, 113, 114]), proptest::sample::select(vec![0_i64, 110, 113, 114])),
        (align_dkim, align_spf) in (proptest::sample::select(vec![0_i64, 4, 5]), proptest::sample::select(vec![0_i64, 4, 5])),
        arc in proptest::option::of(proptest::collection::vec(seal(), 0..3)),
        action in 0_i64..=4,
    ) -> Message {
        Message {
            job, reporter, received_s, client, author_domain, mail_from, spf: Some(spf), spf_scope: None, dkim,
            policy_domain, policy, rua, pct, adkim, aspf, p, sp, fo: 0, align_dkim, align_spf, arc, action,
        }
    }
}

proptest! {
    #[test]
    fn what_the_writer_writes_is_read_back(all in proptest::collection::vec(message(), 1..4)) {
        let text: String = all.iter().map(write).collect();
        prop_assert_eq!(messages(&text), all);
    }

    #[test]
    fn no_octets_make_it_panic_and_a_fault_has_a_line_and_a_remedy(octets: Vec<u8>) {
        for one in found_by(&octets, 16) {
            if let HistoryEvent::Broken(fault) = one {
                prop_assert!(fault.line > 0 && !fault.remedy().is_empty());
            }
        }
    }
}

/// Whoever chooses a domain must not write records of others.
#[test]
fn no_value_makes_a_line_of_its_own() {
    let message = Message {
        mail_from: "a\naction 0\njob b".to_owned(),
        ..messages(OF_1_4).remove(0)
    };
    let written = write(&message);
    assert_eq!(written.lines().count(), OF_1_4.lines().count());
    assert!(written.contains("\nmfrom aaction0jobb\n"), "{written}");
}

/// O8: what a host exports is in its store already.
#[test]
fn what_a_host_has_exported_itself_is_known_by_its_name_and_queue_id() {
    let names = ["MX.example.net".to_owned(), "mail.example.net".to_owned()];
    let is_own = |job: &str, reporter: &str| {
        let message = Message {
            job: job.to_owned(),
            reporter: reporter.to_owned(),
            ..messages(OF_1_4).remove(0)
        };
        message.is_exported_by(&names)
    };
    let job = exported_job(20_605, "e6af0e283e6cb578", 2);
    assert_eq!(job, "lm20605.e6af0e283e6cb578.2");
    assert!(is_own(&job, "mx.example.net") && is_own(&job, "Mail.Example.NET"));
    assert!(!is_own(&job, "mx2.example.net"), "another host's counts here");
    for other in [
        "4ZQ0000001",
        "lm20605",
        "lm.e6.2",
        "lm1.x.2",
        "lm1.e6.",
        "lm1.e6.2.3",
        "Lm1.e6.2",
    ] {
        assert!(!is_own(other, "mx.example.net"), "{other}");
    }
}

#[test]
fn what_was_counted_is_written_and_counts_the_same() {
    for text in [OF_1_4, OF_1_2, OF_EXIM] {
        let Meaning::Counts(before) = messages(text).remove(0).meaning() else {
            panic!("{text}");
        };
        let made = Message::of_counted(&before, "lm1.2.3", "mx.example.net");
        let Meaning::Counts(mut after) = messages(&write(&made)).remove(0).meaning() else {
            panic!("{made:?}");
        };
        assert_eq!(
            after.key,
            format!("message/mx.example.net/{}/lm1.2.3", before.at_s)
        );
        after.key.clone_from(&before.key);
        assert_eq!(after, before);
    }
}
