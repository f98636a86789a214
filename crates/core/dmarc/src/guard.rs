//! The guard against public suffixes that publish a record and forget `psd=y`.
//!
//! This deviates from the letter of RFC 9989 §4.10.2 where §11.8 warns of a record above the right one: an
//! unmarked record at a public suffix would make one organization of everybody below it. The guard takes such a
//! record as `psd=y`, for who belongs together alone; for policy the record is what it is.

use landmarc_mail::DomainName;

use crate::discovery::Walk;
use crate::record::Psd;
use crate::suffixes::Suffixes;

/// An Organizational Domain behind the guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guarded {
    /// The Organizational Domain.
    pub domain: DomainName,
    /// Whether it is another one than the walk alone comes to.
    pub is_moved: bool,
}

/// The Organizational Domain that a walk came to, with names below an unmarked public suffix apart; none when the
/// walk failed or is not over.
#[must_use]
pub fn organizational_domain(walk: &Walk, suffixes: &Suffixes) -> Option<Guarded> {
    let chosen = walk.organizational_domain()?;
    let is_unmarked = walk
        .found()
        .last()
        .is_some_and(|found| *found.name == chosen && found.record.psd == Psd::Undeclared);
    let is_moved = is_unmarked && chosen != walk.start && suffixes.is_public_suffix(&chosen);
    let domain = if is_moved {
        below_suffixes(&walk.start, &chosen, suffixes)
    } else {
        chosen
    };
    Some(Guarded { domain, is_moved })
}

/// The name one label below `suffix`, or below those that are suffixes again, as it is itself:
/// otherwise an unmarked record at `uk` would make one organization of `co.uk`.
fn below_suffixes(start: &DomainName, suffix: &DomainName, suffixes: &Suffixes) -> DomainName {
    (suffix.label_count()..start.label_count())
        .map(|labels| start.last_labels(labels))
        .find(|name| !suffixes.is_public_suffix(name))
        .unwrap_or_else(|| start.clone())
}
