//! Failure reports that are a text for people, as Exim, cPanel and SpamExperts send them.

use landmarc_mail::DomainName;
use landmarc_report::failure::AuthFailure;

use super::deviation::{FailureDeviation, FailureDeviationKind};
use super::fields::arrival_date;
use super::{
    FailureReportForm, IdentityAlignment, MAX_FIELDS, MAX_ORIGINAL_OCTETS, Original, ReceivedFailure,
};

/// How each of them begins, folds aside.
const BEGINNING: &str = "a message claiming to be from you has failed the published dmarc policy";
/// What stands in the line after which the original header section follows.
const MARKERS: [&str; 4] = ["---", "original message", "headers", "detected."];

/// Reads such a text; none where it is something else.
pub(super) fn read(text: &str, deviations: &mut Vec<FailureDeviation>) -> Option<ReceivedFailure> {
    let start = text.get(..text.floor_char_boundary(1_000)).unwrap_or_default();
    let words: Vec<String> = start.split_whitespace().map(str::to_ascii_lowercase).collect();
    if !words.join(" ").contains(BEGINNING) {
        return None;
    }
    deviations.push(FailureDeviation::missing(FailureDeviationKind::TextOnly));
    let mut report = ReceivedFailure {
        form: FailureReportForm::Text,
        auth_failure: Some(AuthFailure::Dmarc.into()),
        incidents: 1,
        ..ReceivedFailure::default()
    };
    let mut alignment = Alignment::default();
    let mut rest = text;
    let mut has_fields = false;
    // The fields come after a paragraph and end before the line that announces the headers.
    for _ in 0..MAX_FIELDS {
        let Some((line, after)) = rest.split_once('\n') else {
            break;
        };
        rest = after;
        if has_fields && is_marker(line) {
            report.original = original(rest);
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            has_fields |= take(&mut report, &mut alignment, name.trim(), value.trim());
        }
    }
    report.identity_alignment = alignment.found();
    has_fields.then_some(report)
}

/// What is said of each mechanism: whether it aligned.
#[derive(Default)]
struct Alignment {
    dkim: Option<bool>,
    spf: Option<bool>,
}

impl Alignment {
    fn found(&self) -> Option<IdentityAlignment> {
        let is_told = self.dkim.is_some() || self.spf.is_some();
        is_told.then_some(IdentityAlignment {
            dkim: self.dkim == Some(false),
            spf: self.spf == Some(false),
        })
    }
}

/// Takes a line; whether it is one of those that are known.
fn take(report: &mut ReceivedFailure, alignment: &mut Alignment, name: &str, value: &str) -> bool {
    match name.to_ascii_lowercase().as_str() {
        "sender domain" => report.reported_domains.extend(DomainName::parse(value).ok()),
        "sender ip address" => report.source_ip = value.parse().ok(),
        "received date" => report.arrival_date = Some(arrival_date(value)),
        "spf alignment" => alignment.spf = yes_or_no(value),
        "dkim alignment" => alignment.dkim = yes_or_no(value),
        "dmarc results" => {}
        _ => return false,
    }
    true
}

fn yes_or_no(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "pass" | "true" => Some(true),
        "no" | "fail" | "false" | "none" => Some(false),
        _ => None,
    }
}

fn is_marker(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    MARKERS.iter().any(|marker| lower.contains(marker))
}

fn original(text: &str) -> Option<Original> {
    let octets = text.trim_start_matches(['\r', '\n']).as_bytes();
    let kept = octets.get(..MAX_ORIGINAL_OCTETS).unwrap_or(octets);
    let found = Original {
        media_type: "text/rfc822-headers".to_owned(),
        octets: kept.to_vec(),
    };
    found.header().is_some().then_some(found)
}
