//! The local parts of one message, and where else they hide.

use std::collections::BTreeSet;
use std::ops::Bound;

use landmarc_mail::DomainName;

use super::REDACTED;

/// The most local parts that are remembered of one message. Past that no foreign word is shown: what
/// may hide in it is not known.
pub(super) const MAX_KNOWN: usize = 500;
/// A shorter one stands in ordinary words by accident.
pub(super) const MIN_HIDDEN_OCTETS: usize = 4;
/// A longer one is no local part (RFC 5321 §4.5.3.1.1 has 64), and nothing else holds it by accident.
const MAX_LOCAL_PART_OCTETS: usize = 320;

/// Local parts that name a role or a machine and nobody in particular. Host names and queue ids are
/// full of them.
const COMMON: &str = "abuse account accounts admin administrator alert alerts apache billing bounce \
    bounces contact daemon email example feedback hello help host hostmaster info list lists mail mailer \
    mailer-daemon marketing news newsletter no-reply noreply notification notifications office order \
    orders postmaster root sales security server service shop support system team update webmaster";

/// The addresses of one message: the local parts, which are hidden, and the domains, which are not.
#[derive(Debug, Default)]
pub(super) struct KnownAddresses {
    /// In lower case: who wrote one in another case meant the same person.
    local_parts: BTreeSet<Vec<u8>>,
    is_full: bool,
    /// At most [`MAX_KNOWN`] of them.
    domains: BTreeSet<DomainName>,
}

impl KnownAddresses {
    /// Remembers a local part that must not be shown.
    pub(super) fn learn(&mut self, local_part: &[u8]) {
        let lower = local_part.to_ascii_lowercase();
        let is_short = lower.len() < MIN_HIDDEN_OCTETS;
        let is_common = || COMMON.split(' ').any(|word| word.as_bytes() == lower);
        if is_short || lower.len() > MAX_LOCAL_PART_OCTETS || is_common() || self.local_parts.contains(&lower)
        {
            return;
        }
        if self.local_parts.len() == MAX_KNOWN {
            self.is_full = true;
        } else {
            self.local_parts.insert(lower);
        }
    }

    /// Remembers a domain that is shown in an address, and so anywhere.
    pub(super) fn learn_domain(&mut self, domain: DomainName) {
        if self.domains.len() < MAX_KNOWN {
            self.domains.insert(domain);
        }
    }

    /// Cuts a name in two: what has to be looked at, and the domain that is shown anyway. So `paypal` in
    /// `mx.paypal.example` stays, even where somebody is called so at another domain.
    pub(super) fn split<'a>(&self, name: &'a DomainName) -> (&'a str, &'a str) {
        let text = name.as_str();
        let mut names = std::iter::once(name.clone()).chain(name.ancestors());
        let shown = names.find(|ancestor| self.domains.contains(ancestor));
        let at = shown.map_or(text.len(), |domain| text.len() - domain.as_str().len());
        text.split_at_checked(at).unwrap_or((text, ""))
    }

    /// The text with a token in place of each local part it has, as a word or inside one. What the
    /// token is made of is the local part as it is written there.
    pub(super) fn hidden_in(&self, text: &str, token: impl Fn(&[u8]) -> String) -> String {
        if self.is_full {
            return REDACTED.to_owned();
        }
        let lower = text.to_ascii_lowercase();
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        while let Some(rest) = lower.as_bytes().get(at..).filter(|rest| !rest.is_empty()) {
            let length = self.longest_at(rest);
            let end = length.map_or_else(|| text.ceil_char_boundary(at + 1), |length| at + length);
            match length {
                Some(_) => out.push_str(&token(text.as_bytes().get(at..end).unwrap_or_default())),
                None => out.push_str(text.get(at..end).unwrap_or_default()),
            }
            at = end;
        }
        out
    }

    /// The length of the longest local part that the text begins with.
    fn longest_at(&self, text: &[u8]) -> Option<usize> {
        // All that the text begins with lie between its first octets and itself.
        let start = text.get(..MIN_HIDDEN_OCTETS)?;
        let between = (Bound::Included(start), Bound::Included(text));
        let mut candidates = self.local_parts.range::<[u8], _>(between);
        let found = candidates.rfind(|local_part| text.starts_with(local_part))?;
        Some(found.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(local_parts: &[&str]) -> KnownAddresses {
        let mut known = KnownAddresses::default();
        for local_part in local_parts {
            known.learn(local_part.as_bytes());
        }
        known
    }

    fn hidden(known: &KnownAddresses, text: &str) -> String {
        known.hidden_in(text, |local_part| format!("<{}>", local_part.len()))
    }

    #[test]
    fn a_local_part_is_hidden_in_any_case_and_inside_words() {
        let known = known(&["fred", "Fred.Smith", "jürgen"]);
        assert_eq!(hidden(&known, "xFREDx.example"), "x<4>x.example");
        assert_eq!(
            hidden(&known, "fred.smith-pc"),
            "<10>-pc",
            "the longest one counts"
        );
        assert_eq!(hidden(&known, "fred.smit"), "<4>.smit");
        assert_eq!(hidden(&known, "ü jürgen ü"), "ü <7> ü");
        assert_eq!(hidden(&known, "fre"), "fre");
        assert_eq!(hidden(&known, ""), "");
    }

    #[test]
    fn short_and_common_ones_are_left_in_other_words() {
        let known = known(&["bob", "mail", "INFO"]);
        assert_eq!(hidden(&known, "bob.mail.info"), "bob.mail.info");
    }

    #[test]
    fn a_local_part_longer_than_any_can_be_is_not_remembered() {
        let longest = "x".repeat(MAX_LOCAL_PART_OCTETS);
        assert_eq!(hidden(&known(&[&longest]), &longest), "<320>");
        let longer = format!("{longest}x");
        assert_eq!(hidden(&known(&[&longer]), &longer), longer);
    }

    #[test]
    fn domains_are_shown_whole_to_a_limit() {
        let name = |text: &str| DomainName::parse(text).unwrap();
        let mut known = KnownAddresses::default();
        (1..MAX_KNOWN).for_each(|n| known.learn_domain(name(&format!("d{n}.example"))));
        known.learn_domain(name("fred.example"));
        known.learn_domain(name("one.more.example"));
        assert_eq!(known.split(&name("mx.fred.example")), ("mx.", "fred.example"));
        assert_eq!(known.split(&name("fred.example")), ("", "fred.example"));
        assert_eq!(known.split(&name("xfred.example")), ("xfred.example", ""));
        assert_eq!(known.split(&name("one.more.example")), ("one.more.example", ""));
    }

    #[test]
    fn past_the_limit_no_word_is_shown() {
        let mut known = KnownAddresses::default();
        (0..MAX_KNOWN).for_each(|n| known.learn(format!("user{n}").as_bytes()));
        known.learn(b"user7");
        assert_eq!(hidden(&known, "host"), "host");
        known.learn(b"one more");
        assert_eq!(hidden(&known, "host"), REDACTED);
    }
}
