//! What a host that is named in a record has to do with the domain of the record.

use landmarc_auth::lookup::{Answer, DnsName, Lookup, LookupError, Question};
use landmarc_dmarc::record::{MAX_URIS, RecordProblem, ReportUri};
use landmarc_dmarc::{PolicyRecord, Suffixes, Walk, guard};
use landmarc_mail::DomainName;

use super::DestinationKind;
use super::verdict::{DestinationRefusal, DestinationVerdict};
use crate::address::Address;

/// What a host has to do with a policy domain. Worth remembering for a while, unless it
/// [is unanswered](Relation::is_unanswered).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Both are in one Organizational Domain: who owns the record owns the host (RFC 9990 §4).
    Internal,
    /// A record at this name takes reports about the policy domain.
    Authorised {
        /// The name.
        by: DnsName,
        /// What its `rua` puts in the place of the URI.
        aggregate: UriOverride,
        /// What its `ruf` puts in the place of the URI.
        failure: UriOverride,
    },
    /// There is no such record at this name.
    NotAuthorised {
        /// The name.
        by: DnsName,
    },
    /// The name to ask at would be longer than DNS allows.
    NameTooLong,
    /// Nobody answered about this name: the question has to be asked again.
    Unanswered {
        /// The name.
        about: Option<DnsName>,
        /// Why.
        error: LookupError,
    },
}

/// What an authorising record puts in the place of the URI that led to it (RFC 9990 §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UriOverride {
    /// It does not have the tag: the URI stays.
    Absent,
    /// The addresses that it names instead; none when it has the tag without any address that we can use.
    Addresses(Vec<Address>),
}

/// Asks what `host` has to do with `policy_domain`: no question for the same name, else at most two
/// tree walks and one question more.
///
/// Names below one public suffix are strangers to each other, whatever a record at the suffix says and whatever is
/// set for alignment: it is about consent, and nobody can give it for a neighbour.
pub async fn ask(
    lookup: &impl Lookup,
    policy_domain: &DomainName,
    host: &DomainName,
    suffixes: &Suffixes,
) -> Relation {
    if host == policy_domain {
        return Relation::Internal;
    }
    let own = match organizational_domain(lookup, policy_domain, suffixes).await {
        Ok(name) => name,
        Err(unanswered) => return unanswered,
    };
    match organizational_domain(lookup, host, suffixes).await {
        Ok(theirs) if theirs == own => return Relation::Internal,
        Ok(_) => {}
        Err(unanswered) => return unanswered,
    }
    let name = format!("{policy_domain}._report._dmarc.{host}");
    match DnsName::from_octets(name.as_bytes()) {
        Some(by) => relation(&lookup.ask(&Question::txt(by.clone())).await, by),
        None => Relation::NameTooLong,
    }
}

impl Relation {
    pub(super) const NOT_ASKED: Self = Self::Unanswered {
        about: None,
        error: LookupError::Budget,
    };

    /// Whether it is not known.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        matches!(self, Self::Unanswered { .. })
    }

    /// Where a report goes in place of `address`, which is at the host in question: at least one address, each
    /// with its verdict.
    pub(super) fn verdicts(
        &self,
        address: &Address,
        kind: DestinationKind,
    ) -> Vec<(Address, DestinationVerdict)> {
        let refused = |refusal| DestinationVerdict::Refused(refusal);
        let verdict = match self {
            Self::Internal => DestinationVerdict::Internal,
            Self::NotAuthorised { by } => refused(DestinationRefusal::NotAuthorised { by: by.to_string() }),
            Self::NameTooLong => refused(DestinationRefusal::NameTooLong),
            Self::Unanswered { about, error } => DestinationVerdict::Unanswered {
                about: about.as_ref().map(ToString::to_string),
                error: *error,
            },
            Self::Authorised {
                by,
                aggregate,
                failure,
            } => match (kind, aggregate, failure) {
                (DestinationKind::Aggregate, UriOverride::Addresses(instead), _)
                | (DestinationKind::Failure, _, UriOverride::Addresses(instead)) => {
                    return replaced(address, by, instead);
                }
                _ => DestinationVerdict::Authorised { by: by.to_string() },
            },
        };
        vec![(address.clone(), verdict)]
    }
}

/// RFC 9990 §4: the overriding URI must have the same host as the one that led to it, and where it has
/// another, neither of them gets a report.
fn replaced(address: &Address, by: &DnsName, instead: &[Address]) -> Vec<(Address, DestinationVerdict)> {
    let by = by.to_string();
    if instead.is_empty() {
        let refusal = DestinationRefusal::OverrideUnusable { by };
        return vec![(address.clone(), DestinationVerdict::Refused(refusal))];
    }
    let verdict = |new: &Address| {
        if new.domain() == address.domain() {
            DestinationVerdict::Replaced { by: by.clone() }
        } else {
            DestinationVerdict::Refused(DestinationRefusal::OverrideElsewhere {
                by: by.clone(),
                host: new.domain().clone(),
            })
        }
    };
    instead.iter().map(|new| (new.clone(), verdict(new))).collect()
}

/// The Organizational Domain by tree walk, for one is not told by the other's (XD03, XD04).
async fn organizational_domain(
    lookup: &impl Lookup,
    name: &DomainName,
    suffixes: &Suffixes,
) -> Result<DomainName, Relation> {
    let mut walk = Walk::new(name.clone());
    walk.complete(lookup).await;
    let guarded = guard::organizational_domain(&walk, suffixes);
    guarded
        .map(|guarded| guarded.domain)
        .ok_or_else(|| Relation::Unanswered {
            about: walk
                .steps
                .last()
                .and_then(|step| DnsName::below("_dmarc", &step.name)),
            error: walk.failure().unwrap_or(LookupError::BadAnswer),
        })
}

fn relation(answer: &Answer, by: DnsName) -> Relation {
    if let Some(error) = answer.failure() {
        return Relation::Unanswered {
            about: Some(by),
            error,
        };
    }
    // RFC 9990 §4: unlike at `_dmarc.`, one record of several is enough, and `p` is not needed. What is
    // too long to be read has agreed to nothing.
    let records: Vec<_> = answer
        .texts()
        .filter_map(PolicyRecord::parse)
        .filter(is_read)
        .collect();
    if records.is_empty() {
        return Relation::NotAuthorised { by };
    }
    Relation::Authorised {
        aggregate: instead(&records, DestinationKind::Aggregate),
        failure: instead(&records, DestinationKind::Failure),
        by,
    }
}

fn is_read(record: &PolicyRecord) -> bool {
    !record.problems.iter().any(|problem| {
        matches!(
            problem,
            RecordProblem::TooLong { .. } | RecordProblem::TooManyTags
        )
    })
}

fn instead(records: &[PolicyRecord], kind: DestinationKind) -> UriOverride {
    let is_there = records.iter().any(|record| has_tag(record, kind));
    if !is_there {
        return UriOverride::Absent;
    }
    let addresses = records.iter().flat_map(|record| uris(record, kind));
    let addresses = addresses.filter_map(|uri| uri.address.as_ref().map(Address::from));
    UriOverride::Addresses(addresses.take(MAX_URIS).collect())
}

/// Whether the record has the tag, if only with a value that is no use: whoever wrote it did not want
/// reports at the old place.
fn has_tag(record: &PolicyRecord, kind: DestinationKind) -> bool {
    !uris(record, kind).is_empty()
        || record.problems.iter().any(|problem| match problem {
            RecordProblem::Uri { tag, .. }
            | RecordProblem::Value { tag, .. }
            | RecordProblem::Conflict { tag } => tag == kind.tag(),
            _ => false,
        })
}

fn uris(record: &PolicyRecord, kind: DestinationKind) -> &[ReportUri] {
    match kind {
        DestinationKind::Aggregate => &record.aggregate_uris,
        DestinationKind::Failure => &record.failure_uris,
    }
}
