//! Rows of reports, from messages that were judged: the vectors GR01 to GR24.

use landmarc_auth::dkim::Substance;
use landmarc_mail::message;
use landmarc_mail::{Envelope, ReversePath};
use landmarc_receiver::policy::ClientFacts;
use landmarc_receiver::{Arrival, Head, Ledgers, Transaction, check_spf, judge};
use landmarc_testkit::block_on;

use super::*;

/// 2026-06-01T00:00:00Z.
const NOW: u64 = 1_780_272_000;

/// What a message is judged by.
struct Case<'a> {
    settings: &'a str,
    /// The record at `_dmarc.example.com`.
    record: &'a str,
    /// Further names of the zones, in JSON.
    zones: &'a str,
    mail_from: &'a str,
    from: &'a str,
}

/// A message of example.com that fails.
const FAILING: Case<'static> = Case {
    settings: "mode = \"enforce\"\n",
    record: "v=DMARC1; p=reject; rua=mailto:d@example.com",
    zones: "\"example.net\": {\"TXT\": [[\"v=spf1 ?all\"]]}",
    mail_from: "<bounce@example.net>",
    from: "author@example.com",
};

/// SPF lets everybody send for example.com.
const ALLOWED: &str = "\"example.com\": {\"TXT\": [[\"v=spf1 +all\"]]}";

fn judged_as(case: &Case<'_>) -> Judgement {
    let Case {
        settings,
        record,
        zones,
        mail_from,
        from,
    } = case;
    let loaded = landmarc_runtime::load::read_with("test", settings.as_bytes(), None, None).unwrap();
    let rules = loaded.rules();
    let record = serde_json::Value::from(*record);
    let zones = format!("{{\"_dmarc.example.com\": {{\"TXT\": [[{record}]]}}, {zones}}}");
    let zones = landmarc_dns::zone_file::parse(&zones).unwrap();
    let envelope = Envelope {
        client: Some("192.0.2.1".parse().unwrap()),
        helo: b"mx.example.com".to_vec(),
        mail_from: ReversePath::new(mail_from.as_bytes()),
        ..Envelope::default()
    };
    let text = format!("From: {from}\r\nSubject: x\r\n\r\n");
    let header = message::split(text.as_bytes(), &rules.header_limits)
        .unwrap()
        .header;
    block_on(async {
        let ledgers = Ledgers::new(100, |_| &zones);
        let spf = check_spf(&ledgers, &envelope, &rules, NOW).await;
        let head = Head::new(&header, &rules, &Arrival::of(&envelope, NOW));
        let transaction = Transaction {
            envelope,
            client: ClientFacts::default(),
            id: "0123456789ab",
            queue_id: None,
            seen: &landmarc_receiver::seen::Seen::Off,
        };
        judge(head, transaction, spf, &ledgers, &rules).await
    })
}

fn moment() -> RecordIds<'static> {
    RecordIds {
        queue_id: "4Fb1",
        id: "0123456789ab",
        elapsed: Duration::ZERO,
    }
}

/// The row of a message, if it has one.
fn row_of(case: &Case<'_>) -> Option<TallyRow> {
    judged(&judged_as(case), None, &moment(), false).row
}

fn reasons(row: &TallyRow) -> Vec<(&str, &str)> {
    row.reasons
        .iter()
        .map(|(kind, comment)| (kind.as_str(), comment.as_str()))
        .collect()
}

#[test]
fn gr06_the_default_of_rfc_9989_is_a_quarantine_with_its_reason() {
    let row = row_of(&FAILING).unwrap();
    assert_eq!(row.disposition, "quarantine");
    assert_eq!(
        reasons(&row),
        [(
            "local_policy",
            "RFC 9989 section 7.4: no evidence besides p=reject"
        )]
    );
    assert_eq!(
        (row.published.p.as_str(), row.published.testing),
        ("reject", false)
    );
}

#[test]
fn gr07_test_mode_has_its_own_reason_and_the_policy_as_published() {
    let row = row_of(&Case {
        record: "v=DMARC1; p=reject; t=y; rua=mailto:d@example.com",
        ..FAILING
    })
    .unwrap();
    assert_eq!(row.disposition, "quarantine");
    assert_eq!(
        reasons(&row),
        [("policy_test_mode", "t=y: quarantine instead of reject")]
    );
    assert_eq!(
        (row.published.p.as_str(), row.published.testing),
        ("reject", true)
    );
}

#[test]
fn gr08_gr09_what_passes_is_none_under_none_and_pass_under_more() {
    for (record, disposition) in [
        ("v=DMARC1; p=none; rua=mailto:d@example.com", "none"),
        ("v=DMARC1; p=quarantine; rua=mailto:d@example.com", "pass"),
        ("v=DMARC1; p=reject; t=y; rua=mailto:d@example.com", "pass"),
    ] {
        let row = row_of(&Case {
            record,
            zones: ALLOWED,
            mail_from: "<a@example.com>",
            ..FAILING
        })
        .unwrap();
        assert_eq!(row.disposition, disposition, "{record}");
        assert_eq!((row.spf_aligned, row.dkim_aligned), (true, false));
        assert_eq!(reasons(&row), []);
    }
}

#[test]
fn gr10_a_bounce_has_an_empty_envelope_sender_and_spf_of_its_helo() {
    let row = row_of(&Case {
        zones: "\"mx.example.com\": {\"TXT\": [[\"v=spf1 +all\"]]}",
        mail_from: "<>",
        ..FAILING
    })
    .unwrap();
    assert_eq!(row.envelope_from.as_deref(), Some(""));
    let words = |word: &str| word.to_owned();
    assert_eq!(
        row.spf,
        Some((words("mx.example.com"), words("mfrom"), words("pass")))
    );
    assert!(row.spf_aligned);
    assert_eq!(row.dkim, [], "GR12: no signature, no entry");
}

/// RFC 9989 §4.10.1: as if `p=none` had been retrieved.
#[test]
fn gr15_an_unusable_record_with_a_destination_is_none_and_tells_what_is_wrong() {
    for (record, problem) in [
        (
            "v=DMARC1; p=bogus; rua=mailto:d@example.com",
            "the tag p has the value \"bogus\", which is not valid",
        ),
        (
            "v=DMARC1; p=reject; sp=bogus; np=reject; rua=mailto:d@example.com",
            "the tag sp has the value \"bogus\", which is not valid",
        ),
    ] {
        let row = row_of(&Case { record, ..FAILING }).unwrap();
        let PublishedPolicy {
            p, sp, np, problems, ..
        } = &row.published;
        assert_eq!((p.as_str(), sp.as_str(), np), ("none", "none", &None), "{record}");
        assert_eq!(problems, &[problem], "{record}");
        assert_eq!(row.disposition, "none");
    }
}

/// GR14 is for the assembly: without rua there may be a row, and there is no report.
#[test]
fn gr15_without_a_destination_there_is_nothing_to_report() {
    let record = "v=DMARC1; p=bogus";
    assert_eq!(row_of(&Case { record, ..FAILING }), None);
}

#[test]
fn of_many_problems_the_first_are_told_each_cut_short() {
    let with_tags = |count: usize| {
        let odd: String = (0..count)
            .map(|number| format!("; {}{number}=", "\u{1}".repeat(64)))
            .collect();
        format!("v=DMARC1; p=none; rua=mailto:d@example.com{odd}")
    };
    let problems = |count: usize| {
        let record = with_tags(count);
        let row = row_of(&Case {
            record: &record,
            ..FAILING
        });
        row.unwrap().published.problems
    };
    assert_eq!(problems(MAX_PROBLEMS - 1).len(), MAX_PROBLEMS - 1);
    for count in [MAX_PROBLEMS, MAX_PROBLEMS + 1] {
        let problems = problems(count);
        assert_eq!(problems.len(), MAX_PROBLEMS);
        assert!(problems.iter().all(|problem| problem.len() <= MAX_PROBLEM));
        assert!(problems.iter().any(|problem| problem.len() == MAX_PROBLEM));
    }
}

/// RFC 9990 §3.1.5: several records at a name.
#[test]
fn records_that_were_passed_over_are_told() {
    let row = row_of(&Case {
        zones: "\"_dmarc.mail.example.com\": {\"TXT\": [[\"v=DMARC1; p=none\"], [\"v=DMARC1; p=reject\"]]}",
        from: "author@mail.example.com",
        ..FAILING
    })
    .unwrap();
    assert_eq!(row.policy_domain, "example.com");
    assert_eq!(
        row.published.problems,
        ["mail.example.com has 2 DMARC records, so none of them counts"]
    );
}

#[test]
fn d20_a_public_suffix_is_marked() {
    let psd = |record: &str| row_of(&Case { record, ..FAILING }).unwrap().published.psd;
    assert!(psd("v=DMARC1; p=reject; psd=y; rua=mailto:d@example.com"));
    assert!(!psd("v=DMARC1; p=reject; psd=n; rua=mailto:d@example.com"));
    assert!(!psd("v=DMARC1; p=reject; rua=mailto:d@example.com"));
}

#[test]
fn gr18_names_are_a_labels() {
    let row = row_of(&Case {
        from: "author@bücher.example.com",
        ..FAILING
    })
    .unwrap();
    assert_eq!(row.header_from, "xn--bcher-kva.example.com");
}

#[test]
fn gr22_what_could_not_be_settled_is_a_failure_with_its_reason() {
    let case = Case {
        settings: "mode = \"enforce\"\nfailures.dns_with_policy.action = \"accept\"\n",
        zones: "\"mail.example.com\": {\"*\": \"TIMEOUT\"}",
        mail_from: "<bounce@mail.example.com>",
        ..FAILING
    };
    let row = row_of(&case).unwrap();
    assert_eq!((row.dkim_aligned, row.spf_aligned), (false, false));
    assert_eq!(row.disposition, "none");
    assert_eq!(reasons(&row), [("other", "DNS temperror, and a policy is known")]);
    assert_eq!(row.spf.map(|(_, _, result)| result).as_deref(), Some("temperror"));

    // One that is deferred is counted when it comes again.
    let settings = "mode = \"enforce\"\n";
    assert_eq!(row_of(&Case { settings, ..case }), None);
}

/// RFC 9990 §3.1.1.9: "MUST be present", whoever decided.
#[test]
fn in_observe_mode_each_failure_has_its_reason() {
    let row = row_of(&Case {
        settings: "",
        ..FAILING
    })
    .unwrap();
    assert_eq!(row.disposition, "none");
    assert_eq!(
        reasons(&row),
        [("local_policy", "observe mode: quarantine not carried out")]
    );
}

#[test]
fn d18_report_traffic_is_marked_in_its_row() {
    let judgement = judged_as(&FAILING);
    for incidental in [false, true] {
        let row = judged(&judgement, None, &moment(), incidental).row.unwrap();
        assert_eq!(row.incidental, incidental);
    }
}

#[test]
fn of_many_signatures_the_most_telling_ones_are_kept() {
    let result = |domain: &str, result| DkimOutcome {
        result,
        domain: DomainName::parse(domain).ok(),
        selector: Some("s".to_owned()),
        algorithm: None,
        key_bits: None,
        identity_domain: None,
        reason: None,
        signature: String::new(),
        key_is_testing: false,
        body_length: None,
        body_only_broken: false,
        unsigned_fields: Vec::new(),
        field_index: 0,
        substance: Substance::Possible,
    };
    let (pass, fail) = (DkimResult::Pass, DkimResult::Fail);
    let mut results = vec![
        result("x1.sig.test", fail),
        result("a.author.example", fail),
        result("x2.sig.test", pass),
        result("author.example", pass),
        result("mail.a.author.example", pass),
        result("a.author.example", pass),
    ];
    let author = DomainName::parse("a.author.example").unwrap();
    let kept = |results: &[DkimOutcome]| -> Vec<String> {
        signatures(results, &author)
            .into_iter()
            .map(|(domain, ..)| domain)
            .collect()
    };
    let expected = [
        "a.author.example",
        "mail.a.author.example",
        "author.example",
        "x2.sig.test",
    ];
    assert_eq!(kept(&results), expected);
    results.truncate(MAX_DKIM_RESULTS);
    let expected = ["author.example", "x2.sig.test", "a.author.example", "x1.sig.test"];
    assert_eq!(kept(&results), expected);
}
