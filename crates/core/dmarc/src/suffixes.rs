//! The Public Suffix List: what RFC 7489 went by, and for RFC 9989 a guard against
//! registries that forget `psd=y`.

use landmarc_mail::{DomainName, NameError};
use psl::{Psl, Type};

/// The longest list that is read, in octets: some twenty times what it is today.
pub const MAX_LIST_OCTETS: usize = 8 << 20;

/// A Public Suffix List.
///
/// RFC 7489 §3.2 does not say whether it means the whole list or its ICANN section. We
/// take the whole list for the Organizational Domain, as receivers of its time did
/// and as the list's own test vectors do: a name under a private suffix (`uk.com`) is run by
/// its registrant. The guard of RFC 9989 takes the ICANN section: only a registry can
/// have made the mistake it is against, and a private suffix may well be one organization.
#[derive(Clone, Debug)]
pub struct Suffixes(Source);

#[derive(Clone, Debug)]
enum Source {
    BuiltIn,
    Read(Box<publicsuffix::List>),
}

/// Why a text is no Public Suffix List.
#[derive(Debug, thiserror::Error)]
pub enum SuffixesError {
    /// Over [`MAX_LIST_OCTETS`].
    #[error("the public suffix list has {octets} octets, more than {MAX_LIST_OCTETS}")]
    TooLong {
        /// Its length.
        octets: usize,
    },
    /// A rule that is no name.
    #[error("line {line} of the public suffix list: \"{rule}\" is no rule")]
    Rule {
        /// The line, from 1.
        line: usize,
        /// The rule as written, escaped.
        rule: String,
        /// What is wrong with the name in it.
        source: NameError,
    },
    /// No rule in an ICANN or private section.
    #[error("the public suffix list has no rules between its section marks")]
    NoRules,
    /// Anything else, in the words of the reader.
    #[error("the public suffix list cannot be read: {0}")]
    Format(String),
}

impl Suffixes {
    /// The list as it was when the program was built.
    #[must_use]
    pub fn built_in() -> Self {
        Self(Source::BuiltIn)
    }

    /// Reads a list in the form it is published in, with its section marks. U-labels
    /// are taken as the A-labels they stand for.
    ///
    /// # Errors
    /// [`SuffixesError`] for what is not such a list: a cut or spoiled file must not
    /// turn into a list that knows less.
    pub fn parse(text: &str) -> Result<Self, SuffixesError> {
        if text.len() > MAX_LIST_OCTETS {
            return Err(SuffixesError::TooLong { octets: text.len() });
        }
        let list: publicsuffix::List = ascii_rules(text)?.parse().map_err(|error| match error {
            publicsuffix::Error::InvalidList => SuffixesError::NoRules,
            other => SuffixesError::Format(other.to_string()),
        })?;
        Ok(Self(Source::Read(Box::new(list))))
    }

    /// The registrable domain: the public suffix and one label more. `None` for a name
    /// that is itself a public suffix. Unknown top-level names count as one (the rule `*`).
    #[must_use]
    pub fn registrable(&self, name: &DomainName) -> Option<DomainName> {
        let (labels, _) = self.longest_suffix(name);
        (name.label_count() > labels).then(|| name.last_labels(labels + 1))
    }

    /// Whether the ICANN section lists exactly this name.
    #[must_use]
    pub fn is_public_suffix(&self, name: &DomainName) -> bool {
        let (labels, section) = self.longest_suffix(name);
        labels == name.label_count() && section == Some(Type::Icann)
    }

    /// How many labels of the name are a public suffix, and which section says so.
    fn longest_suffix(&self, name: &DomainName) -> (usize, Option<Type>) {
        let text = name.as_str();
        let suffix = match &self.0 {
            Source::BuiltIn => psl::List.suffix(text.as_bytes()),
            Source::Read(list) => list.suffix(text.as_bytes()),
        };
        suffix.map_or((1, None), |suffix| {
            let labels = suffix.as_bytes().split(|&b| b == b'.').count();
            (labels, suffix.typ())
        })
    }
}

/// The list with every rule in A-labels, which is how names come.
fn ascii_rules(text: &str) -> Result<String, SuffixesError> {
    let mut converted = String::with_capacity(text.len());
    for (index, line) in text.lines().enumerate() {
        let rule = line.split_whitespace().next().unwrap_or_default();
        if rule.is_empty() || rule.starts_with("//") {
            converted.push_str(line);
        } else {
            let (lead, name) = split_lead(rule);
            let name = DomainName::parse(name).map_err(|source| SuffixesError::Rule {
                line: index + 1,
                rule: rule.escape_debug().take(100).collect(),
                source,
            })?;
            converted.push_str(lead);
            converted.push_str(name.as_str());
        }
        converted.push('\n');
    }
    Ok(converted)
}

/// The mark of an exception or a wildcard, and the name after it.
fn split_lead(rule: &str) -> (&str, &str) {
    let name = rule.strip_prefix('!').unwrap_or(rule);
    let name = name.strip_prefix("*.").unwrap_or(name);
    rule.split_at(rule.len() - name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "// ===BEGIN ICANN DOMAINS===\ncom\n*.ck\n!www.ck\n公司.cn\n\
                        // ===BEGIN PRIVATE DOMAINS===\nuk.com\n";

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    fn both() -> [Suffixes; 2] {
        [Suffixes::built_in(), Suffixes::parse(LIST).unwrap()]
    }

    #[test]
    fn registrable_takes_the_whole_list() {
        for list in both() {
            let registrable = |text: &str| list.registrable(&name(text)).map(|name| name.to_string());
            assert_eq!(registrable("a.b.example.com").unwrap(), "example.com");
            assert_eq!(registrable("a.example.uk.com").unwrap(), "example.uk.com");
            assert_eq!(registrable("uk.com"), None);
            assert_eq!(registrable("www.ck").unwrap(), "www.ck");
            assert_eq!(registrable("a.b.ck").unwrap(), "a.b.ck");
            assert_eq!(registrable("x.公司.cn").unwrap(), "x.xn--55qx5d.cn");
            assert_eq!(registrable("a.b.nowhere").unwrap(), "b.nowhere");
            assert_eq!(registrable("nowhere"), None);
        }
    }

    #[test]
    fn the_guard_takes_the_icann_section_and_known_names() {
        for list in both() {
            for suffix in ["com", "b.ck", "公司.cn"] {
                assert!(list.is_public_suffix(&name(suffix)), "{suffix}");
            }
            for other in ["uk.com", "example.com", "www.ck", "nowhere", "a.com"] {
                assert!(!list.is_public_suffix(&name(other)), "{other}");
            }
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        assert!(matches!(Suffixes::parse(""), Err(SuffixesError::NoRules)));
        assert!(matches!(Suffixes::parse("com\n"), Err(SuffixesError::NoRules)));
        let spoiled = Suffixes::parse("// BEGIN ICANN DOMAINS\ncom\n<html>\n");
        assert!(matches!(spoiled, Err(SuffixesError::Rule { line: 3, .. })));
    }

    #[test]
    fn a_list_is_read_up_to_eight_megabytes() {
        let padded = |octets: usize| format!("{LIST}{}", " ".repeat(octets - LIST.len()));
        assert!(Suffixes::parse(&padded(MAX_LIST_OCTETS)).is_ok());
        assert!(matches!(
            Suffixes::parse(&padded(MAX_LIST_OCTETS + 1)),
            Err(SuffixesError::TooLong { .. })
        ));
    }
}
