//! DKIM as a filter ahead of us states it (RFC 8601 §2.7.1).

use landmarc_auth::dkim::{DkimOptions, DkimOutcome, DkimResult};
use landmarc_mail::authres::ResultInfo;
use landmarc_mail::{DomainName, ReversePath};

use super::claim::UpstreamClaim;
use super::fields::{FieldResult, Fields};

/// What is in doubt where a filter may have stumbled over a signature, and said nothing for it.
const MALFORMED: &str = "a DKIM signature is malformed";
/// Why a signature is neutral that the filter leaves out.
const NOT_STATED: &str = "the trusted field does not tell of it";

/// What is said of the signatures that are there, topmost first; what else is stated is ignored.
pub(super) fn claim(
    fields: &Fields,
    doubt: Option<&'static str>,
    signatures: &[DkimOutcome],
    options: &DkimOptions,
) -> UpstreamClaim<Vec<DkimOutcome>> {
    let stated: Vec<FieldResult<'_>> = fields.of("dkim").collect();
    let doubt = doubt.or_else(|| signatures.iter().any(is_malformed).then_some(MALFORMED));
    match (stated.first(), doubt) {
        (Some(_), Some(doubt)) => UpstreamClaim::Doubtful(doubt),
        (Some(first), None) => {
            let results = signatures
                .iter()
                .map(|signature| one(signature, &stated, options));
            first.claiming(results.collect())
        }
        (None, Some(doubt)) if !signatures.is_empty() => UpstreamClaim::Doubtful(doubt),
        // Filters need not say of an unsigned message that it is one.
        (None, _) => fields.silence(),
    }
}

/// Whether it cannot be read; an algorithm that nobody takes is another matter.
fn is_malformed(signature: &DkimOutcome) -> bool {
    signature.result == DkimResult::Neutral && signature.reason.is_some()
}

fn one(signature: &DkimOutcome, stated: &[FieldResult<'_>], options: &DkimOptions) -> DkimOutcome {
    let of_this = stated.iter().filter(|stated| is_of(stated.info, signature));
    let verdicts = of_this.filter_map(|stated| Some((verdict(&stated.info.result)?, stated)));
    let verdicts: Vec<_> = verdicts.collect();
    // A pass only if all say so; else the topmost that says otherwise.
    let otherwise = verdicts.iter().find(|(verdict, _)| *verdict != DkimResult::Pass);
    // Nor may a field that is perhaps planted make a pass of what the topmost one does not speak of.
    let is_in_topmost = |this: &FieldResult<'_>| stated.first().is_some_and(|top| this.is_beside(top));
    let pass = verdicts.first().filter(|(_, stated)| is_in_topmost(stated));
    let mut result = signature.clone();
    match otherwise.or(pass).map(|(verdict, stated)| (verdict, stated.info)) {
        Some((verdict, info)) => {
            result.result = *verdict;
            result.reason.clone_from(&info.reason);
            result.unsigned_fields = Vec::new();
        }
        None => conclude(&mut result, DkimResult::Neutral, NOT_STATED),
    }
    within_policy(&mut result, options);
    result
}

/// What we accept of a signature holds for those that others verify, as far as it shows.
fn within_policy(result: &mut DkimOutcome, options: &DkimOptions) {
    let Some(domain) = result
        .domain
        .as_ref()
        .filter(|_| result.result == DkimResult::Pass)
    else {
        return;
    };
    let why = if domain.label_count() == 1 {
        "d= is a top-level domain"
    } else if options.refused_domains.contains(domain) {
        "signatures of that domain are refused by local policy"
    } else if result.body_length == Some(0) {
        "l=0: no body at all is signed"
    } else if result.body_length.is_some() && !options.accept_body_length {
        "l=: the end of the body may not be signed"
    } else {
        return;
    };
    conclude(result, DkimResult::Policy, why);
}

fn conclude(result: &mut DkimOutcome, verdict: DkimResult, why: &str) {
    result.result = verdict;
    result.reason = Some(why.to_owned());
}

/// Whether a result is about this signature: by its domain, or where that is not stated by that of
/// `header.i`; by selector and the beginning of `b=` (RFC 6008) where they are stated.
fn is_of(info: &ResultInfo, signature: &DkimOutcome) -> bool {
    let domain = match (info.property("header", "d"), info.property("header", "i")) {
        (Some(domain), _) => {
            let stated = DomainName::parse(domain).ok();
            stated.is_some() && stated == signature.domain
        }
        (None, Some(identity)) => {
            let stated = ReversePath::new(identity.trim_start_matches('@').as_bytes()).domain();
            stated.is_some() && stated == signature.identity_domain
        }
        (None, None) => false,
    };
    let selector = info.property("header", "s").is_none_or(|stated| {
        let selector = signature.selector.as_deref();
        selector.is_some_and(|selector| selector.eq_ignore_ascii_case(stated))
    });
    let start = info.property("header", "b");
    domain && selector && start.is_none_or(|start| signature.signature.starts_with(start))
}

fn verdict(word: &str) -> Option<DkimResult> {
    Some(match word.to_ascii_lowercase().as_str() {
        "pass" => DkimResult::Pass,
        "fail" | "hardfail" => DkimResult::Fail,
        "policy" => DkimResult::Policy,
        "neutral" | "none" => DkimResult::Neutral,
        "temperror" | "tempfail" => DkimResult::TempError,
        "permerror" | "permfail" => DkimResult::PermError,
        _ => return None,
    })
}

/// The results that nobody stated, for a reason that is not the sender's.
pub(super) fn unknown(mut signatures: Vec<DkimOutcome>, why: &str) -> Vec<DkimOutcome> {
    for signature in signatures
        .iter_mut()
        .filter(|signature| signature.reason.is_none())
    {
        conclude(signature, DkimResult::TempError, why);
    }
    signatures
}

/// The results that are not believed.
pub(super) fn doubtful(mut signatures: Vec<DkimOutcome>, why: &str) -> Vec<DkimOutcome> {
    for signature in signatures
        .iter_mut()
        .filter(|signature| signature.reason.is_none())
    {
        conclude(signature, DkimResult::Neutral, why);
    }
    signatures
}
