//! The words of Exim and rspamd for each thing that can be found.

use super::*;
use crate::findings::{DkimFinding, SpfFinding};
use landmarc_receiver::disposition::Disposition;

/// A message of `example.com` that was evaluated.
fn found(dmarc: ResultWord, policy: Option<AssessmentPolicy>, action: ActionWord) -> Findings {
    let has_passed = dmarc == ResultWord::Pass;
    Findings {
        author_domain: Some("example.com".to_owned()),
        policy_published: policy,
        policy,
        dmarc,
        action,
        enforced_action: action,
        spf: SpfFinding {
            result: if has_passed { "pass" } else { "fail" }.to_owned(),
            domain: Some("example.com".to_owned()),
        },
        spf_aligned: Some(has_passed),
        dkim_aligned: Some(false),
        ..Findings::default()
    }
}

fn no_author() -> Findings {
    Findings {
        dmarc: ResultWord::PermError,
        ..Findings::default()
    }
}

fn unjudged(action: ActionWord) -> Findings {
    Findings {
        unjudged: Some("internal error"),
        action,
        ..Findings::default()
    }
}

fn skipped() -> Findings {
    Findings {
        skipped: Some("authenticated"),
        ..Findings::default()
    }
}

/// E4: all eight words, as they are done and as they are asked for.
#[test]
fn e4_the_eight_words_of_exim() {
    let (none, quarantine, reject) = (
        Some(AssessmentPolicy::None),
        Some(AssessmentPolicy::Quarantine),
        Some(AssessmentPolicy::Reject),
    );
    let with_policy = |findings: Findings, action| Findings { action, ..findings };
    for (findings, done, asked) in [
        (
            found(ResultWord::Pass, reject, ActionWord::Accept),
            "accept",
            "accept",
        ),
        (
            found(ResultWord::Fail, reject, ActionWord::Reject),
            "reject",
            "reject",
        ),
        (
            found(ResultWord::Fail, quarantine, ActionWord::Quarantine),
            "quarantine",
            "quarantine",
        ),
        (found(ResultWord::Fail, none, ActionWord::Accept), "none", "none"),
        // Without evidence, and while we only observe: what is done is not what is asked for.
        (
            found(ResultWord::Fail, reject, ActionWord::Quarantine),
            "quarantine",
            "reject",
        ),
        (
            found(ResultWord::Fail, reject, ActionWord::Accept),
            "none",
            "reject",
        ),
        (
            found(ResultWord::None, None, ActionWord::Accept),
            "norecord",
            "norecord",
        ),
        (
            found(ResultWord::PermError, None, ActionWord::Accept),
            "norecord",
            "norecord",
        ),
        (no_author(), "nofrom", "nofrom"),
        (with_policy(no_author(), ActionWord::Reject), "reject", "nofrom"),
        (
            found(ResultWord::TempError, None, ActionWord::TempFail),
            "temperror",
            "temperror",
        ),
        (
            found(ResultWord::TempError, None, ActionWord::Accept),
            "none",
            "temperror",
        ),
        (unjudged(ActionWord::TempFail), "temperror", "temperror"),
        (unjudged(ActionWord::Accept), "none", "temperror"),
        (skipped(), "off", "off"),
        // A rule of the operator.
        (
            found(ResultWord::Pass, reject, ActionWord::Reject),
            "reject",
            "accept",
        ),
    ] {
        assert_eq!(EximStatus::done(&findings).as_str(), done, "{findings:?}");
        assert_eq!(EximStatus::asked(&findings).as_str(), asked, "{findings:?}");
    }
}

#[test]
fn e5_each_word_has_its_text() {
    let texts: Vec<_> = EximStatus::ALL
        .iter()
        .map(|(status, ..)| format!("{}: {}", status.as_str(), status.text()))
        .collect();
    assert_eq!(
        texts,
        [
            "accept: Accept",
            "reject: Reject",
            "quarantine: Quarantine",
            "none: None, Accept",
            "norecord: No DMARC record",
            "nofrom: No From: domain found",
            "temperror: Internal Policy Error",
            "off: Not checked",
        ]
    );
    let failed = found(
        ResultWord::Fail,
        Some(AssessmentPolicy::Quarantine),
        ActionWord::Accept,
    );
    assert_eq!(domain_policy(&failed), "quarantine");
    assert_eq!(domain_policy(&Findings::default()), "");
}

/// E14: what Exim hides is told apart.
#[test]
fn e14_dns_trouble_is_not_norecord_and_a_failure_says_so() {
    let trouble = found(ResultWord::TempError, None, ActionWord::TempFail);
    assert_eq!(EximStatus::asked(&trouble), EximStatus::TempError);
    let failed = found(ResultWord::Fail, Some(AssessmentPolicy::None), ActionWord::Accept);
    assert_eq!(EximStatus::done(&failed).as_str(), "none");
    assert_eq!(failed.dmarc.as_str(), "fail", "the correct word stands beside it");
    assert_eq!(failed.disposition, Disposition::None);
}

fn names(findings: &Findings) -> Vec<&'static str> {
    rspamd_symbols(findings)
        .iter()
        .map(|symbol| symbol.name)
        .collect()
}

/// R2, R3: the symbol of each result.
#[test]
fn r2_r3_dmarc_has_one_symbol() {
    for (findings, symbol) in [
        (
            found(
                ResultWord::Pass,
                Some(AssessmentPolicy::Reject),
                ActionWord::Accept,
            ),
            "DMARC_POLICY_ALLOW",
        ),
        (
            found(
                ResultWord::Fail,
                Some(AssessmentPolicy::Reject),
                ActionWord::Reject,
            ),
            "DMARC_POLICY_REJECT",
        ),
        (
            found(
                ResultWord::Fail,
                Some(AssessmentPolicy::Quarantine),
                ActionWord::Quarantine,
            ),
            "DMARC_POLICY_QUARANTINE",
        ),
        // The newer meaning: failed, and no action is suggested.
        (
            found(ResultWord::Fail, Some(AssessmentPolicy::None), ActionWord::Accept),
            "DMARC_POLICY_SOFTFAIL",
        ),
        // The older meaning of the same symbol has one of its own.
        (
            found(ResultWord::TempError, None, ActionWord::TempFail),
            "DMARC_DNSFAIL",
        ),
        (
            found(ResultWord::PermError, None, ActionWord::Accept),
            "DMARC_BAD_POLICY",
        ),
        (found(ResultWord::None, None, ActionWord::Accept), "DMARC_NA"),
    ] {
        let all = names(&findings);
        let of_dmarc: Vec<_> = all
            .iter()
            .filter(|name| name.starts_with("DMARC_") && **name != "DMARC_POLICY_ALLOW_WITH_FAILURES")
            .collect();
        assert_eq!(of_dmarc, [&symbol], "{all:?}");
    }
}

#[test]
fn r3_composites_and_other_mechanisms() {
    let passed = found(
        ResultWord::Pass,
        Some(AssessmentPolicy::Reject),
        ActionWord::Accept,
    );
    assert!(names(&passed).contains(&"DMARC_POLICY_ALLOW_WITH_FAILURES"));
    let both = Findings {
        dkim_aligned: Some(true),
        ..passed
    };
    assert!(!names(&both).contains(&"DMARC_POLICY_ALLOW_WITH_FAILURES"));
    assert!(names(&Findings::default()).contains(&"AUTH_NA"));
    assert!(!names(&both).contains(&"AUTH_NA"));

    for (result, symbol) in [
        ("pass", "R_SPF_ALLOW"),
        ("fail", "R_SPF_FAIL"),
        ("softfail", "R_SPF_SOFTFAIL"),
        ("neutral", "R_SPF_NEUTRAL"),
        ("temperror", "R_SPF_DNSFAIL"),
        ("permerror", "R_SPF_PERMFAIL"),
        ("none", "R_SPF_NA"),
    ] {
        let findings = Findings {
            spf: SpfFinding {
                result: result.to_owned(),
                domain: None,
            },
            ..Findings::default()
        };
        assert!(names(&findings).contains(&symbol), "{result}");
    }
    for (result, symbol) in [("pass", "ARC_ALLOW"), ("fail", "ARC_REJECT"), ("none", "ARC_NA")] {
        let findings = Findings {
            arc: result.to_owned(),
            ..Findings::default()
        };
        assert!(names(&findings).contains(&symbol), "{result}");
    }
}

#[test]
fn signatures_of_one_result_share_a_symbol() {
    let signature = |result: &str, selector: Option<&str>| DkimFinding {
        result: result.to_owned(),
        domain: Some("example.com".to_owned()),
        selector: selector.map(ToOwned::to_owned),
    };
    let findings = Findings {
        dkim: vec![
            signature("fail", Some("a")),
            signature("pass", Some("b")),
            signature("policy", None),
            signature("temperror", Some("d")),
            signature("permerror", Some("e")),
        ],
        ..Findings::default()
    };
    let symbols = rspamd_symbols(&findings);
    let options = |name: &str| {
        let symbol = symbols.iter().find(|symbol| symbol.name == name);
        symbol.map(|symbol| symbol.options.join(" ")).unwrap_or_default()
    };
    assert_eq!(options("R_DKIM_REJECT"), "example.com:s=a example.com");
    assert_eq!(options("R_DKIM_ALLOW"), "example.com:s=b");
    assert_eq!(options("R_DKIM_TEMPFAIL"), "example.com:s=d");
    assert_eq!(options("R_DKIM_PERMFAIL"), "example.com:s=e");
    assert!(names(&Findings::default()).contains(&"R_DKIM_NA"));
}

/// Whoever goes by the score does the same as whoever goes by the action, whatever was found.
#[test]
fn the_score_agrees_with_the_action() {
    let actions = [
        ActionWord::Accept,
        ActionWord::Quarantine,
        ActionWord::Reject,
        ActionWord::TempFail,
    ];
    for dmarc in [
        ResultWord::None,
        ResultWord::Pass,
        ResultWord::Fail,
        ResultWord::TempError,
        ResultWord::PermError,
    ] {
        for policy in [
            None,
            Some(AssessmentPolicy::None),
            Some(AssessmentPolicy::Quarantine),
            Some(AssessmentPolicy::Reject),
        ] {
            for action in actions {
                for findings in [found(dmarc, policy, action), unjudged(action)] {
                    let score = rspamd_score(&rspamd_symbols(&findings));
                    let agrees = match action {
                        ActionWord::Reject => score >= threshold::REJECT,
                        ActionWord::Quarantine => (threshold::ADD_HEADER..threshold::REJECT).contains(&score),
                        ActionWord::Accept | ActionWord::TempFail => score < threshold::GREYLIST,
                    };
                    assert!(agrees, "{score} for {action:?}: {findings:?}");
                }
            }
        }
    }
}

#[test]
fn a_message_that_is_not_judged_has_the_decision_alone() {
    let symbols = rspamd_symbols(&skipped());
    assert_eq!(names(&skipped()), [DECIDED]);
    assert_eq!(symbols[0].options, ["accept", "authenticated"]);
}
