//! One message through the mechanisms, in three moments: the envelope, the end of
//! the header section, the end of the message.
//!
//! The edge calls them when it has what they need, so that DNS is asked while the
//! rest of the message still arrives (decision D12). What was asked early is not asked
//! again: the [`Ledgers`] remember.

use landmarc_auth::arc::ArcResult;
use landmarc_auth::dkim::{BodyDigests, DkimOutcome};
use landmarc_auth::lookup::{DnsName, Lookup, existence};
use landmarc_auth::spf::SpfOutcome;
use landmarc_dmarc::evaluation::{self, DiscoveryMethod, DmarcResult, Evaluation, Identifiers};
use landmarc_dmarc::record::AssessmentPolicy;
use landmarc_mail::author::Author;
use landmarc_mail::{ClientNetwork, DomainName, Envelope};

use crate::action::{Action, AppliedRule};
use crate::cause;
use crate::collect::{self, Collected, EvidenceInput};
use crate::decide;
use crate::evidence::{Evidence, Spare};
use crate::head::{Chain, Head, Signatures};
use crate::judgement::{Judgement, SeenOfMessage};
use crate::ledgers::Ledgers;
use crate::operator::{self, MessageFacts};
use crate::policy::{ArcUse, ClientFacts, RejectRule, Rules};
use crate::required::HeaderFault;
use crate::results;
use crate::rule::{ResultWord, Rule};
use crate::seen::Seen;
use crate::spf::SpfPair;

/// What of a message is not in the message.
#[derive(Clone, Debug)]
pub struct Transaction<'a> {
    /// The envelope.
    pub envelope: Envelope,
    /// What the operator's lists say of the client.
    pub client: ClientFacts,
    /// What the log calls the message; goes into replies.
    pub id: &'a str,
    /// What the MTA calls it, where it has said so.
    pub queue_id: Option<&'a str>,
    /// What the mail of the last days shows.
    pub seen: &'a Seen,
}

/// Judges a message whose body is complete.
pub async fn judge<L: Lookup>(
    head: Head,
    transaction: Transaction<'_>,
    spf: SpfPair,
    ledgers: &Ledgers<L>,
    rules: &Rules,
) -> Judgement {
    let Transaction {
        envelope,
        client,
        id,
        queue_id,
        seen,
    } = transaction;
    let lookup = &ledgers.policies;
    let digests = head.bodies.finish();
    let dkim = match head.signatures {
        Signatures::Upstream(results) => results,
        Signatures::Own(verifier) => verifier.finish(&ledgers.keys, &digests).await,
    };
    let identifiers = identifiers(&spf.mail_from, &dkim);
    let mut evaluations = evaluate_each(lookup, head.author.domains(), &identifiers, rules).await;
    let budget_reached = ledgers.is_exhausted();
    let deciding = deciding(&evaluations);
    if let Some(evaluation) = deciding.and_then(|index| evaluations.get_mut(index)) {
        look_for_author(lookup, evaluation, rules).await;
    }
    let evaluation = deciding.and_then(|index| evaluations.get(index));
    let matters = arc_matters(evaluation, rules, head.now);
    let arc = validate(head.chain, matters, &ledgers.arc, &digests).await;
    let rfc7489 = compare(lookup, evaluation, &identifiers, rules).await;

    let asked = ledgers.asked();
    let network = envelope.client.map(ClientNetwork::of);
    let findings = EvidenceInput {
        network,
        seen,
        spf: &spf.mail_from,
        dkim: &dkim,
        result_sources: &head.result_sources,
        arc: &arc,
        header: &head.facts,
        client,
        asked: &asked,
    };
    let facts = MessageFacts {
        author: &head.author,
        evaluation,
        dkim: &dkim,
        arc: &arc,
        asked: &asked,
        header: &head.facts,
        envelope: &envelope,
        now: head.now,
    };
    let given = DecisionInput {
        facts,
        header_fault: head.fault.as_ref(),
        budget_reached,
        id,
    };
    let decided = decide(&given, &findings, rules);
    let mut judgement = Judgement {
        id: id.to_owned(),
        action: decide::in_mode(&decided.action, decided.rule.as_ref(), rules.mode),
        decision: decided.action,
        rule: decided.rule,
        cause: decided.cause,
        evidence: decided.evidence,
        spare: decided.spare,
        seen: SeenOfMessage {
            signing: evaluation.and_then(|e| seen.signing(&e.author_domain)),
            network: network.and_then(|network| Some((network, seen.network(network)?))),
            table: seen.clone(),
        },
        authentication_results: String::new(),
        dmarc: overall(&head.author, &evaluations),
        envelope,
        author: head.author,
        defects: head.defects,
        header: head.facts,
        spf,
        dkim,
        arc,
        result_sources: head.result_sources,
        evaluations,
        deciding,
        rfc7489,
        removals: head.removals,
        asked,
    };
    let job = queue_id.filter(|_| rules.authserv_id_with_job_id);
    judgement.authentication_results = results::field_value(&judgement, &rules.authserv_id, job);
    judgement
}

fn identifiers(spf: &SpfOutcome, dkim: &[DkimOutcome]) -> Identifiers {
    Identifiers {
        spf: spf.domain.clone().map(|domain| (spf.result, domain)),
        dkim: dkim
            .iter()
            .filter_map(|s| Some((s.result, s.domain.clone()?)))
            .collect(),
    }
}

async fn evaluate_each(
    lookup: &impl Lookup,
    authors: &[DomainName],
    identifiers: &Identifiers,
    rules: &Rules,
) -> Vec<Evaluation> {
    let mut evaluations = Vec::with_capacity(authors.len());
    for author in authors {
        evaluations.push(evaluate(lookup, author, identifiers, rules.discovery, rules).await);
    }
    evaluations
}

async fn evaluate(
    lookup: &impl Lookup,
    author: &DomainName,
    identifiers: &Identifiers,
    method: DiscoveryMethod,
    rules: &Rules,
) -> Evaluation {
    let (options, suffixes) = (&rules.dmarc, &*rules.suffixes);
    match method {
        DiscoveryMethod::TreeWalk => {
            evaluation::evaluate(lookup, author, identifiers, options, suffixes).await
        }
        DiscoveryMethod::Psl => {
            evaluation::evaluate_rfc7489(lookup, author, identifiers, options, suffixes).await
        }
    }
}

/// Asks whether the author exists where a rejection hangs on evidence and nothing has shown it
/// yet: that a name does not exist is the best evidence there is (RFC 9989 §5.4, §7.4).
async fn look_for_author(lookup: &impl Lookup, evaluation: &mut Evaluation, rules: &Rules) {
    let may_be_rejected = evaluation.result == DmarcResult::Fail
        && evaluation.policy == Some(AssessmentPolicy::Reject)
        && rules.reject == RejectRule::Evidence;
    if may_be_rejected && evaluation.author_existence.is_none() {
        let name = DnsName::from(&evaluation.author_domain);
        evaluation.author_existence = Some(existence(lookup, &name).await);
    }
}

/// The verdict of the other RFC (decision D1); only a second opinion, so it asks last.
async fn compare(
    lookup: &impl Lookup,
    deciding: Option<&Evaluation>,
    identifiers: &Identifiers,
    rules: &Rules,
) -> Option<Evaluation> {
    let deciding = deciding.filter(|_| rules.compare_rfc7489)?;
    if deciding.method == DiscoveryMethod::Psl {
        return Some(deciding.clone());
    }
    Some(
        evaluate(
            lookup,
            &deciding.author_domain,
            identifiers,
            DiscoveryMethod::Psl,
            rules,
        )
        .await,
    )
}

/// Among several author domains the strictest failing policy counts (decision D3,
/// RFC 9989 §11.5). One that asks for nothing does not outrank one that could not be
/// settled: what that asks for may be more.
fn deciding(evaluations: &[Evaluation]) -> Option<usize> {
    let rank = |evaluation: &Evaluation| match (&evaluation.result, evaluation.policy) {
        (DmarcResult::Fail, Some(AssessmentPolicy::Reject)) => 5,
        (DmarcResult::Fail, Some(AssessmentPolicy::Quarantine)) => 4,
        (DmarcResult::TempError, _) => 3,
        (DmarcResult::Fail, _) => 2,
        (DmarcResult::None | DmarcResult::PermError, _) => 1,
        (DmarcResult::Pass(_), _) => 0,
    };
    // max_by_key takes the last of equals; the first domain of the field is meant.
    (0..evaluations.len())
        .rev()
        .max_by_key(|&index| rank(&evaluations[index]))
}

/// One domain has its own result. Several pass when all of them pass; else the message is
/// `permerror`, for no single result would be true of it (decision D3). RFC 9989 leaves
/// several domains to the receiver (§5.3.1, §11.5).
fn overall(author: &Author, evaluations: &[Evaluation]) -> DmarcResult {
    match (author, evaluations) {
        (Author::Domain(_), [only]) => only.result.clone(),
        (Author::Domains(_), [first, ..]) if evaluations.iter().all(|e| e.result.is_pass()) => {
            first.result.clone()
        }
        _ => DmarcResult::PermError,
    }
}

/// ARC speaks only for a message that fails (RFC 8617 §7.2.1, decision D8), unless a rule of the
/// operator asks about it.
fn arc_matters(evaluation: Option<&Evaluation>, rules: &Rules, now: u64) -> bool {
    let found = ResultWord::of(evaluation);
    let asks = |rule: &Rule| rule.asks_about_arc(found, now);
    found == ResultWord::Fail || rules.arc == ArcUse::Always || rules.operator.iter().any(asks)
}

async fn validate(chain: Chain, matters: bool, lookup: &impl Lookup, digests: &BodyDigests) -> ArcResult {
    match chain {
        Chain::Upstream(result) => result,
        Chain::Own(Some(validator)) if matters => validator.finish(lookup, digests).await,
        Chain::Own(_) => ArcResult::none(),
    }
}

/// What the decision starts from.
struct DecisionInput<'a> {
    facts: MessageFacts<'a>,
    header_fault: Option<&'a HeaderFault>,
    budget_reached: bool,
    id: &'a str,
}

struct Decision {
    action: Action,
    rule: Option<AppliedRule>,
    cause: String,
    evidence: Vec<Evidence>,
    spare: Option<Spare>,
}

fn decide(given: &DecisionInput<'_>, findings: &EvidenceInput<'_>, rules: &Rules) -> Decision {
    let facts = &given.facts;
    let failing = facts.evaluation.filter(|e| e.result == DmarcResult::Fail);
    let collected = failing.map(|e| collect::collect(e, findings, rules));
    let Collected { evidence, spare } = collected.unwrap_or_default();
    let found = match given.header_fault {
        Some(fault) => fault.to_string(),
        None => cause::found(facts, &evidence, findings),
    };
    let fault = match facts.author {
        Author::Unusable(fault) => Some(*fault),
        Author::Domain(_) | Author::Domains(_) => None,
    };
    let selected = operator::select(&rules.operator, facts);
    let decided = |reason: &str| {
        let case = decide::Case {
            fault,
            header_fault: given.header_fault,
            evaluation: facts.evaluation,
            evidence: &evidence,
            reason,
            budget_reached: given.budget_reached,
            upstream_is_silent: findings.result_sources.is_silent,
            id: given.id,
            client: facts.envelope.client,
        };
        operator::apply(selected, decide::decide(&case, rules), &case, rules)
    };
    let (mut action, mut rule) = decided(&found);
    let cause = match (given.header_fault, &rule) {
        // No wish of the Domain Owner has been weighed.
        (Some(_), None) => found.clone(),
        _ => cause::cause(&found, facts, spare.as_ref(), &action, rule.as_ref()),
    };
    // What is done is part of the cause, and the cause is part of what is stated with it.
    if cause != found {
        (action, rule) = decided(&cause);
    }
    Decision {
        action,
        rule,
        cause,
        evidence,
        spare,
    }
}
