//! Failure reports of others: read as they come, with a note of all that is not as it should be
//! (RFC 9991, RFC 6591, RFC 5965 §4, §6).
//!
//! Anybody can send such a mail, and what it carries may be a live attack. So nothing is trusted that
//! the mail says of itself, nothing is followed, rendered or fetched, and the original message is kept
//! as octets ([`Original`]), for a store that expires and a reader who knows. Unknown fields and types
//! are kept out of the way (RFC 5965 §6). Not read: the text for people of a report that has fields
//! (§2: it is no evidence), and DKIM-Canonicalized-Header and -Body.

mod alignment;
mod deviation;
mod fields;
mod parts;
mod plain;

use std::net::IpAddr;

use landmarc_dmarc::evaluation::DmarcResult;
use landmarc_mail::message::{HeaderLimits, split};
use landmarc_mail::{Author, DomainName, HeaderSection};

pub use deviation::{FailureDeviation, FailureDeviationKind};

use landmarc_report::SchemaWord;
use landmarc_report::failure::{AuthFailure, DeliveryResult, IdentityAlignment};

/// The most of a mail that is read. The fields stand before the original message, so that what is cut
/// off is mostly the body of that.
pub const MAX_MAIL_OCTETS: usize = 1024 * 1024;
/// Lines of a mail that may begin a part (`--`). Each part costs memory.
pub const MAX_BOUNDARY_LINES: usize = 10_000;
/// Fields of a report that are read.
pub const MAX_FIELDS: usize = 200;
/// The longest value that is kept of a field.
pub const MAX_VALUE_OCTETS: usize = 4 * 1024;
/// The most that is kept of the original message.
pub const MAX_ORIGINAL_OCTETS: usize = 256 * 1024;

/// A failure report as received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceivedFailure {
    /// Whether it has fields for programs or is a text.
    pub form: FailureReportForm,
    /// Feedback-Type, in lower case: `auth-failure` for what this is about, `abuse` and others for what
    /// else comes in this form.
    pub feedback_type: Option<String>,
    /// User-Agent.
    pub user_agent: Option<String>,
    /// Version; `1.0` is 1.
    pub version: Option<u32>,
    /// Auth-Failure; dmarc where it is missing in a report of an authentication failure.
    pub auth_failure: Option<SchemaWord<AuthFailure>>,
    /// Authentication-Results, unfolded, unchecked.
    pub authentication_results: Option<String>,
    /// Identity-Alignment.
    pub identity_alignment: Option<IdentityAlignment>,
    /// Reported-Domain, each; else that of the From field of the original.
    pub reported_domains: Vec<DomainName>,
    /// Original-Envelope-Id.
    pub original_envelope_id: Option<String>,
    /// Original-Mail-From without angle brackets.
    pub original_mail_from: Option<String>,
    /// Original-Rcpt-To without angle brackets, each.
    pub original_rcpt_to: Vec<String>,
    /// Source-IP.
    pub source_ip: Option<IpAddr>,
    /// Source-Port.
    pub source_port: Option<u16>,
    /// Arrival-Date, or Received-Date.
    pub arrival_date: Option<ArrivalDate>,
    /// Reporting-MTA.
    pub reporting_mta: Option<String>,
    /// How many messages the report stands for: 1 where Incidents is missing.
    pub incidents: u32,
    /// Delivery-Result.
    pub delivery_result: Option<DeliveryResult>,
    /// DKIM-Domain.
    pub dkim_domain: Option<String>,
    /// DKIM-Identity.
    pub dkim_identity: Option<String>,
    /// DKIM-Selector.
    pub dkim_selector: Option<String>,
    /// DKIM-Selector-DNS, without its quotes.
    pub dkim_selector_dns: Option<String>,
    /// SPF-DNS: name and record, each.
    pub spf_records: Vec<(String, String)>,
    /// Reported-URI, each. Never to be fetched.
    pub reported_uris: Vec<String>,
    /// The original message.
    pub original: Option<Original>,
    /// The domain of the From field of the report mail.
    pub reporter: Option<DomainName>,
    /// The Message-ID of the report mail, without angle brackets.
    pub message_id: Option<String>,
}

/// How a failure report comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FailureReportForm {
    /// In the Abuse Reporting Format (RFC 5965).
    #[default]
    Arf,
    /// As a text for people, as Exim writes it.
    Text,
}

/// When the original message arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrivalDate {
    /// As written.
    pub text: String,
    /// In Unix seconds, if it can be read.
    pub seconds: Option<u64>,
}

/// The original message, or its header section. Hostile until shown otherwise: keep it apart, show it as
/// text, follow nothing in it (RFC 9991 §7.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Original {
    /// The media type of the part, in lower case: `message/rfc822`, `text/rfc822-headers`.
    pub media_type: String,
    /// At most [`MAX_ORIGINAL_OCTETS`] of it.
    pub octets: Vec<u8>,
}

impl Original {
    /// Its header section, if it has one.
    #[must_use]
    pub fn header(&self) -> Option<HeaderSection> {
        let parsed = split(&self.octets, &HeaderLimits::default()).ok()?;
        Some(parsed.header)
    }

    /// The domain of its From field, if that has exactly one.
    #[must_use]
    pub fn author_domain(&self) -> Option<DomainName> {
        author_domain(&self.octets)
    }
}

/// The Author Domain of a message, by the reading that refuses what is ambiguous.
fn author_domain(message: &[u8]) -> Option<DomainName> {
    let header = split(message, &HeaderLimits::default()).ok()?.header;
    match landmarc_mail::author::author(&header) {
        Author::Domain(domain) => Some(domain),
        Author::Domains(_) | Author::Unusable(_) => None,
    }
}

/// Why a mail is no failure report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAFailureReport {
    /// Nothing that can be read as a message.
    #[error("the mail has no header section")]
    NoMail,
    /// Over [`MAX_BOUNDARY_LINES`].
    #[error("the mail has more than {MAX_BOUNDARY_LINES} lines that may begin a part")]
    TooManyParts,
    /// Neither a part with fields nor a text of the known kind.
    #[error("the mail has no message/feedback-report and is no text of the known kind")]
    NoReport,
    /// RFC 5965 §4 lets malformed reports be refused, and there is nothing to keep of this one.
    #[error("the message/feedback-report has no fields")]
    NoFields,
}

/// How far a received report can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureTrust {
    /// The mail passed DMARC: it is from who it says, who may still say what he likes.
    Authenticated,
    /// Anybody can have made it (RFC 6591 §6.2): to be kept apart, and counted for nothing.
    Untrusted,
}

impl FailureTrust {
    /// By what DMARC came to for the mail that carried the report; none where nobody judged it.
    #[must_use]
    pub fn of(carrier: Option<&DmarcResult>) -> Self {
        match carrier {
            Some(DmarcResult::Pass(_)) => Self::Authenticated,
            _ => Self::Untrusted,
        }
    }
}

/// Reads a failure report out of the mail that carries it.
///
/// # Errors
/// [`NotAFailureReport`] when there is none in it. Whatever else is wrong is a [`FailureDeviation`].
pub fn read(mail: &[u8]) -> Result<(ReceivedFailure, Vec<FailureDeviation>), NotAFailureReport> {
    let mut deviations = Vec::new();
    let kept = mail.get(..MAX_MAIL_OCTETS).unwrap_or(mail);
    if kept.len() < mail.len() {
        deviations.push(FailureDeviation::missing(FailureDeviationKind::Cut));
    }
    let parts = parts::take_apart(kept)?;
    let mut report = match &parts.feedback {
        Some(feedback) => {
            if !parts.is_multipart_report {
                deviations.push(FailureDeviation::missing(
                    FailureDeviationKind::NotMultipartReport,
                ));
            }
            if feedback.is_encoded {
                deviations.push(FailureDeviation::missing(FailureDeviationKind::TransferEncoding));
            }
            fields::read(&feedback.text, &mut deviations).ok_or(NotAFailureReport::NoFields)?
        }
        None => {
            let text = parts.text.as_deref().ok_or(NotAFailureReport::NoReport)?;
            plain::read(text, &mut deviations).ok_or(NotAFailureReport::NoReport)?
        }
    };
    report.original = report.original.or(parts.original);
    report.reporter = parts.reporter;
    report.message_id = parts.message_id;
    complete(&mut report, &mut deviations);
    Ok((report, deviations))
}

/// Takes from the original message what the fields lack. RFC 5965 §2 has it as the better evidence.
fn complete(report: &mut ReceivedFailure, deviations: &mut Vec<FailureDeviation>) {
    if report.original.is_none() {
        deviations.push(FailureDeviation::missing(FailureDeviationKind::NoOriginal));
    }
    // RFC 5965 §3.3 has it optional in reports about abuse.
    let needs_domain = report.auth_failure.is_some() && report.reported_domains.is_empty();
    if needs_domain {
        deviations.push(FailureDeviation::missing(FailureDeviationKind::NoReportedDomain));
        let domain = report.original.as_ref().and_then(Original::author_domain);
        report.reported_domains.extend(domain);
    }
}

#[cfg(test)]
mod tests;
