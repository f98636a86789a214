//! The conformance sets through the built program, by `check --json`.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use landmarc_testkit::cases::{self, Case};
use landmarc_testkit::tools::Folder;
use serde_json::Value;

use crate::binary::landmarc;

/// Most sets need no public suffix list, and reading one takes longer than all else.
const WITHOUT_LIST: &str = "dmarc.public_suffix_list = \"\"\n";

/// More threads than this would only keep other tests waiting.
const MAX_WORKERS: usize = 4;

/// What a case is judged over when it brings no message.
const ANY_MESSAGE: &[u8] = b"From: a@author.invalid\r\n\r\n";

/// The arguments that stand for a case: its message, session, zones and time.
fn arguments(folder: &Folder, case: &Case) -> Vec<String> {
    let message = case.message().unwrap_or_else(|| ANY_MESSAGE.to_vec());
    let path = |path: PathBuf| path.display().to_string();
    let mut arguments = vec![
        "check".to_owned(),
        "--json".to_owned(),
        "--dns".to_owned(),
        path(folder.write("zones.json", case.json["dns"].to_string())),
        "--now".to_owned(),
        case.now().to_string(),
        "--helo".to_owned(),
        case.input("helo").unwrap_or_default().to_owned(),
        "--mail-from".to_owned(),
        case.input("mailfrom").unwrap_or_default().to_owned(),
    ];
    if let Some(ip) = case.input("ip") {
        arguments.extend(["--ip".to_owned(), ip.to_owned()]);
    }
    arguments.push(path(folder.write("message.eml", message)));
    arguments
}

fn judge(folder: &Folder, case: &Case, settings: &str) -> Value {
    let mut arguments = arguments(folder, case);
    let config = folder.write("landmarc.toml", settings);
    arguments.extend(["--config".to_owned(), config.display().to_string()]);
    let ran = landmarc(&arguments);
    assert!(
        matches!(ran.code, 0..=2),
        "{}: exit {}, {}",
        case.id(),
        ran.code,
        ran.stderr
    );
    ran.json()
}

/// What is wrong with the verdicts on these cases, each judged by a process of its own, on
/// a few threads with a folder each.
fn complaints<'c>(
    set: &str,
    cases: &'c [Case],
    judge: impl Fn(&Folder, &'c Case) -> Wrong<'c> + Sync,
) -> String {
    let workers = thread::available_parallelism().map_or(2, |count| count.get().min(MAX_WORKERS));
    let next = AtomicUsize::new(0);
    let work = |number: usize| {
        let folder = Folder::new(&format!("conformance-{set}-{number}"));
        let mut found = Vec::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.extend(judge(&folder, case).found);
        }
        found
    };
    let found: Vec<String> = thread::scope(|scope| {
        let work = &work;
        let workers: Vec<_> = (0..workers)
            .map(|number| scope.spawn(move || work(number)))
            .collect();
        let found = workers.into_iter().map(|worker| worker.join().unwrap());
        found.flatten().collect()
    });
    found.join("\n")
}

/// What is wrong with the verdict on one case.
struct Wrong<'c> {
    case: &'c Case,
    found: Vec<String>,
}

impl<'c> Wrong<'c> {
    fn nothing(case: &'c Case) -> Self {
        Self {
            case,
            found: Vec::new(),
        }
    }

    /// Compares without case; nothing is expected where the case is silent.
    fn expect(&mut self, what: &str, got: &str, accepted: Option<&Vec<String>>) {
        if let Some(accepted) = accepted
            && !accepted.iter().any(|value| value.eq_ignore_ascii_case(got))
        {
            let id = self.case.id();
            self.found
                .push(format!("{id}: {what} is {got}, accepted {accepted:?}"));
        }
    }
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[test]
fn spf() {
    let cases = cases::load("spf/cases.jsonl");
    let wrong = complaints("spf", &cases, |folder, case| {
        let mut wrong = Wrong::nothing(case);
        let got = judge(
            folder,
            case,
            &format!("{WITHOUT_LIST}[spf]\nfetch_explanation = true\n"),
        );
        let result = &got["spf"]["result"];
        wrong.expect("spf", &word(result), case.accepted("spf", "result").as_ref());
        let explanation = case
            .accepted("spf", "explanation")
            .filter(|texts| texts != &["DEFAULT"]);
        if result == "fail" {
            wrong.expect(
                "explanation",
                &word(&got["spf"]["explanation"]),
                explanation.as_ref(),
            );
        }
        wrong
    });
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn dkim() {
    // Twins that need rsa-sha1 or short keys are left out: RFC 8301 forbids both, there is no switch.
    let mut cases = cases::all("dkim/cases.jsonl");
    cases.retain(|case| !case.needs_legacy_options());
    let wrong = complaints("dkim", &cases, |folder, case| {
        let mut wrong = Wrong::nothing(case);
        let accept_body_length = PARTLY_SIGNED.contains(&case.id());
        let switch = format!("{WITHOUT_LIST}[dkim]\naccept_body_length = {accept_body_length}\n");
        let got = judge(folder, case, &switch);
        let signatures: Vec<String> = got["dkim"]
            .as_array()
            .unwrap()
            .iter()
            .map(|signature| word(&signature["result"]))
            .collect();
        let overall = match signatures.first() {
            _ if signatures.iter().any(|result| result == "pass") => "pass",
            Some(first) => first,
            None => "none",
        };
        wrong.expect("dkim", overall, case.accepted("dkim", "overall").as_ref());
        wrong
    });
    assert!(wrong.is_empty(), "{wrong}");
}

/// Text follows what `l=` covers. RFC 6376 §8.2 lets a verifier ignore such signatures, and by
/// default we do (`policy`); the set expects of them what the operator's switch gives.
const PARTLY_SIGNED: [&str; 4] = [
    "dkim/opendkim/28",
    "dkim/opendkim/29",
    "dkim/opendkim/30",
    "dkim/opendkim/31",
];

/// No octet, or no header field: to `check` that is a bad message file (exit code 65), not a
/// message without ARC fields. The crate's own tests judge them.
const NO_MESSAGE: [&str; 2] = ["arc/validation/cv_empty", "arc/validation/cv_no_headers"];

#[test]
fn arc() {
    let mut cases = cases::load("arc/validation.jsonl");
    cases.retain(|case| !NO_MESSAGE.contains(&case.id()));
    let wrong = complaints("arc", &cases, |folder, case| {
        let mut wrong = Wrong::nothing(case);
        let got = judge(folder, case, WITHOUT_LIST);
        wrong.expect(
            "arc",
            &word(&got["arc"]["result"]),
            case.accepted("arc", "cv").as_ref(),
        );
        wrong
    });
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn dmarc() {
    let list = cases::folder().map(|folder| folder.join("psl/public_suffix_list.dat"));
    let list = list.map_or_else(String::new, |list| {
        format!("public_suffix_list = {:?}\n", list.display().to_string())
    });
    let cases = cases::own("dmarc/cases.jsonl");
    let wrong = complaints("dmarc", &cases, |folder, case| {
        let mut wrong = Wrong::nothing(case);
        let profile = case.json["profile"].as_str();
        for (name, method) in [("rfc9989", "treewalk"), ("rfc7489", "psl")] {
            if profile.is_none_or(|profile| profile == name) {
                let settings = format!("[dmarc]\ndiscovery = \"{method}\"\n{list}");
                expect_dmarc(&mut wrong, name, &judge(folder, case, &settings));
            }
        }
        wrong
    });
    assert!(wrong.is_empty(), "{wrong}");
}

fn expect_dmarc(wrong: &mut Wrong<'_>, name: &str, got: &Value) {
    let case = wrong.case;
    for (key, value) in [
        ("result", &got["dmarc"]["result"]),
        ("policy", &got["dmarc"]["policy_published"]),
        ("disposition", &got["dmarc"]["policy"]),
        ("org_domain", &got["organizational_domain"]),
        ("policy_domain", &got["dmarc"]["policy_domain"]),
    ] {
        let accepted = case.accepted("dmarc", key);
        wrong.expect(&format!("{name} {key}"), &word(value), accepted.as_ref());
    }
    for mechanism in ["spf", "dkim"] {
        let expected = &case.json["expect"]["dmarc"]["aligned"][mechanism];
        let value = &got["dmarc"][format!("{mechanism}_aligned")];
        if !expected.is_null() {
            let expected = vec![word(expected)];
            wrong.expect(
                &format!("{name} {mechanism} aligned"),
                &word(value),
                Some(&expected),
            );
        }
    }
}
