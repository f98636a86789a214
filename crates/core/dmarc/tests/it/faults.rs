//! What other receivers were measured to get wrong, each with the right verdict.

use landmarc_dmarc::{AssessmentPolicy, EvaluationOptions, Identifiers, WalkOutcome};

use crate::common::{judge, name, passed, records};

fn failing(zone: &[(&str, &str)], author: &str) -> landmarc_dmarc::Evaluation {
    judge(
        &records(zone),
        author,
        &Identifiers::default(),
        EvaluationOptions::default(),
    )
    .0
}

#[test]
fn an_author_in_upper_case_below_the_policy_domain_does_not_escape() {
    let found = failing(&[("victim.com", "v=DMARC1; p=reject")], "MAIL.VICTIM.COM");
    assert_eq!(found.result.as_str(), "fail");
    assert_eq!(found.policy, Some(AssessmentPolicy::Reject));
}

#[test]
fn strict_spf_does_not_pass_for_an_envelope_in_a_subdomain() {
    let zones = records(&[("example.com", "v=DMARC1; p=reject; aspf=s")]);
    let bounce = passed("bounce.example.com", &[]);
    let (found, _) = judge(&zones, "example.com", &bounce, EvaluationOptions::default());
    assert_eq!(found.result.as_str(), "fail");
}

#[test]
fn separators_with_blanks_around_them_hide_no_policy() {
    let text = "v=DMARC1 ; p=reject ; sp=quarantine ; rua=mailto:d@example.com";
    let found = failing(&[("example.com", text)], "example.com");
    assert_eq!(found.policy, Some(AssessmentPolicy::Reject));
    let WalkOutcome::Record(record) = &found.walks[0].steps[0].outcome else {
        panic!("{:?}", found.walks);
    };
    assert_eq!(record.aggregate_uris.len(), 1);
}

#[test]
fn two_records_are_none_and_the_report_can_say_so() {
    let zone = [
        ("example.com", "v=DMARC1; p=reject"),
        ("example.com", "v=DMARC1; p=none"),
    ];
    let found = failing(&zone, "example.com");
    assert_eq!((found.result.as_str(), found.policy), ("none", None));
    let problem = found.problem.unwrap();
    assert!(problem.contains("2 DMARC records"), "{problem}");
}

#[test]
fn no_p_with_a_place_to_report_is_none_and_not_an_error() {
    let found = failing(
        &[("example.com", "v=DMARC1; rua=mailto:d@example.com")],
        "example.com",
    );
    assert_eq!(found.result.as_str(), "fail");
    assert_eq!(found.policy, Some(AssessmentPolicy::None));
}

#[test]
fn no_record_has_no_policy_of_none() {
    let found = failing(&[], "example.com");
    assert_eq!(
        (found.result.as_str(), found.policy, found.policy_published),
        ("none", None, None)
    );
    assert_eq!(found.organizational_domain, Some(name("example.com")));
}

#[test]
fn a_record_that_cannot_be_applied_says_why() {
    for (text, why) in [
        ("v=DMARC1; p=bogus", "tag p is not valid"),
        ("v=DMARC1; p=reject; sp=", "tag sp is not valid"),
        ("v=DMARC1", "no policy"),
    ] {
        let found = failing(&[("example.com", text)], "example.com");
        assert_eq!(
            (found.result.as_str(), found.policy),
            ("permerror", None),
            "{text}"
        );
        let problem = found.problem.unwrap();
        assert!(problem.contains(why), "{problem}");
    }
}
