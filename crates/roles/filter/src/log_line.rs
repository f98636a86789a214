//! The log line of a message: the same keys in the same order, always (decision D37).

use std::time::Duration;

use landmarc_auth::dkim::DkimResult;
use landmarc_interfaces::Interface;
use landmarc_receiver::Judgement;
use landmarc_receiver::evidence::Evidence;
use landmarc_receiver::explanation::remedy;

/// One word for all signatures: pass when one passes, else what the first came to.
pub fn dkim_word(judgement: &Judgement) -> &'static str {
    let passed = judgement
        .dkim
        .iter()
        .any(|signature| signature.result == DkimResult::Pass);
    match judgement.dkim.first() {
        _ if passed => "pass",
        Some(first) => first.result.as_str(),
        None => "none",
    }
}

/// The one line of a judged message: the same keys in the same order, always.
/// Local-parts and subjects stay out (decision D37).
pub fn message(queue_id: &str, judgement: &Judgement, elapsed: Duration, interface: Interface) {
    let evaluation = judgement.evaluation();
    let policy_domain = evaluation.and_then(|e| e.discovery.applied());
    let policy = evaluation
        .and_then(|e| e.policy)
        .map_or("-", |policy| policy.as_str());
    tracing::info!(
        queue_id = %queue_id,
        client = %judgement.envelope.client.map_or_else(|| "-".to_owned(), |client| client.to_string()),
        author_domain = %judgement.author_domain().map_or("-", |domain| domain.as_str()),
        spf = %judgement.spf.mail_from.result,
        dkim = %dkim_word(judgement),
        arc = %judgement.arc.status,
        dmarc = %judgement.dmarc.as_str(),
        policy_domain = %policy_domain.map_or("-", |at| at.domain.as_str()),
        policy = %policy,
        disposition = %judgement.action.disposition,
        r#override = %listed(judgement.action.overrides.iter().map(|reason| reason.kind().as_str())),
        questions = judgement.asked.len(),
        ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        id = %judgement.id,
        action = %judgement.action.smtp.as_str(),
        enforced_action = %judgement.decision.smtp.as_str(),
        rule = %judgement.rule.as_ref().map_or("-", |rule| rule.name.as_str()),
        evidence = %listed(judgement.evidence.iter().map(Evidence::as_str)),
        spared_by = %judgement.spared_by().unwrap_or("-"),
        rfc7489 = %judgement.rfc7489.as_ref().map_or("-", |other| other.result.as_str()),
        cause = judgement.cause.as_str(),
        remedy = remedy(judgement).unwrap_or_default(),
        interface = %interface,
    );
}

/// Words joined by commas; a hyphen for none, so that each key has a value.
fn listed(words: impl Iterator<Item = &'static str>) -> String {
    let words: Vec<_> = words.collect();
    if words.is_empty() {
        "-".to_owned()
    } else {
        words.join(",")
    }
}

/// A message that is not judged: why not.
pub fn skipped(queue_id: &str, client: &str, why: &str, interface: Interface) {
    tracing::info!(queue_id = %queue_id, client = %client, skipped = %why, interface = %interface);
}
