//! The report mail that carries a failure report: three parts (RFC 5965 §2, RFC 6591 §3.1).

use landmarc_mail::DomainName;

use super::facts::ReportedDelivery;
use super::model::FailureReport;
use super::redact::{Profile, REDACTED};
use crate::address::Address;
use crate::date;
use crate::mime::{self, MimePart, Multipart, ReportMail, folded};
use crate::words::Registered;

/// What makes the reports, for User-Agent.
pub const USER_AGENT: &str = concat!("landmarc/", env!("CARGO_PKG_VERSION"));
/// The longest word of a value; RFC 5322 §2.1.1 has 998 octets for a line.
const MAX_WORD_OCTETS: usize = 900;
/// The most blanks that are kept between two words of a value, but for one.
const MAX_BLANKS: usize = 50;

/// Who sends a failure report to whom.
#[derive(Clone, Copy, Debug)]
pub struct FailureMailHead<'a> {
    /// The author, whose domain should pass DMARC in alignment (RFC 9991 §5.1).
    pub from: &'a Address,
    /// The author's name: any text, empty for none.
    pub display_name: &'a str,
    /// The one recipient.
    pub to: &'a Address,
    /// Who reports: the domain of the Message-ID.
    pub submitter: &'a DomainName,
    /// The Date, in Unix seconds.
    pub date: u64,
}

/// The report mail to one destination. Its octets follow from the report and the head alone.
#[must_use]
pub fn failure_mail(report: &FailureReport, head: &FailureMailHead<'_>) -> ReportMail {
    let (text, feedback) = (text(report), feedback(report));
    let subject = format!("FW: {}", report.subject.as_deref().unwrap_or(REDACTED));
    let mime_head = mime::MailHead {
        from: head.from,
        display_name: head.display_name,
        to: head.to,
        subject: &subject,
        date: head.date,
        message_id: &report.id().message_id(head.submitter, head.to),
    };
    let content = Multipart {
        subtype: "report",
        parameters: &[("report-type", "feedback-report")],
        parts: vec![
            MimePart::text(&text),
            MimePart::lines("message/feedback-report", &feedback),
            MimePart::lines("text/rfc822-headers", &report.header.text),
        ],
    };
    mime::compose(&mime_head, &content)
}

/// The part for programs. DKIM-Canonicalized-Header and -Body are never in it: RFC 6591 §3.2.4 excludes
/// them where anything is redacted, and a body is nothing we send.
fn feedback(report: &FailureReport) -> String {
    let mut fields = Fields::default();
    fields.add("Feedback-Type", "auth-failure");
    fields.add("User-Agent", USER_AGENT);
    fields.add("Version", "1");
    fields.add("Auth-Failure", report.auth_failure.word());
    fields.add("Authentication-Results", &report.authentication_results);
    fields.add("Identity-Alignment", &report.identity_alignment.to_string());
    if let Some(signature) = &report.signature {
        fields.add("DKIM-Domain", signature.domain.as_str());
        fields.add("DKIM-Identity", &signature.identity);
        fields.add_some("DKIM-Selector", signature.selector.as_deref());
        let key_record = signature.key_record.as_ref();
        fields.add_some(
            "DKIM-Selector-DNS",
            key_record.map(|text| quoted(text)).as_deref(),
        );
    }
    for (domain, record) in &report.spf_records {
        fields.add("SPF-DNS", &format!("txt : {domain} : {}", quoted(record)));
    }
    fields.add_some("Original-Envelope-Id", report.original_envelope_id.as_deref());
    let mail_from = report.original_mail_from.as_ref().map(|path| format!("<{path}>"));
    fields.add_some("Original-Mail-From", mail_from.as_deref());
    fields.add("Arrival-Date", &date::rfc5322(report.arrival_date));
    let source_ip = report.source_ip.map(|address| address.to_string());
    fields.add_some("Source-IP", source_ip.as_deref());
    let source_port = report.source_port.map(|port| port.to_string());
    fields.add_some("Source-Port", source_port.as_deref());
    let reporting_mta = report.reporting_mta.as_ref().map(|name| format!("dns; {name}"));
    fields.add_some("Reporting-MTA", reporting_mta.as_deref());
    fields.add("Reported-Domain", report.reported_domain.as_str());
    fields.add("Delivery-Result", report.delivery.as_str());
    if report.incidents > 1 {
        fields.add("Incidents", &report.incidents.to_string());
    }
    fields.text
}

/// Fields under each other, each folded and ended by CRLF.
#[derive(Default)]
struct Fields {
    text: String,
}

impl Fields {
    /// Adds a field. Whatever is not printable ASCII is replaced, so that no value can end its field.
    fn add(&mut self, name: &str, value: &str) {
        let printable: String = value
            .chars()
            .map(|c| if matches!(c, ' '..='~') { c } else { '?' })
            .collect();
        let words = words_of(&printable);
        let value = folded(name, words.iter().map(String::as_str));
        self.text.push_str(&format!("{name}:{value}\r\n"));
    }

    fn add_some(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }
}

/// The words of a text of ASCII. The blanks between two words belong to the second one, but for one of
/// them: so they all stay, and none ends a line.
fn words_of(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut blanks = String::new();
    for word in text.trim_ascii().split(' ') {
        if word.is_empty() {
            if blanks.len() < MAX_BLANKS {
                blanks.push(' ');
            }
            continue;
        }
        let pieces = word.as_bytes().chunks(MAX_WORD_OCTETS);
        for piece in pieces.filter_map(|piece| str::from_utf8(piece).ok()) {
            words.push(std::mem::take(&mut blanks) + piece);
        }
    }
    words
}

/// A text whose quotes and backslashes are escaped already, as a quoted string.
fn quoted(escaped: &str) -> String {
    format!("\"{escaped}\"")
}

/// The part for people.
fn text(report: &FailureReport) -> String {
    let source = report
        .source_ip
        .map_or_else(String::new, |address| format!(" from {address}"));
    let mut text = format!(
        "This is an authentication failure report for a message received{source}\n\
         on {}.\n\n\
         It says that it is from {}.\n",
        date::rfc5322(report.arrival_date),
        report.reported_domain,
    );
    for finding in &report.findings {
        text.push_str(&format!("  {finding}\n"));
    }
    text.push_str(match report.delivery {
        ReportedDelivery::Delivered => "The message was accepted.\n",
        ReportedDelivery::Policy => "The message was set aside for this failure.\n",
        ReportedDelivery::Reject => "The message was refused.\n",
        ReportedDelivery::Deferred => "The message was deferred.\n",
    });
    if report.incidents > 1 {
        text.push_str(&format!(
            "The report stands for {} messages that failed alike; the details are those of the last.\n",
            report.incidents
        ));
    }
    text.push('\n');
    text.push_str(match report.profile {
        Profile::Hashed => {
            "The header section follows. Names, subjects and free text are hidden, and each local\n\
             part of an address is replaced by a token: the same token for the same local part.\n"
        }
        Profile::Domains => {
            "The header section follows. Names, subjects, free text and the local parts of\n\
             addresses are hidden.\n"
        }
        Profile::None => "The header section follows.\n",
    });
    if report.header.is_cut {
        text.push_str("It is long, and only its beginning is shown.\n");
    }
    text.push_str(&format!(
        "\nIt was made because the DMARC record of {} asks for such reports (ruf).\n",
        report.policy_domain
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(value: &str) -> Vec<String> {
        let mut fields = Fields::default();
        fields.add("X", value);
        assert!(fields.text.ends_with("\r\n"));
        fields.text.split_terminator("\r\n").map(str::to_owned).collect()
    }

    #[test]
    fn no_value_ends_its_field() {
        assert_eq!(lines(" a\r\nBcc: b\0\u{e4}\t "), ["X: a??Bcc: b???"]);
        assert_eq!(lines(""), ["X:"]);
    }

    #[test]
    fn words_and_blanks_are_written_to_their_limits() {
        let word = "w".repeat(MAX_WORD_OCTETS);
        assert_eq!(lines(&word), [format!("X: {word}")]);
        assert_eq!(
            lines(&format!("{word}w")),
            [format!("X: {word}"), " w".to_owned()]
        );
        let apart = |blanks: usize| lines(&format!("a{}b", " ".repeat(blanks))).concat().len();
        assert_eq!(apart(1 + MAX_BLANKS), apart(1) + MAX_BLANKS);
        assert_eq!(apart(2 + MAX_BLANKS), apart(1) + MAX_BLANKS);
        let line = lines(&format!("a{}{word}", " ".repeat(2_000)));
        assert!(line.iter().all(|line| line.len() <= 998));
    }
}
