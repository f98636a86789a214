//! Our Authentication-Results field (RFC 8601).

use std::borrow::Cow;

use landmarc_auth::dkim::DkimOutcome;
use landmarc_auth::spf::{SpfOutcome, SpfResult};
use landmarc_dmarc::discovery::Discovery;
use landmarc_dmarc::evaluation::Evaluation;
use landmarc_mail::DomainName;
use landmarc_mail::author::Author;
use landmarc_mail::authres::{self, AuthenticationResults, ResultInfo};

use crate::cause::without_quotation;
use crate::explanation::remedy;
use crate::judgement::Judgement;

/// As much of the remedy stands in the field; the whole is in the log and in the explanation.
pub const MAX_REMEDY_CHARACTERS: usize = 200;
/// Room for what stands in most comments, so that they grow without being moved.
const USUAL_COMMENT_OCTETS: usize = 100;

/// The value of the one merged field: spf, each dkim, arc when checked, dmarc. What a filter ahead
/// of us has stated is not repeated: its own field stays. `job` stands behind the authserv-id.
#[must_use]
pub fn field_value(judgement: &Judgement, authserv_id: &str, job: Option<&str>) -> String {
    let result_sources = &judgement.result_sources;
    let mut field = AuthenticationResults::new(authserv_id);
    if result_sources.spf.is_none() {
        field.results.push(spf(&judgement.spf.mail_from));
    }
    if result_sources.dkim.is_none() {
        field.results.extend(dkim(&judgement.dkim));
    }
    if result_sources.arc.is_none() {
        field.results.extend(arc(judgement));
    }
    field.results.extend(dmarc(judgement));
    match job {
        Some(job) => field.to_value_with_job(job),
        None => field.to_value(),
    }
}

/// Only the domain is given, never a local part: RFC 8601 §2.7.2 leaves the choice, and
/// consumers have been fooled by what stood in one.
fn spf(outcome: &SpfOutcome) -> ResultInfo {
    let mut info = ResultInfo::new("spf", outcome.result.as_str());
    info.comment = match outcome.result {
        SpfResult::Pass | SpfResult::Fail | SpfResult::SoftFail | SpfResult::Neutral => {
            outcome.mechanism.as_deref().map(directives)
        }
        SpfResult::None | SpfResult::TempError | SpfResult::PermError => {
            outcome.problem.as_deref().and_then(own_words)
        }
    };
    let identity = if outcome.from_helo { "helo" } else { "mailfrom" };
    match &outcome.domain {
        Some(domain) => info.with_domain("smtp", identity, domain),
        None => info,
    }
}

/// A reason without what strangers wrote, if anything is left of it.
fn own_words(reason: &str) -> Option<String> {
    let own = without_quotation(reason);
    (!own.is_empty()).then(|| own.to_owned())
}

/// The directives that decided. An argument of other octets than names, networks and macros have
/// would be free text of the sender: then the kind of the directive alone.
fn directives(mechanism: &str) -> String {
    let harmless = |octet: u8| octet.is_ascii_alphanumeric() || b".-_:/%{}+".contains(&octet);
    let words = mechanism.split(' ').map(|word| {
        let kind = word.find([':', '/', '=']).unwrap_or(word.len());
        let (kind, argument) = word.split_at(kind);
        let argument = argument.get(1..).unwrap_or_default();
        if argument.bytes().all(harmless) {
            word
        } else {
            kind
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn dkim(signatures: &[DkimOutcome]) -> Vec<ResultInfo> {
    if signatures.is_empty() {
        return vec![ResultInfo::new("dkim", "none")];
    }
    let texts: Vec<&str> = signatures
        .iter()
        .map(|signature| signature.signature.as_str())
        .collect();
    let lengths = authres::unique_prefixes(&texts);
    signatures
        .iter()
        .zip(lengths)
        .map(|(signature, length)| one_signature(signature, length))
        .collect()
}

fn one_signature(signature: &DkimOutcome, prefix: usize) -> ResultInfo {
    let start = signature
        .signature
        .get(..prefix)
        .filter(|start| !start.is_empty());
    let values = [
        ("d", signature.domain.as_ref().map(DomainName::as_str)),
        ("s", signature.selector.as_deref()),
        ("a", signature.algorithm.as_deref().filter(is_algorithm)),
        ("b", start),
    ];
    let mut info = ResultInfo::new("dkim", signature.result.as_str());
    for (tag, value) in values {
        if let Some(value) = value {
            info = info.with_value("header", tag, value);
        }
    }
    let bits = signature.key_bits.map(|bits| format!("{bits}-bit key"));
    info.comment = match (signature.reason.as_deref().and_then(own_words), bits) {
        (Some(reason), Some(bits)) => Some(format!("{bits}, {reason}")),
        (reason, bits) => reason.or(bits),
    };
    info
}

/// Whether `a=` names an algorithm that there is.
fn is_algorithm(name: &&str) -> bool {
    ["rsa-sha1", "rsa-sha256", "ed25519-sha256"].contains(name)
}

/// RFC 8617 §10.1: `smtp.remote-ip`, and how far down the message signatures still hold.
fn arc(judgement: &Judgement) -> Option<ResultInfo> {
    let arc = &judgement.arc;
    if arc.instances == 0 {
        return None;
    }
    let mut info = ResultInfo::new("arc", arc.status.as_str());
    info.comment = arc.reason.as_deref().and_then(own_words);
    if let Some(client) = judgement.envelope.client {
        info = info.with_value("smtp", "remote-ip", client.to_string());
    }
    if let Some(instance) = arc.oldest_pass {
        info = info.with_value("header", "oldest-pass", instance.to_string());
    }
    Some(info)
}

/// RFC 9989 §9.1. One result for each author domain; one without domain where there is none.
fn dmarc(judgement: &Judgement) -> Vec<ResultInfo> {
    // Who reads `dmarc=pass` beside one of several domains takes the message for that
    // domain's. So the result of the message is said of each: pass when all pass, else
    // permerror.
    let result = judgement.dmarc.as_str();
    let mut results: Vec<ResultInfo> = match &judgement.author {
        Author::Unusable(_) => vec![ResultInfo::new("dmarc", result)],
        Author::Domain(_) | Author::Domains(_) => judgement
            .evaluations
            .iter()
            .map(|evaluation| one_domain(evaluation, result, judgement))
            .collect(),
    };
    if let Some(first) = results.first_mut() {
        explain(first, judgement);
    }
    results
}

/// What is true of the message, once: why (RFC 8601 §2.2, `reasonspec`), and for people by
/// which id to ask further and what can be done.
fn explain(first: &mut ResultInfo, judgement: &Judgement) {
    if !judgement.cause.is_empty() {
        first.reason = Some(judgement.cause.clone());
    }
    let comment = first.comment.get_or_insert_default();
    if !judgement.id.is_empty() {
        let blank = if comment.is_empty() { "" } else { " " };
        comment.push_str(blank);
        comment.push_str("id=");
        comment.push_str(&judgement.id);
    }
    if let Some(remedy) = remedy(judgement) {
        let comma = if comment.is_empty() { "" } else { ", " };
        comment.push_str(comma);
        comment.push_str("remedy: ");
        comment.push_str(&shortened(&remedy));
    }
}

/// The remedy, cut where it is too long for a header field.
fn shortened(remedy: &str) -> Cow<'_, str> {
    match remedy.char_indices().nth(MAX_REMEDY_CHARACTERS) {
        Some((end, _)) => Cow::Owned(format!("{}...", remedy.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(remedy),
    }
}

fn one_domain(evaluation: &Evaluation, result: &'static str, judgement: &Judgement) -> ResultInfo {
    let mut info = ResultInfo::new("dmarc", result).with_domain("header", "from", &evaluation.author_domain);
    if let Some(policy) = evaluation.policy.filter(|_| !evaluation.policy_uncertain) {
        info = info.with_value("policy", "dmarc", policy.as_str());
    }
    // What is wrong with the domain that decides is the cause, and printed as the reason.
    let decides = judgement
        .evaluation()
        .is_some_and(|deciding| std::ptr::eq(deciding, evaluation));
    let shown = decides && !judgement.cause.is_empty();
    let problem = || evaluation.problem.clone().filter(|_| !shown);
    info.comment = in_force(evaluation, judgement).or_else(problem);
    info
}

/// What applies, as other receivers write it too. Nothing where no policy could be applied:
/// then `p=none` would be a claim about the Domain Owner that is not true.
fn in_force(evaluation: &Evaluation, judgement: &Judgement) -> Option<String> {
    let Discovery::Applies(at) = &evaluation.discovery else {
        return None;
    };
    let published = evaluation.policy_published?;
    let test = if at.record.testing { " t=y" } else { "" };
    let disposition = judgement.action.disposition;
    let mut comment = String::with_capacity(USUAL_COMMENT_OCTETS);
    for part in [
        "p=",
        published.as_str(),
        test,
        " dis=",
        disposition.as_str(),
        " dom=",
        at.domain.as_str(),
    ] {
        comment.push_str(part);
    }
    Some(comment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_is_cut_one_character_past_its_limit() {
        let longest = "x".repeat(MAX_REMEDY_CHARACTERS);
        assert_eq!(shortened(&longest), longest);
        assert_eq!(shortened(&format!("{longest}x")), format!("{longest}..."));
    }
}
