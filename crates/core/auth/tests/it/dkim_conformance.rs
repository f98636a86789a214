//! The conformance set `dkim/cases.jsonl`: real mail, other projects' messages, edges.

use landmarc_auth::dkim::{DkimOptions, DkimOutcome, DkimResult};
use landmarc_mail::DomainName;
use landmarc_testkit::cases;
use serde_json::Value;

use crate::dkim_support::{Mail, expect, verify_as};

/// Twins that expect a pass of rsa-sha1 or of keys under 1024 bits. RFC 8301 §3.1 and §3.2
/// forbid both and we have no switch for them; their other halves are judged.
const LEGACY_TWINS: usize = 21;

#[test]
fn dkim_conformance() {
    let all = cases::all("dkim/cases.jsonl");
    let (legacy, cases): (Vec<_>, Vec<_>) = all.iter().partition(|case| case.needs_legacy_options());
    assert!(legacy.iter().all(|case| case.id().ends_with("/legacy")));
    if cases::folder().is_some() {
        assert_eq!(legacy.len(), LEGACY_TWINS);
        assert_eq!(cases.len(), 239);
    }

    let wrong: Vec<_> = cases.into_iter().filter_map(disagreement).collect();
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

/// Text follows what `l=` covers. RFC 6376 §8.2: one "might wish to ignore
/// signatures that use the tag"; with us that is `policy`, unless the operator accepts it, as the set does.
const PARTLY_SIGNED_BODIES: [&str; 4] = [
    "dkim/opendkim/28",
    "dkim/opendkim/29",
    "dkim/opendkim/30",
    "dkim/opendkim/31",
];

#[test]
fn dkim_conformance_where_the_rfc_leaves_the_choice_to_us() {
    let all = cases::all("dkim/cases.jsonl");
    for case in &all {
        let mail = Mail::parse(&case.message().unwrap());
        let result = || verify_as(&mail, &case.zones(), &[], &DkimOptions::default(), case.now()).remove(0);
        if PARTLY_SIGNED_BODIES.contains(&case.id()) {
            expect(&result(), DkimResult::Policy, "octets of the body are not signed");
        }
    }
}

fn disagreement(case: &cases::Case) -> Option<String> {
    let mail = Mail::parse(&case.message().unwrap());
    let options = DkimOptions {
        accept_body_length: PARTLY_SIGNED_BODIES.contains(&case.id()),
        ..DkimOptions::default()
    };
    let results = verify_as(&mail, &case.zones(), &[], &options, case.now());
    let accepted = case.accepted("dkim", "overall").unwrap();
    let found = overall(&results);
    let signatures = case.json["expect"]["dkim"]["signatures"].as_array();
    let found_among = |expected: &Value| results.iter().any(|result| agrees(expected, result));
    let each = signatures.is_none_or(|expected| expected.iter().all(found_among));
    let wrong = !accepted.iter().any(|a| a == found) || !each;
    wrong.then(|| {
        format!(
            "{}: accepted {accepted:?}, found {found}: {results:#?}",
            case.id()
        )
    })
}

/// Pass when one passes, none without any, else the first (FORMAT.md of the set).
fn overall(results: &[DkimOutcome]) -> &'static str {
    match results
        .iter()
        .find(|r| r.result == DkimResult::Pass)
        .or(results.first())
    {
        Some(result) => result.result.as_str(),
        None => "none",
    }
}

fn agrees(expected: &Value, found: &DkimOutcome) -> bool {
    let results = expected["result"].as_array().unwrap();
    results.iter().any(|r| r == found.result.as_str())
        && expected["d"].as_str() == found.domain.as_ref().map(DomainName::as_str)
        && expected["s"].as_str() == found.selector.as_deref()
}
