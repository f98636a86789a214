//! Names with the local part of the sender in them, and what is printed in their place (decision D37).
//!
//! A record may look up names with the local part in them (RFC 7208 §7.2, `%{s}` and `%{l}`). The
//! steps are stored and read by many, so such a name is printed as the record has it:
//! `%{l}.x.example`. Redacted are the names that macros made, and hosts below them, from the term
//! on that made them: where an owner's answer repeats the local part elsewhere, or earlier, it stays.

use std::fmt;

use crate::lookup::DnsName;

/// Stands in for the local part.
pub(super) const LOCAL_PART: &[u8] = b"%{l}";

/// A name that an SPF check looks up. Printed without the local part of the sender.
#[derive(Clone, PartialEq, Eq)]
pub struct SpfName {
    pub(super) name: DnsName,
    redacted: Option<DnsName>,
}

impl SpfName {
    pub(super) fn new(name: DnsName, redacted: Option<DnsName>) -> Self {
        Self { name, redacted }
    }

    /// Whether it shows the local part, and is printed as another name.
    #[must_use]
    pub fn is_redacted(&self) -> bool {
        self.redacted.is_some()
    }

    /// The name without the local part.
    #[must_use]
    pub fn printed(&self) -> &DnsName {
        self.redacted.as_ref().unwrap_or(&self.name)
    }
}

impl fmt::Display for SpfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.printed().fmt(f)
    }
}

impl fmt::Debug for SpfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.printed(), f)
    }
}

/// The redacted names of one check, at most one for each term that asks DNS and for each host that
/// it finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedactedNames(Vec<SpfName>);

impl RedactedNames {
    /// A name as it is printed.
    #[must_use]
    pub fn printed<'n>(&'n self, name: &'n DnsName) -> &'n DnsName {
        self.find(name).map_or(name, SpfName::printed)
    }

    fn find(&self, name: &DnsName) -> Option<&SpfName> {
        self.0.iter().find(|known| known.name == *name)
    }

    /// Adds a name if it is redacted. A name that is known stays redacted as it was.
    pub(super) fn add(&mut self, name: SpfName) -> SpfName {
        if let Some(known) = self.find(&name.name) {
            return known.clone();
        }
        if name.is_redacted() {
            self.0.push(name.clone());
        }
        name
    }

    /// A host from an answer: redacted where it is below one of the names.
    pub(super) fn host(&mut self, host: DnsName) -> SpfName {
        let above = self.0.iter().filter(|known| host.is_at_or_below(&known.name));
        let nearest = above.max_by_key(|known| known.name.as_bytes().len());
        let redacted = nearest.map(|above| {
            let below = host.as_bytes().len() - above.name.as_bytes().len();
            let labels = host.as_bytes().get(..below).unwrap_or_default();
            let whole = [labels, above.printed().as_bytes()].concat();
            DnsName::from_octets(&whole).unwrap_or_else(|| above.printed().clone())
        });
        self.add(SpfName::new(host, redacted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DnsName {
        DnsName::from_octets(text.as_bytes()).unwrap()
    }

    #[test]
    fn hosts_at_and_below_a_redacted_name_are_redacted() {
        let mut names = RedactedNames::default();
        names.add(SpfName::new(name("a.x"), Some(name("%{l}.x"))));
        names.add(SpfName::new(name("b.a.x"), Some(name("%{s}.x"))));
        for (host, printed) in [
            ("a.x", "%{l}.x"),
            ("c.a.x", "c.%{l}.x"),
            ("d.b.a.x", "d.%{s}.x"),
            ("xa.x", "xa.x"),
            ("a.x.example", "a.x.example"),
        ] {
            let redacted = names.host(name(host));
            assert_eq!(redacted.to_string(), printed, "{host}");
            assert_eq!(*names.printed(&name(host)), name(printed), "{host}");
            assert_eq!(redacted.is_redacted(), host != printed, "{host}");
        }
    }

    #[test]
    fn a_host_too_long_for_its_redacted_form_is_printed_as_the_name_above() {
        let mut names = RedactedNames::default();
        names.add(SpfName::new(name("a.x"), Some(name("%{l}.x"))));
        let long = format!("{0}.{0}.{0}.{1}.a.x", "y".repeat(62), "z".repeat(60));
        assert_eq!(names.host(name(&long)).to_string(), "%{l}.x");
    }
}
