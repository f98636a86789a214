//! From what was found to what is done.

use std::net::IpAddr;

use landmarc_dmarc::discovery::Discovery;
use landmarc_dmarc::evaluation::{DmarcResult, Evaluation};
use landmarc_dmarc::record::AssessmentPolicy;
use landmarc_mail::author::AuthorFault;
use landmarc_mail::text::printable;

use crate::action::{Action, AppliedRule, FailureCause, Override, SmtpAction};
use crate::disposition::{Disposition, OverrideKind};
use crate::evidence::{Evidence, in_favour};
use crate::limits::{MAX_REASON_OCTETS, MAX_REPLY_OCTETS};
use crate::policy::{
    EnforcementMode, OnFailure, RejectRule, ReplyCodes, Rules, TemplateVars, UnusableAuthor,
};
use crate::reply::RefusalReply;
use crate::required::HeaderFault;

/// What is known when the decision is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'a> {
    /// Why there is no Author Domain, when there is none.
    pub fault: Option<AuthorFault>,
    /// Where it is against RFC 5322 §3.6, if the operator insists on that.
    pub header_fault: Option<&'a HeaderFault>,
    /// The evaluation that decides: of the strictest failing policy among the author
    /// domains, else the first; none without an Author Domain.
    pub evaluation: Option<&'a Evaluation>,
    /// Evidence about that author domain.
    pub evidence: &'a [Evidence],
    /// Why it failed, in words, for the reply.
    pub reason: &'a str,
    /// Whether DNS questions or time ran out.
    pub budget_reached: bool,
    /// Whether what is open is what a filter ahead of us should have stated.
    pub upstream_is_silent: bool,
    /// What the log calls the message.
    pub id: &'a str,
    /// Who delivers it.
    pub client: Option<IpAddr>,
}

impl<'a> Case<'a> {
    fn blanks(&self, reason: &'a str) -> TemplateVars<'a> {
        let author_domain = self.evaluation.map_or("unknown", |e| e.author_domain.as_str());
        let policy_domain = match self.evaluation.map(|e| &e.discovery) {
            Some(Discovery::Applies(at)) => at.domain.as_str(),
            _ => "unknown",
        };
        TemplateVars {
            author_domain,
            policy_domain,
            client: self.client,
            reason,
            id: self.id,
        }
    }
}

/// What the decision is without a rule of the operator ([`crate::operator`]), whatever the mode
/// (decisions D5, D6; RFC 9989 §5.3.6, §5.4, §7.4).
///
/// Only evidence in favour, the operator's settings and test mode soften what the Domain Owner
/// asks for; nothing makes it stricter.
#[must_use]
pub(crate) fn decide(case: &Case<'_>, rules: &Rules) -> Action {
    if let Some(fault) = case.header_fault {
        return unfit(fault, case, rules);
    }
    if let Some(fault) = case.fault {
        return without_author(fault, case, rules);
    }
    let Some(evaluation) = case.evaluation else {
        return accept(Disposition::None, Vec::new());
    };
    match evaluation.result {
        // RFC 9989 §4.10.1: no record, so DMARC "MUST NOT be applied".
        DmarcResult::None => accept(Disposition::None, Vec::new()),
        // A message can need more than our limits by honest records, each time it comes. Where nothing is
        // asked for, nobody gets past anything, and it must not be deferred until it bounces.
        DmarcResult::TempError if case.budget_reached && asks_for_nothing(evaluation) => {
            on_failure(&OnFailure::Accept, FailureCause::Budget, case)
        }
        DmarcResult::TempError if case.budget_reached => {
            on_failure(&rules.failures.budget, FailureCause::Budget, case)
        }
        DmarcResult::TempError if asks_for_more_than_none(evaluation) && !case.upstream_is_silent => {
            on_failure(&rules.failures.dns_with_policy, FailureCause::DnsWithPolicy, case)
        }
        DmarcResult::TempError => on_failure(&rules.failures.dns, FailureCause::Dns, case),
        DmarcResult::PermError => on_failure(
            &rules.failures.unusable_record,
            FailureCause::UnusableRecord,
            case,
        ),
        DmarcResult::Fail => failing(case, evaluation, rules),
        // The disposition `pass` is for policies that ask for something.
        DmarcResult::Pass(_) => match evaluation.policy_published {
            Some(AssessmentPolicy::None) | None => accept(Disposition::None, Vec::new()),
            Some(_) => accept(Disposition::Pass, Vec::new()),
        },
    }
}

/// Decision D6: what is open in such a message was named by the message, a selector or a name below
/// the one with the policy, and a dead name must not buy acceptance. That a filter ahead of us says
/// nothing is not the choice of a sender.
fn asks_for_more_than_none(evaluation: &Evaluation) -> bool {
    let known = evaluation.policy_at_stake.as_ref();
    known.is_some_and(|at_stake| at_stake.policy > AssessmentPolicy::None)
}

/// Whether the record that applies is known and asks for nothing. One above it says nothing of a record
/// that was not looked up.
fn asks_for_nothing(evaluation: &Evaluation) -> bool {
    let known = evaluation.policy_at_stake.as_ref();
    matches!(evaluation.discovery, Discovery::Applies(_))
        && known.is_some_and(|at_stake| at_stake.policy == AssessmentPolicy::None)
}

/// What is done of a decision in a mode: when observing, nothing, and the report says so.
/// `rule` is the rule of the operator that decided, if one did.
#[must_use]
pub(crate) fn in_mode(decision: &Action, rule: Option<&AppliedRule>, mode: EnforcementMode) -> Action {
    if mode == EnforcementMode::Enforce || decision.smtp == SmtpAction::Accept {
        return decision.clone();
    }
    // Why no policy was applied is true in either mode; why one was softened is not, nor why a
    // rule would have done more.
    let by_rule = rule.and_then(|rule| rule.recorded.as_ref());
    let mut overrides = decision.overrides.clone();
    overrides.retain(|reason| reason.kind() == OverrideKind::Other && Some(reason) != by_rule);
    overrides.push(Override::ObserveMode(decision.smtp.as_str()));
    // A message that passes passed, whatever a rule would have done to it.
    let without_rule = rule.map(|rule| &rule.without);
    let accepted = without_rule.filter(|without| without.smtp == SmtpAction::Accept);
    let disposition = accepted.map_or(Disposition::None, |without| without.disposition);
    accept(disposition, overrides)
}

fn accept(disposition: Disposition, overrides: Vec<Override>) -> Action {
    Action {
        disposition,
        smtp: SmtpAction::Accept,
        overrides,
    }
}

/// Decision D3: what cannot be evaluated must not become a way around the policy
/// (RFC 9989 §11.5).
fn without_author(fault: AuthorFault, case: &Case<'_>, rules: &Rules) -> Action {
    if rules.unusable_author == UnusableAuthor::Accept || !fault.is_refusable() {
        return accept(Disposition::None, Vec::new());
    }
    Action {
        disposition: Disposition::Reject,
        smtp: SmtpAction::Reject(no_mail(case, rules)),
        overrides: Vec::new(),
    }
}

/// P25: refused whatever its domain asks for, which a report must give a reason for (RFC 9990
/// §3.1.1.9).
fn unfit(fault: &HeaderFault, case: &Case<'_>, rules: &Rules) -> Action {
    Action {
        disposition: Disposition::Reject,
        smtp: SmtpAction::Reject(no_mail(case, rules)),
        overrides: vec![Override::HeaderFault(*fault)],
    }
}

/// What a client reads whose message is refused for its form.
fn no_mail(case: &Case<'_>, rules: &Rules) -> RefusalReply {
    let reason = printable(case.reason, MAX_REASON_OCTETS);
    permanent(&rules.unusable_author_text.fill(&case.blanks(&reason)), rules)
}

/// Decision D6: a failure of ours is never a reject.
fn on_failure(rule: &OnFailure, cause: FailureCause, case: &Case<'_>) -> Action {
    let smtp = match rule {
        OnFailure::Accept => SmtpAction::Accept,
        OnFailure::TempFail { code, enhanced, text } => {
            let reason = printable(case.reason, MAX_REASON_OCTETS);
            SmtpAction::TempFail(RefusalReply::new(
                *code,
                enhanced,
                &text.fill(&case.blanks(&reason)),
            ))
        }
    };
    Action {
        disposition: Disposition::None,
        smtp,
        overrides: vec![Override::Failure(cause)],
    }
}

fn failing(case: &Case<'_>, evaluation: &Evaluation, rules: &Rules) -> Action {
    let published = evaluation.policy_published.unwrap_or(AssessmentPolicy::None);
    let policy = evaluation.policy.unwrap_or(published);
    let softened = softened_policy(evaluation, published, policy);
    if policy == AssessmentPolicy::None {
        return accept(Disposition::None, softened);
    }
    if let Some(decisive) = case.evidence.iter().find(|evidence| evidence.is_decisive()) {
        return accept(Disposition::None, vec![Override::Evidence(decisive.clone())]);
    }
    match policy {
        AssessmentPolicy::Reject => rejecting(case, rules),
        AssessmentPolicy::None | AssessmentPolicy::Quarantine => quarantine(case, rules, softened),
    }
}

/// Why less is asked for than what the record says to all: RFC 9990 §3.1.1.9 wants a reason wherever
/// the disposition of a failing message is not the policy. `t=y` is one of its own.
fn softened_policy(
    evaluation: &Evaluation,
    published: AssessmentPolicy,
    policy: AssessmentPolicy,
) -> Vec<Override> {
    let uncertain = evaluation.policy_uncertain.then_some(Override::ExistenceUnknown);
    let test_mode = (published != policy).then_some(Override::TestMode { published, policy });
    uncertain.into_iter().chain(test_mode).collect()
}

/// RFC 9989 §7.4: a receiver "MUST NOT" reject on the policy alone; without other
/// knowledge reject is treated as quarantine. (A policy that is uncertain is the weaker of two, and so never this.)
fn rejecting(case: &Case<'_>, rules: &Rules) -> Action {
    let favour = in_favour(case.evidence);
    let against = case.evidence.iter().any(Evidence::is_against);
    let is_unanswered = |evidence: &&Evidence| matches!(evidence, Evidence::TrustedArcUnanswered(_));
    let unanswered = case.evidence.iter().find(is_unanswered);
    let softened = match (rules.reject, favour) {
        (RejectRule::Always, _) if let Some(unanswered) = unanswered => {
            Override::Evidence(unanswered.clone())
        }
        (RejectRule::Never, _) => Override::NeverRejects,
        (RejectRule::Always, _) => return reject(case, rules),
        (RejectRule::Evidence, Some(evidence)) => Override::Evidence(evidence.clone()),
        (RejectRule::Evidence, None) if against => return reject(case, rules),
        (RejectRule::Evidence, None) => Override::NoEvidence,
    };
    quarantine(case, rules, vec![softened])
}

fn reject(case: &Case<'_>, rules: &Rules) -> Action {
    Action {
        disposition: Disposition::Reject,
        smtp: SmtpAction::Reject(refusal(case, true, rules)),
        overrides: Vec::new(),
    }
}

/// What a refused client reads; in the name of the policy only where that asks for it.
pub(crate) fn refusal(case: &Case<'_>, policy_asks: bool, rules: &Rules) -> RefusalReply {
    let reason = printable(case.reason, MAX_REASON_OCTETS);
    let blanks = case.blanks(&reason);
    let text = if policy_asks {
        rules.reject_text.fill(&blanks)
    } else {
        local_refusal(&blanks, &rules.reject_codes)
    };
    permanent(&text, rules)
}

/// Where all of it is too long, for author domains can be, the reason is cut and never the id: by
/// that the sender can ask.
fn local_refusal(blanks: &TemplateVars<'_>, codes: &ReplyCodes) -> String {
    let ReplyCodes { basic, enhanced } = codes;
    let before = format!("Email rejected per local policy for {}", blanks.author_domain);
    let id = format!(" ({})", blanks.id);
    let taken = format!("{basic} {enhanced} {before}: {id}").len();
    let reason = printable(blanks.reason, MAX_REPLY_OCTETS.saturating_sub(taken));
    format!("{before}{}{id}", because(&reason))
}

fn permanent(text: &str, rules: &Rules) -> RefusalReply {
    let codes = &rules.reject_codes;
    RefusalReply::new(codes.basic, &codes.enhanced, text)
}

fn quarantine(case: &Case<'_>, rules: &Rules, overrides: Vec<Override>) -> Action {
    Action {
        disposition: Disposition::Quarantine,
        smtp: SmtpAction::Quarantine(rules.quarantine.clone(), quarantine_text(None, case, rules)),
        overrides,
    }
}

/// What the MTA or the delivery agent reads of a message that is set aside: by local policy, or
/// because the policy of its domain asks for it.
pub(crate) fn quarantine_text(local_policy: Option<&str>, case: &Case<'_>, rules: &Rules) -> String {
    let reason = printable(case.reason, MAX_REASON_OCTETS);
    let blanks = case.blanks(&reason);
    match local_policy {
        None => rules.quarantine_text.fill(&blanks),
        Some(policy) => format!(
            "quarantined by {policy} for {}{}",
            blanks.author_domain,
            because(&reason)
        ),
    }
}

fn because(reason: &str) -> String {
    if reason.is_empty() {
        String::new()
    } else {
        format!(": {reason}")
    }
}
