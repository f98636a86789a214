//! The conformance sets through the built program, by `check --json`.

use std::path::PathBuf;

use serde_json::Value;
use testkit::cases::{self, Case};

use crate::binary::{Folder, landmarc};

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

fn expect(wrong: &mut Vec<String>, case: &Case, what: &str, got: &str, accepted: Option<&Vec<String>>) {
    if let Some(accepted) = accepted {
        if !accepted.iter().any(|value| value.eq_ignore_ascii_case(got)) {
            wrong.push(format!("{}: {what} is {got}, accepted {accepted:?}", case.id()));
        }
    }
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[test]
fn spf() {
    let folder = Folder::new("conformance-spf");
    let mut wrong = Vec::new();
    for case in cases::load("spf/cases.jsonl") {
        let got = judge(&folder, &case, "[spf]\nfetch_explanation = true\n");
        expect(
            &mut wrong,
            &case,
            "spf",
            &word(&got["spf"]["result"]),
            case.accepted("spf", "result").as_ref(),
        );
        let explanation = case
            .accepted("spf", "explanation")
            .filter(|texts| texts != &["DEFAULT"]);
        if got["spf"]["result"] == "fail" {
            expect(
                &mut wrong,
                &case,
                "explanation",
                &word(&got["spf"]["explanation"]),
                explanation.as_ref(),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn dkim() {
    let folder = Folder::new("conformance-dkim");
    let mut wrong = Vec::new();
    // Twins that need rsa-sha1 or short keys are left out: RFC 8301 forbids both, there is no switch.
    for case in cases::load("dkim/cases.jsonl")
        .iter()
        .filter(|case| !case.needs_legacy_options())
    {
        let got = judge(&folder, case, "");
        let signatures: Vec<String> = got["dkim"]
            .as_array()
            .unwrap()
            .iter()
            .map(|signature| word(&signature["result"]))
            .collect();
        let overall = if signatures.iter().any(|result| result == "pass") {
            "pass".to_owned()
        } else {
            signatures.first().cloned().unwrap_or_else(|| "none".to_owned())
        };
        expect(
            &mut wrong,
            case,
            "dkim",
            &overall,
            case.accepted("dkim", "overall").as_ref(),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Text follows what `l=` covers. RFC 6376 §8.2 lets a verifier ignore such signatures, and by
/// default we do (`policy`); the set expects of them what the operator's switch gives.
const PARTLY_SIGNED: [&str; 4] =
    ["dkim/opendkim/28", "dkim/opendkim/29", "dkim/opendkim/30", "dkim/opendkim/31"];

/// No octet at all: to `check` that is a bad message file (exit code 65), not a message
/// without ARC fields. The crate's own tests judge it.
const EMPTY_MESSAGE: &str = "arc/validation/cv_empty";

#[test]
fn arc() {
    let folder = Folder::new("conformance-arc");
    let mut wrong = Vec::new();
    for case in cases::load("arc/validation.jsonl").into_iter().filter(|case| case.id() != EMPTY_MESSAGE) {
        let got = judge(&folder, &case, "");
        expect(
            &mut wrong,
            &case,
            "arc",
            &word(&got["arc"]["result"]),
            case.accepted("arc", "cv").as_ref(),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn dmarc() {
    let folder = Folder::new("conformance-dmarc");
    let list = cases::folder().map(|folder| folder.join("psl/public_suffix_list.dat"));
    let list = list.map_or_else(String::new, |list| {
        format!("public_suffix_list = {:?}\n", list.display().to_string())
    });
    let mut wrong = Vec::new();
    for case in cases::load("dmarc/cases.jsonl") {
        let profile = word(&case.json["profile"]);
        for (name, method) in [("rfc9989", "treewalk"), ("rfc7489", "psl")] {
            if profile != "null" && profile != name {
                continue;
            }
            let got = judge(
                &folder,
                &case,
                &format!("[dmarc]\ndiscovery = \"{method}\"\n{list}"),
            );
            for (key, value) in [
                ("result", &got["dmarc"]["result"]),
                ("policy", &got["dmarc"]["policy_published"]),
                ("disposition", &got["dmarc"]["policy"]),
                ("org_domain", &got["organizational_domain"]),
                ("policy_domain", &got["dmarc"]["policy_domain"]),
            ] {
                expect(
                    &mut wrong,
                    &case,
                    &format!("{name} {key}"),
                    &word(value),
                    case.accepted("dmarc", key).as_ref(),
                );
            }
            for mechanism in ["spf", "dkim"] {
                let expected = &case.json["expect"]["dmarc"]["aligned"][mechanism];
                let value = &got["dmarc"][format!("{mechanism}_aligned")];
                if !expected.is_null() && expected != value {
                    wrong.push(format!("{}: {name} {mechanism} aligned is {value}", case.id()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
