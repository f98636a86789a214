//! DNS that fails on the way (E): which question was needed, and which was not.

use landmarc_auth::dkim::DkimResult;
use landmarc_auth::lookup::Fault;
use landmarc_auth::spf::SpfResult;
use landmarc_dmarc::{Evaluation, Identifiers};

use crate::common::{AS_WRITTEN, break_dmarc, judge, name, passed, records};

/// An evaluation with `record` at example.com, SERVFAIL at `broken`.
fn evaluated(record: &str, broken: &str, author: &str, identifiers: &Identifiers) -> Evaluation {
    let mut zones = records(&[("example.com", record)]);
    if !broken.is_empty() {
        break_dmarc(&mut zones, broken, Fault::ServFail);
    }
    judge(&zones, author, identifiers, AS_WRITTEN).0
}

const REJECT: &str = "v=DMARC1; p=reject";

#[test]
fn de01_to_de07_de13_walks_that_fail() {
    let cases = [
        (
            "DE01",
            REJECT,
            "mail.example.com",
            "mail.example.com",
            "",
            "example.com",
            "temperror",
        ),
        (
            "DE02",
            REJECT,
            "example.com",
            "mail.example.com",
            "",
            "example.com",
            "temperror",
        ),
        ("DE03", REJECT, "com", "example.com", "", "example.com", "pass"),
        (
            "DE04",
            REJECT,
            "com",
            "example.com",
            "",
            "mail.example.com",
            "temperror",
        ),
        (
            "DE05",
            REJECT,
            "mail.example.com",
            "example.com",
            "bounces.example.com",
            "mail.example.com",
            "pass",
        ),
        (
            "DE06",
            "v=DMARC1; p=reject; adkim=s",
            "mail.example.com",
            "example.com",
            "",
            "mail.example.com",
            "fail",
        ),
        (
            "DE07",
            REJECT,
            "mail.example.com",
            "example.com",
            "",
            "mail.example.com",
            "temperror",
        ),
        (
            "DE13",
            REJECT,
            "com",
            "mail.example.com",
            "",
            "example.com",
            "temperror",
        ),
    ];
    for (id, record, broken, author, spf, dkim, expected) in cases {
        let found = evaluated(record, broken, author, &passed(spf, &[dkim]));
        assert_eq!(found.result.as_str(), expected, "{id}");
        let is_error = expected == "temperror";
        assert_eq!(found.problem.is_some(), is_error, "{id}: {:?}", found.problem);
        assert_eq!(found.policy.is_none(), is_error, "{id}: no policy may be applied");
    }
}

#[test]
fn de08_to_de12_mechanisms_that_fail() {
    let spf = |result, domain: &str| Some((result, name(domain)));
    let dkim = |result| vec![(result, name("example.com"))];
    let cases = [
        (
            "DE08",
            spf(SpfResult::TempError, "example.com"),
            vec![],
            "temperror",
        ),
        ("DE09", spf(SpfResult::TempError, "example.net"), vec![], "fail"),
        ("DE10", spf(SpfResult::PermError, "example.com"), vec![], "fail"),
        (
            "DE11",
            spf(SpfResult::Fail, "example.com"),
            dkim(DkimResult::TempError),
            "temperror",
        ),
        (
            "DE12",
            spf(SpfResult::TempError, "example.com"),
            dkim(DkimResult::Pass),
            "pass",
        ),
    ];
    for (id, spf, dkim, expected) in cases {
        let found = evaluated(REJECT, "", "example.com", &Identifiers { spf, dkim });
        assert_eq!(found.result.as_str(), expected, "{id}");
    }
}

#[test]
fn de03_the_organizational_domain_is_not_known_then() {
    let found = evaluated(REJECT, "com", "example.com", &passed("", &["example.com"]));
    assert_eq!(found.organizational_domain, None);
}

#[test]
fn de07_the_other_way_round_a_temporary_error_below_could_have_aligned() {
    let undecided = |domain: &str| Identifiers {
        spf: Some((SpfResult::TempError, name(domain))),
        dkim: vec![],
    };
    let result = |record: &str, domain: &str| {
        let found = evaluated(record, "", "example.com", &undecided(domain));
        found.result.as_str()
    };
    assert_eq!(result(REJECT, "bounces.example.com"), "temperror");
    assert_eq!(
        result("v=DMARC1; p=reject; aspf=s", "bounces.example.com"),
        "fail"
    );
}

#[test]
fn only_pass_authenticates() {
    let nothing = [
        SpfResult::None,
        SpfResult::Neutral,
        SpfResult::SoftFail,
        SpfResult::Fail,
        SpfResult::PermError,
    ];
    for result in nothing {
        let spf = Some((result, name("example.com")));
        let found = evaluated(REJECT, "", "example.com", &Identifiers { spf, dkim: vec![] });
        assert_eq!(found.result.as_str(), "fail", "{result}");
        assert!(!found.identifiers[0].authenticated);
    }
    let nothing = [
        DkimResult::Fail,
        DkimResult::Policy,
        DkimResult::Neutral,
        DkimResult::PermError,
    ];
    for result in nothing {
        let dkim = vec![(result, name("example.com"))];
        let found = evaluated(REJECT, "", "example.com", &Identifiers { spf: None, dkim });
        assert_eq!(found.result.as_str(), "fail", "{result}");
    }
}

#[test]
fn de04_a_name_of_elsewhere_could_not_align_whatever_the_author_belongs_to() {
    let found = evaluated(REJECT, "com", "example.com", &passed("", &["example.net"]));
    assert_eq!(found.result.as_str(), "fail");
    let found = evaluated(
        REJECT,
        "com",
        "example.com",
        &passed("", &["example.net", "other.com"]),
    );
    assert_eq!(found.result.as_str(), "temperror", "both could belong to com");
}
