//! How the explanation begins and ends: the author, the result, what is done, what was asked.

use landmarc_auth::lookup::{Answer, AskedQuestion, DnsName, Missing, Question};
use landmarc_dmarc::evaluation::{DmarcResult, Evaluation};
use landmarc_dmarc::record::AssessmentPolicy;
use landmarc_mail::author::Author;

use super::lines::Section;
use crate::action::{AppliedRule, Effect, Override, SmtpAction};
use crate::evidence::Evidence;
use crate::judgement::Judgement;
use crate::policy::QuarantineBy;

pub(super) fn headline(judgement: &Judgement) -> Section {
    let from = judgement
        .author_domain()
        .map_or_else(|| "an unknown author".to_owned(), ToString::to_string);
    let found = match judgement.dmarc {
        DmarcResult::None => "is not covered by DMARC",
        DmarcResult::Pass(_) => "passes DMARC",
        DmarcResult::Fail => "fails DMARC",
        DmarcResult::TempError => "could not be judged by DMARC this time (temperror)",
        DmarcResult::PermError => "cannot be judged by DMARC (permerror)",
    };
    let decision = done(&judgement.decision.smtp);
    let done = if is_observed(judgement) {
        format!("accepted; in mode \"enforce\" it would be {decision}")
    } else {
        decision.to_owned()
    };
    let mut section = Section::new(&format!("Mail from {from} {found} and is {done}."));
    if !judgement.cause.is_empty() {
        section.indented(0, format!("Cause: {}.", judgement.cause));
    }
    section
}

fn done(step: &SmtpAction) -> &'static str {
    match step {
        SmtpAction::Accept => "accepted",
        SmtpAction::Quarantine(..) => "quarantined",
        SmtpAction::Reject(_) => "refused",
        SmtpAction::TempFail(_) => "deferred",
    }
}

fn is_observed(judgement: &Judgement) -> bool {
    judgement.action.smtp != judgement.decision.smtp
}

pub(super) fn author(judgement: &Judgement) -> Section {
    let mut section = Section::new("Author: whom does the message claim to be from?");
    section.line(match &judgement.author {
        Author::Domain(domain) => format!("The From field names {domain}: the Author Domain, which DMARC is about."),
        Author::Domains(domains) => {
            let names: Vec<_> = domains.iter().map(ToString::to_string).collect();
            format!(
                "The From field names several domains: {}. Each is judged, and the one that fails with the strictest policy decides. The message passes only if all of them pass.",
                names.join(", ")
            )
        }
        Author::Unusable(fault) => format!("That cannot be told: {fault}."),
    });
    for defect in &judgement.defects {
        section.line(format!("Malformed: {defect}."));
    }
    section
}

pub(super) fn verdict(judgement: &Judgement) -> Section {
    let several = matches!(judgement.author, Author::Domains(_));
    let meaning = match &judgement.dmarc {
        DmarcResult::None => "the Author Domain does not take part in DMARC",
        DmarcResult::Pass(_) => "the owner of the Author Domain vouches for this message",
        DmarcResult::Fail => "nobody who may speak for the Author Domain vouches for this message",
        DmarcResult::TempError => "DNS did not answer, so it neither passes nor fails",
        DmarcResult::PermError if several => "several author domains, and not all of them pass",
        DmarcResult::PermError => "it cannot be judged, and trying again will not help",
    };
    let mut section = Section::new("Result");
    section.line(format!("dmarc={}: {meaning}.", judgement.dmarc));
    let decisive = judgement.evaluation().map(|e| e.result.as_str());
    let differs = |word: &&str| Some(*word) != decisive;
    if let Some(other) = judgement
        .rfc7489
        .as_ref()
        .map(|e| e.result.as_str())
        .filter(differs)
    {
        section.line(format!("By RFC 7489, the older standard, it would be {other}."));
    }
    section
}

pub(super) fn action(judgement: &Judgement) -> Section {
    let mut section = Section::new("What is done");
    for evidence in &judgement.evidence {
        let side = if evidence.is_against() {
            "Against it"
        } else {
            "In its favour"
        };
        section.line(format!("{side}: {}.", evidence.in_words()));
    }
    let decision = match &judgement.decision.smtp {
        SmtpAction::Accept if judgement.rule.is_none() && asks_for_nothing(judgement) => {
            "It is accepted, as the owner asks for nothing else.".to_owned()
        }
        SmtpAction::Accept => "It is accepted.".to_owned(),
        SmtpAction::Quarantine(QuarantineBy::Hold, _) => {
            "It is quarantined: the mail server holds it.".to_owned()
        }
        SmtpAction::Quarantine(QuarantineBy::Header(name), _) => {
            format!("It is quarantined: delivered with the header field {name}.")
        }
        SmtpAction::Reject(reply) | SmtpAction::TempFail(reply) => format!("The server replies: {reply}"),
    };
    if is_observed(judgement) {
        section.line("It is accepted, for this server only observes. In mode \"enforce\":");
        section.indented(2, decision);
    } else {
        section.line(decision);
    }
    if let Some(rule) = &judgement.rule {
        section.line(rule_line(rule));
    }
    let by_rule = judgement.rule.as_ref().and_then(|rule| rule.recorded.as_ref());
    let others = |reason: &&Override| Some(*reason) != by_rule;
    for reason in judgement.decision.overrides.iter().filter(others) {
        section.line(override_line(judgement, reason));
    }
    if !judgement.removals.is_empty() {
        let count = judgement.removals.len();
        section.line(format!(
            "Removed as forged, for they bear the name of this server: {count} header fields."
        ));
    }
    section
}

/// Which rule of the operator decided, who answers for it, and what it is good for.
fn rule_line(rule: &AppliedRule) -> String {
    let AppliedRule {
        name, owner, reason, ..
    } = rule;
    let without = done(&rule.without.smtp);
    match (rule.effect, &rule.recorded) {
        (Effect::Softened | Effect::Hardened, Some(recorded)) => format!(
            "The rule {name} of this server decides (owner {owner}, override {}): {reason}. Without it, the message would be {without}.",
            recorded.kind().as_str()
        ),
        _ => format!("The rule {name} of this server says so too (owner {owner}): {reason}."),
    }
}

fn asks_for_nothing(judgement: &Judgement) -> bool {
    let failing = |e: &&Evaluation| e.result == DmarcResult::Fail;
    let failing = judgement.evaluation().filter(failing);
    failing.is_some_and(|e| e.policy == Some(AssessmentPolicy::None))
}

/// Why something else is done than the record says; the comment is left out where it only
/// repeats the evidence above it.
fn override_line(judgement: &Judgement, reason: &Override) -> String {
    let (kind, comment) = (reason.kind().as_str(), reason.comment());
    let fails = judgement
        .evaluation()
        .is_some_and(|e| e.result == DmarcResult::Fail);
    let repeats =
        matches!(reason, Override::Evidence(evidence) if !matches!(evidence, Evidence::TrustedArc { .. }));
    if matches!(judgement.decision.smtp, SmtpAction::Reject(_)) {
        return format!("That is this server's own policy (override {kind}): {comment}.");
    }
    match fails {
        true if repeats => format!("That is why less is done than the owner asks for (override {kind})."),
        true => format!("Less is done than the owner asks for (override {kind}): {comment}."),
        false => format!("No policy is applied (override {kind}): {comment}."),
    }
}

pub(super) fn questions(judgement: &Judgement) -> Section {
    let mut section = Section::new(&format!("DNS questions: {}", judgement.asked.len()));
    for asked in &judgement.asked {
        let Question { name, record_type } = &asked.question;
        let name = printed(judgement, name);
        section.line(format!("{name} {record_type}: {}", came_of(asked)));
    }
    section
}

/// The name, without the local part of the sender where an SPF record put it in (decision D37).
fn printed<'n>(judgement: &'n Judgement, name: &'n DnsName) -> &'n DnsName {
    let outcomes = [Some(&judgement.spf.mail_from), judgement.spf.helo.as_ref()];
    outcomes
        .into_iter()
        .flatten()
        .fold(name, |printed, spf| spf.redacted_names.printed(printed))
}

fn came_of(asked: &AskedQuestion) -> String {
    match &asked.answer {
        None => "not waited for".to_owned(),
        Some(Answer::Records(records)) if records.len() == 1 => "1 record".to_owned(),
        Some(Answer::Records(records)) => format!("{} records", records.len()),
        Some(Answer::NoData) => "no such record".to_owned(),
        Some(Answer::NxDomain(Missing::Name)) => "no such name".to_owned(),
        Some(Answer::NxDomain(Missing::AliasTarget)) => "an alias to a name that does not exist".to_owned(),
        Some(Answer::Failed(error)) => format!("FAILED, {error}"),
    }
}
