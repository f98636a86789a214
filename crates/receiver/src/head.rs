//! The end of the header section: what is read of it, and what can be asked from then on.

use auth::arc::Validator;
use auth::dkim::{BodyHashing, Verifier};
use auth::lookup::{Lookup, Question};
use dmarc::discovery::warm;
use futures_util::future::{join_all, join3};
use mail::DomainName;
use mail::author::{Author, author};
use mail::message::{HeaderDefect, HeaderSection};

use crate::evidence::HeaderFacts;
use crate::ledgers::Ledgers;
use crate::local::{ArcUse, ClientFacts, Rules};
use crate::operator::Rule;
use crate::results::{self, Removal};

/// A message whose header section is complete: parsed and hashed as far as it goes.
pub struct Head {
    pub(crate) author: Author,
    pub(crate) facts: HeaderFacts,
    pub(crate) defects: Vec<HeaderDefect>,
    pub(crate) removals: Vec<Removal>,
    pub(crate) verifier: Verifier,
    pub(crate) validator: Option<Validator>,
    pub(crate) bodies: BodyHashing,
    /// When it arrived, in Unix time.
    pub(crate) now: u64,
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
            now,
        }
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
            keys: self.verifier.questions(),
            seals: self.validator.iter().flat_map(Validator::questions).collect(),
        }
    }

    /// Takes the next octets of the body.
    pub fn body(&mut self, chunk: &[u8]) {
        self.bodies.update(chunk);
    }
}

/// ARC costs two questions a set, so it is looked at only where it may matter (design D8):
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
