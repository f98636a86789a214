//! Runs the files in `tests/scenarios` and holds every judgement to what must always hold.
//!
//! A file holds scenarios with `====` between them: a title, what is given, `----`, what is
//! expected. `#` begins a comment line.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use landmarc_dmarc::discovery::Discovery;
use landmarc_receiver::Judgement;
use landmarc_receiver::action::SmtpAction;
use landmarc_receiver::evidence::Evidence;
use landmarc_receiver::explanation::explain;

use crate::properties::always_holds;
use crate::scenario::Given;

#[test]
fn every_scenario_ends_as_its_text_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut complaints = String::new();
    let mut count = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy();
        for scenario in text.split("\n====\n") {
            count += 1;
            for complaint in run(scenario) {
                writeln!(complaints, "{name}: {complaint}").unwrap();
            }
        }
    }
    assert!(complaints.is_empty(), "\n{complaints}");
    assert!(count > 90, "only {count} scenarios were found");
}

/// What is not as expected; empty when all is.
fn run(scenario: &str) -> Vec<String> {
    let lines: Vec<&str> = scenario.lines().filter(|line| !line.starts_with('#')).collect();
    let (title, rest) = lines.split_first().expect("a title");
    let rest = rest.join("\n");
    let (given, expected) = rest.split_once("\n----").expect("a rule");
    let given = Given::read(given);
    let judgement = given.judge();
    always_holds(&judgement, &given.rules, title);
    assert_eq!(
        explain(&judgement),
        explain(&given.judge()),
        "{title}: told twice"
    );
    let mut lines = expected
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .peekable();
    assert!(lines.peek().is_some(), "{title}: nothing is expected");
    lines
        .filter_map(|line| {
            let (key, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let problem = differs(&judgement, key, value.trim())?;
            Some(format!("{title}\n    {line}\n    {problem}"))
        })
        .collect()
}

/// What was found instead; none when it is as expected.
fn differs(judgement: &Judgement, key: &str, expected: &str) -> Option<String> {
    let evaluation = judgement.evaluation();
    let dash = || "-".to_owned();
    let is = |found: String| (found != expected).then_some(found);
    let contains = |found: String| (!found.contains(expected)).then_some(found);
    match key {
        "result" => is(judgement.dmarc.to_string()),
        "policy" => is(evaluation
            .and_then(|e| e.policy)
            .map_or_else(dash, |p| p.to_string())),
        "policy_published" => is(evaluation
            .and_then(|e| e.policy_published)
            .map_or_else(dash, |p| p.to_string())),
        "disposition" => is(judgement.action.disposition.to_string()),
        "action" => is(judgement.action.smtp.as_str().to_owned()),
        "decision" => is(judgement.decision.smtp.as_str().to_owned()),
        "reply" => is(judgement
            .action
            .smtp
            .reply()
            .map_or_else(dash, ToString::to_string)),
        "quarantine" => match &judgement.action.smtp {
            SmtpAction::Quarantine(_, text) => is(text.clone()),
            _ => Some("not quarantined".to_owned()),
        },
        "taken_against_policy" => {
            let taken = judgement.is_taken_against_policy();
            is(if taken { "yes" } else { "no" }.to_owned())
        }
        "spared_by" => is(judgement.spared_by().map_or_else(dash, str::to_owned)),
        "override" => is(overrides(judgement)),
        "rule" => is(judgement
            .rule
            .as_ref()
            .map_or_else(dash, |rule| format!("{} {}", rule.name, rule.effect.as_str()))),
        "author_domain" => is(judgement.author_domain().map_or_else(dash, ToString::to_string)),
        "organizational_domain" => {
            let name = evaluation.and_then(|e| e.organizational_domain.as_ref());
            is(name.map_or_else(dash, ToString::to_string))
        }
        "policy_domain" => is(match evaluation.map(|e| &e.discovery) {
            Some(Discovery::Applies(at)) => at.domain.to_string(),
            _ => dash(),
        }),
        "cause" => is(judgement.cause.clone()),
        "evidence" => {
            let words: Vec<_> = judgement.evidence.iter().map(Evidence::in_words).collect();
            is(if words.is_empty() {
                dash()
            } else {
                words.join(" | ")
            })
        }
        "spf" => is(judgement.spf.mail_from.result.to_string()),
        "dkim" => {
            let words: Vec<_> = judgement.dkim.iter().map(|s| s.result.as_str()).collect();
            is(if words.is_empty() { dash() } else { words.join(" ") })
        }
        "arc" => is(judgement.arc.status.to_string()),
        "rfc7489" => is(judgement
            .rfc7489
            .as_ref()
            .map_or_else(dash, |e| e.result.to_string())),
        "removed" => {
            let removed: Vec<_> = judgement
                .removals
                .iter()
                .map(|r| format!("{} {}", r.name.escape_debug(), r.nth))
                .collect();
            is(if removed.is_empty() {
                dash()
            } else {
                removed.join(", ")
            })
        }
        "authentication_results" => match expected.split_once(' ') {
            Some(("contains", part)) => (!unfolded(judgement).contains(part)).then(|| unfolded(judgement)),
            Some(("lacks", part)) => unfolded(judgement).contains(part).then(|| unfolded(judgement)),
            _ => unreachable!("contains or lacks"),
        },
        "policy_questions" => {
            let asks = |name: &str| name.starts_with("_dmarc.");
            let count = judgement
                .asked
                .iter()
                .filter(|a| asks(&a.question.name.to_string()))
                .count();
            is(count.to_string())
        }
        // All that are not about the policy: of SPF, DKIM and ARC.
        "other_questions" => {
            let asks = |name: &str| !name.starts_with("_dmarc.");
            let others = judgement
                .asked
                .iter()
                .filter(|a| asks(&a.question.name.to_string()));
            is(others.count().to_string())
        }
        "most_questions" => {
            let count = judgement.asked.len();
            (count > expected.parse::<usize>().expect("a number")).then(|| count.to_string())
        }
        "explanation" => contains(explain(judgement)),
        _ => unreachable!("nothing that could be expected is called {key:?}"),
    }
}

fn overrides(judgement: &Judgement) -> String {
    let reasons = &judgement.action.overrides;
    let words: Vec<_> = reasons
        .iter()
        .map(|r| format!("{}: {}", r.kind().as_str(), r.comment()))
        .collect();
    if words.is_empty() {
        "-".to_owned()
    } else {
        words.join(" | ")
    }
}

fn unfolded(judgement: &Judgement) -> String {
    judgement
        .authentication_results
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}
