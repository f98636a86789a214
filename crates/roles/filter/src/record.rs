//! From a judgement to what is written down.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use landmarc_auth::dkim::{DkimOutcome, DkimResult};
use landmarc_dmarc::evaluation::{DmarcResult, Evaluation, discarded_records};
use landmarc_dmarc::record::{AssessmentPolicy, PolicyRecord, Psd, ReportUri, Usability};
use landmarc_mail::DomainName;
use landmarc_observation::{Observation, PublishedPolicy, TallyRow};
use landmarc_receiver::Judgement;
use landmarc_receiver::action::{Override, SmtpAction};
use landmarc_store::{MAX_PROBLEM, MAX_PROBLEMS};

use crate::log_line::dkim_word;
use crate::trace;
use landmarc_runtime::clock::now_ms;

/// DKIM results of one row, the most telling first. RFC 9990 §3.1.3 allows a hundred; but each of them is names that the sender chose, kept for
/// as long as the tally is, and mail that is wanted has two or three signatures.
const MAX_DKIM_RESULTS: usize = 4;

/// What of a message is known only where the MTA is spoken to.
pub(super) struct RecordIds<'a> {
    /// What the MTA calls the message.
    pub(super) queue_id: &'a str,
    /// What we call it.
    pub(super) id: &'a str,
    /// How long it was judged.
    pub(super) elapsed: Duration,
}

/// A message that was judged. `incidental`: it is itself report traffic.
pub(super) fn judged(
    judgement: &Judgement,
    explanation: Option<&str>,
    moment: &RecordIds<'_>,
    incidental: bool,
) -> Observation {
    let evaluation = judgement.evaluation();
    let trace = explanation.map(|explanation| trace::without_id(explanation, moment.id).into());
    Observation {
        client: judgement.envelope.client,
        author_domain: judgement.author_domain().map(ToString::to_string),
        spf: judgement.spf.mail_from.result.as_str().to_owned(),
        dkim: dkim_word(judgement).to_owned(),
        arc: judgement.arc.status.as_str().to_owned(),
        dmarc: judgement.dmarc.as_str().to_owned(),
        policy_domain: evaluation
            .and_then(|evaluation| evaluation.discovery.applied())
            .map(|at| at.domain.to_string()),
        policy: evaluation
            .and_then(|evaluation| evaluation.policy)
            .map(|policy| policy.as_str().to_owned()),
        disposition: judgement.action.disposition.as_str().to_owned(),
        enforced_action: judgement.decision.smtp.as_str().to_owned(),
        overrides: words(&judgement.action.overrides),
        questions: u32::try_from(judgement.asked.len()).unwrap_or(u32::MAX),
        trace: trace.unwrap_or_default(),
        rule: judgement.rule.as_ref().map(|rule| rule.name.clone()),
        row: evaluation.and_then(|evaluation| row(evaluation, judgement, incidental)),
        ..blank(judgement.action.smtp.as_str(), &judgement.cause, moment)
    }
}

/// A message that could not be judged: what was done, and why.
pub(super) fn unjudged(action: &str, cause: &str, moment: &RecordIds<'_>) -> Observation {
    Observation {
        trace: format!("The message was not judged: {cause}.\n").into(),
        ..blank(action, cause, moment)
    }
}

/// Of a message of which nothing was found.
fn blank(action: &str, cause: &str, moment: &RecordIds<'_>) -> Observation {
    let none = || "none".to_owned();
    Observation {
        at_ms: now_ms(),
        queue_id: moment.queue_id.to_owned(),
        id: moment.id.to_owned(),
        client: None,
        author_domain: None,
        spf: none(),
        dkim: none(),
        arc: none(),
        dmarc: none(),
        policy_domain: None,
        policy: None,
        disposition: none(),
        action: action.to_owned(),
        enforced_action: action.to_owned(),
        overrides: Vec::new(),
        cause: cause.to_owned(),
        questions: 0,
        ms: u32::try_from(moment.elapsed.as_millis()).unwrap_or(u32::MAX),
        trace: Arc::default(),
        rule: None,
        row: None,
    }
}

/// The row of the aggregate report that a message counts in (RFC 9990 §3.1): of those that a
/// policy was applied to. One that was put off is counted when it comes again.
fn row(evaluation: &Evaluation, judgement: &Judgement, incidental: bool) -> Option<TallyRow> {
    let is_settled = !matches!(evaluation.result, DmarcResult::None | DmarcResult::PermError)
        && !matches!(judgement.action.smtp, SmtpAction::TempFail(_));
    let at = evaluation.discovery.applied().filter(|_| is_settled)?;
    Some(TallyRow {
        policy_domain: at.domain.to_string(),
        published: published(&at.record, evaluation),
        source_ip: judgement.envelope.client?,
        disposition: judgement.action.disposition.as_str().to_owned(),
        dkim_aligned: evaluation.dkim_aligned,
        spf_aligned: evaluation.spf_aligned,
        reasons: words(&judgement.action.overrides),
        header_from: evaluation.author_domain.to_string(),
        envelope_from: Some(domain_of_mail_from(judgement)),
        // Recipients of one message are many, and whom it went to is not the Domain Owner's business.
        envelope_to: None,
        dkim: signatures(&judgement.dkim, &evaluation.author_domain),
        spf: spf(judgement),
        incidental,
    })
}

/// Empty where the reverse-path was.
fn domain_of_mail_from(judgement: &Judgement) -> String {
    let mail_from = &judgement.envelope.mail_from;
    mail_from
        .domain()
        .map_or_else(String::new, |domain| domain.to_string())
}

/// In the order of RFC 9990 §3.1.3: those that pass, and among them those of the Author Domain, then those with most labels in common
/// with it, first.
fn signatures(results: &[DkimOutcome], author: &DomainName) -> Vec<(String, String, String)> {
    let mut signatures: Vec<_> = results.iter().filter(|result| result.domain.is_some()).collect();
    signatures.sort_by_key(|result| {
        let passes = result.result == DkimResult::Pass;
        let shared = result
            .domain
            .as_ref()
            .filter(|_| passes)
            .map_or(0, |domain| shared_labels(domain, author));
        (!passes, result.domain.as_ref() != Some(author), Reverse(shared))
    });
    signatures
        .into_iter()
        .take(MAX_DKIM_RESULTS)
        .filter_map(signature)
        .collect()
}

fn shared_labels(one: &DomainName, other: &DomainName) -> usize {
    let pairs = one.as_str().rsplit('.').zip(other.as_str().rsplit('.'));
    pairs.take_while(|(one, other)| one == other).count()
}

fn signature(signature: &DkimOutcome) -> Option<(String, String, String)> {
    let selector = signature.selector.clone().unwrap_or_default();
    let result = signature.result.as_str().to_owned();
    Some((signature.domain.as_ref()?.to_string(), selector, result))
}

fn spf(judgement: &Judgement) -> Option<(String, String, String)> {
    let outcome = &judgement.spf.mail_from;
    // `mfrom` for the null reverse-path too: the identity is MAIL FROM then, as postmaster at
    // the HELO name (RFC 7208 §2.4), and RFC 9990 knows no other scope.
    let scope = outcome.scope.as_str().to_owned();
    let domain = outcome.domain.as_ref().map(DomainName::to_string)?;
    Some((domain, scope, outcome.result.as_str().to_owned()))
}

fn published(record: &PolicyRecord, evaluation: &Evaluation) -> PublishedPolicy {
    let as_written = record.usability() == Usability::AsPublished;
    // RFC 9989 §4.10.1: a record with a policy that is missing or not valid, but with a place to
    // report to, is taken for p=none, whatever else stands there.
    let policy = record
        .policy
        .filter(|_| as_written)
        .unwrap_or(AssessmentPolicy::None);
    let subdomains = record.subdomain_policy.filter(|_| as_written).unwrap_or(policy);
    let nonexistent = record.nonexistent_policy.filter(|_| as_written);
    let addresses = |uris: &[ReportUri]| uris.iter().map(ToString::to_string).collect();
    PublishedPolicy {
        p: policy.as_str().to_owned(),
        sp: subdomains.as_str().to_owned(),
        np: nonexistent.map(|policy| policy.as_str().to_owned()),
        adkim: record.dkim_mode.as_str().to_owned(),
        aspf: record.spf_mode.as_str().to_owned(),
        fo: record.failure_options.to_string(),
        testing: record.testing,
        discovery_method: evaluation.method.as_str().to_owned(),
        rua: addresses(&record.aggregate_uris),
        ruf: addresses(&record.failure_uris),
        problems: problems(record, evaluation),
        psd: record.psd == Psd::Yes,
    }
}

/// What its owner should know of the record (RFC 9990 §3.1.5), as far as there is room for it. It
/// quotes what strangers wrote: all of it is printable ASCII.
fn problems(record: &PolicyRecord, evaluation: &Evaluation) -> Vec<String> {
    let of_record = record.problems.iter().map(ToString::to_string);
    let all = discarded_records(evaluation).into_iter().chain(of_record);
    all.take(MAX_PROBLEMS).map(cut).collect()
}

fn cut(mut problem: String) -> String {
    problem.truncate(problem.floor_char_boundary(MAX_PROBLEM));
    problem
}

fn words(overrides: &[Override]) -> Vec<(String, String)> {
    let words = |reason: &Override| (reason.kind().as_str().to_owned(), reason.comment());
    overrides.iter().map(words).collect()
}

#[cfg(test)]
mod tests;
