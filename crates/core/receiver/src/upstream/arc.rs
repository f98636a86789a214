//! ARC as a filter ahead of us states it (RFC 8617 §4.4).

use landmarc_auth::arc::{ArcResult, ArcStatus, Validator};
use landmarc_auth::dkim::BodyHashing;
use landmarc_mail::DomainName;
use landmarc_mail::authres::ResultInfo;
use landmarc_mail::message::HeaderSection;

use super::claim::UpstreamClaim;
use super::fields::{FieldResult, Fields};

/// What is in doubt where a filter has validated another chain than is there.
const ANOTHER_CHAIN: &str = "the trusted field tells of another chain";

/// What is said of the chain that is there. Who sealed it, and what the sealers saw, is read here.
pub(super) fn claim(
    fields: &Fields,
    doubt: Option<&'static str>,
    headers: &HeaderSection,
    now: u64,
) -> UpstreamClaim<ArcResult> {
    let stated: Vec<FieldResult<'_>> = fields.of("arc").collect();
    let Some(first) = stated.first() else {
        return fields.silence();
    };
    if let Some(doubt) = doubt {
        return UpstreamClaim::Doubtful(doubt);
    }
    let statuses: Vec<ArcStatus> = stated.iter().map(|stated| status(&stated.info.result)).collect();
    let otherwise = statuses.iter().find(|status| **status != ArcStatus::Pass);
    let status = otherwise.or(statuses.first()).copied().unwrap_or(ArcStatus::None);
    let chain = Validator::new(headers, now, &mut BodyHashing::new()).by_word(status);
    match stated.iter().all(|stated| is_of(stated.info, &chain)) {
        true => first.claiming(chain),
        false => UpstreamClaim::Doubtful(ANOTHER_CHAIN),
    }
}

fn status(word: &str) -> ArcStatus {
    match word.to_ascii_lowercase().as_str() {
        "pass" => ArcStatus::Pass,
        "fail" => ArcStatus::Fail,
        _ => ArcStatus::None,
    }
}

/// `arc.chain`, which names the sealers with colons between them, where a filter writes it.
fn is_of(info: &ResultInfo, chain: &ArcResult) -> bool {
    let Some(stated) = info.property("arc", "chain") else {
        return true;
    };
    let stated: Vec<_> = stated
        .split(':')
        .map(|name| DomainName::parse(name.trim()).ok())
        .collect();
    let sealer = |domain: &DomainName| chain.sealers.iter().any(|sealer| sealer.domain == *domain);
    stated.len() == chain.sealers.len() && stated.iter().all(|name| name.as_ref().is_some_and(sealer))
}
