//! The end of the header section: what is read of it, and what can be asked from then on.

use futures_util::future::{join_all, join3};
use landmarc_auth::arc::{ArcResult, Validator};
use landmarc_auth::dkim::{BodyHashing, DkimOutcome, Verifier};
use landmarc_auth::lookup::{Lookup, Question};
use landmarc_dmarc::discovery::warm;
use landmarc_mail::author::{Author, author};
use landmarc_mail::message::{HeaderDefect, HeaderSection};
use landmarc_mail::{DomainName, Envelope};

use crate::evidence::HeaderFacts;
use crate::ledgers::Ledgers;
use crate::policy::{ArcUse, Rules};
use crate::removals::{self, Removal};
use crate::required::{self, HeaderFault};
use crate::rule::Rule;
use crate::spf::{SpfPair, check_spf};
use crate::upstream::{self, Arrival, ResultSources, UpstreamResults};

/// A message whose header section is complete: parsed and hashed as far as it goes.
pub struct Head {
    pub(crate) author: Author,
    pub(crate) facts: HeaderFacts,
    pub(crate) defects: Vec<HeaderDefect>,
    pub(crate) removals: Vec<Removal>,
    /// Where it is against RFC 5322 §3.6, if that is looked at.
    pub(crate) fault: Option<HeaderFault>,
    spf: Option<SpfPair>,
    pub(crate) signatures: Signatures,
    pub(crate) chain: Chain,
    pub(crate) result_sources: ResultSources,
    is_upstream_heard: Option<bool>,
    pub(crate) bodies: BodyHashing,
    /// When it arrived, in Unix time.
    pub(crate) now: u64,
}

impl Head {
    /// Reads the header section; it is not needed afterwards.
    #[must_use]
    pub fn new(headers: &HeaderSection, rules: &Rules, arrival: &Arrival<'_>) -> Self {
        let now = arrival.now;
        let author = author(headers);
        let stated = upstream::read(headers, rules, arrival);
        let removals = removals::removals_but(headers, rules, arrival.client, &stated.kept, &stated.forged);
        let UpstreamResults {
            spf,
            dkim,
            arc,
            result_sources,
            is_heard,
            ..
        } = stated;
        let mut bodies = BodyHashing::new();
        let signatures = match dkim {
            Some(results) => Signatures::Upstream(results),
            None => {
                let domains = author.domains();
                Signatures::Own(Verifier::new(headers, domains, &rules.dkim, now, &mut bodies))
            }
        };
        let chain = match arc {
            Some(result) if rules.arc != ArcUse::Never => Chain::Upstream(result),
            Some(_) => Chain::Own(None),
            None => Chain::Own(validator(headers, rules, now, &mut bodies)),
        };
        Self {
            facts: HeaderFacts::new(headers),
            defects: headers.defects().to_vec(),
            fault: rules
                .required_header_fields
                .then(|| required::fault(headers, &author))
                .flatten(),
            removals,
            author,
            spf,
            signatures,
            chain,
            result_sources,
            is_upstream_heard: is_heard,
            bodies,
            now,
        }
    }

    /// The result of SPF where a filter ahead of us is to state it, whether it does or not. Without
    /// one it is to be asked for ([`check_spf`](crate::spf::check_spf)).
    #[must_use]
    pub fn upstream_spf(&self) -> Option<&SpfPair> {
        self.spf.as_ref()
    }

    /// Whether there is any field in the name of a filter that is trusted; nothing where none is.
    #[must_use]
    pub fn is_upstream_heard(&self) -> Option<bool> {
        self.is_upstream_heard
    }

    /// The Author Domain, or why there is none.
    #[must_use]
    pub fn author(&self) -> &Author {
        &self.author
    }

    /// The fields that must go, whatever becomes of the message.
    #[must_use]
    pub fn removals(&self) -> &[Removal] {
        &self.removals
    }

    /// The questions that can be asked while the body arrives.
    #[must_use]
    pub fn plan(&self) -> Plan {
        Plan {
            authors: self.author.domains().to_vec(),
            keys: self.signatures.questions(),
            seals: self.chain.questions(),
        }
    }

    /// Takes the next octets of the body.
    pub fn body(&mut self, chunk: &[u8]) {
        self.bodies.update(chunk);
    }
}

/// SPF of a message whose header section is complete: as a filter ahead of us states it, or else checked.
pub async fn spf_of<L: Lookup>(
    head: &Head,
    ledgers: &Ledgers<L>,
    envelope: &Envelope,
    rules: &Rules,
) -> SpfPair {
    match head.upstream_spf() {
        Some(stated) => stated.clone(),
        None => check_spf(ledgers, envelope, rules, head.now).await,
    }
}

/// The signatures of a message.
pub(crate) enum Signatures {
    /// Others have verified them.
    Upstream(Vec<DkimOutcome>),
    /// We do.
    Own(Verifier),
}

impl Signatures {
    fn questions(&self) -> Vec<Question> {
        match self {
            Self::Upstream(_) => Vec::new(),
            Self::Own(verifier) => verifier.questions(),
        }
    }
}

/// The ARC chain of a message.
pub(crate) enum Chain {
    /// Others have validated it.
    Upstream(ArcResult),
    /// We do, if anybody does.
    Own(Option<Validator>),
}

impl Chain {
    fn questions(&self) -> Vec<Question> {
        match self {
            Self::Upstream(_) => Vec::new(),
            Self::Own(validator) => validator.iter().flat_map(Validator::questions).collect(),
        }
    }
}

/// ARC costs two questions a set, so it is looked at only where it may matter (decision D8):
/// where the newest sealer is trusted, or named by a rule of the operator.
fn validator(
    headers: &HeaderSection,
    rules: &Rules,
    now: u64,
    bodies: &mut BodyHashing,
) -> Option<Validator> {
    match rules.arc {
        ArcUse::Never => None,
        ArcUse::Always => Some(Validator::new(headers, now, bodies)),
        ArcUse::Trusted if rules.trusted_sealers.is_empty() && !names_sealers(rules) => None,
        ArcUse::Trusted => {
            let validator = Validator::new(headers, now, bodies);
            let is_believed = |sealer: &DomainName| {
                let by_rule = |rule: &Rule| rule.believes_sealer(sealer, now);
                rules.trusted_sealers.contains(sealer) || rules.operator.iter().any(by_rule)
            };
            validator
                .newest_sealer()
                .is_some_and(is_believed)
                .then_some(validator)
        }
    }
}

fn names_sealers(rules: &Rules) -> bool {
    let mut rules = rules.operator.iter();
    rules.any(|rule| !rule.conditions.arc_sealer.is_empty())
}

/// Questions to be asked ahead.
#[derive(Clone, Debug)]
pub struct Plan {
    authors: Vec<DomainName>,
    keys: Vec<Question>,
    seals: Vec<Question>,
}

impl Plan {
    /// Asks them all at once; the ledgers remember the answers.
    pub async fn ask<L: Lookup>(self, ledgers: &Ledgers<L>) {
        let policies = join_all(self.authors.iter().map(|author| warm(&ledgers.policies, author)));
        let keys = join_all(self.keys.iter().map(|question| ledgers.keys.ask(question)));
        let seals = join_all(self.seals.iter().map(|question| ledgers.arc.ask(question)));
        join3(policies, keys, seals).await;
    }
}
