//! How large what is handed over to the outbox may be. What names something is never cut: it would name
//! something else. Only what was said in words is.

use std::collections::HashSet;

use landmarc_mail::text::visible;

use crate::error::StoreError;
use crate::limits::{
    MAX_BODY, MAX_DELIVERIES, MAX_DESTINATION, MAX_DESTINATIONS, MAX_FACTS, MAX_REASON, MAX_REPORTS,
    MAX_TEXT, MAX_WORD,
};
use crate::model::{NewDelivery, NewReport};

/// Whether a list or a text keeps within its limit.
pub(crate) fn within(what: &'static str, found: usize, limit: usize) -> Result<(), StoreError> {
    if found > limit {
        return Err(StoreError::TooLong { what, found, limit });
    }
    Ok(())
}

/// Whether all of them can be stored.
pub(crate) fn check_all(reports: &[NewReport]) -> Result<(), StoreError> {
    within("list of reports", reports.len(), MAX_REPORTS)?;
    let deliveries = reports.iter().map(|report| report.deliveries.len()).sum();
    within("list of deliveries", deliveries, MAX_DELIVERIES)?;
    reports.iter().try_for_each(check)
}

fn check(report: &NewReport) -> Result<(), StoreError> {
    let words = [
        ("report_id", &report.report_id, MAX_WORD),
        ("policy_domain", &report.policy_domain, MAX_WORD),
        ("configuration", &report.configuration, MAX_WORD),
        ("submitter", &report.submitter, MAX_WORD),
        ("email", &report.email, MAX_DESTINATION),
        ("file name", &report.file_name, MAX_TEXT),
        ("organization", &report.organization, MAX_TEXT),
        ("facts", &report.facts, MAX_FACTS),
    ];
    for (what, text, limit) in words {
        within(what, text.len(), limit)?;
    }
    within("body", report.body.len(), MAX_BODY)?;
    within("list of deliveries", report.deliveries.len(), MAX_DESTINATIONS)?;
    report.deliveries.iter().try_for_each(check_delivery)
}

fn check_delivery(delivery: &NewDelivery) -> Result<(), StoreError> {
    within("destination", delivery.destination.len(), MAX_DESTINATION)?;
    within("message_id", delivery.message_id.len(), MAX_TEXT)
}

/// The deliveries with none twice to one destination.
pub(crate) fn once_each(deliveries: &[NewDelivery]) -> impl Iterator<Item = &NewDelivery> {
    let mut seen = HashSet::new();
    deliveries
        .iter()
        .filter(move |delivery| seen.insert(delivery.destination.as_str()))
}

/// The host of an address, in lower case: what is behind the last `@`, or all of it.
pub(crate) fn host_of(destination: &str) -> String {
    let host = destination.rsplit_once('@').map_or(destination, |(_, host)| host);
    host.to_ascii_lowercase()
}

/// What strangers said, fit to be shown on a line: control characters escaped, and no longer than
/// [`MAX_REASON`](crate::MAX_REASON).
pub(crate) fn reason(said: &str) -> String {
    let mut text = String::new();
    for character in said.chars() {
        let mut octets = [0; 4];
        let shown = visible(character.encode_utf8(&mut octets));
        if text.len() + shown.len() > MAX_REASON {
            break;
        }
        text.push_str(&shown);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_said_is_one_line_of_bounded_length() {
        assert_eq!(reason("250 2.0.0 Ok: é"), "250 2.0.0 Ok: é");
        assert_eq!(reason("a\r\nb\0\u{1b}[1m"), "a\\r\\nb\\u{0}\\u{1b}[1m");
        assert_eq!(reason("\u{202e}x\u{85}"), "\\u{202e}x\\u{85}");
        let at = "x".repeat(MAX_REASON);
        assert_eq!(reason(&at), at);
        assert_eq!(reason(&format!("{at}y")), at);
        // No character and no escape is cut in two.
        assert_eq!(
            reason(&format!("{}é", "x".repeat(MAX_REASON - 1))).len(),
            MAX_REASON - 1
        );
        assert_eq!(
            reason(&format!("{}\n", "x".repeat(MAX_REASON - 1))).len(),
            MAX_REASON - 1
        );
    }

    #[test]
    fn the_host_is_behind_the_last_at() {
        assert_eq!(host_of("dmarc@Example.COM"), "example.com");
        assert_eq!(host_of("\"a@b\"@example.com"), "example.com");
        assert_eq!(host_of("@example.com"), "example.com");
        assert_eq!(host_of("nothing"), "nothing");
    }

    #[test]
    fn nobody_gets_one_report_twice() {
        let to = |destination: &str| NewDelivery {
            destination: destination.to_owned(),
            message_id: String::new(),
            next_ms: 0,
        };
        let all = [to("a@example.com"), to("b@example.com"), to("a@example.com")];
        let kept: Vec<_> = once_each(&all).map(|one| one.destination.as_str()).collect();
        assert_eq!(kept, ["a@example.com", "b@example.com"]);
    }
}
