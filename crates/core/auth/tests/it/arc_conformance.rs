//! The conformance set `arc/validation.jsonl`, written by those who made ARC.

use landmarc_auth::arc::Validator;
use landmarc_auth::dkim::BodyHashing;
use landmarc_testkit::{block_on, cases};

use crate::dkim_support::Mail;

#[test]
fn arc_conformance() {
    let cases = cases::load("arc/validation.jsonl");
    if cases.is_empty() {
        return; // said so already
    }
    assert_eq!(cases.len(), 171);
    let wrong: Vec<_> = cases.iter().filter_map(disagreement).collect();
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

fn disagreement(case: &cases::Case) -> Option<String> {
    let mail = Mail::parse(&case.message().unwrap());
    let mut bodies = BodyHashing::new();
    let validator = Validator::new(&mail.headers, case.now(), &mut bodies);
    bodies.update(&mail.body);
    let result = block_on(validator.finish(&case.zones(), &bodies.finish()));
    let accepted = case.accepted("arc", "cv").unwrap();
    let wrong = !accepted.iter().any(|a| a == result.status.as_str());
    wrong.then(|| format!("{}: accepted {accepted:?}, found {result:#?}", case.id()))
}
