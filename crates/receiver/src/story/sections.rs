//! The parts of the story, in the order in which a message meets them.

use std::fmt::Write as _;

use auth::arc::ArcStatus;
use auth::dkim::DkimResult;
use auth::lookup::{Answer, Asked, Missing};
use auth::spf::SpfOutcome;
use dmarc::discovery::{Discovery, TakenAs, Walk, WalkOutcome};
use dmarc::evaluation::{DmarcResult, Evaluation, PolicyTag};
use mail::author::Author;

use crate::action::Step;
use crate::judge::Judgement;

/// Steps of one SPF check that are told; a record cannot cause many more.
const MAX_SPF_STEPS_TOLD: usize = 60;
/// Signatures that are told one by one.
const MAX_SIGNATURES_TOLD: usize = 20;

pub(super) fn headline(judgement: &Judgement) -> String {
    let what = match &judgement.decision.step {
        Step::Accept => "accepted",
        Step::Quarantine(..) => "quarantined",
        Step::Reject(_) => "refused",
        Step::TempFail(_) => "deferred",
    };
    let observing = judgement.action != judgement.decision;
    let what = if observing {
        format!("accepted; when enforcing it would be {what}")
    } else {
        what.to_owned()
    };
    let from = judgement.author_domain().map_or_else(
        || "an author that cannot be determined".to_owned(),
        ToString::to_string,
    );
    let mut text = format!("Mail from {from}: dmarc={}, {what}.\n", judgement.dmarc.as_str());
    if !judgement.cause.is_empty() {
        let _ = writeln!(text, "Cause: {}.", judgement.cause);
    }
    text
}

pub(super) fn author(judgement: &Judgement) -> String {
    let mut text = String::from("Who claims to have written it\n");
    let _ = match &judgement.author {
        Author::Domain(domain) => writeln!(text, "  The From field names {domain}: the Author Domain."),
        Author::Domains(domains) => {
            let names: Vec<_> = domains.iter().map(ToString::to_string).collect();
            writeln!(
                text,
                "  The From field names several domains: {}. Each is evaluated, the strictest failing policy counts.",
                names.join(", ")
            )
        }
        Author::Unusable(fault) => writeln!(text, "  The Author Domain cannot be told: {fault}."),
    };
    for defect in &judgement.defects {
        let _ = writeln!(text, "  Malformed: {defect}.");
    }
    text
}

pub(super) fn spf(judgement: &Judgement) -> String {
    let outcome = &judgement.spf.mail_from;
    let client = client(judgement);
    let domain = outcome
        .domain
        .as_ref()
        .map_or("(no domain)", |domain| domain.as_str());
    let identity = if outcome.from_helo {
        "HELO, as the reverse-path is null"
    } else {
        "MAIL FROM"
    };
    let mut text = format!("SPF: may {client} send for {domain} ({identity})?\n");
    let _ = writeln!(text, "  {}{}", outcome.result, spf_why(outcome));
    for step in outcome.steps.iter().take(MAX_SPF_STEPS_TOLD) {
        let indent = "  ".repeat(step.depth + 2);
        let _ = writeln!(text, "{indent}{}: {} -> {}", step.domain, step.term, step.outcome);
    }
    if let Some(helo) = &judgement.spf.helo {
        let name = helo
            .domain
            .as_ref()
            .map_or("(no domain)", |domain| domain.as_str());
        let _ = writeln!(
            text,
            "  HELO {name}: {} (told apart; DMARC does not use it)",
            helo.result
        );
    }
    text
}

fn spf_why(outcome: &SpfOutcome) -> String {
    match (&outcome.problem, &outcome.mechanism) {
        (Some(problem), _) => format!(": {problem}"),
        (None, Some(mechanism)) => format!(": decided by `{mechanism}`"),
        (None, None) => String::new(),
    }
}

fn client(judgement: &Judgement) -> String {
    judgement
        .envelope
        .client
        .map_or_else(|| "a client without address".to_owned(), |ip| ip.to_string())
}

pub(super) fn dkim(judgement: &Judgement) -> String {
    let mut text = String::from("DKIM: who signed it?\n");
    if judgement.dkim.is_empty() {
        text.push_str("  Nobody: there is no DKIM-Signature field.\n");
    }
    for signature in judgement.dkim.iter().take(MAX_SIGNATURES_TOLD) {
        let _ = writeln!(text, "  {}", one_signature(signature));
    }
    if let Some(more) = judgement
        .dkim
        .len()
        .checked_sub(MAX_SIGNATURES_TOLD)
        .filter(|&more| more > 0)
    {
        let _ = writeln!(text, "  and {more} more.");
    }
    text
}

fn one_signature(signature: &DkimResult) -> String {
    let domain = signature
        .domain
        .as_ref()
        .map_or("an unreadable domain", |domain| domain.as_str());
    let mut text = format!("{domain}");
    if let Some(selector) = &signature.selector {
        let _ = write!(text, " (selector {selector}");
        if let Some(algorithm) = &signature.algorithm {
            let _ = write!(text, ", {algorithm}");
        }
        if let Some(bits) = signature.key_bits {
            let _ = write!(text, ", {bits} bits");
        }
        text.push(')');
    }
    let _ = write!(text, ": {}", signature.result);
    if let Some(reason) = &signature.reason {
        let _ = write!(text, ", {reason}");
    }
    if !signature.unsigned_fields.is_empty() {
        let _ = write!(text, "; not covered: {}", signature.unsigned_fields.join(", "));
    }
    text
}

pub(super) fn arc(judgement: &Judgement) -> String {
    let arc = &judgement.arc;
    if arc.instances == 0 && arc.status == ArcStatus::None {
        return String::new();
    }
    let sealers: Vec<_> = arc
        .sealers
        .iter()
        .map(|s| format!("{}={}", s.instance, s.domain))
        .collect();
    let why = arc
        .reason
        .as_ref()
        .map_or_else(String::new, |reason| format!(", {reason}"));
    format!(
        "ARC: what do earlier hops claim?\n  {} ({} sets: {}){why}. It never makes DMARC pass.\n",
        arc.status,
        arc.instances,
        sealers.join(" ")
    )
}

pub(super) fn policy(judgement: &Judgement) -> String {
    judgement.evaluations.iter().map(one_policy).collect()
}

fn one_policy(evaluation: &Evaluation) -> String {
    let author = &evaluation.author_domain;
    let mut text = format!("DMARC: what does {author} ask for?\n");
    for walk in evaluation.walks.iter().take(1) {
        walk_lines(&mut text, walk);
    }
    let _ = match &evaluation.discovery {
        Discovery::Applies(at) => {
            let taken = match at.taken_as {
                TakenAs::Author => "the Author Domain itself",
                TakenAs::Organizational => "the Organizational Domain",
                TakenAs::PublicSuffix => "the public suffix above it",
            };
            writeln!(text, "  The record of {} applies ({taken}).", at.domain)
        }
        Discovery::Absent => writeln!(text, "  No record anywhere: DMARC does not apply."),
        Discovery::Unanswered(error) => writeln!(text, "  The policy is unknown: {error}."),
    };
    asked_for(&mut text, evaluation);
    if let Some(problem) = &evaluation.problem {
        let _ = writeln!(text, "  {problem}.");
    }
    text
}

fn walk_lines(text: &mut String, walk: &Walk) {
    for step in &walk.steps {
        let outcome = match &step.outcome {
            WalkOutcome::Record(record) => record.raw.clone(),
            WalkOutcome::SeveralRecords(count) => format!("{count} DMARC records: all of them are void"),
            WalkOutcome::NoRecord => "no DMARC record".to_owned(),
            WalkOutcome::NoName => "no such name".to_owned(),
            WalkOutcome::CannotExist => "not a name DNS could hold".to_owned(),
            WalkOutcome::Failed(error) => format!("no answer: {error}"),
        };
        let _ = writeln!(text, "    _dmarc.{}: {outcome}", step.name);
    }
}

fn asked_for(text: &mut String, evaluation: &Evaluation) {
    let (Some(published), Some(policy)) = (evaluation.policy_published, evaluation.policy) else {
        return;
    };
    let why = match evaluation.policy_tag {
        Some(PolicyTag::P) | None => "p= is for the name itself",
        Some(PolicyTag::Sp) => "sp= is for names below it (p= where sp= is missing)",
        Some(PolicyTag::Np) => "np= is for names that do not exist",
    };
    let _ = write!(text, "  It asks for {published} when a message fails ({why})");
    if policy == published {
        text.push_str(".\n");
    } else {
        let _ = writeln!(text, "; t=y makes that {policy}.");
    }
}

pub(super) fn alignment(judgement: &Judgement) -> String {
    let Some(evaluation) = judgement.evaluation() else {
        return String::new();
    };
    if !matches!(evaluation.discovery, Discovery::Applies(_)) {
        return String::new();
    }
    let author = &evaluation.author_domain;
    let mut text = format!("Alignment: did anybody that passed speak for {author}?\n");
    if let Some(organization) = &evaluation.organizational_domain {
        let _ = writeln!(text, "  Organizational Domain: {organization}.");
    }
    for step in &evaluation.identifiers {
        let aligned = if step.aligned { "aligned" } else { "not aligned" };
        let _ = writeln!(
            text,
            "  {} {}: {aligned}, {}",
            step.mechanism.as_str(),
            step.domain,
            step.note
        );
    }
    if evaluation.identifiers.is_empty() {
        text.push_str("  Nothing passed that could.\n");
    }
    if evaluation.guard_applied {
        text.push_str("  The record found is on a public suffix that does not say so; it does not tie the names below together.\n");
    }
    text
}

pub(super) fn verdict(judgement: &Judgement) -> String {
    let meaning = match &judgement.dmarc {
        DmarcResult::None => "the Author Domain does not take part in DMARC",
        DmarcResult::Fail => "nobody who may speak for the Author Domain vouches for this message",
        DmarcResult::TempError => "DNS did not answer, so it neither passes nor fails",
        DmarcResult::PermError => "it cannot be evaluated, and trying again will not help",
        _ => "somebody who may speak for the Author Domain vouches for it",
    };
    let mut text = format!("Verdict\n  dmarc={}: {meaning}.\n", judgement.dmarc.as_str());
    if let Some(other) = judgement
        .rfc7489
        .as_ref()
        .filter(|o| o.result.as_str() != judgement.dmarc.as_str())
    {
        let _ = writeln!(
            text,
            "  By the older RFC 7489 it would be {}.",
            other.result.as_str()
        );
    }
    text
}

pub(super) fn action(judgement: &Judgement) -> String {
    let mut text = String::from("What is done\n");
    for evidence in &judgement.evidence {
        let side = if evidence.is_against() {
            "Against it"
        } else {
            "In its favour"
        };
        let _ = writeln!(text, "  {side}: {}.", evidence.in_words());
    }
    let decision = match &judgement.decision.step {
        Step::Accept => "It is accepted.".to_owned(),
        Step::Quarantine(_, why) => format!("It is set aside: {why}."),
        Step::Reject(reply) | Step::TempFail(reply) => format!("The client gets: {reply}"),
    };
    let observing = judgement.action != judgement.decision;
    if observing {
        let _ = writeln!(text, "  When enforcing: {decision}");
        text.push_str("  This server only observes, so it is accepted.\n");
    } else {
        let _ = writeln!(text, "  {decision}");
    }
    for reason in &judgement.action.overrides {
        let _ = writeln!(
            text,
            "  Reported as {}: {}.",
            reason.kind.as_str(),
            reason.comment
        );
    }
    text
}

pub(super) fn questions(judgement: &Judgement) -> String {
    let mut text = format!("DNS questions: {}\n", judgement.asked.len());
    for asked in &judgement.asked {
        let _ = writeln!(text, "    {}: {}", asked.question, came_of(asked));
    }
    text
}

fn came_of(asked: &Asked) -> String {
    match &asked.answer {
        None => "not waited for".to_owned(),
        Some(Answer::Records(records)) if records.len() == 1 => "1 record".to_owned(),
        Some(Answer::Records(records)) => format!("{} records", records.len()),
        Some(Answer::NoData) => "no such record".to_owned(),
        Some(Answer::NxDomain(Missing::Name)) => "no such name".to_owned(),
        Some(Answer::NxDomain(Missing::AliasTarget)) => "an alias to a name that does not exist".to_owned(),
        Some(Answer::Failed(error)) => error.to_string(),
    }
}
