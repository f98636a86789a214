//! What is done with a message, as values.

use crate::disposition::{Disposition, OverrideKind};
use crate::policy::QuarantineBy;
use crate::reply::Reply;
use crate::rule::RuleAction;

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

/// Why a disposition differs from the policy (RFC 9990, PolicyOverrideReason).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The registered type.
    pub kind: OverrideKind,
    /// What it rests on, in words.
    pub comment: String,
}

impl Override {
    pub(crate) fn local_policy(comment: &str) -> Self {
        Self {
            kind: OverrideKind::LocalPolicy,
            comment: comment.to_owned(),
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

    pub(crate) fn of(without: &Step, rule: RuleAction) -> Self {
        let without = match without {
            Step::Accept => 0,
            Step::Quarantine(..) => 1,
            Step::TempFail(_) => 2,
            Step::Reject(_) => 3,
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
