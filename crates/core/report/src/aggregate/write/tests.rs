//! What the strict writer writes, and what it refuses.

use super::*;
use crate::aggregate::words::{
    AlignmentResult, AssessmentPolicy, Disposition, DkimResultWord, OverrideType, SpfResultWord, SpfScope,
};
use crate::aggregate::{DkimAuthResult, Period, ReportRow, ReportedReason, RowKey, SpfAuthResult, Text};

/// The least that can be written.
fn report() -> AggregateReport {
    AggregateReport {
        metadata: Metadata {
            organization: "r.example".to_owned(),
            email: "dmarc@r.example".to_owned(),
            report_id: "abc".to_owned(),
            period: Period::day(0),
            ..Metadata::default()
        },
        policy: PolicyPublished {
            domain: "example.com".to_owned(),
            discovery_method: None,
            policy: AssessmentPolicy::None.into(),
            subdomain_policy: None,
            nonexistent_policy: None,
            dkim_mode: None,
            spf_mode: None,
            failure_options: None,
            testing: None,
            percent: None,
        },
        rows: vec![row()],
    }
}

fn row() -> ReportRow {
    let key = RowKey {
        source_ip: "192.0.2.1".parse().unwrap(),
        disposition: Disposition::None.into(),
        dkim_alignment: AlignmentResult::Fail.into(),
        spf_alignment: AlignmentResult::Fail.into(),
        reasons: Vec::new(),
        header_from: "example.com".to_owned(),
        envelope_from: None,
        envelope_to: None,
        dkim: Vec::new(),
        spf: Vec::new(),
    };
    ReportRow { key, count: 1 }
}

fn xml(report: &AggregateReport, form: Form) -> String {
    let mut out = Vec::new();
    write(report, form, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn refusal(report: &AggregateReport) -> String {
    let error = write(report, Form::Rfc9990, &mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    error.to_string()
}

#[test]
fn what_the_schema_cannot_say_is_not_written() {
    let mut no_rows = report();
    no_rows.rows.clear();
    insta::assert_snapshot!(refusal(&no_rows), @"the report has no rows");

    let mut nameless = report();
    nameless.metadata.organization = "\u{0} ".to_owned();
    assert_eq!(refusal(&nameless), "the element `org_name` would be empty");

    let mut missing = report();
    missing.policy.policy = SchemaWord::missing();
    assert_eq!(refusal(&missing), "the element `p` would be empty");

    let mut unregistered = report();
    unregistered.rows[0].key.disposition = SchemaWord::Other("moved\u{7}".to_owned());
    assert_eq!(
        refusal(&unregistered),
        "the element `disposition` cannot be \"moved\""
    );
}

#[test]
fn an_error_of_the_output_is_passed_on() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let error = write(&report(), Form::Rfc9990, &mut Full).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}

#[test]
fn a_language_is_told_by_the_form_that_knows_it() {
    let mut report = report();
    report.metadata.contact = Some(Text {
        text: "Grüße".to_owned(),
        lang: Some("de".to_owned()),
    });
    assert!(
        xml(&report, Form::Rfc9990).contains("<extra_contact_info lang=\"de\">Grüße</extra_contact_info>")
    );
    assert!(xml(&report, Form::Rfc7489).contains("<extra_contact_info>Grüße</extra_contact_info>"));
    report.metadata.contact = Some(Text {
        text: "x".to_owned(),
        lang: Some("de\"><x".to_owned()),
    });
    assert!(xml(&report, Form::Rfc9990).contains("<extra_contact_info>x</extra_contact_info>"));
}

/// Each form has types of override that the other has not.
#[test]
fn a_type_the_form_does_not_have_is_told_in_the_comment() {
    let mut report = report();
    let reason = |kind: OverrideType| ReportedReason {
        kind: kind.into(),
        comment: None,
    };
    report.rows[0].key.reasons = vec![
        reason(OverrideType::Forwarded),
        reason(OverrideType::PolicyTestMode),
    ];
    let by_rfc_9990 = xml(&report, Form::Rfc9990);
    assert!(by_rfc_9990.contains("<comment>forwarded</comment>") && !by_rfc_9990.contains("<type>forwarded"));
    assert!(by_rfc_9990.contains("<type>policy_test_mode</type>"));
    let by_rfc_7489 = xml(&report, Form::Rfc7489);
    assert!(
        by_rfc_7489.contains("<comment>policy_test_mode</comment>") && !by_rfc_7489.contains("<type>policy_")
    );
    assert!(by_rfc_7489.contains("<type>forwarded</type>"));
}

#[test]
fn results_without_their_identifiers_are_left_out() {
    let mut report = report();
    report.rows[0].key.dkim = ["", "s"]
        .map(|selector| DkimAuthResult {
            domain: if selector.is_empty() { "example.com" } else { " " }.to_owned(),
            selector: selector.to_owned(),
            result: DkimResultWord::Pass.into(),
            human_result: None,
        })
        .to_vec();
    let spf = |domain: &str, scope: SpfScope, result: SpfResultWord| SpfAuthResult {
        domain: domain.to_owned(),
        scope: Some(scope.into()),
        result: result.into(),
        human_result: None,
    };
    report.rows[0].key.spf = vec![
        spf("", SpfScope::MailFrom, SpfResultWord::Pass),
        spf("helo.example", SpfScope::Helo, SpfResultWord::Pass),
        spf("mfrom.example", SpfScope::MailFrom, SpfResultWord::Policy),
        spf("second.example", SpfScope::MailFrom, SpfResultWord::Pass),
    ];
    let by_rfc_9990 = xml(&report, Form::Rfc9990);
    assert!(!by_rfc_9990.contains("<selector>"));
    assert_eq!(by_rfc_9990.matches("<scope>").count(), 1);
    assert!(
        by_rfc_9990.contains("<domain>mfrom.example</domain>")
            && by_rfc_9990.contains("<result>policy</result>")
    );
    // RFC 7489 has HELO, more than one, and no `policy`.
    let by_rfc_7489 = xml(&report, Form::Rfc7489);
    assert_eq!(by_rfc_7489.matches("<scope>").count(), 3);
    assert!(by_rfc_7489.contains("<scope>helo</scope>") && by_rfc_7489.contains("<result>neutral</result>"));
}

#[test]
fn the_file_has_no_time_and_no_name() {
    let rendered = render(&report(), Form::Rfc9990).unwrap();
    assert_eq!(rendered, render(&report(), Form::Rfc9990).unwrap());
    // RFC 1952 §2.3: magic, deflate, no flags, no time.
    assert_eq!(rendered.gzip.get(..8), Some(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0][..]));
    let octets = u64::try_from(xml(&report(), Form::Rfc9990).len()).unwrap();
    assert_eq!(rendered.xml_octets, octets);
}
