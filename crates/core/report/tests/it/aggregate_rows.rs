//! From events to rows: the vectors of the digest of RFC 9990, section 12.4.

use std::sync::Arc;

use landmarc_report::aggregate::{
    AssessmentPolicy, Disposition, Form, ReportLimits, SpfScope, assemble, render,
};

use crate::aggregate_common::{
    DAY, assembled, checked_xml, day_of, evaluated, failing, one_report, passing, published, reason,
    reporter, signature, spf,
};

#[test]
fn gr01_messages_that_agree_are_one_record() {
    let policy = Arc::new(published("reject"));
    let told_apart = {
        let mut one = passing(&policy);
        one.row.incidental = true;
        one
    };
    let (report, xml) = one_report(vec![passing(&policy), told_apart, passing(&policy)]);
    assert_eq!(report.rows.len(), 1);
    assert_eq!(report.rows[0].count, 3);
    assert_eq!(evaluated(&report.rows[0].key), ["pass", "pass", "pass"]);
    assert!(xml.contains("<count>3</count>"));
}

#[test]
fn gr02_another_signature_is_another_record() {
    let policy = Arc::new(published("reject"));
    let mut listed = passing(&policy);
    listed.row.dkim.push(signature("list.example", "l", "fail"));
    let twice = {
        let mut one = passing(&policy);
        one.count = 2;
        one
    };
    let (report, _) = one_report(vec![listed, twice]);
    let counts: Vec<_> = report.rows.iter().map(|row| row.count).collect();
    assert_eq!(counts, [2, 1]);
}

#[test]
fn gr03_author_domains_of_one_policy_domain_share_a_report() {
    let policy = Arc::new(published("reject"));
    let below = {
        let mut one = passing(&policy);
        one.row.header_from = "mail.example.com".to_owned();
        one
    };
    let (report, _) = one_report(vec![below, passing(&policy)]);
    let authors: Vec<_> = report
        .rows
        .iter()
        .map(|row| row.key.header_from.as_str())
        .collect();
    assert_eq!(authors, ["example.com", "mail.example.com"]);
}

#[test]
fn gr04_each_policy_domain_has_its_report() {
    let policy = Arc::new(published("reject"));
    let of = |author: &str| {
        let mut one = passing(&policy);
        one.row.header_from = author.to_owned();
        one
    };
    let above = assembled("example.com", vec![of("example.com"), of("foo.example.com")]).reports;
    let below = assembled("bar.example.com", vec![of("bar.example.com")]).reports;
    assert_eq!((above.len(), above[0].rows.len()), (1, 2));
    assert_eq!((below.len(), below[0].rows.len()), (1, 1));
    assert_eq!(below[0].policy.domain, "bar.example.com");
    assert_ne!(above[0].metadata.report_id, below[0].metadata.report_id);
}

#[test]
fn gr05_a_policy_that_changed_makes_two_reports_with_disjoint_rows() {
    let before = Arc::new(published("none"));
    let mut after = published("reject");
    after.number = 2;
    after.rua = vec!["mailto:new@example.com".to_owned()];
    let after = Arc::new(after);
    let day = assembled(
        "example.com",
        vec![passing(&after), passing(&before), passing(&before)],
    );
    let [first, second] = &day.reports[..] else {
        panic!("{} reports", day.reports.len());
    };
    assert_eq!(first.policy.policy, AssessmentPolicy::None.into());
    assert_eq!(second.policy.policy, AssessmentPolicy::Reject.into());
    assert_eq!((first.rows[0].count, second.rows[0].count), (2, 1));
    assert_ne!(first.metadata.report_id, second.metadata.report_id);
    assert_eq!(first.metadata.period, second.metadata.period);
    assert_eq!(day.rua, ["mailto:new@example.com"]);
    for report in &day.reports {
        assert_eq!(
            checked_xml(report, Form::Rfc9990)
                .matches("<policy_published>")
                .count(),
            1
        );
    }
}

#[test]
fn gr05_another_address_alone_is_no_other_policy() {
    let before = Arc::new(published("reject"));
    let mut after = published("reject");
    after.number = 2;
    after.rua = Vec::new();
    let day = assembled("example.com", vec![passing(&before), passing(&Arc::new(after))]);
    assert_eq!(day.reports.len(), 1);
    assert_eq!(day.reports[0].rows[0].count, 2);
    assert!(day.rua.is_empty());
}

#[test]
fn gr06_a_reject_handled_as_quarantine_says_why() {
    let policy = Arc::new(published("reject"));
    let comment = "RFC 9989 section 7.4: no evidence besides p=reject";
    let (report, _) = one_report(vec![failing(&policy, "quarantine", &[("local_policy", comment)])]);
    let key = &report.rows[0].key;
    assert_eq!(evaluated(key), ["quarantine", "fail", "fail"]);
    assert_eq!(reason(key), ("local_policy", comment));
}

#[test]
fn gr07_test_mode_leaves_the_published_policy_as_it_is() {
    let mut policy = published("reject");
    policy.testing = true;
    let (report, xml) = one_report(vec![failing(
        &Arc::new(policy),
        "quarantine",
        &[("policy_test_mode", "")],
    )]);
    let key = &report.rows[0].key;
    assert_eq!(key.disposition, Disposition::Quarantine.into());
    assert_eq!(reason(key), ("policy_test_mode", ""));
    assert_eq!(report.policy.policy, AssessmentPolicy::Reject.into());
    assert!(xml.contains("<testing>y</testing>"));
}

#[test]
fn gr08_a_pass_under_p_none_is_none() {
    let (report, _) = one_report(vec![passing(&Arc::new(published("none")))]);
    assert_eq!(evaluated(&report.rows[0].key), ["none", "pass", "pass"]);
}

/// What becomes of the message afterwards is not in the tally: a pass is a pass, and counted.
#[test]
fn gr09_what_other_filters_do_is_not_told() {
    let (report, xml) = one_report(vec![passing(&Arc::new(published("quarantine")))]);
    assert_eq!(evaluated(&report.rows[0].key), ["pass", "pass", "pass"]);
    assert_eq!(report.rows[0].count, 1);
    assert!(!xml.contains("<reason>"));
}

#[test]
fn gr10_a_bounce_has_an_empty_envelope_from() {
    let bounce = {
        let mut one = passing(&Arc::new(published("reject")));
        one.row.envelope_from = Some(String::new());
        one.row.spf = spf("mx.example.com", "pass");
        one
    };
    let (report, xml) = one_report(vec![bounce]);
    let key = &report.rows[0].key;
    assert_eq!(key.envelope_from.as_deref(), Some(""));
    assert_eq!(key.spf[0].domain, "mx.example.com");
    assert_eq!(key.spf[0].scope, Some(SpfScope::MailFrom.into()));
    assert!(xml.contains("<envelope_from></envelope_from>"));
}

#[test]
fn gr11_a_hundred_of_many_signatures_the_most_telling_first() {
    let mut message = {
        let mut one = passing(&Arc::new(published("reject")));
        one.row.header_from = "mail.example.com".to_owned();
        one
    };
    let failing = (0..147).map(|number| signature("mail.example.com", &format!("f{number}"), "fail"));
    message.row.dkim = failing.collect();
    message.row.dkim.push(signature("esp.example", "e", "pass"));
    message.row.dkim.push(signature("example.com", "r", "pass"));
    message.row.dkim.push(signature("mail.example.com", "s", "pass"));
    let (report, _) = one_report(vec![message]);
    let signatures = &report.rows[0].key.dkim;
    assert_eq!(signatures.len(), 100);
    let first: Vec<_> = signatures
        .iter()
        .take(4)
        .map(|one| one.selector.as_str())
        .collect();
    assert_eq!(first, ["s", "r", "e", "f0"]);
}

#[test]
fn gr12_no_signature_is_no_element() {
    let unsigned = {
        let mut one = passing(&Arc::new(published("reject")));
        one.row.dkim = Vec::new();
        one.row.dkim_aligned = false;
        one
    };
    let (report, xml) = one_report(vec![unsigned]);
    assert!(report.rows[0].key.dkim.is_empty());
    assert_eq!(xml.matches("<dkim>").count(), 1, "only that of policy_evaluated");
}

#[test]
fn gr13_a_signature_without_selector_is_left_out() {
    let mut message = passing(&Arc::new(published("reject")));
    message.row.dkim.push(signature("example.com", "", "permerror"));
    message
        .row
        .dkim
        .push(signature("example.com", " \u{1}", "permerror"));
    message.row.dkim.push(signature("", "s2", "permerror"));
    let (report, xml) = one_report(vec![message]);
    assert_eq!(report.rows[0].key.dkim.len(), 1);
    assert!(!xml.contains("<selector></selector>"));
}

/// Nowhere to send it: who sends sees that from `rua`.
#[test]
fn gr14_without_an_address_there_is_no_destination() {
    let mut policy = published("reject");
    policy.rua = Vec::new();
    let day = assembled("example.com", vec![passing(&Arc::new(policy))]);
    assert!(day.rua.is_empty());
}

#[test]
fn gr15_an_unusable_record_is_none_and_says_what_is_wrong() {
    let mut policy = published("none");
    policy.problems = vec!["the tag p has the value \"rejekt\"".to_owned()];
    let (report, xml) = one_report(vec![failing(&Arc::new(policy), "none", &[])]);
    assert_eq!(report.policy.policy, AssessmentPolicy::None.into());
    let error = xml.lines().find(|line| line.contains("<error>")).unwrap();
    insta::assert_snapshot!(error.trim(), @r#"<error>the tag p has the value "rejekt"</error>"#);
}

#[test]
fn gr16_gr17_addresses_are_in_canonical_form() {
    for (id, client, expected) in [
        ("GR16", "::ffff:192.0.2.1", "192.0.2.1"),
        ("GR17", "2001:DB8:0:0::1", "2001:db8::1"),
    ] {
        let message = {
            let mut one = passing(&Arc::new(published("reject")));
            one.row.source_ip = client.parse().unwrap();
            one
        };
        let (_, xml) = one_report(vec![message]);
        assert!(
            xml.contains(&format!("<source_ip>{expected}</source_ip>")),
            "{id}"
        );
    }
}

#[test]
fn gr18_domains_are_in_lower_case_a_labels() {
    let message = {
        let mut one = passing(&Arc::new(published("reject")));
        one.row.header_from = "bücher.example".to_owned();
        one.row.envelope_from = Some("Bounce.BÜCHER.example".to_owned());
        one.row.dkim = vec![signature("BÜCHER.Example.", "S1", "pass")];
        one.row.spf = spf("Bounce.bücher.example", "pass");
        one
    };
    let (report, _) = one_report(vec![message]);
    let key = &report.rows[0].key;
    assert_eq!(key.header_from, "xn--bcher-kva.example");
    assert_eq!(key.envelope_from.as_deref(), Some("bounce.xn--bcher-kva.example"));
    assert_eq!(key.dkim[0].domain, "xn--bcher-kva.example");
    assert_eq!(key.dkim[0].selector, "S1");
    assert_eq!(key.spf[0].domain, "bounce.xn--bcher-kva.example");
}

#[test]
fn gr19_a_day_ends_with_its_last_second() {
    let (_, xml) = one_report(vec![passing(&Arc::new(published("reject")))]);
    assert_eq!(DAY, 1_780_272_000);
    assert!(xml.contains("<begin>1780272000</begin>"));
    assert!(xml.contains("<end>1780358399</end>"));
}

/// Made again, from rows in another order, it is the same to the octet.
#[test]
fn gr20_the_same_rows_make_the_same_octets() {
    let policy = Arc::new(published("reject"));
    let mut rows: Vec<_> = (0..50_u64)
        .map(|number| {
            let mut one = passing(&policy);
            one.row.source_ip = format!("192.0.2.{}", number % 7).parse().unwrap();
            one.row.envelope_from = Some(format!("bounce{number}.example.com"));
            one.count = 1 + number % 3;
            one
        })
        .collect();
    let first = one_report(rows.clone()).0;
    rows.reverse();
    rows.swap(3, 30);
    let second = one_report(rows).0;
    assert_eq!(
        render(&first, Form::Rfc9990).unwrap(),
        render(&second, Form::Rfc9990).unwrap()
    );
}

#[test]
fn gr21_nothing_counted_is_no_report() {
    let day = assembled("example.com", Vec::new());
    assert!(day.reports.is_empty());
    assert!(!day.incidental_only && !day.only_refused);
    let nobody = {
        let mut one = passing(&Arc::new(published("reject")));
        one.count = 0;
        one
    };
    assert!(assembled("example.com", vec![nobody]).reports.is_empty());
}

#[test]
fn gr22_a_temporary_error_is_a_failure_that_nothing_was_done_about() {
    let message = {
        let mut one = failing(
            &Arc::new(published("reject")),
            "none",
            &[("other", "DNS did not answer")],
        );
        one.row.dkim = vec![signature("example.com", "s1", "temperror")];
        one.row.spf = spf("example.com", "temperror");
        one
    };
    let (report, _) = one_report(vec![message]);
    let key = &report.rows[0].key;
    assert_eq!(evaluated(key), ["none", "fail", "fail"]);
    assert_eq!(reason(key), ("other", "DNS did not answer"));
    assert_eq!(key.dkim[0].result.as_str(), "temperror");
    assert_eq!(key.spf[0].result.as_str(), "temperror");
}

#[test]
fn gr23_an_arc_chain_is_told_in_the_comment() {
    let comment = "arc=pass as[1].d=lists.example as[1].s=s1 remote-ip[1]=192.0.2.9";
    let policy = Arc::new(published("reject"));
    let (report, xml) = one_report(vec![failing(&policy, "none", &[("local_policy", comment)])]);
    let key = &report.rows[0].key;
    assert_eq!(evaluated(key), ["none", "fail", "fail"]);
    assert_eq!(reason(key), ("local_policy", comment));
    assert!(xml.contains(&format!("<comment>{comment}</comment>")));
}

#[test]
fn gr24_hostile_text_is_text() {
    let mut reporter = reporter();
    reporter.organization = "<script>&\u{0}\u{1b}[31m\r\n]]>\u{FFFE}\u{1F4E7}".to_owned();
    let day = day_of("example.com", vec![passing(&Arc::new(published("reject")))]);
    let assembled = assemble(
        &day,
        &reporter,
        &ReportLimits::default(),
        &landmarc_dmarc::Suffixes::built_in(),
    );
    let xml = checked_xml(&assembled.reports[0], Form::Rfc9990);
    assert!(
        xml.contains("<org_name>&lt;script&gt;&amp;[31m  ]]&gt;\u{1F4E7}</org_name>"),
        "{xml}"
    );
}
