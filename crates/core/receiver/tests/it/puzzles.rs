//! Messages a postmaster would ask about: for each, side by side, what the client was told, the
//! cause, the remedy, our results and the explanation; and that they say the same, word for word.
//!
//! The inputs are in `puzzles/`, for whoever wants to send them through more than this crate:
//! a case a line in `puzzles.jsonl`, in the form of the conformance cases, with its message beside
//! it. `rules` are lines of a scenario, `settings` the same for a settings file.

use std::path::Path;

use landmarc_mail::authres::AuthenticationResults;
use landmarc_receiver::Judgement;
use landmarc_receiver::action::SmtpAction;
use landmarc_receiver::explanation::{explain, remedy};
use landmarc_testkit::cases::{self, Case};
use landmarc_testkit::message::Message;

use crate::properties::{always_holds, unwrapped};
use crate::scenario::Given;

/// The short id of every message.
const ID: &str = "4Fb1";

#[test]
fn every_puzzle_is_explained_in_the_same_words_everywhere() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/puzzles/puzzles.jsonl");
    let cases = cases::read(&file);
    assert_eq!(cases.len(), 13);
    for case in &cases {
        let given = given(case);
        let judgement = given.judge();
        always_holds(&judgement, &given.rules, case.id());
        says_the_same(&judgement, case.id());
        insta::with_settings!({
            omit_expression => true,
            prepend_module_to_snapshot => false,
            snapshot_path => "puzzles"
        }, {
            insta::assert_snapshot!(case.id(), sheet(case, &judgement));
        });
    }
}

fn given(case: &Case) -> Given {
    let input = |key| case.input(key).expect("each puzzle has it");
    let mut text = format!(
        "client {}\nhelo {}\nmail <{}>\n",
        input("ip"),
        input("helo"),
        input("mailfrom")
    );
    for rule in case.json["rules"].as_array().into_iter().flatten() {
        text.push_str(&format!("rules {}\n", rule.as_str().expect("a text")));
    }
    let mut given = Given::read(&text);
    given.zones = case.zones();
    given.message = Message::read(&case.message().expect("each puzzle has one"));
    given
}

/// What the end of a name says must have been done, and each place must say why in the same words.
fn says_the_same(judgement: &Judgement, id: &str) {
    let cause = judgement.cause.as_str();
    let first_word = id.split('_').next().unwrap_or_default();
    let told = told(judgement);
    let done = match &judgement.action.smtp {
        SmtpAction::Accept => "accepted",
        SmtpAction::Quarantine(..) => "quarantined",
        SmtpAction::Reject(_) => "refused",
        SmtpAction::TempFail(_) => "deferred",
    };
    assert!(first_word == done || first_word == "softened", "{id}: {done}");
    assert!(!cause.is_empty(), "{id}");
    assert!(
        judgement.action.smtp == SmtpAction::Accept || told.contains(cause),
        "{id}: {told}"
    );

    let explanation = unwrapped(&explain(judgement));
    assert!(
        explanation.contains(&format!(" Cause: {cause}. ")),
        "{id}: {explanation}"
    );
    let raw = &judgement.authentication_results;
    let field = AuthenticationResults::parse(raw.as_bytes()).expect("it reads back");
    let dmarc = field.results.iter().find(|info| info.is("dmarc"));
    assert_eq!(dmarc.and_then(|info| info.reason.as_deref()), Some(cause), "{id}");

    let raw = unwrapped(raw);
    match remedy(judgement) {
        Some(remedy) => {
            assert!(
                explanation.contains(&format!(" What to do - {remedy} ")),
                "{id}: {explanation}"
            );
            assert!(
                raw.contains(&format!("id={ID}, remedy: {remedy})")),
                "{id}: {raw}"
            );
        }
        None => {
            assert!(!explanation.contains("What to do"), "{id}: {explanation}");
            assert!(raw.contains(&format!("id={ID})")), "{id}: {raw}");
        }
    }
}

/// What the client or the mail server is told.
fn told(judgement: &Judgement) -> String {
    match &judgement.action.smtp {
        SmtpAction::Accept => "accepted".to_owned(),
        SmtpAction::Quarantine(_, text) => format!("accepted, and held: {text}"),
        SmtpAction::Reject(reply) | SmtpAction::TempFail(reply) => reply.to_string(),
    }
}

fn sheet(case: &Case, judgement: &Judgement) -> String {
    let title = case.json["title"].as_str().expect("each puzzle has one");
    let remedy = remedy(judgement).unwrap_or_else(|| "-".to_owned());
    format!(
        "{title}\n\nreply   {}\ncause   {}\nremedy  {remedy}\n\nAuthentication-Results:{}\n--------\n{}",
        told(judgement),
        judgement.cause,
        judgement.authentication_results,
        explain(judgement)
    )
}
