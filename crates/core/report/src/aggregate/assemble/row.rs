//! From the words of one row of the tally to one row of a report.

use std::cmp::Reverse;

use landmarc_mail::DomainName;
use landmarc_observation::TallyRow;

use crate::aggregate::model::{DkimAuthResult, PolicyPublished, ReportedReason, RowKey, SpfAuthResult};
use crate::aggregate::text::{MAX_TEXT_OCTETS, tidy};
use crate::aggregate::words::{
    AlignmentResult, AssessmentPolicy, Disposition, DkimResultWord, OverrideType, Registered, SchemaWord,
    SpfResultWord, SpfScope,
};
use crate::words::known;

/// RFC 9990 §3.1.3: "up to a limit of 100" signatures of one row, the most telling first.
pub const MAX_DKIM_RESULTS: usize = 100;
/// The most reasons of one row. We know of no message that has more than three.
pub const MAX_REASONS: usize = 10;
/// The longest name that DNS could have answered for.
const MAX_NAME_OCTETS: usize = landmarc_mail::name::MAX_NAME_OCTETS;

/// What a row without a reason says that has to have one (RFC 9990 §3.1.1.9).
const NO_REASON_TOLD: &str = "not told";

/// The row as the report has it; none without an Author Domain, which is mandatory.
pub(super) fn key(row: &TallyRow, policy: &PolicyPublished) -> Option<RowKey> {
    let header_from = domain(&row.header_from)?;
    let disposition = known(&row.disposition).unwrap_or(Disposition::None);
    let mut reasons = reasons(&row.reasons);
    let fails = !row.dkim_aligned && !row.spf_aligned;
    if fails && reasons.is_empty() && !is_asked_for(disposition, &header_from, policy) {
        reasons.push(untold(policy));
    }
    Some(RowKey {
        source_ip: row.source_ip.to_canonical(),
        disposition: disposition.into(),
        dkim_alignment: alignment(row.dkim_aligned),
        spf_alignment: alignment(row.spf_aligned),
        reasons,
        envelope_from: row.envelope_from.as_deref().and_then(envelope_from),
        envelope_to: row.envelope_to.as_deref().and_then(domain),
        dkim: signatures(&row.dkim, &header_from),
        spf: row.spf.as_ref().and_then(spf).into_iter().collect(),
        header_from,
    })
}

fn alignment(is_aligned: bool) -> SchemaWord<AlignmentResult> {
    let result = if is_aligned {
        AlignmentResult::Pass
    } else {
        AlignmentResult::Fail
    };
    result.into()
}

/// In lower-case A-labels. None for what is no name: the elements of domains have no place for it.
fn domain(text: &str) -> Option<String> {
    let name = DomainName::parse(text).ok()?;
    Some(name.as_str().to_owned())
}

/// Empty for a null reverse-path (GR10).
fn envelope_from(text: &str) -> Option<String> {
    if text.is_empty() {
        Some(String::new())
    } else {
        domain(text)
    }
}

fn reasons(told: &[(String, String)]) -> Vec<ReportedReason> {
    let mut reasons: Vec<ReportedReason> = Vec::new();
    for (kind, comment) in told {
        let reason = reason(kind, comment);
        if !reasons.contains(&reason) && reasons.len() < MAX_REASONS {
            reasons.push(reason);
        }
    }
    reasons
}

/// A word that RFC 9990 does not have is told in the comment.
fn reason(kind: &str, comment: &str) -> ReportedReason {
    let registered =
        known(kind).filter(|kind| !matches!(kind, OverrideType::Forwarded | OverrideType::SampledOut));
    let told = match registered {
        Some(_) => comment.to_owned(),
        None if comment.is_empty() => kind.to_owned(),
        None => format!("{kind}: {comment}"),
    };
    let comment = tidy(&told, MAX_TEXT_OCTETS);
    ReportedReason {
        kind: registered.unwrap_or(OverrideType::Other).into(),
        comment: (!comment.is_empty()).then(|| (&*comment).into()),
    }
}

/// Whether this is what the record asks for. For a name below the Policy Domain that is `sp` or `np`:
/// whether the name exists is not counted.
fn is_asked_for(disposition: Disposition, header_from: &str, policy: &PolicyPublished) -> bool {
    let asks = |asked: &SchemaWord<AssessmentPolicy>| asked.as_str() == disposition.as_str();
    if header_from == policy.domain {
        return asks(&policy.policy);
    }
    policy.subdomain_policy.as_ref().is_some_and(asks) || policy.nonexistent_policy.as_ref().is_some_and(asks)
}

/// RFC 9990 §3.1.1.9 has a reason wherever less than the policy was applied. Judging gives one; this is
/// for rows that came another way.
fn untold(policy: &PolicyPublished) -> ReportedReason {
    let is_test = policy.testing == Some(true);
    ReportedReason {
        kind: if is_test {
            OverrideType::PolicyTestMode
        } else {
            OverrideType::Other
        }
        .into(),
        comment: (!is_test).then(|| NO_REASON_TOLD.into()),
    }
}

/// RFC 9990 §3.1.3: passing and strictly aligned, passing and relaxed aligned, other passing, not passing.
fn signatures(told: &[(String, String, String)], header_from: &str) -> Vec<DkimAuthResult> {
    let mut signatures: Vec<_> = told.iter().filter_map(signature).collect();
    signatures.sort_by_cached_key(|signature| {
        let passes = signature.result == DkimResultWord::Pass.into();
        let is_strict = signature.domain == header_from;
        // Aligned names have all labels of the Organizational Domain in common, others have fewer:
        // so the most in common come first, and nobody has to know how many those are.
        let shared = if passes {
            shared_labels(&signature.domain, header_from)
        } else {
            0
        };
        (!passes, !(passes && is_strict), Reverse(shared))
    });
    signatures.truncate(MAX_DKIM_RESULTS);
    signatures
}

fn shared_labels(one: &str, other: &str) -> usize {
    let pairs = one.rsplit('.').zip(other.rsplit('.'));
    pairs.take_while(|(one, other)| one == other).count()
}

/// None for a signature without a usable domain or selector (GR13): the schema wants both, and has no
/// place for empty ones.
fn signature((signing_domain, selector, result): &(String, String, String)) -> Option<DkimAuthResult> {
    let selector = tidy(selector, MAX_TEXT_OCTETS).into_owned();
    if selector.is_empty() || selector.len() > MAX_NAME_OCTETS {
        return None;
    }
    Some(DkimAuthResult {
        domain: domain(signing_domain)?,
        selector,
        result: known(result).unwrap_or(DkimResultWord::Neutral).into(),
        human_result: None,
    })
}

/// RFC 9990 §3.1.1.11: of MAIL FROM only, and not at all when SPF was not evaluated.
fn spf((checked, scope, result): &(String, String, String)) -> Option<SpfAuthResult> {
    let is_of_mail_from = scope.is_empty() || scope == SpfScope::MailFrom.word();
    let domain = domain(checked).filter(|_| is_of_mail_from)?;
    Some(SpfAuthResult {
        domain,
        scope: Some(SpfScope::MailFrom.into()),
        result: known::<SpfResultWord>(result)?.into(),
        human_result: None,
    })
}
