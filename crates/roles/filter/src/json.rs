//! A judgement as JSON: the contract of `check --json`. Keys are never missing; what
//! is absent is null.

use landmarc_dmarc::evaluation::Evaluation;
use landmarc_dmarc::record::AssessmentPolicy;
use landmarc_mail::DomainName;
use landmarc_receiver::action::{Action, AppliedRule};
use landmarc_receiver::evidence::Evidence;
use landmarc_receiver::{Judgement, RefusalReply};
use serde_json::{Map, Value, json};

/// The object for one message.
#[must_use]
pub fn object(judgement: &Judgement) -> Value {
    let evaluation = judgement.evaluation();
    json!({
        "author_domain": text(judgement.author_domain()),
        "organizational_domain": text(evaluation.and_then(|e| e.organizational_domain.as_ref())),
        "spf": spf(&judgement.spf.mail_from),
        "spf_helo": judgement.spf.helo.as_ref().map(spf),
        "dkim": judgement.dkim.iter().map(dkim).collect::<Vec<_>>(),
        "upstream": {
            "spf": judgement.result_sources.spf,
            "dkim": judgement.result_sources.dkim,
            "arc": judgement.result_sources.arc,
        },
        "arc": {
            "result": judgement.arc.status.as_str(),
            "instances": judgement.arc.instances,
            "reason": judgement.arc.reason,
        },
        "dmarc": dmarc(judgement, evaluation),
        "disposition": judgement.action.disposition.as_str(),
        "overrides": overrides(&judgement.action),
        "action": judgement.action.smtp.as_str(),
        "reply": judgement.action.smtp.reply().map(ToString::to_string),
        "decision": {
            "disposition": judgement.decision.disposition.as_str(),
            "overrides": overrides(&judgement.decision),
            "action": judgement.decision.smtp.as_str(),
            "reply": judgement.decision.smtp.reply().map(RefusalReply::to_string),
        },
        "rule": judgement.rule.as_ref().map(rule),
        "evidence": judgement.evidence.iter().map(Evidence::in_words).collect::<Vec<_>>(),
        "spared_by": judgement.spared_by(),
        "cause": Some(&judgement.cause).filter(|cause| !cause.is_empty()),
        "defects": judgement.defects.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "authentication_results": judgement.authentication_results.trim_start(),
        "questions": judgement.asked.len(),
        "rfc7489": judgement.rfc7489.as_ref().map(|other| json!({
            "result": other.result.as_str(),
            "policy_domain": other.discovery.applied().map(|at| at.domain.as_str()),
        })),
    })
}

/// The same object for a message that nothing was found of: what is done, and why.
#[must_use]
pub fn not_judged(action: &str, reply: Option<&str>, cause: &str) -> Value {
    let done = json!({"disposition": "none", "overrides": [], "action": action, "reply": reply});
    json!({
        "author_domain": null,
        "organizational_domain": null,
        "spf": null,
        "spf_helo": null,
        "dkim": [],
        "upstream": null,
        "arc": null,
        "dmarc": null,
        "disposition": "none",
        "overrides": [],
        "action": action,
        "reply": reply,
        "decision": done,
        "rule": null,
        "evidence": [],
        "spared_by": null,
        "cause": Some(cause).filter(|cause| !cause.is_empty()),
        "defects": [],
        "authentication_results": null,
        "questions": 0,
        "rfc7489": null,
    })
}

/// The same object with the file it speaks of in front.
#[must_use]
pub fn object_of_file(file: &str, judgement: &Judgement) -> Value {
    let mut named = Map::new();
    named.insert("file".to_owned(), json!(file));
    if let Value::Object(fields) = object(judgement) {
        named.extend(fields);
    }
    Value::Object(named)
}

fn text(domain: Option<&DomainName>) -> Option<&str> {
    domain.map(DomainName::as_str)
}

fn spf(outcome: &landmarc_auth::spf::SpfOutcome) -> Value {
    json!({
        "result": outcome.result.as_str(),
        "domain": text(outcome.domain.as_ref()),
        "scope": outcome.scope.as_str(),
        "mechanism": outcome.mechanism,
        "explanation": outcome.explanation,
        "problem": outcome.problem,
    })
}

fn dkim(signature: &landmarc_auth::dkim::DkimOutcome) -> Value {
    json!({
        "result": signature.result.as_str(),
        "domain": text(signature.domain.as_ref()),
        "selector": signature.selector,
        "algorithm": signature.algorithm,
        "key_bits": signature.key_bits,
        "reason": signature.reason,
    })
}

fn dmarc(judgement: &Judgement, evaluation: Option<&Evaluation>) -> Value {
    let applied = evaluation.and_then(|e| e.discovery.applied());
    json!({
        "result": judgement.dmarc.as_str(),
        "policy_domain": applied.map(|at| at.domain.as_str()),
        "record": applied.map(|at| at.record.raw.as_str()),
        "policy_published": evaluation.and_then(|e| e.policy_published).map(AssessmentPolicy::as_str),
        "policy": evaluation.and_then(|e| e.policy).map(AssessmentPolicy::as_str),
        "spf_aligned": evaluation.map(|e| e.spf_aligned),
        "dkim_aligned": evaluation.map(|e| e.dkim_aligned),
        "discovery_method": evaluation.map(|e| e.method.as_str()),
    })
}

/// The rule of the operator that decided.
fn rule(rule: &AppliedRule) -> Value {
    json!({
        "name": rule.name,
        "owner": rule.owner,
        "reason": rule.reason,
        "effect": rule.effect.as_str(),
        "without": rule.without.smtp.as_str(),
    })
}

fn overrides(action: &Action) -> Vec<Value> {
    let reasons = action.overrides.iter();
    reasons
        .map(|reason| json!({"type": reason.kind().as_str(), "comment": reason.comment()}))
        .collect()
}
