//! What the numbers of a message come to in a report.

use super::*;

fn message() -> Message {
    Message {
        job: "4ZQ0000001".to_owned(),
        reporter: "mx01.example.net".to_owned(),
        received_s: 1_780_272_000,
        client: [192, 0, 2, 7].into(),
        author_domain: "example.com".to_owned(),
        mail_from: "bounce.example.com".to_owned(),
        spf: Some(0),
        spf_scope: None,
        dkim: vec![RecordedSignature {
            domain: "example.com".to_owned(),
            selector: Some("s1".to_owned()),
            result: 7,
        }],
        policy_domain: "example.com".to_owned(),
        policy: 15,
        rua: vec!["mailto:dmarc@example.com".to_owned()],
        pct: 100,
        adkim: 114,
        aspf: 115,
        p: 114,
        sp: 0,
        fo: 0,
        align_dkim: 5,
        align_spf: 4,
        arc: None,
        action: 2,
    }
}

fn counted(message: &Message) -> Counted {
    match message.meaning() {
        Meaning::Counts(counted) => *counted,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_that_passed_counts_with_all_that_is_known_of_it() {
    insta::assert_debug_snapshot!(counted(&message()), @r#"
    Counted {
        key: "message/mx01.example.net/1780272000/4ZQ0000001",
        at_s: 1780272000,
        count: 1,
        row: TallyRow {
            policy_domain: "example.com",
            published: PublishedPolicy {
                p: "reject",
                sp: "reject",
                np: None,
                adkim: "r",
                aspf: "s",
                fo: "0",
                testing: false,
                discovery_method: "psl",
                rua: [
                    "mailto:dmarc@example.com",
                ],
                ruf: [],
                problems: [],
                psd: false,
            },
            source_ip: 192.0.2.7,
            disposition: "pass",
            dkim_aligned: false,
            spf_aligned: true,
            reasons: [],
            header_from: "example.com",
            envelope_from: Some(
                "bounce.example.com",
            ),
            envelope_to: None,
            dkim: [
                (
                    "example.com",
                    "s1",
                    "fail",
                ),
            ],
            spf: Some(
                (
                    "bounce.example.com",
                    "mfrom",
                    "pass",
                ),
            ),
            incidental: false,
        },
    }
    "#);
}

/// What `opendmarc-reports` writes for the numbers of `disp`; `none` is split in two, as RFC 9990 has it.
#[test]
fn what_was_done_is_told_in_the_words_of_a_report() {
    let done = |action, passes| {
        let align_spf = if passes { 4 } else { 5 };
        counted(&Message {
            action,
            align_spf,
            ..message()
        })
        .row
        .disposition
    };
    let told = [0, 1, 2, 4].map(|action| done(action, false));
    assert_eq!(told, ["reject", "reject", "none", "quarantine"]);
    assert_eq!(done(2, true), "pass");
    let watching = Message { p: 110, ..message() };
    assert_eq!(counted(&watching).row.disposition, "none");
}

#[test]
fn a_message_that_was_put_off_or_has_no_policy_counts_nowhere() {
    let nowhere = |message: Message| message.meaning();
    let put_off = Message {
        action: 3,
        ..message()
    };
    assert_eq!(nowhere(put_off), Meaning::IsNotReported(NotReported::Deferred));
    for policy in [13, 14] {
        let absent = Message { policy, ..message() };
        assert_eq!(nowhere(absent), Meaning::IsNotReported(NotReported::NoPolicy));
    }
    let of_exim = Message {
        policy: 2,
        pct: 0,
        adkim: 0,
        aspf: 0,
        p: 0,
        ..message()
    };
    assert_eq!(nowhere(of_exim), Meaning::IsNotReported(NotReported::NoPolicy));
}

/// `sp` is what is asked for below the Policy Domain.
#[test]
fn what_is_asked_for_hangs_on_where_the_policy_was_found() {
    let below = |sp| {
        counted(&Message {
            author_domain: "Mail.Example.COM".to_owned(),
            sp,
            ..message()
        })
    };
    assert_eq!(below(110).row.disposition, "none");
    assert_eq!(below(0).row.disposition, "pass");
    assert_eq!(below(0).row.published.sp, "reject");
    assert_eq!(below(110).row.header_from, "mail.example.com");
    assert_eq!(below(110).row.policy_domain, "example.com");
}

/// G6: `opendmarc-reports` gives a reason with each record, whatever was done.
#[test]
fn a_reason_stands_where_less_was_done_than_asked_for() {
    let failing = |action, p| {
        let failing = Message {
            align_spf: 5,
            spf: Some(7),
            policy: 16,
            action,
            p,
            ..message()
        };
        counted(&failing).row.reasons.len()
    };
    assert_eq!([0, 2, 4].map(|action| failing(action, 114)), [0, 1, 1], "reject");
    assert_eq!(
        [0, 2, 4].map(|action| failing(action, 113)),
        [0, 1, 0],
        "quarantine"
    );
    assert_eq!(failing(2, 110), 0, "none");
    assert_eq!(counted(&message()).row.reasons, [], "a message that passed");
}

#[test]
fn an_arc_chain_that_overrode_the_policy_is_named_in_the_reason() {
    let seal = |instance, domain: &str| Seal {
        instance,
        domain: domain.to_owned(),
        selector: "arc".to_owned(),
        client: "198.51.100.1".to_owned(),
    };
    let seals = vec![seal(1, "list.example"), seal(2, "relay.example")];
    let overridden = Message {
        align_spf: 5,
        arc: Some(seals.clone()),
        ..message()
    };
    let (kind, comment) = counted(&overridden).row.reasons.remove(0);
    assert_eq!(kind, "local_policy");
    assert_eq!(
        comment,
        "arc=pass as[2].d=relay.example as[2].s=arc as[1].d=list.example as[1].s=arc client-ip[1]=198.51.100.1"
    );
    let many: Vec<_> = (0..60).map(|number| seal(number, "a.example")).collect();
    assert_eq!(chain(&many).matches("].d=").count(), MAX_SEALS);
}

#[test]
fn results_that_no_report_has_a_word_for_are_not_made_up() {
    let spf = |spf| {
        counted(&Message { spf, ..message() })
            .row
            .spf
            .map(|(_, _, word)| word)
    };
    assert_eq!(spf(Some(2)).as_deref(), Some("softfail"));
    for code in [None, Some(-1), Some(1), Some(8), Some(9), Some(11)] {
        assert_eq!(spf(code), None, "{code:?}");
    }
    let dkim = |result| {
        let signature = RecordedSignature {
            result,
            ..message().dkim.remove(0)
        };
        let told = counted(&Message {
            dkim: vec![signature.clone(), signature],
            ..message()
        })
        .row
        .dkim;
        assert_eq!(told.len(), 1, "the same is told once");
        told[0].2.clone()
    };
    let told = [0, 2, 8, 9, 12].map(dkim);
    assert_eq!(told, ["pass", "fail", "policy", "none", "none"]);
}

#[test]
fn a_null_reverse_path_is_no_name_that_is_missing() {
    let of = |mail_from: &str| {
        let counted = counted(&Message {
            mail_from: mail_from.to_owned(),
            ..message()
        });
        (counted.row.envelope_from, counted.row.spf.is_some())
    };
    assert_eq!(of(""), (Some(String::new()), false));
    assert_eq!(of("a&b<c>.example"), (None, false));
    assert_eq!(of("Bounce.Example"), (Some("bounce.example".to_owned()), true));
}

#[test]
fn a_name_that_is_none_is_told_with_its_key() {
    let of = |message: Message| match message.meaning() {
        Meaning::Unusable { key, value } => (key, value),
        other => panic!("{other:?}"),
    };
    let author = Message {
        author_domain: "a b".to_owned(),
        ..message()
    };
    assert_eq!(of(author), ("from", "a b".to_owned()));
    let policy_domain = Message {
        policy_domain: "-".to_owned(),
        ..message()
    };
    assert_eq!(of(policy_domain), ("pdomain", "-".to_owned()));
}

#[test]
fn so_many_signatures_are_kept_and_no_more() {
    let signature = |number: usize| RecordedSignature {
        domain: format!("d{number}.example"),
        selector: None,
        result: 0,
    };
    for (given, kept) in [
        (MAX_SIGNATURES, MAX_SIGNATURES),
        (MAX_SIGNATURES + 1, MAX_SIGNATURES),
    ] {
        let dkim = (0..given).map(signature).collect();
        assert_eq!(counted(&Message { dkim, ..message() }).row.dkim.len(), kept);
    }
}
