//! Our judgement of a case.

use std::net::{IpAddr, Ipv4Addr};

use landmarc_auth::arc::Validator;
use landmarc_auth::dkim::{self, BodyHashing, DkimOutcome, DkimResult};
use landmarc_auth::lookup::Zones;
use landmarc_auth::spf::{SpfOutcome, SpfRequest, check_mail_from};
use landmarc_dmarc::evaluation::{self, Identifiers, evaluate};
use landmarc_dmarc::suffixes::Suffixes;
use landmarc_mail::message::{HeaderLimits, HeaderSection, split};
use landmarc_mail::{Author, ReversePath};
use landmarc_testkit::cases::Case;

use crate::Judged;

/// The result in the words of the RFCs.
pub async fn judge(case: &Case, judged: Judged, zones: &Zones, suffixes: &Suffixes) -> String {
    let octets = case.message().unwrap_or_default();
    let parsed = split(&octets, &HeaderLimits::default()).ok();
    let (header, body) = parsed
        .map(|parsed| (parsed.header, parsed.body.into_owned()))
        .unwrap_or_default();
    match judged {
        Judged::Spf => spf(case, zones).await.result.to_string(),
        Judged::Dkim => overall(&dkim(case, zones, &header, &body).await).to_owned(),
        Judged::Arc => arc(case, zones, &header, &body).await,
        Judged::Dmarc => {
            let identifiers = identifiers(spf(case, zones).await, dkim(case, zones, &header, &body).await);
            dmarc(zones, &header, &identifiers, suffixes).await
        }
    }
}

async fn spf(case: &Case, zones: &Zones) -> SpfOutcome {
    let request = SpfRequest {
        client: case
            .input("ip")
            .and_then(|text| text.parse().ok())
            .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        helo: case.input("helo").unwrap_or_default().as_bytes(),
        mail_from: &ReversePath::new(case.input("mailfrom").unwrap_or_default().as_bytes()),
        receiver: "",
        now: case.now(),
        fetch_explanation: false,
    };
    check_mail_from(zones, &request).await
}

async fn dkim(case: &Case, zones: &Zones, header: &HeaderSection, body: &[u8]) -> Vec<DkimOutcome> {
    let mut bodies = BodyHashing::new();
    let authors = landmarc_mail::author::author(header);
    let options = dkim::DkimOptions::default();
    let verifier = dkim::Verifier::new(header, authors.domains(), &options, case.now(), &mut bodies);
    bodies.update(body);
    verifier.finish(zones, &bodies.finish()).await
}

/// RFC 8601 has a result for each signature; the cases have one for all: pass when one
/// passes, none without any, else that of the first.
fn overall(results: &[DkimOutcome]) -> &'static str {
    if results.iter().any(|one| one.result == DkimResult::Pass) {
        return DkimResult::Pass.as_str();
    }
    results.first().map_or("none", |first| first.result.as_str())
}

async fn arc(case: &Case, zones: &Zones, header: &HeaderSection, body: &[u8]) -> String {
    let mut bodies = BodyHashing::new();
    let validator = Validator::new(header, case.now(), &mut bodies);
    bodies.update(body);
    validator.finish(zones, &bodies.finish()).await.status.to_string()
}

fn identifiers(spf: SpfOutcome, dkim: Vec<DkimOutcome>) -> Identifiers {
    let signers = dkim.into_iter().filter_map(|one| Some((one.result, one.domain?)));
    Identifiers {
        spf: spf.domain.map(|domain| (spf.result, domain)),
        dkim: signers.collect(),
    }
}

async fn dmarc(
    zones: &Zones,
    header: &HeaderSection,
    identifiers: &Identifiers,
    suffixes: &Suffixes,
) -> String {
    match landmarc_mail::author::author(header) {
        Author::Domain(author) => {
            let options = evaluation::EvaluationOptions::default();
            let evaluation = evaluate(zones, &author, identifiers, &options, suffixes).await;
            evaluation.result.as_str().to_owned()
        }
        // What becomes of these is the receiver's to say; for the cases it is no pass.
        Author::Domains(_) | Author::Unusable(_) => "permerror".to_owned(),
    }
}
