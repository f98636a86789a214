//! The conformance set of report files and report messages: each is read, and read as it should be.

use std::fs;

use landmarc_intake::aggregate::{ReadLimits, ReportReading, read};
use landmarc_intake::archive;
use landmarc_intake::{CarriedKind, MailLimits, open_mail};
use landmarc_report::aggregate::{Registered, ReportRow, SchemaWord};
use landmarc_testkit::cases::{Case, folder, load};
use serde_json::{Value, json};

#[test]
fn aggregate_report_cases() {
    let cases = load("reports/cases.jsonl");
    let Some(folder) = folder() else {
        return;
    };
    let (mut read, mut refused, mut others) = (0, 0, Vec::new());
    let mut wrong = Vec::new();
    for case in &cases {
        let expected = &case.json["expect"]["report"];
        if expected["kind"] == "failure" {
            // Read by another module, and tested beside it.
            others.push(case.id());
            continue;
        }
        let octets = fs::read(folder.join("reports").join(case.input("file").unwrap())).unwrap();
        let accepted: Vec<bool> = expected["ok"]
            .as_array()
            .unwrap()
            .iter()
            .map(|ok| ok == true)
            .collect();
        let outcome = read_file(&octets);
        if !accepted.contains(&outcome.is_ok()) {
            wrong.push(format!("{}: {outcome:?}", case.id()));
        }
        match outcome {
            Ok(reading) => {
                read += 1;
                wrong.extend(differences(case, &reading));
            }
            Err(_) => refused += 1,
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!(
        "{read} read, {refused} refused, {} failure reports elsewhere",
        others.len()
    );
    assert_eq!((read, refused, others.len()), (18, 1, 5));
}

/// Reads a report file, or the one report in a mail.
fn read_file(octets: &[u8]) -> Result<ReportReading, String> {
    if archive::sniff(octets).is_some() {
        return read(octets, &ReadLimits::default()).map_err(|error| error.to_string());
    }
    let mail = open_mail(octets, &MailLimits::default()).map_err(|error| error.to_string())?;
    let [carried] = &*mail.carried else {
        return Err(format!("{} reports in it", mail.carried.len()));
    };
    assert!(matches!(carried.kind, CarriedKind::Aggregate(_)));
    let reading = read(&carried.octets, &ReadLimits::default()).map_err(|error| error.to_string())?;
    // Subject and file name of these mails say the same as the report in them.
    let (subject, file_name) = (mail.subject.unwrap(), carried.file_name.clone().unwrap());
    let report = &reading.report;
    assert_eq!(subject.policy_domain, report.policy.domain);
    assert_eq!(subject.report_id.as_deref(), Some(&*report.metadata.report_id));
    assert_eq!(file_name.begin, Some(report.metadata.period.begin));
    assert_eq!(file_name.end, Some(report.metadata.period.end));
    Ok(reading)
}

/// Where a reading differs from what a case expects. Keys that are not there are not checked.
fn differences(case: &Case, reading: &ReportReading) -> Vec<String> {
    let expected = &case.json["expect"]["report"];
    let found = as_expected(reading);
    let mut wrong = Vec::new();
    compare(case.id(), expected, &found, &mut wrong);
    wrong
}

fn compare(place: &str, expected: &Value, found: &Value, wrong: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (key, value) in expected
                .iter()
                .filter(|(key, _)| !["ok", "kind"].contains(&&***key))
            {
                compare(&format!("{place} {key}"), value, &found[key], wrong);
            }
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            for (number, (expected, found)) in expected.iter().zip(found).enumerate() {
                compare(&format!("{place} {number}"), expected, found, wrong);
            }
        }
        _ => {
            let text = |value: &Value| value.to_string().to_lowercase();
            if text(expected) != text(found) {
                wrong.push(format!("{place}: {found}, not {expected}"));
            }
        }
    }
}

/// A reading in the form of the cases.
fn as_expected(reading: &ReportReading) -> Value {
    let report = &reading.report;
    let (metadata, policy) = (&report.metadata, &report.policy);
    let errors: Vec<_> = metadata.error.iter().map(|error| &error.text).collect();
    json!({
        "namespace": reading.about.namespace,
        "version": reading.about.version,
        "org_name": text(&metadata.organization),
        "email": text(&metadata.email),
        "report_id": text(&metadata.report_id),
        "begin": metadata.period.begin.to_string(),
        "end": metadata.period.end.to_string(),
        "errors": errors,
        "policy": {
            "domain": text(&policy.domain),
            "adkim": policy.dkim_mode.as_ref().map(SchemaWord::as_str),
            "aspf": policy.spf_mode.as_ref().map(SchemaWord::as_str),
            "p": word(&policy.policy),
            "sp": policy.subdomain_policy.as_ref().map(SchemaWord::as_str),
            "np": policy.nonexistent_policy.as_ref().map(SchemaWord::as_str),
            "pct": policy.percent.map(|percent| percent.to_string()),
            "fo": policy.failure_options,
            "testing": policy.testing.map(|testing| if testing { "y" } else { "n" }),
            "discovery_method": policy.discovery_method.map(Registered::word),
        },
        "records": reading.about.records,
        "messages": reading.about.messages,
        "rows": report.rows.iter().take(20).map(row).collect::<Vec<_>>(),
    })
}

fn row(row: &ReportRow) -> Value {
    let key = &row.key;
    let reasons = key.reasons.iter().map(|reason| {
        let comment = reason.comment.as_ref().map(|comment| &comment.text);
        json!([word(&reason.kind), comment])
    });
    let dkim = key.dkim.iter();
    let dkim = dkim.map(|dkim| json!([text(&dkim.domain), text(&dkim.selector), word(&dkim.result)]));
    let spf = key.spf.iter();
    let spf = spf.map(|spf| {
        let scope = spf.scope.as_ref().map(SchemaWord::as_str);
        json!([text(&spf.domain), scope, word(&spf.result)])
    });
    json!({
        "source_ip": key.source_ip.to_string(),
        "count": row.count.to_string(),
        "disposition": word(&key.disposition),
        "dkim": word(&key.dkim_alignment),
        "spf": word(&key.spf_alignment),
        "reasons": reasons.collect::<Vec<_>>(),
        "header_from": text(&key.header_from),
        "envelope_from": key.envelope_from.as_deref().and_then(text),
        "envelope_to": key.envelope_to,
        "auth_dkim": dkim.collect::<Vec<_>>(),
        "auth_spf": spf.collect::<Vec<_>>(),
    })
}

/// Null when absent or empty.
fn text(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn word<T: Registered>(word: &SchemaWord<T>) -> Option<&str> {
    text(word.as_str())
}
