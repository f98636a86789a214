//! What is taken of a message when it is judged, so that a failure report can be made of it later.

use std::net::IpAddr;

use landmarc_auth::dkim::tags::{TagList, squeeze};
use landmarc_auth::dkim::{DkimOutcome, DkimResult};
use landmarc_auth::lookup::{AskedQuestion, DnsName, RecordType};
use landmarc_auth::spf::{SpfOutcome, SpfResult, SpfTerm};
use landmarc_dmarc::discovery::Discovery;
use landmarc_dmarc::evaluation::{DmarcResult, Evaluation};
use landmarc_dmarc::record::{AssessmentPolicy, FailureOptions, Mode, Psd, ReportUri};
use landmarc_mail::{DomainName, HeaderField, HeaderSection, ReversePath};
use landmarc_receiver::Judgement;
use landmarc_receiver::action::SmtpAction;

/// Octets of the header section that are kept: four times what mail of good faith has. A report is
/// about how a message failed, not an archive of it.
pub const MAX_HEADER_OCTETS: usize = 64 * 1024;
/// Header fields that are kept.
pub const MAX_HEADER_FIELDS: usize = 500;
/// Signatures that are kept: as many as are verified.
pub const MAX_SIGNATURES: usize = 10;
/// SPF records that are kept: that of the domain, and one for each of the ten terms of RFC 7208 §4.6.4.
pub const MAX_SPF_RECORDS: usize = 11;
/// The longest key record that is kept; one with an RSA key of 4,096 bits has some 750 octets.
pub const MAX_KEY_RECORD_OCTETS: usize = 900;
/// The longest queue id that is kept.
pub const MAX_QUEUE_ID_OCTETS: usize = 100;

/// All of one message that a failure report about it may need. Holds addresses: it is never stored,
/// and what goes out of it goes through [`Redactor`](super::Redactor).
#[derive(Clone, Debug)]
pub struct FailureFacts {
    /// When and where it came to us.
    pub moment: MtaFacts,
    /// The client.
    pub source_ip: Option<IpAddr>,
    /// The reverse-path.
    pub mail_from: ReversePath,
    /// The Author Domain.
    pub author_domain: DomainName,
    /// The DMARC Policy Domain: whoever published the record.
    pub policy_domain: DomainName,
    /// When its owner wants failure reports.
    pub failure_options: FailureOptions,
    /// Where they are wanted.
    pub failure_uris: Vec<ReportUri>,
    /// Whether it is a public suffix.
    pub psd: Psd,
    /// What the record says for the Author Domain, before test mode.
    pub policy_published: Option<AssessmentPolicy>,
    /// What we found.
    pub dmarc: DmarcResult,
    /// Whether DKIM gave an aligned pass.
    pub dkim_aligned: bool,
    /// Whether SPF did.
    pub spf_aligned: bool,
    /// The signatures, at most [`MAX_SIGNATURES`]: those of the Author Domain first, then those that
    /// relaxed alignment would do for, of each kind the topmost first.
    pub signatures: Vec<SignatureFacts>,
    /// SPF of MAIL FROM.
    pub spf: SpfFacts,
    /// What became of the message.
    pub delivery: ReportedDelivery,
    /// The header section as received.
    pub header: HeaderCopy,
}

/// What of a message is known only where the MTA is spoken to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MtaFacts {
    /// When it arrived, in Unix seconds.
    pub arrived: u64,
    /// Its ENVID or our queue id; empty for none.
    pub queue_id: String,
    /// Our authserv-id.
    pub authserv_id: String,
    /// Our host; where there is none, the authserv-id stands in for it if it is a name.
    pub reporting_mta: Option<DomainName>,
    /// The port of the client.
    pub source_port: Option<u16>,
    /// The forward-paths, as far as somebody kept them: so that they are hidden wherever they stand.
    /// They are never written.
    pub recipients: Vec<Vec<u8>>,
    /// Whether one of the recipients is an address of ours that takes or sends reports.
    pub is_to_us: bool,
}

/// What one signature came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureFacts {
    /// `d=`.
    pub domain: DomainName,
    /// `s=`.
    pub selector: Option<String>,
    /// `i=` as signed, without white space, where the field was kept and has one.
    pub identity: Option<String>,
    /// The result.
    pub result: DkimResult,
    /// Only the body is not what was signed.
    pub body_only_broken: bool,
    /// How it agrees with the Author Domain, whether it passed or not.
    pub agreement: Agreement,
    /// The key record: printable ASCII, backslashes and quotes escaped.
    pub key_record: Option<String>,
}

/// How the domain of a mechanism agrees with the Author Domain, as far as that can be said without
/// further questions: a domain that failed is not walked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Agreement {
    /// It is the same name.
    Same,
    /// It is of the same Organizational Domain, and relaxed alignment is asked for.
    Relaxed,
    /// It is another's, or strict alignment is asked for.
    None,
}

impl Agreement {
    /// Whether it would be aligned, had the mechanism passed.
    #[must_use]
    pub fn is_aligned(self) -> bool {
        self != Self::None
    }
}

/// What SPF of MAIL FROM came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpfFacts {
    /// The domain checked.
    pub domain: Option<DomainName>,
    /// The result.
    pub result: SpfResult,
    /// How the domain agrees with the Author Domain.
    pub agreement: Agreement,
    /// Each record used and the name it stands at, in the order of use; local parts that macros put
    /// into names are left out of them. Printable ASCII, backslashes and quotes escaped.
    pub records: Vec<(String, String)>,
}

/// What became of the message, in the words of RFC 6591 §3.2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportedDelivery {
    /// It was accepted.
    Delivered,
    /// It was set aside for its failure.
    Policy,
    /// It was refused.
    Reject,
    /// It was deferred: it comes again, and is judged again.
    Deferred,
}

impl ReportedDelivery {
    /// The word for Delivery-Result.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Policy => "policy",
            Self::Reject => "reject",
            Self::Deferred => "other",
        }
    }
}

impl From<&SmtpAction> for ReportedDelivery {
    fn from(step: &SmtpAction) -> Self {
        match step {
            SmtpAction::Accept => Self::Delivered,
            SmtpAction::Quarantine(..) => Self::Policy,
            SmtpAction::Reject(_) => Self::Reject,
            SmtpAction::TempFail(_) => Self::Deferred,
        }
    }
}

impl FailureFacts {
    /// Takes the facts of a judged message; none where no DMARC Policy Record was applied.
    #[must_use]
    pub fn of(judgement: &Judgement, header: HeaderCopy, moment: MtaFacts) -> Option<Self> {
        let evaluation = judgement.evaluation()?;
        let Discovery::Applies(at) = &evaluation.discovery else {
            return None;
        };
        let record = &at.record;
        let signatures = judgement.dkim.iter().filter_map(|result| {
            let agreement = agreement(result.domain.as_ref()?, evaluation, record.dkim_mode);
            SignatureFacts::of(result, agreement, &judgement.asked, &header)
        });
        let mut signatures: Vec<_> = signatures.collect();
        signatures.sort_by_key(|signature| signature.agreement);
        signatures.truncate(MAX_SIGNATURES);
        Some(Self {
            source_ip: judgement.envelope.client,
            mail_from: judgement.envelope.mail_from.clone(),
            author_domain: evaluation.author_domain.clone(),
            policy_domain: at.domain.clone(),
            failure_options: record.failure_options,
            failure_uris: record.failure_uris.clone(),
            psd: record.psd,
            policy_published: evaluation.policy_published,
            dmarc: evaluation.result.clone(),
            dkim_aligned: evaluation.dkim_aligned,
            spf_aligned: evaluation.spf_aligned,
            signatures,
            spf: SpfFacts::of(&judgement.spf.mail_from, evaluation, record.spf_mode),
            delivery: ReportedDelivery::from(&judgement.action.smtp),
            moment: moment.with_recipients(&judgement.envelope.rcpt_to),
            header,
        })
    }
}

impl MtaFacts {
    fn with_recipients(mut self, paths: &[Vec<u8>]) -> Self {
        self.recipients.extend_from_slice(paths);
        let end = self.queue_id.floor_char_boundary(MAX_QUEUE_ID_OCTETS);
        self.queue_id.truncate(end);
        self
    }
}

impl SignatureFacts {
    fn of(
        result: &DkimOutcome,
        agreement: Agreement,
        asked: &[AskedQuestion],
        header: &HeaderCopy,
    ) -> Option<Self> {
        let domain = result.domain.clone()?;
        let key_record = result
            .selector
            .as_deref()
            .and_then(|selector| key_record(selector, &domain, asked));
        Some(Self {
            selector: result.selector.clone(),
            identity: header.fields.get(result.field_index).and_then(identity),
            result: result.result,
            body_only_broken: result.body_only_broken,
            agreement,
            key_record,
            domain,
        })
    }
}

/// `i=` of a signature, where it is plain text.
fn identity(field: &HeaderField) -> Option<String> {
    if !field.is("DKIM-Signature") {
        return None;
    }
    let tags = TagList::parse(field.value()).ok()?;
    // RFC 6376 §3.5 has it in its own quoted-printable. What needs that is nothing to show.
    let plain = squeeze(tags.value("i")?);
    let is_plain = |octet: &u8| octet.is_ascii_graphic() && *octet != b'=';
    let text = String::from_utf8(plain).ok()?;
    text.as_bytes().iter().all(is_plain).then_some(text)
}

/// What DNS answered for the key, when it was one record and asked for at all.
fn key_record(selector: &str, domain: &DomainName, asked: &[AskedQuestion]) -> Option<String> {
    let name = DnsName::below(&format!("{selector}._domainkey"), domain)?;
    let asked = asked
        .iter()
        .find(|asked| asked.question.record_type == RecordType::Txt && asked.question.name == name)?;
    let text = asked.answer.as_ref()?.texts().next()?;
    (text.len() <= MAX_KEY_RECORD_OCTETS).then(|| text.escape_ascii().to_string())
}

impl SpfFacts {
    fn of(outcome: &SpfOutcome, evaluation: &Evaluation, mode: Mode) -> Self {
        let agreement = outcome
            .domain
            .as_ref()
            .map_or(Agreement::None, |domain| agreement(domain, evaluation, mode));
        let mut records: Vec<(String, String)> = Vec::new();
        for step in &outcome.steps {
            let domain = step.domain.to_string();
            if let SpfTerm::Record(text) = &step.term
                && records.len() < MAX_SPF_RECORDS
                && !records.iter().any(|(known, _)| *known == domain)
            {
                records.push((domain, text.to_string()));
            }
        }
        Self {
            domain: outcome.domain.clone(),
            result: outcome.result,
            agreement,
            records,
        }
    }
}

fn agreement(domain: &DomainName, evaluation: &Evaluation, mode: Mode) -> Agreement {
    let author = &evaluation.author_domain;
    let organization = evaluation.organizational_domain.as_ref().unwrap_or(author);
    if domain == author {
        Agreement::Same
    } else if mode == Mode::Relaxed && domain.is_at_or_below(organization) {
        Agreement::Relaxed
    } else {
        Agreement::None
    }
}

/// The header section of a message as received, cut at a field where it is over
/// [`MAX_HEADER_OCTETS`] or [`MAX_HEADER_FIELDS`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderCopy {
    pub(super) fields: Vec<HeaderField>,
    /// Whether the message has more fields than these.
    pub is_cut: bool,
    /// Whether the message says that nobody wrote it (RFC 3834 §5).
    pub is_automatic: bool,
    /// Whether the message is a `multipart/report` of whatever kind (RFC 6522): a feedback report, a
    /// bounce, a receipt.
    pub is_report: bool,
}

impl HeaderCopy {
    /// Copies what is kept of the header section, and notes what of the rest matters.
    #[must_use]
    pub fn of(section: &HeaderSection) -> Self {
        let mut octets = 0_usize;
        let fits = |field: &&HeaderField| {
            octets = octets.saturating_add(field.wire_len());
            octets <= MAX_HEADER_OCTETS
        };
        let fields: Vec<HeaderField> = section
            .fields()
            .iter()
            .take(MAX_HEADER_FIELDS)
            .take_while(fits)
            .cloned()
            .collect();
        let is_report = |(_, field): (usize, &HeaderField)| is_report_type(field.value());
        let is_automatic = |(_, field): (usize, &HeaderField)| is_automatic(field.value());
        Self {
            is_cut: fields.len() < section.fields().len() || section.is_cut(),
            fields,
            is_automatic: section.named("Auto-Submitted").any(is_automatic),
            is_report: section.named("Content-Type").any(is_report),
        }
    }
}

/// RFC 3834 §5: anything but `no`, parameters and comments aside.
fn is_automatic(value: &[u8]) -> bool {
    !before_parameters(value).trim_ascii().eq_ignore_ascii_case(b"no")
}

fn is_report_type(value: &[u8]) -> bool {
    squeeze(before_parameters(value)).eq_ignore_ascii_case(b"multipart/report")
}

/// The value of a field up to its parameters, or to a comment.
pub(super) fn before_parameters(value: &[u8]) -> &[u8] {
    let mut parts = value.split(|octet| b";(".contains(octet));
    parts.next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use landmarc_mail::message::HeaderLimits;

    use super::*;

    fn section(fields: &[(&str, &str)]) -> HeaderSection {
        let mut section = HeaderSection::default();
        for (name, value) in fields {
            let field = HeaderField::new(name.as_bytes(), value.as_bytes());
            section.push(field, &HeaderLimits::default());
        }
        section
    }

    #[test]
    fn fr26_fr27_what_the_header_says_of_itself_is_noted() {
        let of = |name, value| HeaderCopy::of(&section(&[(name, value)]));
        for kind in [
            " multipart/report; report-type=feedback-report",
            " Multipart / Report",
        ] {
            assert!(of("Content-Type", kind).is_report, "{kind}");
        }
        assert!(!of("Content-Type", " multipart/mixed; x=multipart/report").is_report);
        for (value, expected) in [
            (" auto-replied", true),
            (" auto-generated; x=no", true),
            ("", true),
            (" no", false),
            (" NO (really)", false),
        ] {
            assert_eq!(of("Auto-Submitted", value).is_automatic, expected, "{value}");
        }
    }

    #[test]
    fn the_copy_ends_at_the_field_that_does_not_fit() {
        // Name, colon and CRLF make four octets of each field.
        let half = "x".repeat(MAX_HEADER_OCTETS / 2 - 4);
        let at_limit = HeaderCopy::of(&section(&[("A", &half), ("B", &half)]));
        assert_eq!((at_limit.fields.len(), at_limit.is_cut), (2, false));
        let past_it = HeaderCopy::of(&section(&[("A", &half), ("BB", &half), ("C", "")]));
        assert_eq!((past_it.fields.len(), past_it.is_cut), (1, true));
    }

    #[test]
    fn the_copy_ends_after_the_last_field_that_is_counted() {
        for (count, is_cut) in [(MAX_HEADER_FIELDS, false), (MAX_HEADER_FIELDS + 1, true)] {
            let copy = HeaderCopy::of(&section(&vec![("A", ""); count]));
            assert_eq!((copy.fields.len(), copy.is_cut), (MAX_HEADER_FIELDS, is_cut));
        }
    }

    #[test]
    fn an_identity_is_shown_when_it_is_plain() {
        let of = |value: &str| identity(&HeaderField::new(*b"DKIM-Signature", value.as_bytes()));
        assert_eq!(
            of(" v=1; i=joe@ mail.example; d=x").as_deref(),
            Some("joe@mail.example")
        );
        assert_eq!(of(" v=1; i=j=20oe@mail.example"), None);
        assert_eq!(of(" v=1; d=x"), None);
        assert_eq!(identity(&HeaderField::new(*b"Subject", *b" i=a@b")), None);
    }
}
