//! The fields of `message/feedback-report` (RFC 5965 §3, RFC 6591 §3, RFC 6692, RFC 9991 §4).

use std::net::IpAddr;

use landmarc_mail::DomainName;
use landmarc_mail::authres::AuthenticationResults;
use landmarc_report::SchemaWord;
use landmarc_report::failure::{AuthFailure, DeliveryResult};
use mail_parser::DateTime;

use super::deviation::{FailureDeviation, FailureDeviationKind as Kind};
use super::{ArrivalDate, MAX_FIELDS, MAX_VALUE_OCTETS, ReceivedFailure, alignment};
use crate::subject::without_brackets;

/// The one type of report that has an Auth-Failure.
const AUTH_FAILURE: &str = "auth-failure";

/// Reads the fields; none where there is not one.
pub(super) fn read(text: &str, deviations: &mut Vec<FailureDeviation>) -> Option<ReceivedFailure> {
    let fields = unfolded(text, deviations);
    if fields.is_empty() {
        return None;
    }
    let mut reader = Reader {
        report: ReceivedFailure {
            incidents: 1,
            ..ReceivedFailure::default()
        },
        received_date: None,
        deviations,
    };
    for (name, value) in &fields {
        reader.take(&name.to_ascii_lowercase(), value);
    }
    Some(reader.finish())
}

/// Names and values, folds undone, at most [`MAX_FIELDS`].
fn unfolded(text: &str, deviations: &mut Vec<FailureDeviation>) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let is_fold = line.starts_with([' ', '\t']);
        // Some put empty lines between the fields or before them.
        if line.trim().is_empty() {
            continue;
        }
        if let Some((_, value)) = fields.last_mut().filter(|_| is_fold) {
            let room = MAX_VALUE_OCTETS.saturating_sub(value.len());
            value.push_str(line.get(..line.floor_char_boundary(room)).unwrap_or_default());
            continue;
        }
        let name_and_value = line.split_once(':').filter(|(name, _)| is_name(name.trim_end()));
        match name_and_value {
            Some(_) if fields.len() == MAX_FIELDS => {
                deviations.push(FailureDeviation::new(Kind::TooManyFields, line));
                break;
            }
            Some((name, value)) => {
                let value = value
                    .get(..value.floor_char_boundary(MAX_VALUE_OCTETS))
                    .unwrap_or_default();
                fields.push((name.trim_end().to_owned(), value.to_owned()));
            }
            None => deviations.push(FailureDeviation::new(Kind::NotAField, line)),
        }
        if deviations.len() > MAX_FIELDS {
            break;
        }
    }
    fields
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic())
}

/// A report as its fields come in.
struct Reader<'a> {
    report: ReceivedFailure,
    received_date: Option<ArrivalDate>,
    deviations: &'a mut Vec<FailureDeviation>,
}

impl Reader<'_> {
    fn note(&mut self, kind: Kind, found: &str) {
        self.deviations.push(FailureDeviation::new(kind, found));
    }

    fn take(&mut self, name: &str, value: &str) {
        let value = value.trim();
        match name {
            "authentication-results" => self.authentication_results(value),
            "identity-alignment" => self.identity_alignment(value),
            "reported-domain" => self.reported_domain(value),
            "original-rcpt-to" => self
                .report
                .original_rcpt_to
                .push(without_brackets(value).to_owned()),
            "reported-uri" => self.report.reported_uris.push(value.to_owned()),
            "spf-dns" => self.spf_dns(value),
            _ => self.take_single(name, value),
        }
    }

    /// A field that stands once.
    fn take_single(&mut self, name: &str, value: &str) {
        let report = &mut self.report;
        let place = match name {
            "feedback-type" => &mut report.feedback_type,
            "user-agent" => &mut report.user_agent,
            "original-envelope-id" => &mut report.original_envelope_id,
            "original-mail-from" => &mut report.original_mail_from,
            "reporting-mta" => &mut report.reporting_mta,
            "dkim-domain" => &mut report.dkim_domain,
            "dkim-identity" => &mut report.dkim_identity,
            "dkim-selector" => &mut report.dkim_selector,
            "dkim-selector-dns" => &mut report.dkim_selector_dns,
            _ => return self.take_parsed(name, value),
        };
        if place.is_some() {
            return self.note(Kind::Repeated, name);
        }
        *place = match name {
            "feedback-type" => Some(without_comments(value).to_ascii_lowercase()),
            "original-mail-from" => Some(without_brackets(value).to_owned()),
            "dkim-selector-dns" => Some(unquoted(value)),
            _ => Some(value.to_owned()),
        };
    }

    /// A field whose value is more than a text. All others are unknown, and ignored (RFC 5965 §6).
    fn take_parsed(&mut self, name: &str, value: &str) {
        match name {
            "version" => self.version(value),
            "auth-failure" => self.auth_failure(value),
            "delivery-result" => self.delivery_result(value),
            "source-ip" => self.source_ip(value),
            "source-port" => self.source_port(value),
            "incidents" => self.incidents(value),
            "arrival-date" if self.report.arrival_date.is_none() => {
                self.report.arrival_date = Some(self.date(value));
            }
            "received-date" if self.received_date.is_none() => self.received_date = Some(self.date(value)),
            "arrival-date" | "received-date" => self.note(Kind::Repeated, name),
            _ => {}
        }
    }

    fn version(&mut self, value: &str) {
        let bare = without_comments(value);
        let whole = bare.split_once('.').map_or(&*bare, |(whole, _)| whole);
        self.report.version = whole.parse().ok();
        if bare != "1" {
            self.note(Kind::Version, value);
        }
    }

    fn auth_failure(&mut self, value: &str) {
        let found = SchemaWord::read(&without_comments(value).to_ascii_lowercase());
        if found.known().is_none() {
            self.note(Kind::AuthFailure, value);
        }
        if self.report.auth_failure.is_some() {
            return self.note(Kind::Repeated, "auth-failure");
        }
        self.report.auth_failure = Some(found);
    }

    fn delivery_result(&mut self, value: &str) {
        let found = SchemaWord::read(&without_comments(value).to_ascii_lowercase()).known();
        if found.is_none() {
            self.note(Kind::DeliveryResult, value);
        }
        self.report.delivery_result = found.or(Some(DeliveryResult::Other));
    }

    fn authentication_results(&mut self, value: &str) {
        if self.report.authentication_results.is_some() {
            return self.note(Kind::Repeated, "authentication-results");
        }
        if AuthenticationResults::parse(value.as_bytes()).is_err() {
            self.note(Kind::AuthenticationResults, value);
        }
        self.report.authentication_results = Some(value.to_owned());
    }

    fn identity_alignment(&mut self, value: &str) {
        if self.report.identity_alignment.is_some() {
            return self.note(Kind::Repeated, "identity-alignment");
        }
        self.report.identity_alignment = alignment::read(value, self.deviations);
    }

    fn reported_domain(&mut self, value: &str) {
        match DomainName::parse(&without_comments(value)) {
            Ok(domain) => self.report.reported_domains.push(domain),
            Err(_) => self.note(Kind::ReportedDomain, value),
        }
    }

    fn source_ip(&mut self, value: &str) {
        let bare = without_comments(value);
        let inner = bare.trim_start_matches('[').trim_end_matches(']');
        let address = inner
            .strip_prefix("IPv6:")
            .unwrap_or(inner)
            .parse::<IpAddr>()
            .ok();
        if address.is_none() || bare != value || inner != bare {
            self.note(Kind::SourceIp, value);
        }
        self.report.source_ip = self.report.source_ip.or(address);
    }

    fn source_port(&mut self, value: &str) {
        match without_comments(value).parse() {
            Ok(port) => self.report.source_port = Some(port),
            Err(_) => self.note(Kind::SourcePort, value),
        }
    }

    fn incidents(&mut self, value: &str) {
        match without_comments(value).parse() {
            Ok(count @ 1..) => self.report.incidents = count,
            _ => self.note(Kind::Incidents, value),
        }
    }

    /// `txt : domain : "record"`.
    fn spf_dns(&mut self, value: &str) {
        let mut pieces = value.splitn(3, ':').map(str::trim);
        match (pieces.next(), pieces.next(), pieces.next()) {
            (Some(_), Some(domain), Some(record)) => {
                let record = unquoted(record);
                self.report
                    .spf_records
                    .push((domain.to_ascii_lowercase(), record));
            }
            _ => self.note(Kind::SpfDns, value),
        }
    }

    fn date(&mut self, value: &str) -> ArrivalDate {
        let found = arrival_date(value);
        if found.seconds.is_none() {
            self.note(Kind::Date, value);
        }
        found
    }

    /// What is missing, now that all is there.
    fn finish(mut self) -> ReceivedFailure {
        match (self.report.arrival_date.is_some(), self.received_date.take()) {
            (true, Some(other)) => self.note(Kind::TwoDates, &other.text),
            (false, date) => self.report.arrival_date = date,
            (true, None) => {}
        }
        let report = &mut self.report;
        let is_auth_failure = report
            .feedback_type
            .as_deref()
            .is_none_or(|kind| kind == AUTH_FAILURE);
        let missing = [
            (report.feedback_type.is_none(), Kind::NoFeedbackType),
            (report.user_agent.is_none(), Kind::NoUserAgent),
            (report.version.is_none(), Kind::Version),
            (
                is_auth_failure && report.auth_failure.is_none(),
                Kind::NoAuthFailure,
            ),
            (
                is_auth_failure && report.authentication_results.is_none(),
                Kind::NoAuthenticationResults,
            ),
        ];
        if is_auth_failure && report.auth_failure.is_none() {
            report.auth_failure = Some(AuthFailure::Dmarc.into());
        }
        let is_dmarc = report.auth_failure == Some(AuthFailure::Dmarc.into());
        let lacks_alignment = is_dmarc && report.identity_alignment.is_none();
        let missing = missing
            .into_iter()
            .chain([(lacks_alignment, Kind::NoIdentityAlignment)]);
        for (_, kind) in missing.filter(|(is_missing, _)| *is_missing) {
            if !self.deviations.iter().any(|deviation| deviation.kind == kind) {
                self.deviations.push(FailureDeviation::missing(kind));
            }
        }
        self.report
    }
}

/// A date of RFC 5322, as written and in seconds.
pub(super) fn arrival_date(value: &str) -> ArrivalDate {
    // What stands before 1970 is no date of a mail.
    let parsed = DateTime::parse_rfc822(value).filter(DateTime::is_valid);
    ArrivalDate {
        text: value.to_owned(),
        seconds: parsed.and_then(|date| u64::try_from(date.to_timestamp()).ok()),
    }
}

/// The text before the first comment.
fn without_comments(value: &str) -> String {
    value.split('(').next().unwrap_or_default().trim().to_owned()
}

/// The content of a quoted string, or the text as it is.
fn unquoted(value: &str) -> String {
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner else {
        return value.to_owned();
    };
    let mut content = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        content.extend(if character == '\\' {
            characters.next()
        } else {
            Some(character)
        });
    }
    content
}
