//! The vectors about records: RR17 to RR24, RR26, RR31.

use landmarc_intake::aggregate::spf_of_mail_from;
use landmarc_report::aggregate::{
    AlignmentResult, Disposition, OverrideType, Registered, SchemaWord, SpfResultWord,
};

use crate::reading_common::{Document, RECORD, kinds};

#[test]
fn rr17_words_are_read_in_any_case() {
    let document = Document::with(
        "<disposition>none</disposition><dkim>fail</dkim><spf>fail</spf>",
        "<disposition>None</disposition><dkim>Pass</dkim><spf> fail\n</spf>",
    );
    let (reading, deviations) = document.found();
    let key = &reading.report.rows[0].key;
    assert_eq!(key.disposition, SchemaWord::Known(Disposition::None));
    assert_eq!(key.dkim_alignment, SchemaWord::Known(AlignmentResult::Pass));
    assert_eq!(key.spf_alignment, SchemaWord::Known(AlignmentResult::Fail));
    assert_eq!(
        deviations,
        [
            "case record/row/policy_evaluated/disposition",
            "case record/row/policy_evaluated/dkim",
            "case record/row/policy_evaluated/spf",
        ]
    );
}

/// The result of SPF in a record with that word for it, and how often it is a deviation.
fn spf_result(word: &str) -> (SchemaWord<SpfResultWord>, Vec<String>) {
    let results = format!("<auth_results><spf><domain>e.example</domain><result>{word}</result></spf>");
    let (reading, deviations) = Document::with("<auth_results>", &results).found();
    (reading.report.rows[0].key.spf[0].result.clone(), deviations)
}

#[test]
fn rr18_hardfail_is_fail() {
    let expected = vec!["synonym record/auth_results/spf/result".to_owned()];
    assert_eq!(
        spf_result("hardfail"),
        (SchemaWord::Known(SpfResultWord::Fail), expected)
    );
}

#[test]
fn rr19_unknown_is_temperror_and_error_is_permerror() {
    for (word, result) in [
        ("unknown", SpfResultWord::TempError),
        ("error", SpfResultWord::PermError),
    ] {
        let (found, deviations) = spf_result(word);
        assert_eq!(
            (found, kinds(&deviations)),
            (SchemaWord::Known(result), vec!["synonym"])
        );
    }
    for known in SpfResultWord::ALL {
        assert_eq!(spf_result(known.word()), (SchemaWord::Known(*known), Vec::new()));
    }
    let (found, deviations) = spf_result("HASH(0x55)");
    assert_eq!(
        (found, kinds(&deviations)),
        (SchemaWord::Other("HASH(0x55)".to_owned()), vec!["unknown_word"])
    );
}

#[test]
fn rr20_an_empty_reason_is_kept() {
    let document = Document::with(
        "</policy_evaluated>",
        "<reason><type></type><comment></comment></reason></policy_evaluated>",
    );
    let (reading, deviations) = document.found();
    let [reason] = &*reading.report.rows[0].key.reasons else {
        panic!("one reason");
    };
    assert_eq!((&reason.kind, &reason.comment), (&SchemaWord::missing(), &None));
    assert_eq!(deviations, ["missing record/row/policy_evaluated/reason/type"]);
}

#[test]
fn rr21_reasons_that_were_taken_away() {
    for (word, kind) in [
        ("forwarded", OverrideType::Forwarded),
        ("sampled_out", OverrideType::SampledOut),
    ] {
        let reason = format!("<reason><type>{word}</type></reason></policy_evaluated>");
        let new = Document::with("</policy_evaluated>", &reason);
        let old = Document {
            records: new.records.clone(),
            ..Document::older()
        };
        let (reading, deviations) = new.found();
        assert_eq!(
            reading.report.rows[0].key.reasons[0].kind,
            SchemaWord::Known(kind)
        );
        assert_eq!(deviations, ["historic record/row/policy_evaluated/reason/type"]);
        assert_eq!(old.found().1, [""; 0], "it is of its time there");
    }
}

#[test]
fn rr22_a_missing_or_empty_selector_is_absent() {
    for selector in ["", "<selector/>", "<selector> </selector>"] {
        let results =
            format!("<auth_results><dkim><domain>e.example</domain>{selector}<result>pass</result></dkim>");
        let (reading, deviations) = Document::with("<auth_results>", &results).found();
        assert_eq!(reading.report.rows[0].key.dkim[0].selector, "");
        assert_eq!(deviations, ["missing record/auth_results/dkim/selector"]);
    }
}

#[test]
fn rr23_results_without_spf_or_spf_without_domain() {
    let (reading, _) = Document::default().found();
    assert_eq!(reading.report.rows[0].key.spf, []);
    for domain in ["", "<domain></domain>", "<domain></domain><scope>helo</scope>"] {
        let results = format!("<auth_results><spf>{domain}<result>none</result></spf>");
        let (reading, deviations) = Document::with("<auth_results>", &results).found();
        let key = &reading.report.rows[0].key;
        assert_eq!(key.spf.len(), 1);
        assert_eq!(spf_of_mail_from(key), None, "there is no identifier");
        assert!(deviations.contains(&"missing record/auth_results/spf/domain".to_owned()));
    }
}

#[test]
fn rr24_two_spf_results_are_kept_and_that_of_mail_from_is_shown() {
    let results = "<auth_results><spf><domain>mx.e.example</domain><scope>helo</scope><result>none</result></spf>\
                   <spf><domain>e.example</domain><scope>mfrom</scope><result>pass</result></spf>";
    let new = Document::with("<auth_results>", results);
    let old = Document {
        records: new.records.clone(),
        ..Document::older()
    };
    let (reading, deviations) = new.found();
    let key = &reading.report.rows[0].key;
    assert_eq!(key.spf.len(), 2);
    assert_eq!(spf_of_mail_from(key).unwrap().domain, "e.example");
    assert_eq!(
        deviations,
        [
            "historic record/auth_results/spf/scope",
            "repeated record/auth_results/spf"
        ]
    );
    assert_eq!(old.found().1, [""; 0]);
}

#[test]
fn rr26_a_row_without_source_is_lost_and_the_report_is_not() {
    for (broken, messages, place) in [
        (
            RECORD
                .replace("<source_ip>192.0.2.1</source_ip>", "")
                .replace("<count>1<", "<count>7<"),
            7,
            "record/row/source_ip",
        ),
        (
            RECORD
                .replace("192.0.2.1", "unknown")
                .replace("<count>1<", "<count>7<"),
            7,
            "record/row/source_ip",
        ),
        (
            "<record><row></row></record>".to_owned(),
            0,
            "record/row/source_ip",
        ),
        ("<record></record>".to_owned(), 0, "record/row"),
        ("<record/>".to_owned(), 0, "record/row"),
    ] {
        let document = Document {
            records: format!("{RECORD}{broken}{RECORD}"),
            ..Document::default()
        };
        let (reading, deviations) = document.found();
        assert_eq!(reading.report.rows.len(), 2, "{broken}");
        assert_eq!(deviations, [format!("row_lost {place}")], "{broken}");
        assert_eq!(reading.deviations[0].record, Some(2));
        let lost = reading.about.lost;
        assert_eq!((lost.rows, lost.messages), (1, messages));
        assert_eq!(lost.rows_without_count, u64::from(messages == 0));
    }
}

#[test]
fn rr31_a_row_whose_count_is_no_count_is_lost() {
    for count in [
        "",
        "0",
        "-1",
        "many",
        "9223372036854775809",
        "99999999999999999999",
        "1.5",
        "1,23",
        ",123",
    ] {
        let (reading, deviations) = Document {
            records: format!(
                "{RECORD}{}",
                RECORD.replace("<count>1<", &format!("<count>{count}<"))
            ),
            ..Document::default()
        }
        .found();
        assert_eq!(reading.report.rows.len(), 1, "{count}");
        assert_eq!(deviations, ["row_lost record/row/count"], "{count}");
        assert_eq!(
            (reading.about.lost.rows, reading.about.lost.rows_without_count),
            (1, 1)
        );
    }
    for (count, read, expected) in [
        ("9223372036854775808", 1 << 63, &[][..]),
        ("1,234", 1234, &["number record/row/count"][..]),
        ("12.0", 12, &["number record/row/count"][..]),
        ("+5", 5, &[][..]),
    ] {
        let (reading, deviations) = Document::with("<count>1<", &format!("<count>{count}<")).found();
        assert_eq!(reading.report.rows[0].count, read);
        assert_eq!(deviations, expected);
    }
}

#[test]
fn rr31_a_sum_that_cannot_be_is_none() {
    let large = RECORD.replace("<count>1<", "<count>9223372036854775808<");
    let with = |records: String| Document {
        records,
        ..Document::default()
    };
    let (reading, _) = with(format!("{large}{RECORD}")).found();
    assert_eq!(reading.about.messages, Some((1 << 63) + 1));
    let (reading, _) = with(format!("{large}{large}{RECORD}")).found();
    assert_eq!((reading.about.messages, reading.report.rows.len()), (None, 3));
}
