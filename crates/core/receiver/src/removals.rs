//! The header fields that must go before ours is added: forged results (RFC 8601 §5), and marks of
//! quarantine that come from outside.

use std::collections::HashMap;

use landmarc_mail::authres::{self, AuthenticationResults, AuthresError};
use landmarc_mail::message::HeaderSection;

use crate::policy::{ClientFacts, QuarantineBy, Rules};

pub(crate) const RESULTS: &str = "Authentication-Results";

/// A header field that must go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Its name.
    pub name: String,
    /// Which of that name, the topmost being 1, before anything is removed.
    pub nth: u32,
}

/// The incoming fields that must not stay: those in our name (RFC 8601 §5), and the
/// field by which we mark quarantine. Of a message of which nothing more is known.
#[must_use]
pub fn removals(headers: &HeaderSection, rules: &Rules, client: ClientFacts) -> Vec<Removal> {
    removals_but(headers, rules, client, &[], &[])
}

/// As [`removals`], with those in the name of a filter that we believe and these `forged` ones, but for
/// the fields that were believed and are `kept` (checklist A7).
pub(crate) fn removals_but(
    headers: &HeaderSection,
    rules: &Rules,
    client: ClientFacts,
    kept: &[Removal],
    forged: &[Removal],
) -> Vec<Removal> {
    if client.keeps_results {
        return Vec::new();
    }
    let is_trusted = |value: &[u8]| {
        let upstream = &rules.upstream;
        let mut trusted = upstream.trusted(&rules.authserv_id);
        upstream.is_used() && trusted.any(|id| authres::claims_authserv_id(value, id))
    };
    // RFC 8601 §5: "MUST" go as well when the version is one we do not know.
    let unknown_version =
        |value: &[u8]| matches!(AuthenticationResults::parse(value), Err(AuthresError::Version(_)));
    let is_forged = |value: &[u8]| {
        rules.remove_all_results
            || authres::claims_authserv_id(value, &rules.authserv_id)
            || is_trusted(value)
            || unknown_version(value)
    };
    let mut removals = removals_of(headers, RESULTS, is_forged);
    // What was not kept cannot be read, so it goes, as an unparsable field of ours would.
    removals.extend(headers.results_left_out().iter().map(|&nth| Removal {
        name: RESULTS.to_owned(),
        nth,
    }));
    removals.extend(misspelt(headers));
    if let QuarantineBy::Header(name) = &rules.quarantine {
        removals.extend(marks(headers, name));
    }
    removals.extend(forged.iter().cloned());
    removals.retain(|removal| !kept.contains(removal));
    removals
}

/// The fields with a NUL or other octets in their name, for which some reader takes them for results.
/// No honest filter writes such a field, so they all go, no matter for whom they speak. MTAs that count by
/// name count each of these names for itself; Postfix takes no such line for a field.
fn misspelt(headers: &HeaderSection) -> Vec<Removal> {
    let mut counts: HashMap<String, u32> = HashMap::new();
    let numbered = headers.misspelt_results().map(|name| {
        let name = String::from_utf8_lossy(name).into_owned();
        let nth = counts.entry(name.to_ascii_lowercase()).or_default();
        *nth = nth.saturating_add(1);
        Removal { name, nth: *nth }
    });
    numbered.collect()
}

/// The fields by which we mark quarantine. Where one of them may have been left out at a limit, the numbers of the
/// others are not known, and nothing is removed: the worst that is forged so is that a message is set aside.
fn marks(headers: &HeaderSection, name: &str) -> Vec<Removal> {
    match headers.is_cut() && headers.may_lack(name.as_bytes()) {
        true => Vec::new(),
        false => removals_of(headers, name, |_| true),
    }
}

fn removals_of(headers: &HeaderSection, name: &str, goes: impl Fn(&[u8]) -> bool) -> Vec<Removal> {
    let left_out: &[u32] = if name == RESULTS {
        headers.results_left_out()
    } else {
        &[]
    };
    // The MTA counts all fields it sent, so those that were not kept have numbers too.
    let numbers = (1u32..).filter(|nth| left_out.binary_search(nth).is_err());
    numbers
        .zip(headers.named(name))
        .filter(|(_, (_, field))| goes(field.value()))
        .map(|(nth, _)| Removal {
            name: name.to_owned(),
            nth,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use landmarc_mail::HeaderField;
    use landmarc_mail::message::HeaderLimits;

    use super::*;

    #[test]
    fn a_mark_of_quarantine_is_removed_where_its_number_is_known() {
        let limits = HeaderLimits {
            field_octets: 60,
            ..HeaderLimits::default()
        };
        let long = format!(" {}", "x".repeat(80));
        for (left_out, count) in [("X-Other", 2), ("DMARC-Quarantine", 0)] {
            let mut headers = HeaderSection::default();
            for (name, value) in [
                ("DMARC-Quarantine", " 1"),
                (left_out, &long),
                ("dmarc-quarantine", " 3"),
            ] {
                headers.push(HeaderField::new(name.as_bytes(), value.as_bytes()), &limits);
            }
            assert!(headers.is_cut());
            assert_eq!(marks(&headers, "DMARC-Quarantine").len(), count, "{left_out}");
        }
    }

    #[test]
    fn fields_that_only_read_as_results_go() {
        let limits = HeaderLimits {
            field_octets: 60,
            ..HeaderLimits::default()
        };
        let mut headers = HeaderSection::default();
        let long = format!(" {}", "x".repeat(80));
        for (name, value) in [
            (&b"Authentication-Results\0"[..], " other; none"),
            (b"Authentication-Results", " other; none"),
            (b"authentication-results\0 ", &long),
            (b"Authentication\x01-Results", " ours; dmarc=pass"),
            (b"Authentication-Results\xff", " ours; dmarc=pass"),
            (b"Authentication-Results\xfe", " ours; dmarc=pass"),
            (b"X-Authentication-Results\0", " ours; dmarc=pass"),
            (b"Authentication-Results ", " other; none"),
        ] {
            headers.push(HeaderField::new(name, value.as_bytes()), &limits);
        }
        let found: Vec<_> = misspelt(&headers)
            .into_iter()
            .map(|removal| (removal.name, removal.nth))
            .collect();
        let name = |text: &str| text.to_owned();
        assert_eq!(
            found,
            [
                (name("Authentication-Results\0"), 1),
                (name("authentication-results\0"), 2),
                (name("Authentication\u{1}-Results"), 1),
                (name("Authentication-Results\u{fffd}"), 1),
                (name("Authentication-Results\u{fffd}"), 2),
            ]
        );
        assert!(headers.results_left_out().is_empty());
    }

    #[test]
    fn fields_that_were_not_kept_are_counted_and_go() {
        let limits = HeaderLimits {
            field_octets: 60,
            fields: 4,
            ..HeaderLimits::default()
        };
        let mut headers = HeaderSection::default();
        let long = format!(" {}", "x".repeat(80));
        for value in [
            " other; none",
            &long,
            " ours; spf=pass",
            " other; none",
            " third; none",
            " ours; spf=pass",
        ] {
            headers.push(HeaderField::new(RESULTS.as_bytes(), value.as_bytes()), &limits);
        }
        assert_eq!(headers.results_left_out(), [2, 6]);
        let goes = |value: &[u8]| authres::claims_authserv_id(value, "ours");
        let kept: Vec<u32> = removals_of(&headers, RESULTS, goes)
            .iter()
            .map(|removal| removal.nth)
            .collect();
        assert_eq!(kept, [3]);
    }
}
