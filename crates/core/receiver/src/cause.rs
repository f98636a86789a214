//! Why a message does not simply pass, in one line: the same words in the reply, the log, our
//! results and the headline of the explanation.

use landmarc_auth::dkim::{DkimOutcome, DkimResult};
use landmarc_auth::spf::{SpfOutcome, SpfResult};
use landmarc_dmarc::discovery::Discovery;
use landmarc_dmarc::evaluation::{DmarcResult, Evaluation, PolicyTag};
use landmarc_dmarc::record::AssessmentPolicy;
use landmarc_mail::author::Author;
use landmarc_mail::text::printable;

use crate::action::{Action, AppliedRule, Effect, Override, SmtpAction};
use crate::collect::{EvidenceInput, own_signature};
use crate::evidence::{Evidence, Spare};
use crate::limits::MAX_CAUSE_OCTETS;
use crate::operator::MessageFacts;

/// What shows that something was cut off.
const CUT: &str = "...";

/// What was found, decisive things first; empty when it passed, or DMARC does not apply.
///
/// It is printable ASCII on one line, and so is what [`cause`] makes of it.
pub(crate) fn found(facts: &MessageFacts<'_>, evidence: &[Evidence], findings: &EvidenceInput<'_>) -> String {
    let text = match (facts.author, facts.evaluation) {
        (Author::Unusable(fault), _) => fault.to_string(),
        (_, None) => return String::new(),
        (Author::Domain(_), Some(evaluation)) => of_domain(evaluation, facts, evidence, findings),
        (Author::Domains(_), Some(evaluation)) if evaluation.result.is_pass() => return String::new(),
        (Author::Domains(domains), Some(evaluation)) => {
            let (count, domain) = (domains.len(), &evaluation.author_domain);
            match of_domain(evaluation, facts, evidence, findings) {
                why if why.is_empty() => {
                    format!("of {count} author domains, {domain} does not pass: it has no DMARC record")
                }
                why => format!("of {count} author domains, {domain} does not pass: {why}"),
            }
        }
    };
    within_limit(&text)
}

/// The cause: what was found, and why something else is done about it than the policy asks for.
///
/// Strangers read it in replies and in the header. That a rule of the operator decided they may know;
/// its name and its reason are for the explanation, the log and, as the settings warn, for reports.
pub(crate) fn cause(
    found: &str,
    facts: &MessageFacts<'_>,
    spare: Option<&Spare>,
    action: &Action,
    rule: Option<&AppliedRule>,
) -> String {
    let failing = facts.evaluation.filter(|e| e.result == DmarcResult::Fail);
    let by_rule = rule.filter(|rule| rule.recorded.is_some());
    let (joint, done) = match (by_rule, failing) {
        (Some(rule), _) => (joint(rule.effect), Some(BY_RULE.to_owned())),
        (None, Some(evaluation)) => match why_nothing(evaluation, action) {
            Some(done) => (AND, Some(done)),
            None => (BUT, why_less(spare, action)),
        },
        (None, None) => (BUT, None),
    };
    match done {
        Some(done) if found.is_empty() => within_limit(&done),
        Some(done) => within_limit(&format!("{found}{joint}{done}")),
        None => found.to_owned(),
    }
}

/// Between what was found and why less is done.
const BUT: &str = ", but ";
/// Between what was found and what it leads to.
const AND: &str = ", and ";

fn joint(effect: Effect) -> &'static str {
    match effect {
        Effect::Softened => BUT,
        Effect::Unchanged | Effect::Hardened => AND,
    }
}

/// All that is said of a rule that decided.
const BY_RULE: &str = "a rule of this server decides";
/// All that is said of one that may apply, or not.
const IN_DOUBT: &str = "whether a rule of this server applies is not known, as DNS did not answer";

fn of_domain(
    evaluation: &Evaluation,
    facts: &MessageFacts<'_>,
    evidence: &[Evidence],
    findings: &EvidenceInput<'_>,
) -> String {
    let problem = |otherwise: &str| {
        let problem = evaluation.problem.clone();
        problem.unwrap_or_else(|| otherwise.to_owned())
    };
    match evaluation.result {
        DmarcResult::Pass(_) => String::new(),
        DmarcResult::None => problem(""),
        DmarcResult::TempError => problem("DNS did not answer"),
        DmarcResult::PermError => problem("the DMARC record cannot be applied"),
        DmarcResult::Fail => failure(evaluation, facts, evidence, findings),
    }
}

fn failure(
    evaluation: &Evaluation,
    facts: &MessageFacts<'_>,
    evidence: &[Evidence],
    findings: &EvidenceInput<'_>,
) -> String {
    let mut text = String::new();
    for piece in evidence {
        if matches!(
            piece,
            Evidence::AuthorDoesNotExist(_) | Evidence::AuthorIsLocal(_)
        ) {
            text.push_str(&piece.in_words());
            text.push_str(", ");
        }
    }
    text.push_str(&match findings.result_sources.spf_doubt {
        Some(doubt) => format!("what a filter ahead says of SPF is not believed, as {doubt}"),
        None => spf_part(findings.spf, evaluation, facts),
    });
    text.push_str(", and ");
    text.push_str(&dkim_part(evaluation, findings.dkim));
    for piece in evidence {
        match piece {
            Evidence::SignsEverything(domain, _) => {
                text.push_str(&format!(", while {domain} signs all its mail"));
            }
            Evidence::KnownSpoofer(network, _) => {
                text.push_str(&format!(", and {network} is known for forged mail"));
            }
            _ => {}
        }
    }
    text
}

/// Why less is done than the policy asks for; nothing where it is carried out.
fn why_less(spare: Option<&Spare>, action: &Action) -> Option<String> {
    Some(in_words(action.overrides.first()?, spare))
}

/// Why nothing is done, where the policy asks for nothing.
fn why_nothing(evaluation: &Evaluation, action: &Action) -> Option<String> {
    let domain = match &evaluation.discovery {
        Discovery::Applies(at) => &at.domain,
        Discovery::Absent | Discovery::Unanswered(_) => &evaluation.author_domain,
    };
    let tag = evaluation.policy_tag.map_or("p", PolicyTag::as_str);
    let asks_for_nothing = evaluation.policy == Some(AssessmentPolicy::None)
        && action.smtp == SmtpAction::Accept
        && action.overrides.is_empty();
    asks_for_nothing.then(|| format!("the policy of {domain} is {tag}=none, so nothing is done about it"))
}

/// Why a message under `p=reject` is quarantined.
const NOT_REFUSED: &str = "it is not refused, as nothing besides the policy shows that it is forged";

/// Words that fit behind "but": the comment of an override is for reports.
fn in_words(reason: &Override, spare: Option<&Spare>) -> String {
    match (reason, spare) {
        (Override::Evidence(evidence), _) => evidence.in_words(),
        (Override::NoEvidence, Some(spare)) => format!("it is not refused, as {}", spare.in_words()),
        (Override::NoEvidence, None) => NOT_REFUSED.to_owned(),
        (Override::RuleInDoubt(_), _) => IN_DOUBT.to_owned(),
        _ => reason.comment(),
    }
}

fn spf_part(spf: &SpfOutcome, evaluation: &Evaluation, facts: &MessageFacts<'_>) -> String {
    let author = &evaluation.author_domain;
    let Some(domain) = &spf.domain else {
        return "SPF has no domain to check".to_owned();
    };
    let Some(client) = facts.envelope.client else {
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

fn dkim_part(evaluation: &Evaluation, dkim: &[DkimOutcome]) -> String {
    let author = &evaluation.author_domain;
    let own = own_signature(dkim, evaluation);
    let Some(signature) = own.or_else(|| dkim.first()) else {
        return "there is no DKIM signature".to_owned();
    };
    let signer = signature
        .domain
        .as_ref()
        .map_or("an unknown domain", |domain| domain.as_str());
    match signature.result {
        DkimResult::Pass => format!("the DKIM signature of {signer} is not aligned with {author}"),
        _ => {
            let reason = signature.reason.as_deref().map_or("", without_quotation);
            let reason = if reason.is_empty() {
                "it does not verify"
            } else {
                reason
            };
            format!("the DKIM signature of {signer} does not count: {reason}")
        }
    }
}

/// Without what is quoted of a message or record: a cause stands in replies and header fields, and
/// no stranger writes those. The explanation has the whole.
pub(crate) fn without_quotation(reason: &str) -> &str {
    let own = reason.split(['"', '`']).next().unwrap_or_default();
    own.trim_end_matches([' ', ':', ','])
}

/// One line within the limit, of what no reader of our results takes for an end: many take the
/// field apart at semicolons, quotes and parentheses, wherever they stand.
fn within_limit(text: &str) -> String {
    let harmless = |c| match c {
        ';' => ',',
        '(' => '[',
        ')' => ']',
        '"' => '\'',
        '\\' => '?',
        other => other,
    };
    let line: String = printable(text, MAX_CAUSE_OCTETS + 1)
        .chars()
        .map(harmless)
        .collect();
    if line.len() <= MAX_CAUSE_OCTETS {
        return line;
    }
    let kept = line.get(..MAX_CAUSE_OCTETS - CUT.len()).unwrap_or_default();
    format!("{kept}{CUT}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_one_printable_line_up_to_its_limit() {
        let longest = "x".repeat(MAX_CAUSE_OCTETS);
        assert_eq!(within_limit(&longest), longest);
        let cut = within_limit(&format!("{longest}x"));
        assert_eq!(cut.len(), MAX_CAUSE_OCTETS);
        assert!(cut.ends_with("x..."));
        assert_eq!(without_quotation("no key: \"dmarc\" is none"), "no key");
        assert_eq!(without_quotation("\"x"), "");
        assert_eq!(within_limit("a\r\nb\0\u{1b}[31m\u{fc}"), "a??b??[31m?");
        assert_eq!(within_limit("a; (b) \"c\\\""), "a, [b] 'c?'");
    }
}
