//! What is done with a message, as values.

use landmarc_dmarc::record::AssessmentPolicy;

use crate::disposition::{Disposition, OverrideKind};
use crate::evidence::Evidence;
use crate::policy::QuarantineBy;
use crate::reply::RefusalReply;
use crate::required::HeaderFault;
use crate::rule::RuleAction;

/// What is done with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// What a report will say was done.
    pub disposition: Disposition,
    /// The answer to the MTA.
    pub smtp: SmtpAction,
    /// Why it is something else than the Domain Owner asked for.
    pub overrides: Vec<Override>,
}

/// The answer to the MTA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SmtpAction {
    /// Take it.
    Accept,
    /// Take it and set it aside.
    Quarantine(QuarantineBy, String),
    /// Refuse it for good.
    Reject(RefusalReply),
    /// Refuse it for now.
    TempFail(RefusalReply),
}

impl SmtpAction {
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
    pub fn reply(&self) -> Option<&RefusalReply> {
        match self {
            Self::Reject(reply) | Self::TempFail(reply) => Some(reply),
            Self::Accept | Self::Quarantine(..) => None,
        }
    }
}

/// Why a disposition differs from the policy (RFC 9990, PolicyOverrideReason).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Override {
    /// A rule of the operator decided.
    Rule {
        /// How a report calls it.
        kind: OverrideKind,
        /// Why there is such a rule.
        reason: String,
    },
    /// Whether this rule of the operator applies is not known, as DNS did not answer.
    RuleInDoubt(String),
    /// Nothing is done in this mode; the word for what the decision was.
    ObserveMode(&'static str),
    /// The header section lacks what RFC 5322 §3.6 asks for.
    HeaderFault(HeaderFault),
    /// This speaks in favour of the message.
    Evidence(Evidence),
    /// RFC 9989 §7.4: nothing besides `p=reject` speaks for rejecting it.
    NoEvidence,
    /// One policy is for names that exist, another for those that do not, and DNS did not answer.
    ExistenceUnknown,
    /// [`RejectRule::Never`](crate::policy::RejectRule::Never).
    NeverRejects,
    /// `t=y`.
    TestMode {
        /// What the record says.
        published: AssessmentPolicy,
        /// What it asks for in test mode.
        policy: AssessmentPolicy,
    },
    /// No policy could be applied.
    Failure(FailureCause),
}

impl Override {
    /// The registered type.
    #[must_use]
    pub fn kind(&self) -> OverrideKind {
        match self {
            Self::Rule { kind, .. } => *kind,
            Self::Evidence(Evidence::MailingList(_)) => OverrideKind::MailingList,
            Self::Evidence(Evidence::TrustedForwarder) => OverrideKind::TrustedForwarder,
            Self::RuleInDoubt(_)
            | Self::ObserveMode(_)
            | Self::HeaderFault(_)
            | Self::Evidence(_)
            | Self::NoEvidence
            | Self::ExistenceUnknown
            | Self::NeverRejects => OverrideKind::LocalPolicy,
            Self::TestMode { .. } => OverrideKind::PolicyTestMode,
            Self::Failure(_) => OverrideKind::Other,
        }
    }

    /// The comment beside it in reports and JSON.
    #[must_use]
    pub fn comment(&self) -> String {
        match self {
            Self::Rule { reason, .. } => reason.clone(),
            Self::RuleInDoubt(name) => {
                format!("whether the rule {name} applies is not known: DNS did not answer")
            }
            Self::ObserveMode(action) => format!("observe mode: {action} not carried out"),
            Self::HeaderFault(fault) => fault.to_string(),
            Self::Evidence(Evidence::TrustedArc { comment, .. }) => comment.clone(),
            Self::Evidence(evidence) => evidence.in_words(),
            Self::NoEvidence => "RFC 9989 section 7.4: no evidence besides p=reject".to_owned(),
            Self::ExistenceUnknown => "whether the author domain exists is not known".to_owned(),
            Self::NeverRejects => "this receiver never rejects for DMARC".to_owned(),
            Self::TestMode { published, policy } => format!("t=y: {policy} instead of {published}"),
            Self::Failure(cause) => cause.comment().to_owned(),
        }
    }

    /// The failure it stands for, if it does.
    #[must_use]
    pub fn failure(&self) -> Option<FailureCause> {
        match self {
            Self::Failure(cause) => Some(*cause),
            _ => None,
        }
    }
}

/// Why no policy could be applied: a row of the [`FailureTable`](crate::policy::FailureTable).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureCause {
    /// DNS did not answer, and no policy is known.
    Dns,
    /// DNS did not answer what a message named under a policy.
    DnsWithPolicy,
    /// The record cannot be used.
    UnusableRecord,
    /// A limit of ours on DNS was reached.
    Budget,
}

impl FailureCause {
    /// The table of the settings that says what is done.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::DnsWithPolicy => "dns_with_policy",
            Self::UnusableRecord => "unusable_record",
            Self::Budget => "budget",
        }
    }

    fn comment(self) -> &'static str {
        match self {
            Self::Dns => "DNS temperror",
            Self::DnsWithPolicy => "DNS temperror, and a policy is known",
            Self::UnusableRecord => "unusable DMARC record",
            Self::Budget => "DNS limit of this receiver reached",
        }
    }
}

/// The rule that decided about a message, and what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedRule {
    /// The name of the rule.
    pub name: String,
    /// Who answers for it.
    pub owner: String,
    /// Why there is such a rule.
    pub reason: String,
    /// What it did.
    pub effect: Effect,
    /// What would have been done without it.
    pub without: Action,
    /// What it adds to the report; nothing where it changed nothing.
    pub recorded: Option<Override>,
}

/// What a rule made of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Less is done than without it.
    Softened,
    /// The same is done without it.
    Unchanged,
    /// More is done than without it.
    Hardened,
}

impl Effect {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Softened => "softened",
            Self::Unchanged => "unchanged",
            Self::Hardened => "hardened",
        }
    }

    pub(crate) fn of(without: &SmtpAction, rule: RuleAction) -> Self {
        let without = match without {
            SmtpAction::Accept => 0,
            SmtpAction::Quarantine(..) => 1,
            SmtpAction::TempFail(_) => 2,
            SmtpAction::Reject(_) => 3,
        };
        let with = match rule {
            RuleAction::Accept => 0,
            RuleAction::Quarantine => 1,
            RuleAction::Reject => 3,
        };
        match with.cmp(&without) {
            std::cmp::Ordering::Less => Self::Softened,
            std::cmp::Ordering::Equal => Self::Unchanged,
            std::cmp::Ordering::Greater => Self::Hardened,
        }
    }
}
