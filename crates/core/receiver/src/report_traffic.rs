//! Mail that is itself about reports, and so is no cause for another one (decision D18).
//!
//! Two systems that report about each other's reports exchange a message a day forever: RFC 9990 has
//! no rule against it. Such messages are counted like all others, but marked; a domain that sent
//! nothing else gets no report. Deliberately knows no body: that an aggregate report is one is seen
//! from its Subject, whose grammar the reader of reports knows.

use landmarc_mail::message::HeaderSection;
use landmarc_mail::{DomainName, ReversePath};

/// Octets of a Content-Type that are looked at. The parameter that matters stands at its beginning;
/// boundaries are at most 70 octets long (RFC 2046 §5.1.1).
const MAX_CONTENT_TYPE_OCTETS: usize = 1024;

/// Our own addresses that reports come from and go to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportAddresses(Vec<OwnReportAddress>);

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnReportAddress {
    /// Left of the `@`; in either case, for these are mailboxes of the operator's own.
    pub local_part: String,
    /// Right of it.
    pub domain: DomainName,
    /// What an extension of the local part begins with, where the address may have one: bounces of
    /// our messages come to such addresses.
    pub delimiter: Option<char>,
}

impl ReportAddresses {
    /// These.
    #[must_use]
    pub fn new(addresses: Vec<OwnReportAddress>) -> Self {
        Self(addresses)
    }

    /// Whether the path of a recipient, or of a sender, is one of them.
    #[must_use]
    pub fn contain(&self, path: &ReversePath) -> bool {
        // Where nothing is reported there are none, and each recipient is asked about.
        if self.0.is_empty() {
            return false;
        }
        let (Some(local_part), Some(domain)) = (path.local_part(), path.domain()) else {
            return false;
        };
        self.0
            .iter()
            .any(|address| address.domain == domain && address.has_local_part(local_part))
    }
}

impl OwnReportAddress {
    fn has_local_part(&self, local_part: &[u8]) -> bool {
        let own = self.local_part.as_bytes();
        let Some((start, rest)) = local_part.split_at_checked(own.len()) else {
            return false;
        };
        let is_extension = |rest: &[u8]| {
            let first = rest.first().copied().map(char::from);
            first.is_some() && first == self.delimiter
        };
        start.eq_ignore_ascii_case(own) && (rest.is_empty() || is_extension(rest))
    }
}

/// Whether a message says that it is a feedback report: `multipart/report` with the `report-type`
/// `feedback-report` (RFC 5965 §2), as failure reports are.
#[must_use]
pub fn is_feedback_report(headers: &HeaderSection) -> bool {
    headers
        .named("Content-Type")
        .any(|(_, field)| is_feedback_report_type(field.value()))
}

fn is_feedback_report_type(value: &[u8]) -> bool {
    let value = value.get(..MAX_CONTENT_TYPE_OCTETS).unwrap_or(value);
    let mut parts = Parts(value);
    let is_report = parts.next().is_some_and(|part| is(part, b"multipart/report"));
    is_report
        && parts.any(|part| {
            let mut halves = part.splitn(2, |octet| *octet == b'=');
            let name = halves.next().unwrap_or_default();
            is(name, b"report-type") && halves.next().is_some_and(|value| is(value, b"feedback-report"))
        })
}

/// Whether a part is this word, in any case, with or without quotes and a comment behind it.
fn is(part: &[u8], word: &[u8]) -> bool {
    let part = part.split(|octet| *octet == b'(').next().unwrap_or_default();
    let part = part.trim_ascii();
    let bare = part.strip_prefix(b"\"").and_then(|part| part.strip_suffix(b"\""));
    bare.unwrap_or(part).eq_ignore_ascii_case(word)
}

/// What stands between the semicolons of a field; those in quotes part nothing.
struct Parts<'v>(&'v [u8]);

impl<'v> Iterator for Parts<'v> {
    type Item = &'v [u8];

    fn next(&mut self) -> Option<&'v [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let (mut is_quoted, mut is_escaped) = (false, false);
        let ends = |octet: &u8| {
            let ends = *octet == b';' && !is_quoted;
            is_quoted ^= *octet == b'"' && !is_escaped;
            is_escaped = *octet == b'\\' && is_quoted && !is_escaped;
            ends
        };
        let end = self.0.iter().position(ends).unwrap_or(self.0.len());
        let (part, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use landmarc_mail::message::{HeaderField, HeaderLimits};

    use super::*;

    fn addresses() -> ReportAddresses {
        let address = |local_part: &str, delimiter| OwnReportAddress {
            local_part: local_part.to_owned(),
            domain: DomainName::parse("reports.example.com").unwrap(),
            delimiter,
        };
        ReportAddresses::new(vec![address("dmarc", None), address("bounces", Some('+'))])
    }

    #[test]
    fn d18_our_addresses_are_known_in_either_case_and_with_their_extension() {
        for (path, expected) in [
            ("<dmarc@reports.example.com>", true),
            ("<DMARC@Reports.Example.COM>", true),
            ("<bounces@reports.example.com>", true),
            ("<bounces+r1abc@reports.example.com>", true),
            ("<bounces+@reports.example.com>", true),
            ("<dmarc+x@reports.example.com>", false),
            ("<bouncesx@reports.example.com>", false),
            ("<bounce@reports.example.com>", false),
            ("<dmarc@example.com>", false),
            ("<@reports.example.com>", false),
            ("<dmarc>", false),
            ("<>", false),
        ] {
            let path = ReversePath::new(path.as_bytes());
            assert_eq!(addresses().contain(&path), expected, "{path:?}");
            assert!(!ReportAddresses::default().contain(&path));
        }
    }

    fn is_report(value: &str) -> bool {
        let mut headers = HeaderSection::default();
        let field = HeaderField::new(*b"content-type", value.as_bytes());
        headers.push(field, &HeaderLimits::default());
        is_feedback_report(&headers)
    }

    #[test]
    fn fr26_a_feedback_report_is_known_by_its_type() {
        for value in [
            " multipart/report; report-type=feedback-report; boundary=b1",
            " Multipart/Report;\r\n\tboundary=\"a;b\\\";c\";\r\n\treport-type=\"Feedback-Report\"",
            "multipart/report;report-type = feedback-report (RFC 5965)",
            r#"multipart/report; x="\\"; report-type=feedback-report"#,
            r#"multipart/report; x="a\\"; report-type=feedback-report"#,
        ] {
            assert!(is_report(value), "{value}");
        }
        for value in [
            "",
            ";",
            " multipart/report",
            " multipart/report; report-type=delivery-status",
            " multipart/mixed; report-type=feedback-report",
            " multipart/report; boundary=\"; report-type=feedback-report\"",
            " multipart/report; boundary=\"; report-type=feedback-report",
            " multipart/report; report-type",
            r#"multipart/report; x=\"; report-type=feedback-report; y=""#,
        ] {
            assert!(!is_report(value), "{value}");
        }
        assert!(!is_feedback_report(&HeaderSection::default()));
    }

    #[test]
    fn a_type_is_read_up_to_its_limit() {
        let with_parameter_ending_at = |end: usize| {
            let (start, parameter) = ("multipart/report; x=", ";report-type=feedback-report");
            let filling = "x".repeat(end - start.len() - parameter.len());
            format!("{start}{filling}{parameter}")
        };
        assert!(is_report(&with_parameter_ending_at(MAX_CONTENT_TYPE_OCTETS)));
        assert!(!is_report(&with_parameter_ending_at(MAX_CONTENT_TYPE_OCTETS + 1)));
    }
}
