//! What is asked: a name of any octets, and a type.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use landmarc_mail::DomainName;
use landmarc_mail::name::{MAX_LABEL_OCTETS, MAX_NAME_OCTETS};

/// A name as DNS takes it: labels of any octets, ASCII letters in lower case, joined
/// by dots. Wider than [`DomainName`], because SPF macros put whatever a sender
/// wrote into names (RFC 7208 §7), and answers name hosts of any form.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DnsName(Arc<[u8]>);

impl DnsName {
    /// The root, which is also the exchange of a null MX.
    #[must_use]
    pub fn root() -> Self {
        Self(Arc::new([]))
    }

    /// A name from octets with dots between the labels, with or without the final dot.
    /// `None` when a label is empty or over 63 octets, or the name over 253: DNS could
    /// not carry the question.
    #[must_use]
    pub fn from_octets(octets: &[u8]) -> Option<Self> {
        let name = octets.strip_suffix(b".").unwrap_or(octets);
        let labels_fit = name
            .split(|&b| b == b'.')
            .all(|label| (1..=MAX_LABEL_OCTETS).contains(&label.len()));
        (labels_fit && name.len() <= MAX_NAME_OCTETS).then(|| Self(name.to_ascii_lowercase().into()))
    }

    /// `prefix` as labels in front of `name`; `None` when it gets too long to ask for.
    #[must_use]
    pub fn below(prefix: &str, name: &DomainName) -> Option<Self> {
        Self::from_octets(format!("{prefix}.{name}").as_bytes())
    }

    /// The name under `in-addr.arpa` or `ip6.arpa` for an address.
    #[must_use]
    pub fn reverse(address: IpAddr) -> Self {
        let text = match address {
            IpAddr::V4(v4) => {
                let [a, b, c, d] = v4.octets();
                format!("{d}.{c}.{b}.{a}.in-addr.arpa")
            }
            IpAddr::V6(v6) => {
                let nibbles = v6
                    .octets()
                    .into_iter()
                    .rev()
                    .map(|o| format!("{:x}.{:x}.", o & 15, o >> 4));
                nibbles.collect::<String>() + "ip6.arpa"
            }
        };
        Self(text.into_bytes().into())
    }

    /// The octets, dots between labels, no final dot; empty for the root.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The labels, leftmost first; none for the root.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|&b| b == b'.').filter(|label| !label.is_empty())
    }

    /// Whether this is `other` or a name below it, by labels.
    #[must_use]
    pub fn is_at_or_below(&self, other: &Self) -> bool {
        self.0
            .strip_suffix(&*other.0)
            .is_some_and(|rest| rest.is_empty() || other.0.is_empty() || rest.ends_with(b"."))
    }
}

impl From<&DomainName> for DnsName {
    fn from(name: &DomainName) -> Self {
        Self(name.as_str().as_bytes().into())
    }
}

impl fmt::Display for DnsName {
    /// Octets that are not printable ASCII are escaped, so that a log line stays one. A name with octets
    /// that no host or service has may be anybody's text, and stands between backticks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            f.write_str(".")
        } else if !self.0.iter().all(|octet| is_usual(*octet)) {
            write!(f, "`{}`", self.0.escape_ascii())
        } else {
            write!(f, "{}", self.0.escape_ascii())
        }
    }
}

fn is_usual(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b".-_/*%{}".contains(&octet)
}

impl fmt::Debug for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// The record types mail asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // each is the type of that name
pub enum RecordType {
    Txt,
    A,
    Aaaa,
    Mx,
    Ptr,
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Txt => "TXT",
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Mx => "MX",
            Self::Ptr => "PTR",
        })
    }
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Question {
    /// The name asked about.
    pub name: DnsName,
    /// The type asked for.
    pub record_type: RecordType,
}

impl Question {
    /// A question.
    #[must_use]
    pub fn new(name: DnsName, record_type: RecordType) -> Self {
        Self { name, record_type }
    }

    /// A question for TXT records.
    #[must_use]
    pub fn txt(name: DnsName) -> Self {
        Self::new(name, RecordType::Txt)
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.record_type)
    }
}
