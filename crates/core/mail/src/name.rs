//! Domain names as mail uses them: lower-case A-labels.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

/// The longest name, in octets without the final dot (RFC 1035 §2.3.4: 255 on the wire).
pub const MAX_NAME_OCTETS: usize = 253;
/// The longest label (RFC 1035 §2.3.4).
pub const MAX_LABEL_OCTETS: usize = 63;
/// The longest text that is looked at: U-labels are longer than the A-labels they
/// stand for, but never by more than the four octets a character takes in UTF-8.
const MAX_TEXT_OCTETS: usize = 4 * MAX_NAME_OCTETS;

/// A domain name in lower-case A-labels, without the final dot: one to 253 octets
/// of letters, digits, hyphens, underscores and dots, no label empty or over 63.
///
/// Underscores are in, because selectors and service names have them. Compared
/// label by label, never by string suffix. Cheap to clone.
///
/// ```
/// # use landmarc_mail::DomainName;
/// let name = DomainName::parse("Mail.Bücher.example.").unwrap();
/// assert_eq!(name.as_str(), "mail.xn--bcher-kva.example");
/// assert_eq!(name.parent().unwrap().as_str(), "xn--bcher-kva.example");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainName(Arc<str>);

/// Why a text is no domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing there, or a dot alone.
    #[error("the name is empty")]
    Empty,
    /// Two dots in a row, or one at the start.
    #[error("a label is empty")]
    EmptyLabel,
    /// Over [`MAX_LABEL_OCTETS`].
    #[error("a label has more than 63 octets")]
    LongLabel,
    /// Over [`MAX_NAME_OCTETS`].
    #[error("the name has more than 253 octets")]
    LongName,
    /// An ASCII character other than a letter, digit, hyphen or underscore.
    #[error("the character {0:?} cannot be in a domain name")]
    Character(char),
    /// The octets are no UTF-8.
    #[error("the octets are not UTF-8")]
    NotUtf8,
    /// U-labels that UTS 46 does not map, or an A-label that stands for nothing.
    #[error("the internationalized label cannot be converted")]
    Idna,
}

impl DomainName {
    /// Reads A-labels or U-labels in any case, with or without one final dot, and
    /// with the full stops that UTS 46 takes for a dot.
    ///
    /// # Errors
    /// [`NameError`] for everything that is no name DNS could answer for.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.len() > MAX_TEXT_OCTETS {
            return Err(NameError::LongName);
        }
        // RFC 9989 §4.10 and RFC 8616: everything is compared and asked as A-labels.
        let needs_idna = !text.is_ascii() || text.to_ascii_lowercase().contains("xn--");
        let mapped = if needs_idna {
            Uts46::new()
                .to_ascii(
                    text.as_bytes(),
                    AsciiDenyList::EMPTY,
                    Hyphens::Allow,
                    DnsLength::Ignore,
                )
                .map_err(|_| NameError::Idna)?
                .into_owned()
        } else {
            text.to_ascii_lowercase()
        };
        let name = mapped.strip_suffix('.').unwrap_or(&mapped);
        check_labels(name)?;
        Ok(Self(name.into()))
    }

    /// As [`DomainName::parse`], from octets that should be UTF-8.
    ///
    /// # Errors
    /// As there, and [`NameError::NotUtf8`].
    pub fn from_bytes(octets: &[u8]) -> Result<Self, NameError> {
        Self::parse(str::from_utf8(octets).map_err(|_| NameError::NotUtf8)?)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The labels, leftmost (the most specific) first.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('.')
    }

    /// How many labels: at least one.
    #[must_use]
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// The name without its leftmost label; nothing above a top-level name.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.split_once('.').map(|(_, rest)| Self(rest.into()))
    }

    /// Every name above this one, nearest first, down to the top-level label.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> + use<> {
        std::iter::successors(self.parent(), Self::parent)
    }

    /// The rightmost `count` labels, or the whole name where it has no more.
    #[must_use]
    pub fn last_labels(&self, count: usize) -> Self {
        let skipped = self.label_count().saturating_sub(count.max(1));
        match skipped {
            0 => self.clone(),
            _ => self.ancestors().nth(skipped - 1).unwrap_or_else(|| self.clone()),
        }
    }

    /// Whether this is `other` or a name below it, by labels.
    #[must_use]
    pub fn is_at_or_below(&self, other: &Self) -> bool {
        self.0
            .strip_suffix(&*other.0)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

fn check_labels(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    for label in name.split('.') {
        match label.len() {
            0 => return Err(NameError::EmptyLabel),
            1..=MAX_LABEL_OCTETS => {}
            _ => return Err(NameError::LongLabel),
        }
        if let Some(odd) = label
            .chars()
            .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')))
        {
            return Err(NameError::Character(odd));
        }
    }
    if name.len() > MAX_NAME_OCTETS {
        return Err(NameError::LongName);
    }
    Ok(())
}

impl FromStr for DomainName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl AsRef<str> for DomainName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for DomainName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    #[test]
    fn folds_case_and_drops_one_final_dot() {
        assert_eq!(name("MAIL.Example.COM.").as_str(), "mail.example.com");
        assert_eq!(DomainName::parse("example.com.."), Err(NameError::EmptyLabel));
        assert_eq!(DomainName::parse("."), Err(NameError::Empty));
    }

    #[test]
    fn converts_u_labels_and_the_ideographic_full_stop() {
        assert_eq!(name("bücher。example").as_str(), "xn--bcher-kva.example");
        assert_eq!(DomainName::parse("xn--zzzzzzzzz-.example"), Err(NameError::Idna));
    }

    #[test]
    fn refuses_what_dns_could_not_answer_for() {
        assert_eq!(DomainName::parse("a..b"), Err(NameError::EmptyLabel));
        assert_eq!(DomainName::parse("a b.example"), Err(NameError::Character(' ')));
        assert_eq!(
            DomainName::parse("example.net(.example.com"),
            Err(NameError::Character('('))
        );
        assert_eq!(
            DomainName::parse("bank.test\0.evil.test"),
            Err(NameError::Character('\0'))
        );
        assert_eq!(DomainName::from_bytes(b"\xff.example"), Err(NameError::NotUtf8));
    }

    #[test]
    fn limits_hold_at_the_octet() {
        assert!(DomainName::parse(&"a".repeat(MAX_LABEL_OCTETS)).is_ok());
        assert_eq!(
            DomainName::parse(&"a".repeat(MAX_LABEL_OCTETS + 1)),
            Err(NameError::LongLabel)
        );
        let longest = format!("{}a", "a.".repeat(126));
        assert_eq!(longest.len(), MAX_NAME_OCTETS);
        assert!(DomainName::parse(&longest).is_ok());
        assert_eq!(
            DomainName::parse(&format!("a{longest}")),
            Err(NameError::LongName)
        );
        assert_eq!(
            DomainName::parse(&"a.".repeat(4_000_000)),
            Err(NameError::LongName)
        );
    }

    #[test]
    fn walks_up_label_by_label() {
        let deep = name("a.b.example.com");
        assert_eq!(deep.label_count(), 4);
        let above: Vec<_> = deep.ancestors().map(|n| n.to_string()).collect();
        assert_eq!(above, ["b.example.com", "example.com", "com"]);
        assert_eq!(deep.last_labels(2), name("example.com"));
        assert_eq!(deep.last_labels(4), deep);
        assert_eq!(deep.last_labels(9), deep);
    }

    #[test]
    fn neither_prefix_nor_suffix_of_a_string_is_below() {
        assert!(name("a.example.com").is_at_or_below(&name("example.com")));
        assert!(name("example.com").is_at_or_below(&name("example.com")));
        assert!(!name("notexample.com").is_at_or_below(&name("example.com")));
        assert!(!name("example.com.evil.test").is_at_or_below(&name("example.com")));
    }
}
