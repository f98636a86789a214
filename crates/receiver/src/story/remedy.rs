//! What can be done about it, and by whom.

use std::fmt::Write as _;

use auth::dkim::DkimVerdict;
use auth::spf::SpfResult;
use dmarc::discovery::Discovery;
use dmarc::evaluation::{DmarcResult, Evaluation};
use mail::author::Author;

use crate::action::{OverrideKind, Step};
use crate::judge::Judgement;

/// The section, or nothing for a message that nobody has to do anything about.
pub(super) fn section(judgement: &Judgement) -> String {
    let advice = advice(judgement);
    if advice.is_empty() {
        return String::new();
    }
    let mut text = String::from("What to do\n");
    for line in advice {
        let _ = writeln!(text, "  - {line}");
    }
    text
}

fn advice(judgement: &Judgement) -> Vec<String> {
    if let Author::Unusable(_) = judgement.author {
        return vec![
            "The sender must write exactly one From field with one address; no setting here makes such mail safe to deliver."
                .to_owned(),
        ];
    }
    let Some(evaluation) = judgement.evaluation() else {
        return Vec::new();
    };
    match &evaluation.result {
        DmarcResult::Fail => failing(judgement, evaluation),
        DmarcResult::TempError => vec![
            "Look at the name servers in the DNS questions below; the same message may pass in a minute."
                .to_owned(),
            "To have such mail retried instead of accepted, set `failures.dns.action = \"tempfail\"`."
                .to_owned(),
        ],
        DmarcResult::PermError => vec![format!(
            "The owner of {} must mend the DMARC record: p=, sp= or np= is missing or wrong, and there is no usable rua=.",
            policy_domain(evaluation)
        )],
        DmarcResult::None => vec![format!(
            "The owner of {} can publish a DMARC record, to begin with `v=DMARC1; p=none; rua=mailto:...`.",
            evaluation.author_domain
        )],
        _ => Vec::new(),
    }
}

fn policy_domain(evaluation: &Evaluation) -> String {
    match &evaluation.discovery {
        Discovery::Applies(at) => at.domain.to_string(),
        Discovery::Absent | Discovery::Unanswered(_) => evaluation.author_domain.to_string(),
    }
}

fn failing(judgement: &Judgement, evaluation: &Evaluation) -> Vec<String> {
    let mut advice = vec![for_the_signer(judgement, evaluation)];
    advice.extend(for_the_spf_owner(judgement, evaluation));
    advice.push(for_the_receiver(judgement));
    advice
}

fn for_the_signer(judgement: &Judgement, evaluation: &Evaluation) -> String {
    let author = &evaluation.author_domain;
    let organization = evaluation.organizational_domain.as_ref().unwrap_or(author);
    let own = judgement.dkim.iter().find(|signature| {
        signature
            .domain
            .as_ref()
            .is_some_and(|domain| domain.is_at_or_below(organization))
    });
    match own {
        None => format!(
            "If {author} sent it: sign it with DKIM as d={author} (or a name under {organization}); that survives forwarding."
        ),
        Some(signature) if signature.body_only_broken => format!(
            "If {author} sent it: something on the way changed the body after signing, such as a footer or a scanner; have that hop leave it alone."
        ),
        Some(signature) if signature.result == DkimVerdict::PermError => {
            format!(
                "If {author} sent it: mend the DKIM key in DNS ({}).",
                signature.reason.as_deref().unwrap_or("unusable key")
            )
        }
        Some(signature) => format!(
            "If {author} sent it: find out why its signature does not count ({}).",
            signature
                .reason
                .as_deref()
                .unwrap_or("not aligned in strict mode")
        ),
    }
}

fn for_the_spf_owner(judgement: &Judgement, evaluation: &Evaluation) -> Option<String> {
    let outcome = &judgement.spf.mail_from;
    let domain = outcome.domain.as_ref()?;
    let client = judgement.envelope.client?;
    let author = &evaluation.author_domain;
    match outcome.result {
        SpfResult::Pass => Some(format!(
            "Or let the envelope sender be a name under {author} instead of {domain}, so that its SPF pass counts."
        )),
        SpfResult::PermError => Some(format!(
            "The SPF record of {domain} must be mended before it can help."
        )),
        SpfResult::Fail | SpfResult::SoftFail | SpfResult::Neutral | SpfResult::None => Some(format!(
            "Or add {client} to the SPF record of {domain}, if it is one of its servers."
        )),
        SpfResult::TempError => None,
    }
}

fn for_the_receiver(judgement: &Judgement) -> String {
    let by_default_only = judgement
        .decision
        .overrides
        .iter()
        .any(|reason| reason.kind == OverrideKind::LocalPolicy && reason.comment.contains("7.4"));
    match &judgement.decision.step {
        Step::Quarantine(..) if by_default_only => {
            "It is set aside, not refused, because the policy alone is no ground to refuse (RFC 9989 section 7.4); `action.reject = \"always\"` would refuse it.".to_owned()
        }
        Step::Accept => "Nothing is done about it here: the owner asks for nothing, or local policy speaks for it.".to_owned(),
        _ => "If you want this mail: list the forwarder in `action.trusted_forwarders` when you know the client, or ask the sender to mend the above.".to_owned(),
    }
}
