//! Which policy is selected, and what test mode leaves of it (D). The default action of
//! the receiver is not this crate's.

use landmarc_auth::lookup::{Existence, Fault, LookupError, RecordType, ZoneData, Zones};
use landmarc_dmarc::{
    AssessmentPolicy, Evaluation, EvaluationOptions, Identifiers, PolicyTag, Suffixes, evaluate_rfc7489,
};
use landmarc_testkit::{block_on, dns_name};

use crate::common::{AS_WRITTEN, dmarc_name, judge, name, passed, records};

/// Id, record, where it is, author, whether that exists, published, after test mode.
#[rustfmt::skip]
const CASES: &[(&str, &str, &str, &str, bool, &str, &str)] = &[
    ("PS01", "v=DMARC1; p=reject", "example.com", "example.com", true, "reject", "reject"),
    ("PS02", "v=DMARC1; p=reject; sp=none", "example.com", "example.com", true, "reject", "reject"),
    ("PS03", "v=DMARC1; p=none; sp=reject", "example.com", "mail.example.com", true, "reject", "reject"),
    ("PS04", "v=DMARC1; p=reject; sp=none", "example.com", "mail.example.com", true, "none", "none"),
    ("PS05", "v=DMARC1; p=quarantine", "example.com", "mail.example.com", true, "quarantine", "quarantine"),
    ("PS06", "v=DMARC1; p=none; np=reject", "example.com", "ghost.example.com", false, "reject", "reject"),
    ("PS07", "v=DMARC1; p=none; np=reject", "example.com", "mail.example.com", true, "none", "none"),
    ("PS08", "v=DMARC1; p=none; sp=quarantine; np=reject", "example.com", "ghost.example.com", false, "reject", "reject"),
    ("PS09", "v=DMARC1; p=none; sp=quarantine; np=reject", "example.com", "mail.example.com", true, "quarantine", "quarantine"),
    ("PS10", "v=DMARC1; p=reject; sp=quarantine", "example.com", "ghost.example.com", false, "quarantine", "quarantine"),
    ("PS11", "v=DMARC1; p=reject", "example.com", "ghost.example.com", false, "reject", "reject"),
    ("PS12", "v=DMARC1; p=reject; sp=reject; np=none", "example.com", "ghost.example.com", false, "none", "none"),
    ("PS13", "v=DMARC1; p=reject; t=y", "example.com", "example.com", true, "reject", "quarantine"),
    ("PS14", "v=DMARC1; p=quarantine; t=y", "example.com", "example.com", true, "quarantine", "none"),
    ("PS15", "v=DMARC1; p=none; t=y", "example.com", "example.com", true, "none", "none"),
    ("PS16", "v=DMARC1; p=none; sp=reject; t=y", "example.com", "mail.example.com", true, "reject", "quarantine"),
    ("PS17", "v=DMARC1; p=none; np=quarantine; t=y", "example.com", "ghost.example.com", false, "quarantine", "none"),
    ("PS18", "v=DMARC1; p=reject; t=n", "example.com", "example.com", true, "reject", "reject"),
    ("PS19", "v=DMARC1; p=reject; pct=0", "example.com", "example.com", true, "reject", "reject"),
    ("PS20", "v=DMARC1; p=reject; sp=bogus; rua=mailto:d@example.com", "example.com", "example.com", true, "none", "none"),
    ("PS21", "v=DMARC1; sp=reject; rua=mailto:d@example.com", "example.com", "mail.example.com", true, "none", "none"),
    ("PS22", "v=DMARC1; p=reject; psd=y; sp=none; np=reject", "com", "existing.com", true, "none", "none"),
    ("PS23", "v=DMARC1; p=reject; psd=y; sp=none; np=reject", "com", "unregistered.com", false, "reject", "reject"),
    ("PS24", "v=DMARC1; p=quarantine; psd=n; sp=reject", "b.example.com", "a.b.example.com", true, "reject", "reject"),
];

fn zone(record: &str, at: &str, existing: Option<&str>) -> Zones {
    let mut zones = records(&[(at, record)]);
    if let Some(existing) = existing {
        zones.add_name(dns_name(existing));
    }
    zones
}

fn failing(zones: &Zones, author: &str) -> (Evaluation, Vec<String>) {
    judge(zones, author, &Identifiers::default(), AS_WRITTEN)
}

fn words(evaluation: &Evaluation) -> (&'static str, &'static str) {
    let word = |policy: Option<AssessmentPolicy>| policy.map_or("-", AssessmentPolicy::as_str);
    (word(evaluation.policy_published), word(evaluation.policy))
}

#[test]
fn ps01_to_ps24_published_and_after_test_mode() {
    for (id, record, at, author, exists, published, after) in CASES {
        let zones = zone(record, at, exists.then_some(*author));
        let (found, _) = failing(&zones, author);
        assert_eq!(found.result.as_str(), "fail", "{id}");
        assert_eq!(words(&found), (*published, *after), "{id}");
        assert!(!found.policy_uncertain, "{id}");
    }
    assert_eq!(CASES.len(), 24);
}

#[test]
fn ps08_the_tag_that_spoke_is_told() {
    let record = "v=DMARC1; p=none; sp=quarantine; np=reject";
    let tag = |author: &str, existing: Option<&str>| {
        failing(&zone(record, "example.com", existing), author)
            .0
            .policy_tag
    };
    assert_eq!(tag("example.com", None), Some(PolicyTag::P));
    assert_eq!(
        tag("mail.example.com", Some("mail.example.com")),
        Some(PolicyTag::Sp)
    );
    assert_eq!(tag("ghost.example.com", None), Some(PolicyTag::Np));
}

#[test]
fn ps19_pct_zero_is_test_mode_only_when_asked_for() {
    let shim = EvaluationOptions {
        pct_zero_as_test: true,
        ..AS_WRITTEN
    };
    let after = |record: &str, options| {
        let zones = zone(record, "example.com", None);
        let (found, _) = judge(&zones, "example.com", &Identifiers::default(), options);
        found.policy.unwrap().as_str()
    };
    assert_eq!(after("v=DMARC1; p=reject; pct=0", AS_WRITTEN), "reject");
    assert_eq!(after("v=DMARC1; p=reject; pct=0", shim), "quarantine");
    assert_eq!(after("v=DMARC1; p=reject; pct=0; t=n", shim), "reject");
    assert_eq!(after("v=DMARC1; p=reject; pct=0; t=y", shim), "quarantine");
    assert_eq!(after("v=DMARC1; p=reject; pct=1", shim), "reject");
}

#[test]
fn ps30_a_pass_tells_the_policy_that_would_apply() {
    let zones = zone("v=DMARC1; p=reject; t=y", "example.com", None);
    let (found, _) = judge(&zones, "example.com", &passed("example.com", &[]), AS_WRITTEN);
    assert!(found.result.is_pass());
    assert_eq!(words(&found), ("reject", "quarantine"));
}

const NP: &str = "v=DMARC1; p=none; sp=quarantine; np=reject";

#[test]
fn ps31_no_data_means_that_the_name_exists() {
    let (found, asked) = failing(
        &zone(NP, "example.com", Some("quiet.example.com")),
        "quiet.example.com",
    );
    assert_eq!(words(&found).0, "quarantine");
    assert_eq!(found.author_existence, Some(Existence::Exists));
    assert_eq!(asked.last().unwrap(), "quiet.example.com A");
}

#[test]
fn ps32_an_alias_that_leads_nowhere_exists() {
    let mut zones = zone(NP, "example.com", None);
    zones.set_alias(dns_name("alias.example.com"), dns_name("gone.example.net"));
    let (found, _) = failing(&zones, "alias.example.com");
    assert_eq!(words(&found).0, "quarantine");
    assert_eq!(found.author_existence, Some(Existence::Exists));
}

#[test]
fn ps33_nxdomain_for_the_name_itself_is_np_whatever_way_it_was_said() {
    // Whoever asks turns NODATA with NXNAME into NXDOMAIN; here that is what arrives.
    let mut zones = zone(NP, "example.com", None);
    let denied = ZoneData::Fault(Fault::NxDomain);
    zones.set(dns_name("ghost.example.com"), RecordType::A, denied);
    let (found, _) = failing(&zones, "ghost.example.com");
    assert_eq!(words(&found).0, "reject");
    assert_eq!(found.author_existence, Some(Existence::NxDomain));
}

#[test]
fn ps34_without_an_answer_the_weaker_policy_and_no_claim() {
    for (fault, error) in [
        (Fault::ServFail, LookupError::ServFail),
        (Fault::Timeout, LookupError::Timeout),
    ] {
        let mut zones = zone(NP, "example.com", None);
        zones.set(dns_name("odd.example.com"), RecordType::A, ZoneData::Fault(fault));
        let (found, _) = failing(&zones, "odd.example.com");
        assert_eq!(found.result.as_str(), "fail", "the question changes no result");
        assert_eq!(words(&found).0, "quarantine");
        assert!(found.policy_uncertain);
        assert_eq!(found.author_existence, Some(Existence::Unknown(error)));
    }
}

#[test]
fn ps35_an_answer_below_the_author_proves_that_it_exists() {
    let mut zones = zone(NP, "example.com", None);
    zones.add_name(dmarc_name("mail.example.com"));
    let (found, asked) = failing(&zones, "mail.example.com");
    assert_eq!(words(&found).0, "quarantine");
    assert_eq!(asked, ["~mail.example.com", "~example.com", "~com"]);
}

#[test]
fn ps35_an_alias_below_the_author_proves_it_too() {
    let mut zones = zone(NP, "example.com", None);
    zones.set_alias(dmarc_name("mail.example.com"), dns_name("gone.example.net"));
    let (found, asked) = failing(&zones, "mail.example.com");
    assert_eq!((words(&found).0, asked.len()), ("quarantine", 3));
}

#[test]
fn ps36_nxdomain_below_the_author_proves_nothing() {
    let (_, asked) = failing(&zone(NP, "example.com", None), "ghost.example.com");
    assert_eq!(
        asked,
        [
            "~ghost.example.com",
            "~example.com",
            "~com",
            "ghost.example.com A"
        ]
    );
}

#[test]
fn existence_is_not_asked_where_nothing_hangs_on_it() {
    for record in ["v=DMARC1; p=reject", "v=DMARC1; p=none; sp=reject; np=reject"] {
        let (_, asked) = failing(&zone(record, "example.com", None), "ghost.example.com");
        assert_eq!(asked.len(), 3, "{record}");
    }
}

#[test]
fn rfc7489_knows_neither_np_nor_t() {
    let zones = zone(
        "v=DMARC1; p=reject; sp=quarantine; np=typo; t=y",
        "example.com",
        None,
    );
    let suffixes = Suffixes::built_in();
    let by_list = |author: &str| {
        let identifiers = Identifiers::default();
        block_on(evaluate_rfc7489(
            &zones,
            &name(author),
            &identifiers,
            &AS_WRITTEN,
            &suffixes,
        ))
    };
    assert_eq!(words(&by_list("ghost.example.com")), ("quarantine", "quarantine"));
    assert_eq!(words(&by_list("example.com")), ("reject", "reject"));
    assert_eq!(by_list("example.com").method.as_str(), "psl");
}
