//! Which identifiers are looked at, in which order, and what they come to together.

use landmarc_auth::dkim::DkimResult;
use landmarc_auth::lookup::LookupError;
use landmarc_auth::spf::SpfResult;
use landmarc_mail::DomainName;

use super::{DmarcResult, Evaluation, Identifiers};
use crate::alignment::{Aligned, Mechanism, Owned, align};
use crate::record::{Mode, Record};

/// The most identifiers that get a walk of their own: SPF and ten DKIM domains. Whatever
/// comes after counts as not aligned, for anyone can sign with a thousand names.
pub const MAX_IDENTIFIERS_WALKED: usize = 11;
/// The most identifiers that are looked at; those that authenticate nothing come last.
pub const MAX_STEPS: usize = 100;

/// What was found of one identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentifierStep {
    /// Who vouches for it.
    pub mechanism: Mechanism,
    /// The domain.
    pub domain: DomainName,
    /// Whether the mechanism passed.
    pub authenticated: bool,
    /// Its own Organizational Domain, when that was needed and found.
    pub organizational_domain: Option<DomainName>,
    /// Whether it passed and is aligned.
    pub aligned: bool,
    /// Why, in words.
    pub note: String,
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

/// The Organizational Domain of an identifier, or why there is none to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ownership {
    /// It was found.
    Known(DomainName),
    /// It was not looked for, as nothing hangs on it.
    Needless(&'static str),
    /// It, or that of the author, should have been found and DNS failed.
    Unanswered(LookupError),
}

/// The mode for a mechanism.
pub(super) fn mode(record: &Record, mechanism: Mechanism) -> Mode {
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
) -> Option<Ownership> {
    let domain = &candidate.domain;
    if candidate.standing == Standing::Nothing {
        return Some(Ownership::Needless("authenticates nothing"));
    }
    if domain == author {
        return Some(Ownership::Needless("is the Author Domain"));
    }
    if mode == Mode::Strict {
        return Some(Ownership::Needless("is another name, and alignment is strict"));
    }
    match author_organization {
        Ok(organization) if domain.is_at_or_below(organization) => None,
        // The author's is not known: it could be anything they have in common.
        Err(error) if domain.last_labels(1) == author.last_labels(1) => Some(Ownership::Unanswered(error)),
        // An Organizational Domain is the name itself or one above it (RFC 9989 §4.10.2).
        Ok(_) | Err(_) => Some(Ownership::Needless(
            "is not at or below the Organizational Domain of the author",
        )),
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
    /// Adds one identifier.
    pub(super) fn add(
        &mut self,
        author: Owned<'_>,
        candidate: &Candidate,
        ownership: &Ownership,
        mode: Mode,
    ) {
        let organizational_domain = match ownership {
            Ownership::Known(domain) => Some(domain.clone()),
            Ownership::Needless(_) | Ownership::Unanswered(_) => None,
        };
        let identifier = Owned {
            domain: &candidate.domain,
            organizational_domain: organizational_domain.as_ref(),
        };
        let aligned = align(author, candidate.mechanism, identifier, mode)
            .filter(|_| candidate.standing != Standing::Nothing);
        let note = note(candidate, ownership, aligned.is_some());
        let could_align = aligned.is_some() && candidate.standing == Standing::Undecided;
        if could_align || matches!(ownership, Ownership::Unanswered(_)) {
            let Candidate {
                mechanism, domain, ..
            } = candidate;
            self.undecided
                .get_or_insert_with(|| format!("{mechanism} for {domain}: {note}"));
        }
        let aligned = aligned.filter(|_| candidate.standing == Standing::Passed);
        self.steps.push(IdentifierStep {
            mechanism: candidate.mechanism,
            domain: candidate.domain.clone(),
            authenticated: candidate.standing == Standing::Passed,
            organizational_domain,
            aligned: aligned.is_some(),
            note,
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

fn note(candidate: &Candidate, ownership: &Ownership, is_related: bool) -> String {
    let relation = match ownership {
        Ownership::Known(_) if is_related => "has the Organizational Domain of the author".to_owned(),
        Ownership::Known(domain) => format!("has the Organizational Domain {domain}"),
        Ownership::Needless(why) => (*why).to_owned(),
        Ownership::Unanswered(error) => format!("Organizational Domain not known: {error}"),
    };
    match candidate.standing {
        Standing::Passed => relation,
        Standing::Undecided | Standing::Nothing => format!("{}; {relation}", candidate.word),
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
