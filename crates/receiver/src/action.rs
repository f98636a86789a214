//! From what was found to what is done.

use std::fmt;

use dmarc::evaluation::{DmarcResult, Evaluation};
use dmarc::record::AssessmentPolicy;
use mail::author::AuthorFault;

use crate::evidence::Evidence;
use crate::local::{Blanks, Mode, OnFailure, QuarantineBy, RejectRule, Rules, UnusableAuthor};

/// What is done with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// What a report will say was done.
    pub disposition: Disposition,
    /// What the MTA is told.
    pub step: Step,
    /// Why it is something else than the Domain Owner asked for.
    pub overrides: Vec<Override>,
}

/// What was done, in the words of RFC 9990.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// Nothing was done about it.
    None,
    /// DMARC passed under a policy that asks for more than watching.
    Pass,
    /// Set aside.
    Quarantine,
    /// Refused.
    Reject,
}

impl Disposition {
    /// The word of RFC 9990.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }
}

impl fmt::Display for Disposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the MTA is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Take it.
    Accept,
    /// Take it and set it aside.
    Quarantine(QuarantineBy, String),
    /// Refuse it for good.
    Reject(Reply),
    /// Refuse it for now.
    TempFail(Reply),
}

impl Step {
    /// The word for logs and JSON.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Quarantine(..) => "quarantine",
            Self::Reject(_) => "reject",
            Self::TempFail(_) => "tempfail",
        }
    }

    /// The SMTP reply, when it is ours to give.
    #[must_use]
    pub fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Reject(reply) | Self::TempFail(reply) => Some(reply),
            Self::Accept | Self::Quarantine(..) => None,
        }
    }
}

/// An SMTP reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 4xx or 5xx.
    pub code: u16,
    /// The enhanced status code (RFC 3463).
    pub enhanced: String,
    /// One line of printable ASCII.
    pub text: String,
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.code, self.enhanced, self.text)
    }
}

/// Why a disposition differs from the policy (RFC 9990, PolicyOverrideReason).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The registered type.
    pub kind: OverrideKind,
    /// What it rests on, in words.
    pub comment: String,
}

/// The override types of RFC 9990.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OverrideKind {
    /// A mailing list.
    MailingList,
    /// The operator's own policy.
    LocalPolicy,
    /// `t=y`.
    PolicyTestMode,
    /// A forwarder the operator trusts.
    TrustedForwarder,
    /// Anything else; here a DNS failure.
    Other,
}

impl OverrideKind {
    /// The word of RFC 9990.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MailingList => "mailing_list",
            Self::LocalPolicy => "local_policy",
            Self::PolicyTestMode => "policy_test_mode",
            Self::TrustedForwarder => "trusted_forwarder",
            Self::Other => "other",
        }
    }
}

/// Longest reason in a reply: with the fixed text it stays under the 512 octets of a
/// reply line (RFC 5321 §4.5.3.1.5).
pub const MAX_REASON_OCTETS: usize = 330;

/// What is known when the decision is made.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// Why there is no Author Domain, when there is none.
    pub fault: Option<AuthorFault>,
    /// The evaluation that decides: of the strictest failing policy among the author
    /// domains, else the first; none without an Author Domain.
    pub evaluation: Option<&'a Evaluation>,
    /// Evidence about that author domain.
    pub evidence: &'a [Evidence],
    /// Why it failed, in words, for the reply.
    pub reason: &'a str,
    /// Whether DNS questions or time ran out.
    pub budget_reached: bool,
    /// What the log calls the message.
    pub id: &'a str,
}

impl<'a> Case<'a> {
    fn blanks(&self, reason: &'a str) -> Blanks<'a> {
        let author_domain = self.evaluation.map_or("unknown", |e| e.author_domain.as_str());
        Blanks {
            author_domain,
            reason,
            id: self.id,
        }
    }
}

/// What the decision is, whatever the mode (design D5, D6; RFC 9989 §5.3.6, §5.4, §7.4).
#[must_use]
pub fn decide(case: &Case<'_>, rules: &Rules) -> Action {
    if let Some(fault) = case.fault {
        return without_author(fault, rules);
    }
    let Some(evaluation) = case.evaluation else {
        return accept(Disposition::None, Vec::new());
    };
    match evaluation.result {
        // RFC 9989 §4.10.1: no record, so DMARC "MUST NOT be applied".
        DmarcResult::None => accept(Disposition::None, Vec::new()),
        DmarcResult::TempError if case.budget_reached => {
            on_failure(&rules.failures.budget, "DNS limit of one message reached", case)
        }
        DmarcResult::TempError => on_failure(&rules.failures.dns, "DNS temperror", case),
        DmarcResult::PermError => on_failure(&rules.failures.unusable_record, "unusable DMARC record", case),
        DmarcResult::Fail => failing(case, evaluation, rules),
        ref passed if passed.is_pass() => match evaluation.policy_published {
            Some(AssessmentPolicy::None) | None => accept(Disposition::None, Vec::new()),
            Some(_) => accept(Disposition::Pass, Vec::new()),
        },
        _ => accept(Disposition::None, Vec::new()),
    }
}

/// What is done of a decision in a mode: when observing, nothing, and the report says so.
#[must_use]
pub fn in_mode(decision: &Action, mode: Mode) -> Action {
    match (mode, &decision.step) {
        (Mode::Enforce, _) | (Mode::Observe, Step::Accept) => decision.clone(),
        (Mode::Observe, step) => accept(
            Disposition::None,
            vec![Override {
                kind: OverrideKind::LocalPolicy,
                comment: format!("observe mode: {} not carried out", step.as_str()),
            }],
        ),
    }
}

fn accept(disposition: Disposition, overrides: Vec<Override>) -> Action {
    Action {
        disposition,
        step: Step::Accept,
        overrides,
    }
}

/// Design D3: what cannot be evaluated must not become a way around the policy
/// (RFC 9989 §11.5).
fn without_author(fault: AuthorFault, rules: &Rules) -> Action {
    if rules.unusable_author == UnusableAuthor::Accept || !fault.is_refusable() {
        return accept(Disposition::None, Vec::new());
    }
    let text = format!("Email rejected: its author cannot be determined, {fault}");
    Action {
        disposition: Disposition::Reject,
        step: Step::Reject(Reply {
            code: 550,
            enhanced: "5.7.1".to_owned(),
            text: one_line(&text),
        }),
        overrides: Vec::new(),
    }
}

/// Design D6: a failure of ours is never a reject.
fn on_failure(rule: &OnFailure, comment: &str, case: &Case<'_>) -> Action {
    let overrides = vec![Override {
        kind: OverrideKind::Other,
        comment: comment.to_owned(),
    }];
    let step = match rule {
        OnFailure::Accept => Step::Accept,
        OnFailure::TempFail { code, enhanced, text } => Step::TempFail(Reply {
            code: *code,
            enhanced: enhanced.clone(),
            text: text.fill(&case.blanks(comment)),
        }),
    };
    Action {
        disposition: Disposition::None,
        step,
        overrides,
    }
}

fn failing(case: &Case<'_>, evaluation: &Evaluation, rules: &Rules) -> Action {
    let published = evaluation.policy_published.unwrap_or(AssessmentPolicy::None);
    let policy = evaluation.policy.unwrap_or(published);
    if policy == AssessmentPolicy::None {
        return accept(Disposition::None, test_mode(published, policy));
    }
    if let Some(decisive) = case.evidence.iter().find(|evidence| evidence.is_decisive()) {
        return accept(Disposition::None, vec![override_for(decisive)]);
    }
    match policy {
        AssessmentPolicy::Reject => rejecting(case, evaluation, rules),
        AssessmentPolicy::None | AssessmentPolicy::Quarantine => {
            quarantine(case, evaluation, rules, test_mode(published, policy))
        }
    }
}

/// D29: `t=y` is an override of its own.
fn test_mode(published: AssessmentPolicy, policy: AssessmentPolicy) -> Vec<Override> {
    let lowered = published != policy;
    let comment = || format!("t=y: {policy} instead of {published}");
    lowered
        .then(|| Override {
            kind: OverrideKind::PolicyTestMode,
            comment: comment(),
        })
        .into_iter()
        .collect()
}

/// RFC 9989 §7.4: a receiver "MUST NOT" reject on the policy alone; without other
/// knowledge reject is treated as quarantine.
fn rejecting(case: &Case<'_>, evaluation: &Evaluation, rules: &Rules) -> Action {
    let local = |comment: &str| {
        vec![Override {
            kind: OverrideKind::LocalPolicy,
            comment: comment.to_owned(),
        }]
    };
    if evaluation.policy_uncertain {
        return quarantine(
            case,
            evaluation,
            rules,
            local("existence of the author domain unknown"),
        );
    }
    match rules.reject {
        RejectRule::Always => reject(case, rules),
        RejectRule::Never => quarantine(
            case,
            evaluation,
            rules,
            local("this receiver never rejects for DMARC"),
        ),
        RejectRule::Evidence => {
            let favour = case.evidence.iter().find(|evidence| !evidence.is_against());
            let against = case.evidence.iter().any(Evidence::is_against);
            match favour {
                Some(evidence) => quarantine(case, evaluation, rules, vec![override_for(evidence)]),
                None if against => reject(case, rules),
                None => quarantine(
                    case,
                    evaluation,
                    rules,
                    local("RFC 9989 section 7.4: no evidence besides p=reject"),
                ),
            }
        }
    }
}

fn override_for(evidence: &Evidence) -> Override {
    let kind = match evidence {
        Evidence::MailingList(_) => OverrideKind::MailingList,
        Evidence::TrustedForwarder => OverrideKind::TrustedForwarder,
        _ => OverrideKind::LocalPolicy,
    };
    let comment = match evidence {
        Evidence::TrustedArc { comment, .. } => comment.clone(),
        other => other.in_words(),
    };
    Override { kind, comment }
}

fn reject(case: &Case<'_>, rules: &Rules) -> Action {
    let reason = one_line(case.reason);
    let text = rules.reject_text.fill(&case.blanks(&reason));
    Action {
        disposition: Disposition::Reject,
        step: Step::Reject(Reply {
            code: 550,
            enhanced: "5.7.1".to_owned(),
            text,
        }),
        overrides: Vec::new(),
    }
}

fn quarantine(case: &Case<'_>, evaluation: &Evaluation, rules: &Rules, overrides: Vec<Override>) -> Action {
    let text = format!(
        "quarantined by DMARC policy for {}: {}",
        evaluation.author_domain,
        one_line(case.reason)
    );
    Action {
        disposition: Disposition::Quarantine,
        step: Step::Quarantine(rules.quarantine.clone(), text),
        overrides,
    }
}

/// Printable ASCII on one line, cut at [`MAX_REASON_OCTETS`].
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if matches!(c, ' '..='~') { c } else { '?' })
        .take(MAX_REASON_OCTETS)
        .collect()
}
