//! The failure reports of the conformance set: each is read, and read as it should be.

use std::fs;

use landmarc_intake::failure::{ReceivedFailure, read};
use landmarc_report::{Registered, SchemaWord};
use landmarc_testkit::cases::{folder, load};
use serde_json::{Value, json};

#[test]
fn failure_report_cases() {
    let cases = load("reports/cases.jsonl");
    let Some(folder) = folder() else {
        return;
    };
    let (mut count, mut wrong) = (0, Vec::new());
    for case in &cases {
        let expected = &case.json["expect"]["report"];
        if expected["kind"] != "failure" {
            continue;
        }
        count += 1;
        let octets = fs::read(folder.join("reports").join(case.input("file").unwrap())).unwrap();
        match read(&octets) {
            // Refusing it would do as well: what is expected then is what a reader finds that does
            // not decode the fields, and we do (B02, below).
            Ok(_) if expected["ok"] == json!([true, false]) => {}
            Ok((report, _)) => wrong.extend(differences(case.id(), expected, &report)),
            Err(error) => wrong.push(format!("{}: {error}", case.id())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(count, 5);
}

#[test]
fn b02_b03_the_netease_report_is_decoded() {
    let Some(folder) = folder() else {
        return;
    };
    let file = "reports/failure/_Netease_DMARC_Failure_Report_Rent_Reminder.eml";
    let (report, deviations) = read(&fs::read(folder.join(file)).unwrap()).unwrap();
    assert_eq!(report.reported_domains[0].as_str(), "cardinal.com");
    assert_eq!(report.identity_alignment.unwrap().to_string(), "dkim, spf", "I03");
    assert_eq!(report.original.unwrap().media_type, "message/rfc822");
    let kinds: Vec<_> = deviations
        .iter()
        .map(|deviation| deviation.kind.as_str())
        .collect();
    assert_eq!(
        kinds,
        ["not_multipart_report", "transfer_encoding", "no_auth_failure"]
    );
}

/// Where a report differs from what a case expects. Keys that are not there are not checked.
fn differences(id: &str, expected: &Value, report: &ReceivedFailure) -> Vec<String> {
    let found = as_expected(report);
    let keys = expected.as_object().unwrap().iter();
    let checked = keys.filter(|(key, _)| !["ok", "kind"].contains(&&***key));
    checked
        .filter(|(key, value)| normal(value) != normal(&found[key.as_str()]))
        .map(|(key, value)| format!("{id} {key}: {}, not {value}", found[key.as_str()]))
        .collect()
}

/// Values are compared without case, comments of addresses aside (B16), and `1.0` is 1 (B05).
fn normal(value: &Value) -> Value {
    match value {
        Value::String(text) => {
            let text = text.to_ascii_lowercase();
            let bare = text
                .strip_suffix(" (sainay.interpublication.org)")
                .unwrap_or(&text);
            json!(
                bare.strip_suffix("1.0")
                    .filter(|rest| rest.is_empty())
                    .map_or(bare, |_| "1")
            )
        }
        Value::Array(items) => items.iter().map(normal).collect(),
        other => other.clone(),
    }
}

fn as_expected(report: &ReceivedFailure) -> Value {
    let domains: Vec<_> = report.reported_domains.iter().map(ToString::to_string).collect();
    json!({
        "feedback_type": report.feedback_type,
        "version": report.version.map(|version| version.to_string()),
        "user_agent": report.user_agent,
        "arrival_date": report.arrival_date.as_ref().map(|date| &date.text),
        "source_ip": report.source_ip.map(|address| address.to_string()),
        "reported_domain": domains,
        "original_mail_from": report.original_mail_from,
        "original_rcpt_to": report.original_rcpt_to,
        "auth_failure": report.auth_failure.as_ref().map(SchemaWord::as_str),
        "delivery_result": report.delivery_result.map(Registered::word),
        "identity_alignment": report.identity_alignment.map(|value| value.to_string()),
        "dkim_domain": report.dkim_domain,
        "dkim_selector": report.dkim_selector,
        "dkim_identity": report.dkim_identity,
        "incidents": report.incidents.to_string(),
        "original_part": report.original.as_ref().map(|original| &original.media_type),
    })
}
