//! Which identifiers are looked at, in which order, and what they come to together.

use std::fmt;

use landmarc_auth::dkim::DkimResult;
use landmarc_auth::lookup::LookupError;
use landmarc_auth::spf::SpfResult;
use landmarc_mail::DomainName;

use super::{DmarcResult, Evaluation, Identifiers};
use crate::alignment::{Aligned, Mechanism, Owned, align};
use crate::record::{Mode, PolicyRecord};

/// The most identifiers that get a walk of their own: SPF and ten DKIM domains. Whatever
/// comes after counts as not aligned, for anyone can sign with a thousand names.
pub const MAX_IDENTIFIERS_WALKED: usize = 11;
/// The most identifiers that are looked at; those that authenticate nothing come last.
pub const MAX_STEPS: usize = 100;

/// What was found of one identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentifierStep {
    /// What it was authenticated by.
    pub mechanism: Mechanism,
    /// The domain.
    pub domain: DomainName,
    /// Whether the mechanism passed.
    pub authenticated: bool,
    /// Its own Organizational Domain, when that was needed and found.
    pub organizational_domain: Option<DomainName>,
    /// Whether it passed and is aligned.
    pub aligned: bool,
    /// Why.
    pub relation: AuthorRelation,
}

/// What an identifier has to do with the author: why it is aligned, or not. Printed it is a clause behind "which",
/// but for [`Unanswered`](Self::Unanswered).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorRelation {
    /// The mechanism did not pass, so it was not looked into.
    AuthenticatesNothing,
    /// It is the Author Domain.
    Itself,
    /// It is another name, and alignment is strict.
    OtherName,
    /// No Organizational Domain of its own could be that of the author.
    OutsideOrganization,
    /// [`MAX_IDENTIFIERS_WALKED`] were looked into before.
    TooMany,
    /// It has the Organizational Domain of the author.
    SameOrganization,
    /// It has this Organizational Domain.
    OtherOrganization(DomainName),
    /// Its Organizational Domain, or that of the author, should have been found and DNS failed.
    Unanswered(LookupError),
}

impl fmt::Display for AuthorRelation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AuthenticatesNothing => "authenticates nothing",
            Self::Itself => "is the Author Domain",
            Self::OtherName => "is another name, and alignment is strict",
            Self::OutsideOrganization => "is not at or below the Organizational Domain of the author",
            Self::TooMany => "is one identifier too many to look into",
            Self::SameOrganization => "has the Organizational Domain of the author",
            Self::OtherOrganization(domain) => return write!(f, "has the Organizational Domain {domain}"),
            Self::Unanswered(error) => return write!(f, "Organizational Domain not known: {error}"),
        })
    }
}

/// What a mechanism found, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// It passed: the domain is an Authenticated Identifier.
    Passed,
    /// DNS failed it: it might have passed.
    Undecided,
    /// Anything else authenticates nothing (RFC 9989 §4.3), a broken record or key too.
    Nothing,
}

/// One identifier to look at.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) mechanism: Mechanism,
    pub(super) domain: DomainName,
    pub(super) standing: Standing,
    /// The mechanism's own word for it.
    word: &'static str,
}

/// The identifiers in the order of looking: those equal to the author first, for they
/// need no question; then those that passed, SPF before DKIM.
pub(super) fn candidates(identifiers: &Identifiers, author: &DomainName) -> Vec<Candidate> {
    let spf = identifiers.spf.iter().map(|(result, domain)| Candidate {
        mechanism: Mechanism::Spf,
        domain: domain.clone(),
        standing: match result {
            SpfResult::Pass => Standing::Passed,
            SpfResult::TempError => Standing::Undecided,
            _ => Standing::Nothing,
        },
        word: result.as_str(),
    });
    let dkim = identifiers.dkim.iter().map(|(result, domain)| Candidate {
        mechanism: Mechanism::Dkim,
        domain: domain.clone(),
        standing: match result {
            DkimResult::Pass => Standing::Passed,
            DkimResult::TempError => Standing::Undecided,
            _ => Standing::Nothing,
        },
        word: result.as_str(),
    });
    let mut all: Vec<_> = spf.chain(dkim).collect();
    all.sort_by_key(|candidate| {
        (
            candidate.standing == Standing::Nothing,
            candidate.domain != *author,
            candidate.standing,
            candidate.mechanism,
        )
    });
    all.truncate(MAX_STEPS);
    all
}

/// The mode for a mechanism.
pub(super) fn mode(record: &PolicyRecord, mechanism: Mechanism) -> Mode {
    match mechanism {
        Mechanism::Spf => record.spf_mode,
        Mechanism::Dkim => record.dkim_mode,
    }
}

/// What is settled about an identifier without a walk; `None` when its own
/// Organizational Domain has to be found.
pub(super) fn settled(
    author: &DomainName,
    author_organization: Result<&DomainName, LookupError>,
    candidate: &Candidate,
    mode: Mode,
) -> Option<AuthorRelation> {
    let domain = &candidate.domain;
    if candidate.standing == Standing::Nothing {
        return Some(AuthorRelation::AuthenticatesNothing);
    }
    if domain == author {
        return Some(AuthorRelation::Itself);
    }
    if mode == Mode::Strict {
        return Some(AuthorRelation::OtherName);
    }
    match author_organization {
        Ok(organization) if domain.is_at_or_below(organization) => None,
        // The author's is not known: it could be anything they have in common.
        Err(error) if domain.last_labels(1) == author.last_labels(1) => {
            Some(AuthorRelation::Unanswered(error))
        }
        // An Organizational Domain is the name itself or one above it (RFC 9989 §4.10.2).
        Ok(_) | Err(_) => Some(AuthorRelation::OutsideOrganization),
    }
}

/// The identifiers looked at so far, and what follows from them.
#[derive(Default)]
pub(super) struct Tally {
    steps: Vec<IdentifierStep>,
    passed: Vec<Aligned>,
    /// Why an identifier that could have been aligned is not decided.
    undecided: Option<String>,
}

impl Tally {
    /// Adds one identifier, with its Organizational Domain, or why that was not looked for or not found.
    pub(super) fn add(
        &mut self,
        author: Owned<'_>,
        candidate: &Candidate,
        organization: Result<DomainName, AuthorRelation>,
        mode: Mode,
    ) {
        let identifier = Owned {
            domain: &candidate.domain,
            organizational_domain: organization.as_ref().ok(),
        };
        let aligned = align(author, candidate.mechanism, identifier, mode)
            .filter(|_| candidate.standing != Standing::Nothing);
        let organizational_domain = organization.as_ref().ok().cloned();
        let relation = match organization {
            Ok(_) if aligned.is_some() => AuthorRelation::SameOrganization,
            Ok(domain) => AuthorRelation::OtherOrganization(domain),
            Err(relation) => relation,
        };
        let could_align = aligned.is_some() && candidate.standing == Standing::Undecided;
        if could_align || matches!(relation, AuthorRelation::Unanswered(_)) {
            self.undecided
                .get_or_insert_with(|| in_doubt(candidate, &relation));
        }
        let aligned = aligned.filter(|_| candidate.standing == Standing::Passed);
        self.steps.push(IdentifierStep {
            mechanism: candidate.mechanism,
            domain: candidate.domain.clone(),
            authenticated: candidate.standing == Standing::Passed,
            organizational_domain,
            aligned: aligned.is_some(),
            relation,
        });
        self.passed.extend(aligned);
    }

    /// The result of them all (RFC 9989 §5.3.5, §5.3.6), written into the evaluation.
    pub(super) fn conclude(self, evaluation: &mut Evaluation) {
        let by = |mechanism| {
            self.passed
                .iter()
                .any(|aligned| aligned.identifier().mechanism == mechanism)
        };
        evaluation.spf_aligned = by(Mechanism::Spf);
        evaluation.dkim_aligned = by(Mechanism::Dkim);
        evaluation.identifiers = self.steps;
        evaluation.result = match (self.passed.into_iter().next(), self.undecided) {
            // One aligned pass stands, whatever could not be found out about the others.
            (Some(aligned), _) => DmarcResult::Pass(aligned),
            (None, Some(why)) => {
                evaluation.problem = Some(why);
                DmarcResult::TempError
            }
            (None, None) => DmarcResult::Fail,
        };
    }
}

/// In words, why an identifier might have been aligned.
fn in_doubt(candidate: &Candidate, relation: &AuthorRelation) -> String {
    let Candidate {
        mechanism, domain, ..
    } = candidate;
    match candidate.standing {
        Standing::Passed => format!("{mechanism} for {domain}: {relation}"),
        Standing::Undecided | Standing::Nothing => {
            format!("{mechanism} for {domain}: {}; {relation}", candidate.word)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    #[test]
    fn the_author_itself_comes_first_and_what_authenticates_nothing_last() {
        let identifiers = Identifiers {
            spf: Some((SpfResult::Fail, name("example.com"))),
            dkim: vec![
                (DkimResult::TempError, name("b.example.com")),
                (DkimResult::Pass, name("a.example.com")),
                (DkimResult::Pass, name("example.com")),
            ],
        };
        let order: Vec<_> = candidates(&identifiers, &name("example.com"))
            .iter()
            .map(|candidate| format!("{} {}", candidate.mechanism, candidate.domain))
            .collect();
        assert_eq!(
            order,
            [
                "dkim example.com",
                "dkim a.example.com",
                "dkim b.example.com",
                "spf example.com"
            ]
        );
    }

    #[test]
    fn a_hundred_identifiers_are_looked_at() {
        let many = |count| Identifiers {
            spf: None,
            dkim: vec![(DkimResult::Fail, name("example.net")); count],
        };
        let author = name("example.com");
        assert_eq!(candidates(&many(MAX_STEPS), &author).len(), MAX_STEPS);
        assert_eq!(candidates(&many(MAX_STEPS + 1), &author).len(), MAX_STEPS);
    }
}
