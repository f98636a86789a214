//! Names that show the local part of the sender, kept out of the steps of a check (decision D37).
//!
//! A record may ask for names with the local part in them (RFC 7208 §7.2, `%{s}` and `%{l}`).
//! The steps are stored and read by many, so such a name stands in them as the record has it:
//! `%{l}.x.example`. Only names that macros made are known here: where an owner's answer repeats
//! the local part, it stays.

use super::POSTMASTER;
use super::macros::{DomainSpec, Values};
use crate::lookup::DnsName;

/// Stands in for the local part.
const LOCAL_PART: &[u8] = b"%{l}";

/// The names of one check that show the local part, at most one for each term that asks DNS.
#[derive(Debug, Default)]
pub(super) struct Veil {
    /// Each with what is told in its place.
    names: Vec<(DnsName, DnsName)>,
}

impl Veil {
    /// What is to be told of the name that these make; none where that is the name itself.
    pub(super) fn of(&self, spec: &DomainSpec, values: &Values<'_>) -> Option<DnsName> {
        let domain = self.names.iter().find(|(name, _)| name == values.domain);
        // RFC 7208 §2.4, §4.3: that one stands in for a local part that is not there.
        if values.local_part == POSTMASTER || !spec.shows_local_part(domain.is_some()) {
            return None;
        }
        let veiled = Values {
            local_part: LOCAL_PART,
            domain: domain.map_or(values.domain, |(_, told)| told),
            ..*values
        };
        let told = spec.expand(&veiled).ok().flatten();
        told.or_else(|| DnsName::from_octets(LOCAL_PART))
    }

    /// Whether this is such a name.
    pub(super) fn covers(&self, name: &DnsName) -> bool {
        self.names.iter().any(|(known, _)| known == name)
    }

    pub(super) fn add(&mut self, name: &DnsName, told: DnsName) {
        if !self.covers(name) {
            self.names.push((name.clone(), told));
            // A name may be the beginning of a longer one.
            self.names
                .sort_by_key(|(name, _)| std::cmp::Reverse(name.as_bytes().len()));
        }
    }

    /// The text without the names.
    pub(super) fn over(&self, text: &mut String) {
        for (name, told) in &self.names {
            *text = replaced(text, &name.to_string(), &told.to_string());
        }
    }

    pub(super) fn into_names(self) -> Vec<(DnsName, DnsName)> {
        self.names
    }
}

/// The text with another name in place of this one, wherever it is not a part of a longer word.
fn replaced(text: &str, name: &str, other: &str) -> String {
    let is_inside = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(name) {
        let begins_inside = before.bytes().last().is_some_and(is_inside);
        let ends_inside = after.bytes().next().is_some_and(is_inside);
        out.push_str(before);
        out.push_str(if begins_inside || ends_inside { name } else { other });
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_are_replaced_and_no_parts_of_words() {
        let text = "a.x: `a.x`: a.x.example xa.x a.xy -a.x (a.x)";
        assert_eq!(
            replaced(text, "a.x", "%{l}.x"),
            "%{l}.x: `%{l}.x`: %{l}.x.example xa.x a.xy -a.x (%{l}.x)"
        );
        assert_eq!(replaced("nothing", "a.x", "b"), "nothing");
    }
}
