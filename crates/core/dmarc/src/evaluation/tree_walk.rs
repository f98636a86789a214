//! Evaluation by RFC 9989: policy and Organizational Domains by the DNS Tree Walk.

use landmarc_auth::lookup::{DnsName, Existence, Lookup, LookupError, existence};
use landmarc_mail::DomainName;

use super::identifiers::{self, AuthorRelation, Tally};
use super::{
    DiscoveryMethod, DmarcResult, Evaluation, EvaluationOptions, Identifiers, MAX_IDENTIFIERS_WALKED,
    PolicyAtStake, policy,
};
use crate::alignment::Owned;
use crate::discovery::{Discovery, PolicyAt, TakenAs, Walk, WalkOutcome, ask_walks, discover};
use crate::guard;
use crate::record::{PolicyRecord, Usability};
use crate::suffixes::Suffixes;

/// Evaluates one Author Domain (RFC 9989 §5.3).
///
/// Questions: at most eight for the author, eight for each identifier that passed and
/// lies at or below the author's Organizational Domain, eleven of these at most, and one
/// whether the author exists where a policy hangs on that. The upper names of all walks
/// are the same, so `lookup` should remember its answers.
pub async fn evaluate(
    lookup: &impl Lookup,
    author: &DomainName,
    identifiers: &Identifiers,
    options: &EvaluationOptions,
    suffixes: &Suffixes,
) -> Evaluation {
    let (mut walk, discovery) = discover(lookup, author).await;
    // What is above a record of the author's own decides nothing but who belongs to it:
    // that is needed for relaxed alignment, and recorded in any case. A failure up there
    // matters only where an identifier needs it (§5.3.6).
    walk.complete(lookup).await;
    let guard = Guard { options, suffixes };
    let mut evaluation = Evaluation::begin(author, DiscoveryMethod::TreeWalk, discovery.clone(), walk);
    evaluation.organizational_domain = guard.organizational_domain(&mut evaluation, 0);
    evaluation.author_existence = existence_shown(&evaluation);
    match discovery {
        // §4.10.1: without a record DMARC must not be applied, however well the message
        // is authenticated.
        Discovery::Absent => evaluation.problem = super::discarded_records(&evaluation),
        Discovery::Unanswered(error) => {
            evaluation.result = DmarcResult::TempError;
            evaluation.problem = Some(format!("the policy of {author} is not known: {error}"));
        }
        Discovery::Applies(PolicyAt { domain, record, .. }) if record.usability() == Usability::Unusable => {
            evaluation.result = DmarcResult::PermError;
            evaluation.problem = Some(super::unusable(&domain, &record));
        }
        Discovery::Applies(at) => {
            look_at_identifiers(lookup, &guard, &at.record, identifiers, &mut evaluation).await;
            if evaluation.result != DmarcResult::TempError {
                select_policy(lookup, &at, options, &mut evaluation).await;
            }
            let discarded = super::discarded_records(&evaluation);
            evaluation.problem = evaluation.problem.or(discarded);
        }
    }
    if evaluation.result == DmarcResult::TempError {
        evaluation.policy_at_stake = policy_at_stake(lookup, options, &evaluation).await;
    }
    evaluation
}

/// What is known of the policy where the result is a temporary error. No question that was not
/// asked ahead ([`warm`](crate::discovery::warm)): the names above are those of the walk.
async fn policy_at_stake(
    lookup: &impl Lookup,
    options: &EvaluationOptions,
    evaluation: &Evaluation,
) -> Option<PolicyAtStake> {
    let past_failures = match &evaluation.discovery {
        Discovery::Unanswered(_) => evaluation.walks.first()?.past_failures(lookup).await.discovery(),
        known => known.clone(),
    };
    match past_failures {
        Discovery::Applies(at) => Some(PolicyAtStake::of(&at, is_test(&at.record, options))),
        Discovery::Absent | Discovery::Unanswered(_) => None,
    }
}

/// The guard of [`guard`](crate::guard), where the options switch it on.
struct Guard<'a> {
    options: &'a EvaluationOptions,
    suffixes: &'a Suffixes,
}

impl Guard<'_> {
    /// The Organizational Domain that a walk of the evaluation came to.
    fn organizational_domain(&self, evaluation: &mut Evaluation, walk: usize) -> Option<DomainName> {
        let walk = evaluation.walks.get(walk)?;
        if !self.options.unmarked_suffix_guard {
            return walk.organizational_domain();
        }
        let guarded = guard::organizational_domain(walk, self.suffixes)?;
        evaluation.guard_applied |= guarded.is_moved;
        Some(guarded.domain)
    }
}

/// Alignment of every identifier, with a walk of its own for each that needs one.
async fn look_at_identifiers(
    lookup: &impl Lookup,
    guard: &Guard<'_>,
    record: &PolicyRecord,
    identifiers: &Identifiers,
    evaluation: &mut Evaluation,
) {
    let author = evaluation.author_domain.clone();
    let organization = evaluation.organizational_domain.clone();
    let known_organization = organization.as_ref().ok_or_else(|| walk_failure(evaluation, 0));
    let owned_author = Owned {
        domain: &author,
        organizational_domain: organization.as_ref(),
    };
    let candidates = identifiers::candidates(identifiers, &author);
    // One name after the other, each walk would cost a round trip for each of its names.
    let to_walk = candidates
        .iter()
        .filter(|candidate| {
            let mode = identifiers::mode(record, candidate.mechanism);
            identifiers::settled(&author, known_organization, candidate, mode).is_none()
        })
        .take(MAX_IDENTIFIERS_WALKED);
    ask_walks(lookup, to_walk.map(|candidate| &candidate.domain)).await;

    let mut tally = Tally::default();
    for candidate in candidates {
        let mode = identifiers::mode(record, candidate.mechanism);
        let organization = match identifiers::settled(&author, known_organization, &candidate, mode) {
            Some(relation) => Err(relation),
            None => organization_of(lookup, guard, &candidate.domain, evaluation).await,
        };
        tally.add(owned_author, &candidate, organization, mode);
    }
    tally.conclude(evaluation);
}

/// The Organizational Domain of an identifier, by a walk that starts there (§4.10.2):
/// that of the author says nothing about it, even where it lies below.
async fn organization_of(
    lookup: &impl Lookup,
    guard: &Guard<'_>,
    domain: &DomainName,
    evaluation: &mut Evaluation,
) -> Result<DomainName, AuthorRelation> {
    let known = evaluation.walks.iter().position(|walk| walk.start == *domain);
    let index = match known {
        Some(index) => index,
        // The first walk is that of the author.
        None if evaluation.walks.len() > MAX_IDENTIFIERS_WALKED => {
            return Err(AuthorRelation::TooMany);
        }
        None => {
            let mut walk = Walk::new(domain.clone());
            walk.complete(lookup).await;
            evaluation.walks.push(walk);
            evaluation.walks.len() - 1
        }
    };
    let organization = guard.organizational_domain(evaluation, index);
    organization.ok_or_else(|| AuthorRelation::Unanswered(walk_failure(evaluation, index)))
}

fn walk_failure(evaluation: &Evaluation, walk: usize) -> LookupError {
    let failure = evaluation.walks.get(walk).and_then(Walk::failure);
    // A walk that was gone through and has no Organizational Domain did fail.
    failure.unwrap_or(LookupError::BadAnswer)
}

/// The policy that applies, with the question whether the author exists where it matters.
async fn select_policy(
    lookup: &impl Lookup,
    at: &PolicyAt,
    options: &EvaluationOptions,
    evaluation: &mut Evaluation,
) {
    let record = &at.record;
    let selected = if at.taken_as == TakenAs::Author {
        policy::for_itself(record)
    } else {
        if evaluation.author_existence.is_none() && at.depends_on_existence() {
            let name = DnsName::from(&evaluation.author_domain);
            evaluation.author_existence = Some(existence(lookup, &name).await);
        }
        policy::for_name_below(record, evaluation.author_existence)
    };
    selected.apply(is_test(record, options), evaluation);
}

fn is_test(record: &PolicyRecord, options: &EvaluationOptions) -> bool {
    // §A.6 has `t` as the successor of `pct=0`; who declares it has said what is meant.
    let pct_means_test = options.pct_zero_as_test && record.percent == Some(0) && !record.testing_declared;
    record.testing || pct_means_test
}

/// NOERROR below a name proves that the name exists; NXDOMAIN there proves nothing
/// (RFC 9989 §3.2.13: only NXDOMAIN for the name itself makes it non-existent).
fn existence_shown(evaluation: &Evaluation) -> Option<Existence> {
    match evaluation.walks.first()?.steps.first()?.outcome {
        WalkOutcome::Record(_) | WalkOutcome::SeveralRecords(_) | WalkOutcome::NoRecord => {
            Some(Existence::Exists)
        }
        WalkOutcome::NoName | WalkOutcome::CannotExist | WalkOutcome::Failed(_) => None,
    }
}
