//! SPF as a filter ahead of us states it: in Authentication-Results (RFC 8601 §2.7.2), or in
//! Received-SPF (RFC 7208 §9.1).

use landmarc_auth::spf::{Scope, SpfOutcome, SpfResult};
use landmarc_mail::authres::ResultInfo;
use landmarc_mail::message::HeaderSection;
use landmarc_mail::received_spf::ReceivedSpf;
use landmarc_mail::{DomainName, Envelope, ReversePath};

use super::claim::UpstreamClaim;
use super::fields::{FieldResult, Fields};
use crate::removals::Removal;

const RECEIVED_SPF: &str = "Received-SPF";
const RECEIVED: &str = "Received";

/// What is in doubt where SPF is stated of somebody else.
const OF_ANOTHER: &str = "the trusted field tells of another sender";

/// What Authentication-Results say, when all that speak of this sender are taken together. The topmost field
/// that speaks of SPF must be among them: where it speaks of another sender, that is all that the filter found out,
/// and one below it that speaks of this one may be planted.
pub(super) fn claim(
    fields: &Fields,
    doubt: Option<&'static str>,
    envelope: &Envelope,
) -> UpstreamClaim<SpfOutcome> {
    // Even where nothing is said: some filters remove the field of another for what it repeats.
    if let Some(doubt) = doubt {
        return UpstreamClaim::Doubtful(doubt);
    }
    let Some(first) = fields.of("spf").next() else {
        return fields.silence();
    };
    let of_sender = fields.of("spf").filter(|stated| is_of(stated.info, envelope));
    let results: Vec<_> = of_sender
        .filter_map(|stated| Some((stated, result(&stated.info.result)?)))
        .collect();
    let is_of_topmost = results
        .first()
        .is_some_and(|(stated, _)| stated.is_beside(&first));
    match merged(&results).filter(|_| is_of_topmost) {
        Some(result) => first.claiming(outcome(envelope, result, None)),
        None => UpstreamClaim::Doubtful(OF_ANOTHER),
    }
}

/// A pass only if all say so; else the topmost that says otherwise.
fn merged(results: &[(FieldResult<'_>, SpfResult)]) -> Option<SpfResult> {
    let mut others = results.iter().filter(|(_, result)| *result != SpfResult::Pass);
    others.next().or(results.first()).map(|(_, result)| *result)
}

/// The word of RFC 8601 §2.7.2, or one that programs of its time wrote in its place.
fn result(word: &str) -> Option<SpfResult> {
    Some(match word.to_ascii_lowercase().as_str() {
        "none" => SpfResult::None,
        // What local policy has overridden is no statement of the domain's any more.
        "neutral" | "policy" => SpfResult::Neutral,
        "pass" => SpfResult::Pass,
        "fail" | "hardfail" => SpfResult::Fail,
        "softfail" => SpfResult::SoftFail,
        "temperror" | "tempfail" => SpfResult::TempError,
        "permerror" | "permfail" => SpfResult::PermError,
        // RFC 8601 §2.7.6: what nobody knows is ignored.
        _ => return None,
    })
}

/// Whether a result is about the identity that DMARC goes by (RFC 7208 §2.4): the domain of MAIL
/// FROM, or where that is null the HELO name.
fn is_of(info: &ResultInfo, envelope: &Envelope) -> bool {
    let mail_from = info
        .property("smtp", "mailfrom")
        .filter(|value| !value.is_empty());
    let identity = match envelope.mail_from.is_null() {
        true => mail_from.or_else(|| info.property("smtp", "helo")),
        false => mail_from,
    };
    let stated = identity.and_then(domain_of);
    stated.is_some() && stated == identity_of(envelope)
}

/// Of a domain, or an address with or without angle brackets: programs write all of them.
fn domain_of(identity: &str) -> Option<DomainName> {
    ReversePath::new(identity.as_bytes()).domain()
}

fn identity_of(envelope: &Envelope) -> Option<DomainName> {
    match envelope.mail_from.is_null() {
        true => DomainName::from_bytes(&envelope.helo).ok(),
        false => envelope.mail_from.domain(),
    }
}

/// The result that nobody stated, for a reason that is not the sender's.
pub(super) fn unknown(envelope: &Envelope, why: &str) -> SpfOutcome {
    outcome(envelope, SpfResult::TempError, Some(why))
}

/// The result that is not believed.
pub(super) fn doubtful(envelope: &Envelope, why: &str) -> SpfOutcome {
    outcome(envelope, SpfResult::PermError, Some(why))
}

fn outcome(envelope: &Envelope, result: SpfResult, problem: Option<&str>) -> SpfOutcome {
    let (domain, from_helo) = (identity_of(envelope), envelope.mail_from.is_null());
    SpfOutcome {
        problem: problem.map(str::to_owned),
        ..SpfOutcome::unchecked(result, Scope::MailFrom, domain, from_helo)
    }
}

/// What Received-SPF fields say.
pub(super) struct Received {
    pub(super) claim: UpstreamClaim<SpfOutcome>,
    /// Those beside the topmost one, which the sender may have written.
    pub(super) forged: Vec<Removal>,
}

/// What the topmost Received-SPF above the first Received says. It names nobody who can be trusted,
/// so it has to be about the very client and sender that the MTA names to us.
pub(super) fn received(
    headers: &HeaderSection,
    doubt: Option<&'static str>,
    envelope: &Envelope,
) -> Received {
    // What was left out may be the one that counts, and the numbers of the others are not known.
    if headers.is_cut() && headers.may_lack(RECEIVED_SPF.as_bytes()) {
        return Received {
            claim: UpstreamClaim::Absent,
            forged: Vec::new(),
        };
    }
    let top = headers.fields().iter().take_while(|field| !field.is(RECEIVED));
    let mut fields = (1u32..).zip(top.filter(|field| field.is(RECEIVED_SPF)));
    let numbered = |nth| Removal {
        name: RECEIVED_SPF.to_owned(),
        nth,
    };
    let first = fields.next();
    let claim = match (first, doubt) {
        (None, _) => UpstreamClaim::Absent,
        (Some(_), Some(doubt)) => UpstreamClaim::Doubtful(doubt),
        (Some((nth, field)), None) => match received_result(field.value(), envelope) {
            Some(result) => UpstreamClaim::Result {
                by: RECEIVED_SPF.to_owned(),
                field: numbered(nth),
                result: outcome(envelope, result, None),
            },
            None => UpstreamClaim::Doubtful("the Received-SPF field tells of another sender or client"),
        },
    };
    let believed = matches!(claim, UpstreamClaim::Result { .. });
    let others = first.filter(|_| !believed).into_iter().chain(fields);
    Received {
        forged: others.map(|(nth, _)| numbered(nth)).collect(),
        claim,
    }
}

/// A5: of the identity that DMARC goes by, whichever the field names.
fn received_result(value: &[u8], envelope: &Envelope) -> Option<SpfResult> {
    let field = ReceivedSpf::parse(value)?;
    let client = field.get("client-ip")?.parse::<std::net::IpAddr>().ok()?;
    if envelope
        .client
        .is_some_and(|known| known.to_canonical() != client.to_canonical())
    {
        return None;
    }
    let is_null = envelope.mail_from.is_null();
    let key = match field.get("identity").map(str::to_ascii_lowercase).as_deref() {
        // RFC 7208 §2.4: then both are the same identity.
        Some("helo" | "mailfrom" | "mfrom") | None if is_null => "helo",
        Some("mailfrom" | "mfrom") | None => "envelope-from",
        Some(_) => return None,
    };
    let stated = field.get(key).and_then(domain_of);
    let is_of_sender = stated.is_some() && stated == identity_of(envelope);
    result(field.result()).filter(|_| is_of_sender)
}

#[cfg(test)]
mod tests {
    use landmarc_mail::message::{HeaderField, HeaderLimits};

    use super::*;

    /// Numbers are counted by the MTA among all that came, and what was left out may be the one that counts.
    #[test]
    fn a5_where_a_field_was_left_out_nothing_is_stated_and_nothing_removed() {
        let limits = HeaderLimits {
            field_octets: 60,
            ..HeaderLimits::default()
        };
        let long = format!(" {}", "x".repeat(80));
        for (left_out, count) in [("X-Other", 2), (RECEIVED_SPF, 0)] {
            let mut headers = HeaderSection::default();
            for (name, value) in [
                (left_out, &*long),
                (RECEIVED_SPF, " pass"),
                ("received-spf", " none"),
            ] {
                headers.push(HeaderField::new(name.as_bytes(), value.as_bytes()), &limits);
            }
            let received = received(&headers, None, &Envelope::default());
            assert_eq!(received.forged.len(), count, "{left_out}");
            assert_eq!(received.claim == UpstreamClaim::Absent, count == 0, "{left_out}");
        }
    }
}
