//! From what SPF and DKIM found to one DMARC result, with the Domain Owner's policy for
//! it (RFC 9989 §5.3); beside it the same by RFC 7489.

mod identifiers;
mod policy;
mod psl;
mod tree_walk;

use landmarc_auth::dkim::DkimResult;
use landmarc_auth::lookup::Existence;
use landmarc_auth::spf::SpfResult;
use landmarc_mail::DomainName;

use crate::alignment::Aligned;
pub use crate::alignment::Mechanism;
use crate::discovery::{Discovery, PolicyAt, Walk, WalkOutcome};
pub use crate::record::PolicyTag;
use crate::record::{AssessmentPolicy, PolicyRecord, RecordProblem};

pub use identifiers::{AuthorRelation, IdentifierStep, MAX_IDENTIFIERS_WALKED, MAX_STEPS};
pub use psl::evaluate_rfc7489;
pub use tree_walk::evaluate;

/// What we found: the result of DMARC for one Author Domain (RFC 9989 §5.3.5, §9.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DmarcResult {
    /// No record: DMARC does not apply.
    None,
    /// An Authenticated Identifier is aligned; this is one of them.
    Pass(Aligned),
    /// A record applies and none is.
    Fail,
    /// A question that had to be answered was not: neither pass nor fail.
    TempError,
    /// The record cannot be applied, and that will not change by itself.
    PermError,
}

impl DmarcResult {
    /// Whether it is a pass.
    #[must_use]
    pub fn is_pass(&self) -> bool {
        matches!(self, Self::Pass(_))
    }

    /// The word of RFC 9989 §9.1.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass(_) => "pass",
            Self::Fail => "fail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

landmarc_mail::display_as_str!(DmarcResult);

/// How the Organizational Domain was found (RFC 9990, `discovery_method`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DiscoveryMethod {
    /// By the DNS Tree Walk of RFC 9989.
    TreeWalk,
    /// By the Public Suffix List, as RFC 7489 had it.
    Psl,
}

impl DiscoveryMethod {
    /// The word of RFC 9990.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TreeWalk => "treewalk",
            Self::Psl => "psl",
        }
    }
}

/// What SPF and DKIM found, as far as DMARC looks at it (RFC 9989 §4.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identifiers {
    /// SPF of the MAIL FROM identity, which for the null reverse-path is that of HELO.
    /// A check of HELO on its own is no identifier.
    pub spf: Option<(SpfResult, DomainName)>,
    /// Each signature whose `d=` is a name.
    pub dkim: Vec<(DkimResult, DomainName)>,
}

/// Where an operator may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvaluationOptions {
    /// Takes a record at a name of the Public Suffix List for one with `psd=y` when
    /// alignment is looked at (RFC 9989 §11.8 names the threat). On by default.
    pub unmarked_suffix_guard: bool,
    /// Takes `pct=0` without a `t` tag for test mode (RFC 9989 §A.6). Off by default.
    pub pct_zero_as_test: bool,
}

impl Default for EvaluationOptions {
    fn default() -> Self {
        Self {
            unmarked_suffix_guard: true,
            pct_zero_as_test: false,
        }
    }
}

/// All that one evaluation came to, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// The Author Domain.
    pub author_domain: DomainName,
    /// The result.
    pub result: DmarcResult,
    /// By which of the two ways.
    pub method: DiscoveryMethod,
    /// The record, and the DMARC Policy Domain it was found at.
    pub discovery: Discovery,
    /// The Organizational Domain of the author, for alignment; not known when DNS failed.
    pub organizational_domain: Option<DomainName>,
    /// Which tag spoke; none without a policy, and for a temporary error.
    pub policy_tag: Option<PolicyTag>,
    /// What that tag says, before test mode.
    pub policy_published: Option<AssessmentPolicy>,
    /// The most that is to be applied: after test mode. Also there for a pass, as what
    /// would apply. None for a temporary error: no policy may be applied then (§5.3.6).
    pub policy: Option<AssessmentPolicy>,
    /// For a temporary error, the strictest policy that may apply, after test mode, and where it
    /// was found: at the Author Domain or above it. None where no record was found at all, and in
    /// all other results.
    pub policy_at_stake: Option<PolicyAtStake>,
    /// Whether the name exists could not be found out, and two policies hang on it: the
    /// weaker was taken. Never reject on it, and leave `policy.dmarc` out.
    pub policy_uncertain: bool,
    /// Whether the Author Domain exists: when that mattered or showed by itself.
    pub author_existence: Option<Existence>,
    /// Whether SPF passed for an aligned name.
    pub spf_aligned: bool,
    /// Whether DKIM did.
    pub dkim_aligned: bool,
    /// What was found of each identifier, in the order of looking; at most [`MAX_STEPS`].
    pub identifiers: Vec<IdentifierStep>,
    /// The walks, that of the author first.
    pub walks: Vec<Walk>,
    /// Whether the guard against unmarked public suffixes changed an Organizational Domain.
    pub guard_applied: bool,
    /// What is wrong, in words: with DNS, or with the record.
    pub problem: Option<String>,
}

/// A policy that may apply to a message that could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyAtStake {
    /// Where the record was found.
    pub domain: DomainName,
    /// The strictest that it may ask for here.
    pub policy: AssessmentPolicy,
}

impl PolicyAtStake {
    /// That of a record, applied `is_test` or not.
    fn of(at: &PolicyAt, is_test: bool) -> Self {
        let policy = policy::strictest(&at.record, at.taken_as);
        Self {
            domain: at.domain.clone(),
            policy: if is_test { policy.lowered() } else { policy },
        }
    }
}

impl Evaluation {
    /// The start of every evaluation: what discovery came to, and nothing decided yet.
    fn begin(author: &DomainName, method: DiscoveryMethod, discovery: Discovery, walk: Walk) -> Self {
        Self {
            author_domain: author.clone(),
            result: DmarcResult::None,
            method,
            discovery,
            organizational_domain: None,
            policy_tag: None,
            policy_published: None,
            policy: None,
            policy_at_stake: None,
            policy_uncertain: false,
            author_existence: None,
            spf_aligned: false,
            dkim_aligned: false,
            identifiers: Vec::new(),
            walks: vec![walk],
            guard_applied: false,
            problem: None,
        }
    }
}

/// For the `error` element of reports: records that were passed over on the author's walk.
#[must_use]
pub fn discarded_records(evaluation: &Evaluation) -> Option<String> {
    let steps = &evaluation.walks.first()?.steps;
    steps.iter().find_map(|step| match step.outcome {
        WalkOutcome::SeveralRecords(count) => Some(format!(
            "{} has {count} DMARC records, so none of them counts",
            step.name
        )),
        _ => None,
    })
}

/// What is wrong with a record that cannot be applied, in words.
fn unusable(domain: &DomainName, record: &PolicyRecord) -> String {
    let is_unread = |problem: &&RecordProblem| {
        matches!(
            problem,
            RecordProblem::TooLong { .. } | RecordProblem::TooManyTags
        )
    };
    let defect = match (
        record.problems.iter().find(is_unread),
        record.invalid_policies.first(),
    ) {
        (Some(limit), _) => limit.to_string(),
        (None, Some(tag)) => {
            format!("its tag {tag} is not valid, and it names no usable address for reports")
        }
        (None, None) => "it has no policy and names no usable address for reports".to_owned(),
    };
    format!("the DMARC record of {domain} cannot be applied: {defect}")
}
