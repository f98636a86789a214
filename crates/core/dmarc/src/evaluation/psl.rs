//! Evaluation by RFC 7489: Organizational Domains by the Public Suffix List. Kept to
//! watch where the two differ, and for who needs the old verdict.
//!
//! Not there: sampling by `pct` (1 to 99 is read as 100: it needs a random number, and
//! says nothing about the message), and the tags that came later (`np`, `t`, `psd`).

use landmarc_auth::lookup::Lookup;
use landmarc_mail::DomainName;

use super::identifiers::{self, Tally};
use super::{
    DiscoveryMethod, DmarcResult, Evaluation, EvaluationOptions, Identifiers, PolicyAtStake, policy,
};
use crate::alignment::Owned;
use crate::discovery::{Discovery, PolicyAt, TakenAs, Walk, WalkOutcome, WalkStep, look_at};
use crate::record::{PolicyRecord, PolicyTag, Usability};
use crate::suffixes::Suffixes;

/// Evaluates one Author Domain as RFC 7489 §6.6 has it. Two questions at most: the
/// author and its Organizational Domain, which the list gives.
///
/// A record of several stops discovery (§6.6.3); `pct=0` applies the next lower policy
/// (§6.6.4); whether a name exists plays no part. The options are those of RFC 9989 and
/// change nothing here.
pub async fn evaluate_rfc7489(
    lookup: &impl Lookup,
    author: &DomainName,
    identifiers: &Identifiers,
    _options: &EvaluationOptions,
    suffixes: &Suffixes,
) -> Evaluation {
    let organization = organizational_domain(suffixes, author);
    let walk = ask(lookup, author, &organization).await;
    let discovery = discovery(&walk);
    let mut evaluation = Evaluation::begin(author, DiscoveryMethod::Psl, discovery.clone(), walk);
    evaluation.organizational_domain = Some(organization.clone());
    match discovery {
        Discovery::Absent => evaluation.problem = super::discarded_records(&evaluation),
        Discovery::Unanswered(error) => {
            evaluation.result = DmarcResult::TempError;
            evaluation.problem = Some(format!("the policy of {author} is not known: {error}"));
            if let WalkOutcome::Record(record) = look_at(lookup, &organization).await {
                evaluation.policy_at_stake = Some(policy_at_stake(&PolicyAt {
                    domain: organization,
                    record: as_of_2015(record),
                    taken_as: TakenAs::Organizational,
                }));
            }
        }
        Discovery::Applies(mut at) => {
            at.record = as_of_2015(at.record);
            let record = &at.record;
            if record.usability() == Usability::Unusable {
                evaluation.result = DmarcResult::PermError;
                evaluation.problem = Some(super::unusable(&at.domain, record));
                return evaluation;
            }
            look_at_identifiers(suffixes, record, identifiers, &organization, &mut evaluation);
            if evaluation.result == DmarcResult::TempError {
                evaluation.policy_at_stake = Some(policy_at_stake(&at));
            } else {
                let selected = match at.taken_as {
                    TakenAs::Author => policy::for_itself(record),
                    TakenAs::Organizational | TakenAs::PublicSuffix => policy::for_existing(record),
                };
                selected.apply(is_test(record), &mut evaluation);
            }
        }
    }
    evaluation
}

fn policy_at_stake(at: &PolicyAt) -> PolicyAtStake {
    PolicyAtStake::of(at, is_test(&at.record))
}

/// RFC 7489 §6.6.4.
fn is_test(record: &PolicyRecord) -> bool {
    record.percent == Some(0)
}

/// RFC 7489 §3.2; a name that is itself a public suffix has nobody above it.
fn organizational_domain(suffixes: &Suffixes, name: &DomainName) -> DomainName {
    suffixes.registrable(name).unwrap_or_else(|| name.clone())
}

/// RFC 7489 §6.6.3: the author, and only where it has nothing its Organizational Domain.
async fn ask(lookup: &impl Lookup, author: &DomainName, organization: &DomainName) -> Walk {
    let mut walk = Walk::new(author.clone());
    for name in [author, organization] {
        let goes_on = walk
            .steps
            .last()
            .is_none_or(|step| step.name != *name && is_empty(&step.outcome));
        if goes_on {
            let outcome = look_at(lookup, name).await;
            walk.steps.push(WalkStep {
                name: name.clone(),
                outcome,
            });
        }
    }
    walk
}

fn is_empty(outcome: &WalkOutcome) -> bool {
    matches!(
        outcome,
        WalkOutcome::NoRecord | WalkOutcome::NoName | WalkOutcome::CannotExist
    )
}

fn discovery(walk: &Walk) -> Discovery {
    match walk.steps.last().map(|step| (&step.name, &step.outcome)) {
        Some((name, WalkOutcome::Record(record))) => Discovery::Applies(PolicyAt {
            domain: name.clone(),
            record: record.clone(),
            taken_as: if *name == walk.start {
                TakenAs::Author
            } else {
                TakenAs::Organizational
            },
        }),
        Some((_, WalkOutcome::Failed(error))) => Discovery::Unanswered(*error),
        // RFC 7489 §6.6.3: several records end discovery, and DMARC is not applied.
        _ => Discovery::Absent,
    }
}

/// The record as a reader of 2015 saw it: `np` was an unknown tag, so it could not be wrong.
fn as_of_2015(mut record: PolicyRecord) -> PolicyRecord {
    record.nonexistent_policy = None;
    record.invalid_policies.retain(|tag| *tag != PolicyTag::Np);
    record
}

fn look_at_identifiers(
    suffixes: &Suffixes,
    record: &PolicyRecord,
    identifiers: &Identifiers,
    organization: &DomainName,
    evaluation: &mut Evaluation,
) {
    let author = evaluation.author_domain.clone();
    let owned_author = Owned {
        domain: &author,
        organizational_domain: Some(organization),
    };
    let mut tally = Tally::default();
    for candidate in identifiers::candidates(identifiers, &author) {
        let mode = identifiers::mode(record, candidate.mechanism);
        let organization = match identifiers::settled(&author, Ok(organization), &candidate, mode) {
            Some(relation) => Err(relation),
            None => Ok(organizational_domain(suffixes, &candidate.domain)),
        };
        tally.add(owned_author, &candidate, organization, mode);
    }
    tally.conclude(evaluation);
}
