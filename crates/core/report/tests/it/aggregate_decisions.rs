//! From events to rows: what the RFC leaves to us, and the decisions of its digest.

use std::sync::Arc;

use landmarc_observation::DayRow;
use landmarc_report::aggregate::{AlignmentResult, DiscoveryMethod, Disposition, Form, OverrideType};

use crate::aggregate_common::{assembled, failing, one_report, passing, published, reason, signature, xml};

/// RFC 9990 §3.1.1.9: "MUST be present" when less than the policy was applied to a failure.
#[test]
fn a_row_that_has_to_have_a_reason_has_one() {
    let reject = Arc::new(published("reject"));
    let untold = one_report(vec![failing(&reject, "none", &[])]).0;
    assert_eq!(reason(&untold.rows[0].key), ("other", "not told"));
    let mut testing = published("reject");
    testing.testing = true;
    let lowered = one_report(vec![failing(&Arc::new(testing), "quarantine", &[])]).0;
    assert_eq!(reason(&lowered.rows[0].key), ("policy_test_mode", ""));
    let as_asked = one_report(vec![failing(&reject, "reject", &[])]).0;
    assert!(as_asked.rows[0].key.reasons.is_empty());
}

/// Whether a name below exists is not counted: what `sp` or `np` asks for needs no reason.
#[test]
fn a_name_below_is_asked_about_by_sp_or_np() {
    let mut policy = published("reject");
    policy.sp = "none".to_owned();
    policy.np = Some("quarantine".to_owned());
    let policy = Arc::new(policy);
    for (disposition, has_reason) in [("none", false), ("quarantine", false), ("reject", true)] {
        let below = {
            let mut one = failing(&policy, disposition, &[]);
            one.row.header_from = "a.example.com".to_owned();
            one
        };
        let report = one_report(vec![below]).0;
        assert_eq!(
            !report.rows[0].key.reasons.is_empty(),
            has_reason,
            "{disposition}"
        );
    }
}

#[test]
fn q1_q2_the_report_id_is_letters_and_digits() {
    let report = one_report(vec![passing(&Arc::new(published("reject")))]).0;
    let id = &report.metadata.report_id;
    assert!(
        !id.is_empty() && id.bytes().all(|octet| octet.is_ascii_alphanumeric()),
        "{id}"
    );
}

/// Judging decides by the unlowered policy; what it says is passed on.
#[test]
fn q3_a_pass_in_test_mode_is_a_pass() {
    let mut policy = published("quarantine");
    policy.testing = true;
    let report = one_report(vec![passing(&Arc::new(policy))]).0;
    assert_eq!(report.rows[0].key.disposition, Disposition::Pass.into());
}

#[test]
fn q5_sp_is_always_there_and_np_only_when_published() {
    let (_, xml) = one_report(vec![passing(&Arc::new(published("reject")))]);
    assert!(xml.contains("<sp>reject</sp>") && !xml.contains("<np>"));
    let mut policy = published("reject");
    policy.sp = String::new();
    policy.np = Some("quarantine".to_owned());
    let (_, xml) = one_report(vec![passing(&Arc::new(policy))]);
    assert!(xml.contains("<sp>reject</sp>") && xml.contains("<np>quarantine</np>"));
}

#[test]
fn q6_the_list_of_suffixes_is_named_where_it_was_used() {
    let mut policy = published("reject");
    policy.discovery_method = "psl".to_owned();
    let (report, xml) = one_report(vec![passing(&Arc::new(policy))]);
    assert_eq!(report.policy.discovery_method, Some(DiscoveryMethod::Psl));
    assert!(xml.contains("<discovery_method>psl</discovery_method>"));
}

#[test]
fn q7_the_older_form_has_its_own_words() {
    let mut policy = published("reject");
    policy.testing = true;
    let policy = Arc::new(policy);
    let rows = vec![
        {
            let mut one = passing(&policy);
            one.count = 2;
            one
        },
        failing(&policy, "quarantine", &[("policy_test_mode", "t=y")]),
    ];
    let report = one_report(rows).0;
    let older = xml(&report, Form::Rfc7489);
    assert!(
        !older.contains("xmlns") && !older.contains("<disposition>pass"),
        "{older}"
    );
    assert!(
        older.contains("<type>other</type>") && older.contains("<comment>policy_test_mode: t=y</comment>")
    );
    for gone in ["discovery_method", "testing", "generator"] {
        assert!(!older.contains(gone), "{gone}");
    }
    for mandatory in [
        "<pct>100</pct>",
        "<fo>0</fo>",
        "<sp>reject</sp>",
        "<version>1.0</version>",
    ] {
        assert!(older.contains(mandatory), "{mandatory}");
    }
}

/// RFC 7489's schema wants an SPF result in each row.
#[test]
fn q7_the_older_form_has_an_spf_result_without_one() {
    let unchecked = {
        let mut one = passing(&Arc::new(published("reject")));
        one.row.spf = None;
        one.row.envelope_from = None;
        one
    };
    let report = one_report(vec![unchecked]).0;
    assert!(report.rows[0].key.spf.is_empty());
    let xml = xml(&report, Form::Rfc7489);
    assert_eq!(xml.matches("<result>none</result>").count(), 1);
}

/// The alignment is that of DMARC; the raw results are told whatever it made of them (RFC 9990 §3.1.1.9).
#[test]
fn an_unaligned_pass_is_a_fail_above_and_a_pass_below() {
    let message = {
        let mut one = failing(&Arc::new(published("none")), "none", &[]);
        one.row.dkim = vec![signature("esp.example", "e", "pass")];
        one
    };
    let key = one_report(vec![message]).0.rows.remove(0).key;
    assert_eq!(key.dkim_alignment, AlignmentResult::Fail.into());
    assert_eq!(key.dkim[0].result.as_str(), "pass");
}

/// Words of a newer or damaged store never make a report that cannot be written.
#[test]
fn words_that_are_none_are_not_written() {
    let policy = Arc::new(published("rejekt"));
    let message = {
        let mut one = failing(&policy, "discard", &[("forwarded", "by us"), ("whim", "")]);
        one.row.dkim = vec![signature("example.com", "s", "hardfail")];
        one.row.spf = Some(signature("example.com", "helo", "pass"));
        one
    };
    let key = one_report(vec![message]).0.rows.remove(0).key;
    assert_eq!(key.disposition, Disposition::None.into());
    assert_eq!(key.reasons[1].kind, OverrideType::Other.into());
    assert_eq!(key.dkim[0].result.as_str(), "neutral");
    assert!(key.spf.is_empty(), "RFC 9990 knows MAIL FROM only");
}

/// Decision D18.
#[test]
fn report_traffic_alone_and_refused_mail_alone_are_told_apart() {
    let policy = Arc::new(published("reject"));
    let incidental = || {
        let mut one = passing(&policy);
        one.row.incidental = true;
        one
    };
    let refused = || failing(&policy, "reject", &[]);
    let flags = |rows: Vec<DayRow>| {
        let day = assembled("example.com", rows);
        (day.incidental_only, day.only_refused)
    };
    assert_eq!(flags(vec![incidental(), incidental()]), (true, false));
    assert_eq!(flags(vec![incidental(), passing(&policy)]), (false, false));
    assert_eq!(flags(vec![refused(), refused()]), (false, true));
    assert_eq!(flags(vec![refused(), passing(&policy)]), (false, false));
    let aligned = {
        let mut one = refused();
        one.row.spf_aligned = true;
        one
    };
    assert_eq!(flags(vec![refused(), aligned]), (false, false));
}
