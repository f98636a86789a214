//! The report mail that carries an aggregate report (RFC 9990 §3.5.1, §3.5.2).
//!
//! One report mail has one recipient. It is not signed in here: DKIM needs keys, and whoever delivers it
//! puts the signature on top.

use landmarc_mail::DomainName;

use crate::address::Address;
use crate::mime::{MailHead, MimePart, Multipart, ReportMail, base64_octets, compose};
use crate::report_id::{ReportId, file_name, subject};

/// Room for all of a report mail but its attachment: header fields, boundaries, text for people, signatures.
const OVERHEAD_OCTETS: usize = 16 * 1024;

/// What a report mail with an aggregate report says. Its octets follow from this, the destination and the
/// attachment alone: RFC 9990 §3.5.4 wants a report that is sent again to be the same.
#[derive(Clone, Copy, Debug)]
pub struct AggregateMailFacts<'a> {
    /// The author, whose domain must pass DMARC in alignment (RFC 9990 §3.5.2).
    pub from: &'a Address,
    /// The author's name: any text, empty for none.
    pub organization: &'a str,
    /// Who reports.
    pub submitter: &'a DomainName,
    /// About which DMARC Policy Domain.
    pub policy_domain: &'a DomainName,
    /// The Report-ID.
    pub report_id: &'a ReportId,
    /// The first second of the period, since 1970.
    pub begin: u64,
    /// The last second of the period.
    pub end: u64,
    /// The Date of the report mail, in seconds since 1970: fixed when the report is made, whenever it is sent.
    pub date: u64,
    /// What a person reads, as [`ReportSummary::text`](crate::summary::ReportSummary::text) writes it: kept with the
    /// report, for a later version of this program may word it otherwise.
    pub text: &'a str,
}

/// The report mail to one destination, with the compressed report attached.
#[must_use]
pub fn aggregate_mail(facts: &AggregateMailFacts<'_>, destination: &Address, gzip: &[u8]) -> ReportMail {
    let AggregateMailFacts {
        submitter,
        policy_domain,
        report_id,
        ..
    } = *facts;
    let file_name = file_name(submitter, policy_domain, facts.begin, facts.end, report_id);
    let head = MailHead {
        from: facts.from,
        display_name: facts.organization,
        to: destination,
        subject: &subject(policy_domain, submitter, report_id),
        date: facts.date,
        message_id: &report_id.message_id(submitter, destination),
    };
    let content = Multipart {
        subtype: "mixed",
        parameters: &[],
        parts: vec![
            MimePart::text(facts.text),
            MimePart::file("application/gzip", &file_name, gzip),
        ],
    };
    compose(&head, &content)
}

/// The most octets that a report mail with an attachment of this size has, signed or not.
#[must_use]
pub fn mail_size(gzip_octets: usize) -> usize {
    base64_octets(gzip_octets).saturating_add(OVERHEAD_OCTETS)
}
