//! The conformance sets: DMARC with what SPF and DKIM found given, and the Public Suffix List.

use landmarc_auth::dkim::DkimResult;
use landmarc_auth::spf::SpfResult;
use landmarc_dmarc::{
    Discovery, Evaluation, EvaluationOptions, Identifiers, Suffixes, evaluate, evaluate_rfc7489,
};
use landmarc_mail::DomainName;
use landmarc_testkit::block_on;
use landmarc_testkit::cases::{Case, folder, load, own};
use serde_json::Value;

use crate::common::name;

/// The Author Domain; cases about the From field itself tell it by what they expect.
/// `None` where there is not exactly one, which is decided before this crate is asked.
fn author(case: &Case) -> Option<DomainName> {
    let told = case.input("author").map(str::to_owned);
    let expected = || {
        case.accepted("dmarc", "header_from")
            .map(|names| names[0].clone())
    };
    told.or_else(expected).map(|text| name(&text))
}

/// What the case gives: lists of `[domain, word]` for each mechanism.
fn identifiers(given: &Value) -> Identifiers {
    Identifiers {
        spf: pairs(given, "spf", spf_result).into_iter().next(),
        dkim: pairs(given, "dkim", dkim_result),
    }
}

fn pairs<T>(given: &Value, key: &str, read: fn(&str) -> T) -> Vec<(T, DomainName)> {
    let list = given[key].as_array().into_iter().flatten();
    list.map(|pair| {
        let text = |index: usize| pair[index].as_str().expect("a pair of texts");
        (read(text(1)), name(text(0)))
    })
    .collect()
}

fn spf_result(word: &str) -> SpfResult {
    match word {
        "pass" => SpfResult::Pass,
        "fail" => SpfResult::Fail,
        other => unreachable!("no case has spf={other} so far"),
    }
}

fn dkim_result(word: &str) -> DkimResult {
    match word {
        "pass" => DkimResult::Pass,
        "fail" => DkimResult::Fail,
        other => unreachable!("no case has dkim={other} so far"),
    }
}

fn check(case: &Case, found: &Evaluation) -> Vec<String> {
    let policy_domain = match &found.discovery {
        Discovery::Applies(at) => Some(at.domain.to_string()),
        Discovery::Absent | Discovery::Unanswered(_) => None,
    };
    let told = [
        ("result", Some(found.result.to_string())),
        ("policy", found.policy_published.map(|policy| policy.to_string())),
        ("disposition", found.policy.map(|policy| policy.to_string())),
        ("header_from", Some(found.author_domain.to_string())),
        (
            "org_domain",
            found.organizational_domain.as_ref().map(ToString::to_string),
        ),
        ("policy_domain", policy_domain),
    ];
    let mut wrong: Vec<String> = told
        .into_iter()
        .filter_map(|(key, value)| {
            let accepted = case.accepted("dmarc", key)?;
            let is_right = value.as_ref().is_some_and(|value| accepted.contains(value));
            (!is_right).then(|| format!("{key} is {value:?}, not {accepted:?}"))
        })
        .collect();
    let aligned = &case.json["expect"]["dmarc"]["aligned"];
    for (key, value) in [("spf", found.spf_aligned), ("dkim", found.dkim_aligned)] {
        if aligned[key].as_bool().is_some_and(|expected| expected != value) {
            wrong.push(format!("{key} aligned is {value}"));
        }
    }
    wrong
}

/// The evaluations a case speaks of: by its profile, or both.
fn evaluations(case: &Case, author: &DomainName) -> Vec<Evaluation> {
    let zones = case.zones();
    let identifiers = identifiers(&case.json["input"]["given"]);
    let (options, suffixes) = (EvaluationOptions::default(), Suffixes::built_in());
    let profile = case.json["profile"].as_str();
    let mut found = Vec::new();
    if profile != Some("rfc7489") {
        found.push(block_on(evaluate(
            &zones,
            author,
            &identifiers,
            &options,
            &suffixes,
        )));
    }
    if profile != Some("rfc9989") {
        found.push(block_on(evaluate_rfc7489(
            &zones,
            author,
            &identifiers,
            &options,
            &suffixes,
        )));
    }
    found
}

#[test]
fn dmarc_cases_of_both_profiles() {
    let cases = own("dmarc/cases.jsonl");
    let mut wrong = Vec::new();
    let mut without_author = Vec::new();
    for case in &cases {
        let Some(author) = author(case) else {
            without_author.push(case.id().to_owned());
            continue;
        };
        for found in evaluations(case, &author) {
            wrong.extend(
                check(case, &found)
                    .iter()
                    .map(|what| format!("{} by {}: {what}", case.id(), found.method.as_str())),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(cases.len(), 99);
    // No single Author Domain: the receiver says permerror and does not ask us.
    assert_eq!(
        without_author,
        ["dmarc/from/two-domains", "dmarc/from/missing-domain"]
    );
}

/// `None` for what is no domain name: nothing, or a leading dot.
fn registrable(suffixes: &Suffixes, case: &Case) -> Option<DomainName> {
    suffixes.registrable(&DomainName::parse(case.input("domain")?).ok()?)
}

#[test]
fn psl_cases_by_the_list_of_the_set_and_by_ours() {
    let cases = load("psl/cases.jsonl");
    let Some(folder) = folder() else {
        return;
    };
    assert_eq!(cases.len(), 156);
    let text = std::fs::read_to_string(folder.join("psl/public_suffix_list.dat")).unwrap();
    for suffixes in [Suffixes::parse(&text).unwrap(), Suffixes::built_in()] {
        for case in &cases {
            // Expected in the form of the question; ours are always A-labels.
            let expected = case.json["expect"]["psl"]["registrable"].as_str().map(name);
            assert_eq!(registrable(&suffixes, case), expected, "{}", case.id());
        }
    }
}
