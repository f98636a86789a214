//! SPF: the RFC 7208 test suite, whole.

use std::net::IpAddr;

use landmarc_auth::spf::{SpfOutcome, SpfRequest, check_mail_from};
use landmarc_mail::ReversePath;
use landmarc_testkit::block_on;
use landmarc_testkit::cases::{self, Case};

/// The cases of `spf/cases.jsonl`. A suite that has become shorter is not the suite.
const CASES: usize = 203;

#[test]
fn spf_rfc7208_suite() {
    let all = cases::load("spf/cases.jsonl");
    if all.is_empty() {
        return; // said loudly by `load`
    }
    assert_eq!(all.len(), CASES);
    let wrong: Vec<_> = all
        .iter()
        .filter_map(|case| misfit(case, &outcome(case)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn outcome(case: &Case) -> SpfOutcome {
    let client: IpAddr = case.input("ip").unwrap().parse().unwrap();
    let request = SpfRequest {
        client,
        helo: case.input("helo").unwrap_or_default().as_bytes(),
        mail_from: &ReversePath::new(case.input("mailfrom").unwrap_or_default().as_bytes()),
        receiver: "receiver.example.net",
        now: case.now(),
        fetch_explanation: true,
    };
    block_on(check_mail_from(&case.zones(), &request))
}

/// What the suite says against an outcome. All results it lists are accepted: where it
/// lists several, the RFC leaves room.
fn misfit(case: &Case, outcome: &SpfOutcome) -> Option<String> {
    let accepted = case.accepted("spf", "result").unwrap();
    if !accepted.iter().any(|word| word == outcome.result.as_str()) {
        return Some(format!("{}: {accepted:?}, but {outcome:#?}", case.id()));
    }
    let expected = case.accepted("spf", "explanation")?.concat();
    // "DEFAULT" is the receiver's own text: there is none of the owner.
    let fits = match &outcome.explanation {
        None => expected == "DEFAULT",
        Some(text) => text.eq_ignore_ascii_case(&expected),
    };
    (!fits).then(|| format!("{}: {expected:?}, but {outcome:#?}", case.id()))
}
