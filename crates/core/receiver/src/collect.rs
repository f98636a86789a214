//! Collects the evidence about a failing message from what was found.

use std::net::IpAddr;

use landmarc_auth::arc::{ArcResult, ArcStatus};
use landmarc_auth::dkim::{DkimOutcome, DkimResult, Substance};
use landmarc_auth::lookup::{Answer, AskedQuestion, DnsName, Existence};
use landmarc_auth::spf::{SpfOutcome, SpfResult};
use landmarc_dmarc::evaluation::Evaluation;
use landmarc_dmarc::suffixes::Suffixes;
use landmarc_mail::authres::AuthenticationResults;
use landmarc_mail::{ClientNetwork, DomainName};

use crate::evidence::{Evidence, HeaderFacts, Spare};
use crate::policy::{ClientFacts, Rules};
use crate::seen::{NetworkHistory, Seen, SigningHistory};
use crate::upstream::ResultSources;

/// What there is to collect from.
#[derive(Clone, Copy, Debug)]
pub struct EvidenceInput<'a> {
    /// SPF of MAIL FROM.
    pub spf: &'a SpfOutcome,
    /// Every signature.
    pub dkim: &'a [DkimOutcome],
    /// Whose word these are, where they are not ours.
    pub result_sources: &'a ResultSources,
    /// The ARC chain.
    pub arc: &'a ArcResult,
    /// The header section.
    pub header: &'a HeaderFacts,
    /// The client.
    pub client: ClientFacts,
    /// The network of the client, where its address is known.
    pub network: Option<ClientNetwork>,
    /// What the mail of the last days shows.
    pub seen: &'a Seen,
    /// What DNS was asked.
    pub asked: &'a [AskedQuestion],
}

/// The evidence about one failing Author Domain, and what else may spare the message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// The evidence.
    pub evidence: Vec<Evidence>,
    /// What keeps more of it from standing against the message.
    pub spare: Option<Spare>,
}

/// Collects the evidence about one failing Author Domain.
#[must_use]
pub fn collect(evaluation: &Evaluation, findings: &EvidenceInput<'_>, rules: &Rules) -> Collected {
    let author = &evaluation.author_domain;
    let mut evidence = Vec::new();
    let mut spare = None;
    if evaluation.author_existence == Some(Existence::NxDomain) {
        evidence.push(Evidence::AuthorDoesNotExist(author.clone()));
    }
    if rules
        .local_domains
        .iter()
        .any(|local| author.is_at_or_below(local))
    {
        evidence.push(Evidence::AuthorIsLocal(author.clone()));
    }
    match forbidden_and_unsigned(evaluation, findings) {
        Some(Ok(forbidden)) => evidence.push(forbidden),
        Some(Err(trace)) => spare = Some(trace),
        None => {}
    }
    match unsigned_where_all_is(evaluation, findings, &rules.suffixes) {
        Some(Ok(unsigned)) => {
            evidence.push(unsigned);
            spare = None;
        }
        Some(Err(trace)) => spare = Some(trace),
        None => {}
    }
    if let Some(spoofer) = known_spoofer(author, findings) {
        evidence.push(spoofer);
        spare = None;
    }
    if rules.recognise_lists {
        evidence.extend(mailing_list(findings));
    }
    evidence.extend(body_changed_only(evaluation, findings));
    if findings.client.trusted_forwarder {
        evidence.push(Evidence::TrustedForwarder);
    }
    evidence.extend(trusted_arc(author, findings.arc, &rules.trusted_sealers));
    evidence.extend(unanswered_arc(findings, &rules.trusted_sealers));
    Collected { evidence, spare }
}

/// The word of the author's own organization that this client may not send, with no sign
/// that the message took a detour on which SPF breaks (RFC 9989 §7.4); or that sign. What the record of
/// another domain says would be no word of the Domain Owner.
fn forbidden_and_unsigned(
    evaluation: &Evaluation,
    findings: &EvidenceInput<'_>,
) -> Option<Result<Evidence, Spare>> {
    let domain = findings.spf.domain.as_ref().filter(|d| is_own(evaluation, d))?;
    if findings.spf.result != SpfResult::Fail {
        return None;
    }
    // A field that is no signature hides nothing. One without a key may: its owner may have forgotten it.
    let is_signature = |signature: &DkimOutcome| signature.substance != Substance::Unreadable;
    Some(if findings.header.list_fields {
        Err(Spare::ListField)
    } else if findings.header.forwarding_fields {
        Err(Spare::ForwardingField)
    } else if findings.dkim.iter().any(is_signature) {
        Err(Spare::ForeignSignature)
    } else {
        Ok(Evidence::ForbiddenAndUnsigned(domain.clone()))
    })
}

/// No signature where there always is one (decision D5); or what may be the reason for that. A field that
/// anybody can write is none.
fn unsigned_where_all_is(
    evaluation: &Evaluation,
    findings: &EvidenceInput<'_>,
    suffixes: &Suffixes,
) -> Option<Result<Evidence, Spare>> {
    let author = &evaluation.author_domain;
    let seen = findings
        .seen
        .signing(author)
        .filter(SigningHistory::signs_everything)?;
    let may_be_own = |signature: &&DkimOutcome| {
        let domain = signature.domain.as_ref();
        signature.substance == Substance::Possible && domain.is_none_or(|d| is_own(evaluation, d))
    };
    if let Some(signature) = findings.dkim.iter().find(may_be_own) {
        let domain = signature.domain.as_ref().unwrap_or(author);
        return Some(Err(Spare::Signature(domain.clone())));
    }
    let spare = list_envelope(findings).or_else(|| known_sender(author, findings, suffixes));
    Some(spare.map_or_else(|| Ok(Evidence::SignsEverything(author.clone(), seen)), Err))
}

/// A List-Id of the domain that SPF passed for. A list may take the signatures off; what it forwards
/// comes in its own name.
fn list_envelope(findings: &EvidenceInput<'_>) -> Option<Spare> {
    let list = findings.header.list_id.as_ref()?;
    let sender = findings.spf.domain.as_ref()?;
    let is_own = list.is_at_or_below(sender) || (sender.is_at_or_below(list) && list.label_count() > 1);
    (findings.spf.result == SpfResult::Pass && is_own).then(|| Spare::ListEnvelope(list.clone()))
}

/// A network that has shown that it passes on, or sends, the mail of others. Of a domain that signs 99.6 %
/// the rest comes that way as well.
fn known_sender(author: &DomainName, findings: &EvidenceInput<'_>, suffixes: &Suffixes) -> Option<Spare> {
    let network = findings.network?;
    let seen = findings.seen.network(network)?;
    if seen.is_forwarder() || seen.has_forwarded(author, suffixes) {
        Some(Spare::SeenForwarding(network))
    } else {
        seen.is_shared().then_some(Spare::SharedNetwork(network))
    }
}

/// A network of forgeries, in the name of a domain that has not been seen to leave anything unsigned.
fn known_spoofer(author: &DomainName, findings: &EvidenceInput<'_>) -> Option<Evidence> {
    let network = findings.network?;
    let seen = findings
        .seen
        .network(network)
        .filter(NetworkHistory::is_known_spoofer)?;
    let signs = |author: SigningHistory| author.signs_everything() || author.is_never_unsigned();
    findings
        .seen
        .signing(author)
        .is_some_and(signs)
        .then_some(Evidence::KnownSpoofer(network, seen))
}

/// Whether a domain is the author's or of the same organization, as far as that is known
/// without further questions.
pub(crate) fn is_own(evaluation: &Evaluation, domain: &DomainName) -> bool {
    let organization = evaluation.organizational_domain.as_ref();
    domain.is_at_or_below(organization.unwrap_or(&evaluation.author_domain))
}

/// The signature that was meant to help: one of the author's own organization, and of several
/// the one that came closest.
pub(crate) fn own_signature<'a>(dkim: &'a [DkimOutcome], evaluation: &Evaluation) -> Option<&'a DkimOutcome> {
    let own = |s: &&DkimOutcome| s.domain.as_ref().is_some_and(|domain| is_own(evaluation, domain));
    // max_by_key takes the last of equals; the topmost is meant.
    dkim.iter()
        .rev()
        .filter(own)
        .max_by_key(|signature| (signature.result == DkimResult::Pass, signature.body_only_broken))
}

/// A List-Id that a passing signature of the same domain stands behind. Anybody can
/// write such fields, so this holds a message back from rejection and no more.
fn mailing_list(findings: &EvidenceInput<'_>) -> Option<Evidence> {
    let list = findings.header.list_id.as_ref()?;
    let signed = passing(findings.dkim).any(|domain| list.is_at_or_below(domain));
    signed.then(|| Evidence::MailingList(list.clone()))
}

/// The author's own signature, good but for the body. Anybody can send a signed header
/// again with another body, so this too holds a message back from rejection and no more.
fn body_changed_only(evaluation: &Evaluation, findings: &EvidenceInput<'_>) -> Option<Evidence> {
    let mut broken = findings
        .dkim
        .iter()
        .filter(|signature| signature.body_only_broken);
    let own = broken.find_map(|signature| signature.domain.as_ref().filter(|d| is_own(evaluation, d)))?;
    Some(Evidence::BodyChangedOnly(own.clone()))
}

fn passing(dkim: &[DkimOutcome]) -> impl Iterator<Item = &DomainName> {
    dkim.iter()
        .filter(|signature| signature.result == DkimResult::Pass)
        .filter_map(|s| s.domain.as_ref())
}

/// RFC 8617 §7.2.1 and decision D8: a whole chain, the newest sealer trusted, From among what it
/// signed (RFC 6376 §5.4), and its claim that DMARC passed for this very author.
fn trusted_arc(author: &DomainName, arc: &ArcResult, trusted: &[DomainName]) -> Option<Evidence> {
    if arc.status != ArcStatus::Pass || !arc.signs_from {
        return None;
    }
    let newest = arc.sealers.last()?;
    if !trusted.contains(&newest.domain) || !claims_pass(arc.newest_results.as_deref()?, author) {
        return None;
    }
    let mut comment = String::from("arc=pass");
    for sealer in arc.sealers.iter().rev() {
        let (i, domain, selector) = (sealer.instance, &sealer.domain, &sealer.selector);
        comment.push_str(&format!(" as[{i}].d={domain} as[{i}].s={selector}"));
    }
    if let Some(address) = arc.oldest_results.as_deref().and_then(first_client) {
        comment.push_str(&format!(" remote-ip[1]={address}"));
    }
    Some(Evidence::TrustedArc {
        sealer: newest.domain.clone(),
        comment,
    })
}

/// The client of the first hop, as that hop wrote it down (RFC 8617 §7.2.2, §10.2).
fn first_client(results: &[u8]) -> Option<IpAddr> {
    let results = AuthenticationResults::parse(results).ok()?;
    let mut properties = results.results.iter().flat_map(|result| &result.properties);
    let stated = properties.find(|property| property.ptype == "smtp" && property.property == "remote-ip")?;
    stated
        .value
        .parse()
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

/// Decision D6: that DNS did not answer is no ground to refuse a message that a trusted sealer may have sealed.
fn unanswered_arc(findings: &EvidenceInput<'_>, trusted: &[DomainName]) -> Option<Evidence> {
    let newest = &findings.arc.sealers.last()?.domain;
    let arc = findings.arc;
    let is_open = arc.status == ArcStatus::Fail && arc.signs_from && key_unanswered(arc, findings.asked);
    (is_open && trusted.contains(newest)).then(|| Evidence::TrustedArcUnanswered(newest.clone()))
}

/// Whether DNS owes us the key of a seal.
pub(crate) fn key_unanswered(arc: &ArcResult, asked: &[AskedQuestion]) -> bool {
    let failed = |name: &DnsName| {
        asked
            .iter()
            .filter(|asked| asked.question.name == *name)
            .any(|asked| matches!(asked.answer, None | Some(Answer::Failed(_))))
    };
    arc.sealers.iter().any(|sealer| {
        let name = format!("{}._domainkey.{}", sealer.selector, sealer.domain);
        DnsName::from_octets(name.as_bytes()).is_some_and(|name| failed(&name))
    })
}

fn claims_pass(results: &[u8], author: &DomainName) -> bool {
    let Ok(results) = AuthenticationResults::parse(results) else {
        return false;
    };
    results.results.iter().any(|result| {
        result.method.eq_ignore_ascii_case("dmarc")
            && result.result.eq_ignore_ascii_case("pass")
            && result.properties.iter().any(|property| {
                property.ptype.eq_ignore_ascii_case("header")
                    && property.property.eq_ignore_ascii_case("from")
                    && DomainName::parse(&property.value).is_ok_and(|from| from == *author)
            })
    })
}
