//! Why a message fails DMARC, in one line.

use std::net::IpAddr;

use auth::dkim::{DkimResult, DkimVerdict};
use auth::spf::{SpfOutcome, SpfResult};
use dmarc::evaluation::Evaluation;
use mail::DomainName;

use super::remedy::own_signature;

/// The cause of a failure in one line, such as `SPF of example.com does not authorize
/// 192.0.2.7, and there is no DKIM signature`.
#[must_use]
pub fn cause(
    evaluation: &Evaluation,
    spf: &SpfOutcome,
    dkim: &[DkimResult],
    client: Option<IpAddr>,
) -> String {
    let author = &evaluation.author_domain;
    format!(
        "{}, and {}",
        spf_part(spf, author, client),
        dkim_part(evaluation, dkim)
    )
}

fn spf_part(spf: &SpfOutcome, author: &DomainName, client: Option<IpAddr>) -> String {
    let Some(domain) = &spf.domain else {
        return "SPF has no domain to check".to_owned();
    };
    let Some(client) = client else {
        return "SPF was not checked, as the address of the client is not known".to_owned();
    };
    match spf.result {
        SpfResult::Pass => format!("SPF passed for {domain} only, which is not aligned with {author}"),
        SpfResult::Fail => format!("SPF of {domain} does not authorize {client}"),
        SpfResult::SoftFail => format!("SPF of {domain} most likely does not authorize {client}"),
        SpfResult::Neutral => format!("SPF of {domain} says nothing about {client}"),
        SpfResult::None => format!("{domain} has no SPF record"),
        SpfResult::TempError => format!("SPF of {domain} could not be looked up"),
        SpfResult::PermError => format!("the SPF record of {domain} is invalid"),
    }
}

fn dkim_part(evaluation: &Evaluation, dkim: &[DkimResult]) -> String {
    let author = &evaluation.author_domain;
    let own = own_signature(dkim, evaluation);
    let Some(signature) = own.or_else(|| dkim.first()) else {
        return "there is no DKIM signature".to_owned();
    };
    let signer = signature
        .domain
        .as_ref()
        .map_or_else(|| "unknown".to_owned(), ToString::to_string);
    match signature.result {
        DkimVerdict::Pass => format!("the DKIM signature of {signer} is not aligned with {author}"),
        _ => {
            let reason = signature.reason.as_deref().unwrap_or("it does not verify");
            format!("the DKIM signature of {signer} does not count: {reason}")
        }
    }
}
