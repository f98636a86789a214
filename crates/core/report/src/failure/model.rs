//! One failure report as it is written: nothing in here still needs to be hidden.

use std::net::IpAddr;

use landmarc_auth::dkim::DkimResult;
use landmarc_auth::spf::SpfResult;
use landmarc_mail::DomainName;
use landmarc_mail::authres::{AuthenticationResults, ResultInfo};

use super::alignment::IdentityAlignment;
use super::facts::{Agreement, FailureFacts, ReportedDelivery, SignatureFacts};
use super::redact::{HeaderBlock, MessageRedaction, Profile, Redactor};
use super::request::Requested;
use super::words::AuthFailure;
use crate::report_id::{IdHasher, ReportId};
use crate::words::Registered;

/// A report about one message (RFC 9991 §4, RFC 6591 §3). The fields are named for those of the
/// `message/feedback-report` part that they become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureReport {
    /// Auth-Failure: the kind of report.
    pub auth_failure: AuthFailure,
    /// Authentication-Results: the value, unfolded, with the result of the one method that this kind is
    /// about (RFC 6591 §3.1). What the others found is in [`FailureReport::findings`].
    pub authentication_results: String,
    /// Identity-Alignment.
    pub identity_alignment: IdentityAlignment,
    /// Reported-Domain: the Author Domain.
    pub reported_domain: DomainName,
    /// The DMARC Policy Domain, for people.
    pub policy_domain: DomainName,
    /// Original-Envelope-Id.
    pub original_envelope_id: Option<String>,
    /// Original-Mail-From, without angle brackets.
    pub original_mail_from: Option<String>,
    /// Source-IP.
    pub source_ip: Option<IpAddr>,
    /// Source-Port (RFC 6692).
    pub source_port: Option<u16>,
    /// Arrival-Date, in Unix seconds.
    pub arrival_date: u64,
    /// Reporting-MTA.
    pub reporting_mta: Option<DomainName>,
    /// Incidents: how many messages the report stands for, at least 1.
    pub incidents: u32,
    /// Delivery-Result.
    pub delivery: ReportedDelivery,
    /// DKIM-Domain, -Identity, -Selector and -Selector-DNS.
    pub signature: Option<ReportedSignature>,
    /// SPF-DNS: the name and the record, for each record used.
    pub spf_records: Vec<(String, String)>,
    /// The original Subject, decoded, where it may be shown.
    pub subject: Option<String>,
    /// What each mechanism found, one sentence each, for people.
    pub findings: Vec<String>,
    /// The header section of the message.
    pub header: HeaderBlock,
    /// What was hidden of it.
    pub profile: Profile,
}

/// The one failed signature that a report names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedSignature {
    /// `d=`.
    pub domain: DomainName,
    /// `i=`, or `@` and `d=` where the signature has none.
    pub identity: String,
    /// `s=`.
    pub selector: Option<String>,
    /// The key record: printable ASCII, quotes and backslashes escaped.
    pub key_record: Option<String>,
}

impl FailureReport {
    /// The one report about a message, which merges the kinds asked for (RFC 9991 §3 leaves the choice):
    /// about DMARC where that is asked for, else about DKIM, else about SPF. `incidents` is how many
    /// messages it stands for, as [`Limiter::admit`](super::Limiter::admit) says.
    #[must_use]
    pub fn assemble(facts: &FailureFacts, requested: Requested, redactor: &Redactor, incidents: u32) -> Self {
        let moment = &facts.moment;
        let mut paths: Vec<&[u8]> = moment.recipients.iter().map(Vec::as_slice).collect();
        paths.push(facts.mail_from.as_bytes());
        let redaction = MessageRedaction::new(redactor, &facts.header, &paths);
        let signature = failed_signature(facts, requested);
        let auth_failure = auth_failure(requested, signature);
        Self {
            auth_failure,
            authentication_results: authentication_results(facts, auth_failure, signature),
            identity_alignment: requested.identity_alignment,
            reported_domain: facts.author_domain.clone(),
            policy_domain: facts.policy_domain.clone(),
            original_envelope_id: envelope_id(&moment.queue_id, &redaction),
            original_mail_from: mail_from(facts, &redaction),
            source_ip: facts.source_ip,
            source_port: moment.source_port,
            arrival_date: moment.arrived,
            reporting_mta: moment
                .reporting_mta
                .clone()
                .or_else(|| DomainName::parse(&moment.authserv_id).ok()),
            incidents: incidents.max(1),
            delivery: facts.delivery,
            signature: signature.map(|signature| ReportedSignature::of(signature, &redaction)),
            spf_records: spf_records(facts, auth_failure),
            subject: redaction.subject(&facts.header),
            findings: findings(facts),
            header: redaction.header_block(&facts.header),
            profile: redactor.profile(),
        }
    }

    /// Its id: derived from the message and how it was judged, so that the same report made again after
    /// a crash is known for what it is.
    #[must_use]
    pub fn id(&self) -> ReportId {
        let mut hash = IdHasher::new("landmarc failure report 1");
        let source_ip = self.source_ip.map(|address| address.to_string());
        let texts = [
            self.auth_failure.word(),
            &self.authentication_results,
            self.policy_domain.as_str(),
            self.original_envelope_id.as_deref().unwrap_or_default(),
            self.original_mail_from.as_deref().unwrap_or_default(),
            source_ip.as_deref().unwrap_or_default(),
            &self.header.text,
        ];
        for text in texts {
            hash.add(text.as_bytes());
        }
        hash.add(&self.arrival_date.to_be_bytes());
        ReportId::of(hash)
    }
}

impl ReportedSignature {
    fn of(signature: &SignatureFacts, redaction: &MessageRedaction<'_>) -> Self {
        let by_default = || format!("@{}", signature.domain);
        let identity = signature.identity.as_deref().and_then(|identity| {
            let (local_part, domain) = identity.rsplit_once('@')?;
            let domain = DomainName::parse(domain).ok()?;
            Some(match local_part {
                "" => format!("@{domain}"),
                _ => redaction.address(local_part.as_bytes(), &domain),
            })
        });
        Self {
            domain: signature.domain.clone(),
            identity: identity.unwrap_or_else(by_default),
            selector: signature.selector.clone(),
            key_record: signature.key_record.clone(),
        }
    }
}

/// The signature that the report names: of the failed ones that of the Author Domain first, then one
/// that relaxed alignment would do for; another's only in a report about DKIM.
fn failed_signature(facts: &FailureFacts, requested: Requested) -> Option<&SignatureFacts> {
    let is_about_dkim = requested.dkim && !requested.dmarc;
    facts
        .signatures
        .iter()
        .filter(|signature| signature.result != DkimResult::Pass)
        .filter(|signature| signature.agreement.is_aligned() || is_about_dkim)
        // The first of equals is taken.
        .min_by_key(|signature| signature.agreement)
}

fn auth_failure(requested: Requested, signature: Option<&SignatureFacts>) -> AuthFailure {
    match signature {
        Some(signature) if requested.dkim && !requested.dmarc => match signature.body_only_broken {
            true => AuthFailure::BodyHash,
            false => AuthFailure::Signature,
        },
        _ if requested.spf && !requested.dmarc => AuthFailure::Spf,
        _ => AuthFailure::Dmarc,
    }
}

fn authentication_results(
    facts: &FailureFacts,
    auth_failure: AuthFailure,
    signature: Option<&SignatureFacts>,
) -> String {
    let dmarc =
        || ResultInfo::new("dmarc", facts.dmarc.as_str()).with_domain("header", "from", &facts.author_domain);
    let dkim = |signature: &SignatureFacts| {
        let info = ResultInfo::new("dkim", signature.result.as_str());
        let info = info.with_domain("header", "d", &signature.domain);
        match &signature.selector {
            Some(selector) => info.with_value("header", "s", selector),
            None => info,
        }
    };
    let spf = || {
        let info = ResultInfo::new("spf", facts.spf.result.as_str());
        match &facts.spf.domain {
            Some(domain) => info.with_domain("smtp", "mailfrom", domain),
            None => info,
        }
    };
    let info = match (auth_failure, signature) {
        (AuthFailure::BodyHash | AuthFailure::Signature, Some(signature)) => dkim(signature),
        (AuthFailure::Spf, _) => spf(),
        _ => dmarc(),
    };
    let mut field = AuthenticationResults::new(&*facts.moment.authserv_id);
    field.results.push(info);
    let value = field.to_value();
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// One word of printable ASCII.
fn envelope_id(queue_id: &str, redaction: &MessageRedaction<'_>) -> Option<String> {
    let id: String = queue_id.chars().filter(char::is_ascii_graphic).collect();
    (!id.is_empty()).then(|| redaction.word(&id))
}

fn mail_from(facts: &FailureFacts, redaction: &MessageRedaction<'_>) -> Option<String> {
    let domain = facts.mail_from.domain()?;
    Some(redaction.address(facts.mail_from.local_part()?, &domain))
}

/// RFC 6591 §3.2.4: the records, where SPF of an aligned domain failed.
fn spf_records(facts: &FailureFacts, auth_failure: AuthFailure) -> Vec<(String, String)> {
    let has_failed = facts.spf.result != SpfResult::Pass;
    let matters = facts.spf.agreement.is_aligned() || auth_failure == AuthFailure::Spf;
    match has_failed && matters {
        true => facts.spf.records.clone(),
        false => Vec::new(),
    }
}

/// H-1: Authentication-Results has one method only, so what the others found is told in words.
fn findings(facts: &FailureFacts) -> Vec<String> {
    let agreement = |agreement: Agreement| match agreement.is_aligned() {
        true => "in alignment",
        false => "not in alignment",
    };
    let mut findings = vec![format!("DMARC: {}", facts.dmarc)];
    findings.push(match &facts.spf.domain {
        Some(domain) => {
            let spf = &facts.spf;
            format!("SPF: {} for {domain}, {}", spf.result, agreement(spf.agreement))
        }
        None => format!("SPF: {}, no domain to check", facts.spf.result),
    });
    findings.extend(facts.signatures.iter().map(|signature| {
        let selector = signature.selector.as_deref().unwrap_or("?");
        let SignatureFacts { domain, result, .. } = signature;
        format!(
            "DKIM: {result} for {domain} (selector {selector}), {}",
            agreement(signature.agreement)
        )
    }));
    if facts.signatures.is_empty() {
        findings.push("DKIM: the message is not signed".to_owned());
    }
    findings
}
