//! Limits on what a sender can make us do, at the limit and one past it.

use landmarc_auth::dkim::DkimResult;
use landmarc_auth::lookup::{Ledger, LookupError};
use landmarc_dmarc::evaluation::{AuthorRelation, MAX_IDENTIFIERS_WALKED};
use landmarc_dmarc::{EvaluationOptions, Identifiers, Suffixes, evaluate};
use landmarc_testkit::block_on;

use crate::common::{judge, name, records};

/// Signatures of so many names below example.com, of which only the last is aligned:
/// the others are cut off by `psd=n`.
fn signatures(count: usize) -> (landmarc_auth::lookup::Zones, Identifiers) {
    let cut_off: Vec<String> = (1..count).map(|i| format!("s{i}.example.com")).collect();
    let mut zone = vec![("example.com", "v=DMARC1; p=reject")];
    zone.extend(
        cut_off
            .iter()
            .map(|name| (name.as_str(), "v=DMARC1; p=none; psd=n")),
    );
    let names = cut_off.iter().map(String::as_str).chain(["aligned.example.com"]);
    let dkim = names.map(|text| (DkimResult::Pass, name(text))).collect();
    (records(&zone), Identifiers { spf: None, dkim })
}

#[test]
fn eleven_identifiers_are_walked_and_the_twelfth_is_not_aligned() {
    let (zones, at_limit) = signatures(MAX_IDENTIFIERS_WALKED);
    let (found, _) = judge(&zones, "example.com", &at_limit, EvaluationOptions::default());
    assert!(found.result.is_pass());
    assert_eq!(found.walks.len(), 1 + MAX_IDENTIFIERS_WALKED);

    let (zones, past_limit) = signatures(MAX_IDENTIFIERS_WALKED + 1);
    let (found, _) = judge(&zones, "example.com", &past_limit, EvaluationOptions::default());
    assert_eq!(found.result.as_str(), "fail");
    assert_eq!(found.walks.len(), 1 + MAX_IDENTIFIERS_WALKED);
    let last = found.identifiers.last().unwrap();
    assert_eq!(last.relation, AuthorRelation::TooMany);
}

#[test]
fn the_author_itself_passes_however_many_signatures_stand_before_it() {
    let (zones, mut many) = signatures(90);
    many.dkim.push((DkimResult::Pass, name("example.com")));
    let (found, _) = judge(&zones, "example.com", &many, EvaluationOptions::default());
    assert!(found.result.is_pass());
}

#[test]
fn one_name_signing_often_is_walked_once() {
    let zones = records(&[("example.com", "v=DMARC1; p=reject")]);
    let dkim = vec![(DkimResult::Pass, name("a.example.com")); 50];
    let (found, _) = judge(
        &zones,
        "example.com",
        &Identifiers { spf: None, dkim },
        EvaluationOptions::default(),
    );
    assert!(found.result.is_pass());
    assert_eq!(found.walks.len(), 2);
}

#[test]
fn a_hundred_labels_cost_eight_questions() {
    let zones = records(&[("example.com", "v=DMARC1; p=reject")]);
    let author = format!("{}example.com", "a.".repeat(100));
    let (found, asked) = judge(
        &zones,
        &author,
        &Identifiers::default(),
        EvaluationOptions::default(),
    );
    assert_eq!(found.result.as_str(), "fail");
    assert_eq!(asked.len(), 8);
}

#[test]
fn a_budget_that_is_used_up_is_never_a_pass_nor_a_fail() {
    let zones = records(&[("example.com", "v=DMARC1; p=reject")]);
    let identifiers = Identifiers {
        spf: None,
        dkim: vec![(DkimResult::Pass, name("mail.example.com"))],
    };
    let result = |limit| {
        let ledger = Ledger::new(&zones, limit);
        let (author, options) = (name("example.com"), EvaluationOptions::default());
        let found = block_on(evaluate(
            &ledger,
            &author,
            &identifiers,
            &options,
            &Suffixes::built_in(),
        ));
        (found.result.as_str(), found.problem)
    };
    assert_eq!(result(3).0, "pass");
    for limit in 0..3 {
        let (word, problem) = result(limit);
        assert_eq!(word, "temperror", "{limit}");
        assert!(problem.unwrap().contains(&LookupError::Budget.to_string()));
    }
}
