//! One message through the mechanisms, in three moments: the envelope, the end of
//! the header section, the end of the message.
//!
//! The edge calls them when it has what they need, so that DNS is asked while the
//! rest of the message still arrives (design D12). What was asked early is not asked
//! again: the [`Ledger`] remembers.

use std::net::{IpAddr, Ipv4Addr};

use auth::arc::{ArcResult, Validator};
use auth::dkim::{BodyDigests, BodyHashing, DkimResult, Verifier};
use auth::lookup::{Asked, Ledger, Lookup, Question};
use auth::spf::{self, SpfOutcome, SpfRequest};
use dmarc::evaluation::{self, DiscoveryMethod, DmarcResult, Evaluation, Identifiers};
use dmarc::record::AssessmentPolicy;
use futures_util::future::{join, join_all};
use mail::author::{Author, AuthorFault, author};
use mail::message::{HeaderDefect, HeaderSection};
use mail::{DomainName, Envelope};

use crate::action::{self, Action};
use crate::evidence::{self, Evidence, Findings, HeaderFacts};
use crate::local::{ArcUse, ClientFacts, Rules};
use crate::results::{self, Removal};
use crate::story;

/// The SPF results of one envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpfPair {
    /// Of the MAIL FROM identity: the one DMARC uses.
    pub mail_from: SpfOutcome,
    /// Of HELO, when that is checked and is not the same identity.
    pub helo: Option<SpfOutcome>,
}

/// The DNS questions of one message, in shares, each with a lookup and so a time of its own.
///
/// A sender writes the SPF records of MAIL FROM and HELO. If their questions could use up
/// what the policy of the Author Domain needs, a forger would only have to publish a
/// large or silent record to turn `fail` into `temperror`.
pub struct Ledgers<L> {
    /// For SPF of MAIL FROM.
    pub mail_from: Ledger<L>,
    /// For SPF of HELO.
    pub helo: Ledger<L>,
    /// For keys and policies.
    pub content: Ledger<L>,
}

impl<L: Lookup> Ledgers<L> {
    /// Shares `limit` questions out: three tenths, one, six.
    pub fn new(limit: usize, lookup: impl Fn() -> L) -> Self {
        let tenths = |count: usize| (limit * count / 10).max(1);
        Self {
            mail_from: Ledger::new(lookup(), tenths(3)),
            helo: Ledger::new(lookup(), tenths(1)),
            content: Ledger::new(lookup(), tenths(6)),
        }
    }

    fn asked(&self) -> Vec<Asked> {
        [self.mail_from.asked(), self.helo.asked(), self.content.asked()].concat()
    }
}

/// Checks SPF; everything it needs is known at MAIL FROM.
///
/// `now` is Unix time in seconds. A client without address, as on a local socket, is
/// taken as 0.0.0.0, which no sane record authorizes.
pub async fn check_spf<L: Lookup>(
    ledgers: &Ledgers<L>,
    envelope: &Envelope,
    rules: &Rules,
    now: u64,
) -> SpfPair {
    let request = SpfRequest {
        client: envelope.client.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        helo: &envelope.helo,
        mail_from: &envelope.mail_from,
        receiver: &rules.authserv_id,
        now,
        fetch_explanation: rules.fetch_explanation,
    };
    if !rules.check_helo || envelope.mail_from.is_null() {
        return SpfPair {
            mail_from: spf::check_mail_from(&ledgers.mail_from, &request).await,
            helo: None,
        };
    }
    let both = join(
        spf::check_mail_from(&ledgers.mail_from, &request),
        spf::check_helo(&ledgers.helo, &request),
    );
    let (mail_from, helo) = both.await;
    SpfPair {
        mail_from,
        helo: Some(helo),
    }
}

/// A message whose header section is complete: parsed and hashed as far as it goes.
pub struct Head {
    author: Author,
    facts: HeaderFacts,
    defects: Vec<HeaderDefect>,
    removals: Vec<Removal>,
    verifier: Verifier,
    validator: Option<Validator>,
    bodies: BodyHashing,
}

impl Head {
    /// Reads the header section; it is not needed afterwards. `now` is Unix time in seconds.
    #[must_use]
    pub fn new(headers: &HeaderSection, rules: &Rules, client: ClientFacts, now: u64) -> Self {
        let author = author(headers);
        let mut bodies = BodyHashing::new();
        let verifier = Verifier::new(headers, author.domains(), &rules.dkim, now, &mut bodies);
        let validator = validator(headers, rules, now, &mut bodies);
        Self {
            facts: HeaderFacts::new(headers),
            defects: headers.defects().to_vec(),
            removals: results::removals(headers, rules, client),
            author,
            verifier,
            validator,
            bodies,
        }
    }

    /// The questions that can be asked while the body arrives.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let mut questions = self.verifier.questions();
        questions.extend(self.validator.iter().flat_map(Validator::questions));
        Plan {
            authors: self.author.domains().to_vec(),
            questions,
        }
    }

    /// Takes the next octets of the body.
    pub fn body(&mut self, chunk: &[u8]) {
        self.bodies.update(chunk);
    }
}

/// ARC costs two questions a set, so it is looked at only where it may matter (design D8).
fn validator(
    headers: &HeaderSection,
    rules: &Rules,
    now: u64,
    bodies: &mut BodyHashing,
) -> Option<Validator> {
    match rules.arc {
        ArcUse::Never => None,
        ArcUse::Always => Some(Validator::new(headers, now, bodies)),
        ArcUse::Trusted if rules.trusted_sealers.is_empty() => None,
        ArcUse::Trusted => {
            let validator = Validator::new(headers, now, bodies);
            let trusted = validator
                .newest_sealer()
                .is_some_and(|s| rules.trusted_sealers.contains(s));
            trusted.then_some(validator)
        }
    }
}

/// Questions to be asked ahead.
#[derive(Clone, Debug)]
pub struct Plan {
    authors: Vec<DomainName>,
    questions: Vec<Question>,
}

impl Plan {
    /// Asks them all at once; the lookup remembers the answers.
    pub async fn ask(self, lookup: &impl Lookup) {
        let keys = join_all(self.questions.iter().map(|question| lookup.ask(question)));
        let policies = join_all(
            self.authors
                .iter()
                .map(|author| dmarc::discovery::warm(lookup, author)),
        );
        join(keys, policies).await;
    }
}

/// All that was found about a message and what is to be done with it.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The envelope.
    pub envelope: Envelope,
    /// The Author Domain, or why there is none.
    pub author: Author,
    /// What is wrong with the header section.
    pub defects: Vec<HeaderDefect>,
    /// SPF.
    pub spf: SpfPair,
    /// DKIM, topmost signature first.
    pub dkim: Vec<DkimResult>,
    /// ARC.
    pub arc: ArcResult,
    /// One evaluation for each author domain, in their order in the From field.
    pub evaluations: Vec<Evaluation>,
    /// Which of them decides.
    pub deciding: Option<usize>,
    /// The DMARC result of the message.
    pub dmarc: DmarcResult,
    /// What RFC 7489 would have said of the deciding author domain.
    pub rfc7489: Option<Evaluation>,
    /// Evidence about a failing message.
    pub evidence: Vec<Evidence>,
    /// Why it failed, in one line; empty when it did not.
    pub cause: String,
    /// What the decision is.
    pub decision: Action,
    /// What is done: the decision, unless we only observe.
    pub action: Action,
    /// Our Authentication-Results field, without its name.
    pub authentication_results: String,
    /// Fields that must go before ours is added.
    pub removals: Vec<Removal>,
    /// Every DNS question.
    pub asked: Vec<Asked>,
}

impl Judgement {
    /// The evaluation that decides.
    #[must_use]
    pub fn evaluation(&self) -> Option<&Evaluation> {
        self.deciding.and_then(|index| self.evaluations.get(index))
    }

    /// The author domain that decides.
    #[must_use]
    pub fn author_domain(&self) -> Option<&DomainName> {
        self.evaluation().map(|evaluation| &evaluation.author_domain)
    }
}

/// What of a message is not in the message.
#[derive(Clone, Debug)]
pub struct Transaction<'a> {
    /// The envelope.
    pub envelope: Envelope,
    /// What the operator's lists say of the client.
    pub client: ClientFacts,
    /// What the log calls the message; goes into replies.
    pub id: &'a str,
}

/// Judges a message whose body is complete.
pub async fn judge<L: Lookup>(
    head: Head,
    transaction: Transaction<'_>,
    spf: SpfPair,
    ledgers: &Ledgers<L>,
    rules: &Rules,
) -> Judgement {
    let lookup = &ledgers.content;
    let Transaction { envelope, client, id } = transaction;
    let digests = head.bodies.finish();
    let dkim = head.verifier.finish(lookup, &digests).await;
    let identifiers = identifiers(&spf.mail_from, &dkim);
    let evaluations = evaluate_each(lookup, head.author.domains(), &identifiers, rules).await;
    let deciding = deciding(&evaluations);
    let dmarc = overall(&head.author, &evaluations);
    let rfc7489 = compare(
        lookup,
        deciding.map(|index| &evaluations[index]),
        &identifiers,
        rules,
    )
    .await;
    let arc = validate(head.validator, &dmarc, lookup, &digests, rules).await;

    let fault = match head.author {
        Author::Unusable(fault) => Some(fault),
        Author::Domain(_) | Author::Domains(_) => None,
    };
    let findings = Findings {
        spf: &spf.mail_from,
        dkim: &dkim,
        arc: &arc,
        header: &head.facts,
        client,
    };
    let budget_reached = lookup.limit_reached();
    let given = Given {
        fault,
        deciding: deciding.map(|index| &evaluations[index]),
        budget_reached,
        id,
    };
    let decided = decide(&given, &findings, envelope.client, rules);
    let mut judgement = Judgement {
        action: action::in_mode(&decided.action, rules.mode),
        decision: decided.action,
        cause: decided.cause,
        evidence: decided.evidence,
        authentication_results: String::new(),
        envelope,
        author: head.author,
        defects: head.defects,
        spf,
        dkim,
        arc,
        evaluations,
        deciding,
        dmarc,
        rfc7489,
        removals: head.removals,
        asked: ledgers.asked(),
    };
    judgement.authentication_results = results::field_value(&judgement, &rules.authserv_id);
    judgement
}

fn identifiers(spf: &SpfOutcome, dkim: &[DkimResult]) -> Identifiers {
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

/// The verdict of the other RFC (design D1); only a second opinion, so it asks last.
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

/// Among several author domains the strictest failing policy counts (design D3,
/// RFC 9989 §11.5); without a failure one that could not be settled, else the first.
fn deciding(evaluations: &[Evaluation]) -> Option<usize> {
    let rank = |evaluation: &Evaluation| match &evaluation.result {
        DmarcResult::Fail => (3, evaluation.policy.unwrap_or(AssessmentPolicy::None)),
        DmarcResult::TempError => (2, AssessmentPolicy::None),
        result if result.is_pass() => (0, AssessmentPolicy::None),
        _ => (1, AssessmentPolicy::None),
    };
    // max_by_key takes the last of equals; the first domain of the field is meant.
    (0..evaluations.len())
        .rev()
        .max_by_key(|&index| rank(&evaluations[index]))
}

/// One domain has its own result. Several: pass when all pass, else permerror, for no
/// single result would be true (design D3).
fn overall(author: &Author, evaluations: &[Evaluation]) -> DmarcResult {
    match (author, evaluations) {
        (Author::Domain(_), [only]) => only.result.clone(),
        (Author::Domains(_), [first, ..]) if evaluations.iter().all(|e| e.result.is_pass()) => {
            first.result.clone()
        }
        _ => DmarcResult::PermError,
    }
}

async fn validate(
    validator: Option<Validator>,
    dmarc: &DmarcResult,
    lookup: &impl Lookup,
    digests: &BodyDigests,
    rules: &Rules,
) -> ArcResult {
    let matters = rules.arc == ArcUse::Always || matches!(dmarc, DmarcResult::Fail | DmarcResult::PermError);
    match validator {
        Some(validator) if matters => validator.finish(lookup, digests).await,
        _ => ArcResult::none(),
    }
}

/// What the decision starts from.
struct Given<'a> {
    fault: Option<AuthorFault>,
    deciding: Option<&'a Evaluation>,
    budget_reached: bool,
    id: &'a str,
}

struct Decided {
    action: Action,
    cause: String,
    evidence: Vec<Evidence>,
}

fn decide(given: &Given<'_>, findings: &Findings<'_>, client: Option<IpAddr>, rules: &Rules) -> Decided {
    let failing = given
        .deciding
        .filter(|evaluation| evaluation.result == DmarcResult::Fail);
    let evidence = failing.map_or_else(Vec::new, |e| evidence::collect(e, findings, rules));
    let cause = failing.map_or_else(String::new, |e| {
        story::cause(e, findings.spf, findings.dkim, client)
    });
    let case = action::Case {
        fault: given.fault,
        evaluation: given.deciding,
        evidence: &evidence,
        reason: &cause,
        budget_reached: given.budget_reached,
        id: given.id,
    };
    Decided {
        action: action::decide(&case, rules),
        cause,
        evidence,
    }
}
