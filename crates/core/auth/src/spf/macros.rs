//! Macro strings: what a record may write into a name or an explanation (RFC 7208 §7).
//!
//! Parsing and expanding are pure. The caller asks DNS for `%{p}` beforehand, and
//! only where [`MacroString::uses_validated_name`] says that it is needed.

mod parse;

use std::borrow::Cow;
use std::net::IpAddr;

use landmarc_mail::DomainName;
use landmarc_mail::name::MAX_NAME_OCTETS;

use super::POSTMASTER;
use super::limits::MAX_IDENTITY_OCTETS;
use super::redacted::{LOCAL_PART, SpfName};
use crate::lookup::DnsName;
pub use parse::{MacroContext, MacroError};

/// How much of an expanded name is looked at, from the right: a name, its final dot,
/// and the dot in front of it that shows whether the leftmost label is a whole one.
const NAME_TAIL_OCTETS: usize = MAX_NAME_OCTETS + 2;

/// `%{p}` without a validated name, `%{r}` without a name of ours (RFC 7208 §7.3).
const UNKNOWN: &[u8] = b"unknown";

/// A `domain-spec`: a macro string that ends like a domain name (RFC 7208 §7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainSpec(MacroString);

impl DomainSpec {
    /// Whether expanding needs the validated name of the client, `%{p}`.
    #[must_use]
    pub fn uses_validated_name(&self) -> bool {
        self.0.uses_validated_name()
    }

    /// The name that results.
    ///
    /// # Errors
    /// [`Unusable`] when an identity cannot be put into a name, or DNS cannot carry it.
    pub fn expand(&self, values: &Values<'_>) -> Result<SpfName, Unusable> {
        let name = self.expand_name(values)?;
        // RFC 7208 §2.4, §4.3: `postmaster` stands in for a local part that is not there.
        if values.local_part == POSTMASTER || !self.0.shows_local_part(values) {
            return Ok(SpfName::new(name, None));
        }
        let as_printed = |name: &SpfName| SpfName::new(name.printed().clone(), None);
        let validated_name = values.validated_name.map(as_printed);
        let printed_values = Values {
            local_part: LOCAL_PART,
            domain: &as_printed(values.domain),
            validated_name: validated_name.as_ref(),
            ..*values
        };
        let printed = self.expand_name(&printed_values).ok();
        Ok(SpfName::new(
            name,
            printed.or_else(|| DnsName::from_octets(LOCAL_PART)),
        ))
    }

    fn expand_name(&self, values: &Values<'_>) -> Result<DnsName, Unusable> {
        let tail = self.0.expand_tail(values)?;
        let name = tail.strip_suffix(b".").unwrap_or(&tail);
        if name.len() <= MAX_NAME_OCTETS {
            return DnsName::from_octets(name).ok_or(Unusable::Malformed);
        }
        // RFC 7208 §7.3: "if the expanded domain name exceeds 253 characters [...], the left
        // side is truncated to fit, by removing successive domain labels (and their
        // following dots) until the total length does not exceed 253 characters."
        let from = name.len() - MAX_NAME_OCTETS - 1;
        let fitting = name.get(from..).unwrap_or_default();
        let whole_labels = fitting.iter().position(|&b| b == b'.').map(|dot| dot + 1);
        whole_labels
            .and_then(|start| fitting.get(start..))
            .and_then(DnsName::from_octets)
            .ok_or(Unusable::Malformed)
    }
}

/// Text with macros in it (RFC 7208 §7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacroString(Vec<Part>);

impl MacroString {
    /// Whether expanding needs the validated name of the client, `%{p}`.
    #[must_use]
    pub fn uses_validated_name(&self) -> bool {
        self.0
            .iter()
            .any(|part| matches!(part, Part::Macro(m) if m.letter == Letter::ValidatedName))
    }

    /// Whether the local part of the sender is in what results: by `%{s}` or `%{l}`, or by `%{d}`
    /// or `%{p}` where that name shows it already.
    #[must_use]
    pub fn shows_local_part(&self, values: &Values<'_>) -> bool {
        self.0.iter().any(|part| match part {
            Part::Macro(macro_) => match macro_.letter {
                Letter::Sender | Letter::LocalPart => true,
                Letter::Domain => values.domain.is_redacted(),
                Letter::ValidatedName => values.validated_name.is_some_and(SpfName::is_redacted),
                _ => false,
            },
            Part::Literal(_) | Part::Escape(_) => false,
        })
    }

    /// The text that results; `None` when it has more than `limit` octets.
    ///
    /// # Errors
    /// [`Unusable`] when an identity cannot be put into it.
    pub fn expand(&self, values: &Values<'_>, limit: usize) -> Result<Option<Vec<u8>>, Unusable> {
        self.check(values)?;
        let mut text = Vec::new();
        for part in &self.0 {
            text.extend_from_slice(&part.expand(values));
            if text.len() > limit {
                return Ok(None);
            }
        }
        Ok(Some(text))
    }

    /// The right end of the text, at least [`NAME_TAIL_OCTETS`] where it has as many.
    /// Made from the right, so that a record full of macros costs no more than a name.
    fn expand_tail(&self, values: &Values<'_>) -> Result<Vec<u8>, Unusable> {
        self.check(values)?;
        let mut pieces = Vec::new();
        let mut length = 0;
        for part in self.0.iter().rev() {
            let piece = part.expand(values);
            length += piece.len();
            pieces.push(piece);
            if length >= NAME_TAIL_OCTETS {
                break;
            }
        }
        pieces.reverse();
        Ok(pieces.concat())
    }

    /// Whether every identity it uses can be put into it.
    fn check(&self, values: &Values<'_>) -> Result<(), Unusable> {
        self.0.iter().try_for_each(|part| match part {
            Part::Macro(macro_) => values.check(macro_.letter),
            Part::Literal(_) | Part::Escape(_) => Ok(()),
        })
    }
}

/// What the macros stand for in one place of one check (RFC 7208 §7.2).
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// `l`: the local part of the sender.
    pub local_part: &'a [u8],
    /// `o`: the domain of the sender, in A-labels (RFC 8616 §4).
    pub sender_domain: &'a DomainName,
    /// `d`: the domain whose record is being evaluated.
    pub domain: &'a SpfName,
    /// `i`, `c` and `v`: the client.
    pub client: IpAddr,
    /// `p`: the validated name of the client, if there is one.
    pub validated_name: Option<&'a SpfName>,
    /// `h`: the argument of HELO or EHLO.
    pub helo: &'a [u8],
    /// `r`: our name; empty where it is not named.
    pub receiver: &'a str,
    /// `t`: the time, in Unix seconds.
    pub now: u64,
}

impl<'a> Values<'a> {
    fn of(&self, letter: Letter) -> Cow<'a, [u8]> {
        match letter {
            Letter::Sender => [self.local_part, self.sender_domain.as_str().as_bytes()]
                .join(&b'@')
                .into(),
            Letter::LocalPart => self.local_part.into(),
            Letter::SenderDomain => self.sender_domain.as_str().as_bytes().into(),
            Letter::Domain => self.domain.name.as_bytes().into(),
            Letter::Address => dotted(self.client).into_bytes().into(),
            Letter::ValidatedName => self
                .validated_name
                .map_or(UNKNOWN, |name| name.name.as_bytes())
                .into(),
            Letter::AddressFamily => match self.client {
                IpAddr::V4(_) => b"in-addr"[..].into(),
                IpAddr::V6(_) => b"ip6"[..].into(),
            },
            Letter::Helo => self.helo.into(),
            Letter::ReadableAddress => self.client.to_string().into_bytes().into(),
            Letter::Receiver if self.receiver.is_empty() => UNKNOWN.into(),
            Letter::Receiver => self.receiver.as_bytes().into(),
            Letter::Time => self.now.to_string().into_bytes().into(),
        }
    }

    fn check(&self, letter: Letter) -> Result<(), Unusable> {
        match letter {
            // RFC 8616 §4: "If the local-part contains non-ASCII characters, terms that
            // include %{s} or %{l} do not match anything".
            Letter::Sender | Letter::LocalPart if !self.local_part.is_ascii() => {
                Err(Unusable::LocalPartNotAscii)
            }
            Letter::Sender | Letter::LocalPart if self.local_part.len() > MAX_IDENTITY_OCTETS => {
                Err(Unusable::LongLocalPart)
            }
            Letter::Helo if self.helo.len() > MAX_IDENTITY_OCTETS => Err(Unusable::LongHelo),
            _ => Ok(()),
        }
    }
}

/// `%{i}`: the four numbers of IPv4, or 32 nibbles with dots (RFC 7208 §7.3).
fn dotted(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let nibbles = v6.octets().map(|o| format!("{:x}.{:x}", o >> 4, o & 15));
            nibbles.join(".")
        }
    }
}

/// Why there is no name to look up. The term that needs it does not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// RFC 8616 §4.
    #[error("the local part of the sender is not ASCII (RFC 8616 section 4)")]
    LocalPartNotAscii,
    /// Over [`MAX_IDENTITY_OCTETS`].
    #[error("the local part of the sender has more than {MAX_IDENTITY_OCTETS} octets")]
    LongLocalPart,
    /// Over [`MAX_IDENTITY_OCTETS`].
    #[error("the HELO argument has more than {MAX_IDENTITY_OCTETS} octets")]
    LongHelo,
    /// To most terms it is a name that does not exist.
    #[error("DNS cannot carry the name: a label is empty or too long")]
    Malformed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(Box<[u8]>),
    /// `%%`, `%_` and `%-`.
    Escape(&'static [u8]),
    Macro(Macro),
}

impl Part {
    fn expand<'a>(&'a self, values: &Values<'a>) -> Cow<'a, [u8]> {
        match self {
            Self::Literal(text) => Cow::Borrowed(text),
            Self::Escape(text) => Cow::Borrowed(text),
            Self::Macro(macro_) => macro_.expand(values),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Macro {
    letter: Letter,
    /// How many parts from the right are kept.
    kept: usize,
    reversed: bool,
    /// Empty for the dot alone.
    delimiters: Box<[u8]>,
    url_escaped: bool,
}

impl Macro {
    fn expand<'a>(&self, values: &Values<'a>) -> Cow<'a, [u8]> {
        let mut text = values.of(self.letter);
        if self.reversed || self.kept != usize::MAX || !self.delimiters.is_empty() {
            text = self.transform(&text).into();
        }
        if self.url_escaped {
            text = url_escape(&text).into();
        }
        text
    }

    /// RFC 7208 §7.3: split at the delimiters, reverse, keep the right-hand parts, join
    /// with dots, in this order.
    fn transform(&self, text: &[u8]) -> Vec<u8> {
        let delimiters = if self.delimiters.is_empty() {
            b"."
        } else {
            &*self.delimiters
        };
        let mut parts: Vec<&[u8]> = text.split(|b| delimiters.contains(b)).collect();
        if self.reversed {
            parts.reverse();
        }
        let skipped = parts.len().saturating_sub(self.kept);
        parts.split_off(skipped).join(&b'.')
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Letter {
    Sender,
    LocalPart,
    SenderDomain,
    Domain,
    Address,
    ValidatedName,
    AddressFamily,
    Helo,
    ReadableAddress,
    Receiver,
    Time,
}

/// RFC 7208 §7.3: "all characters not in the "unreserved" set" of RFC 3986.
fn url_escape(text: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(text.len());
    for &octet in text {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            escaped.push(octet);
        } else {
            escaped.extend_from_slice(format!("%{octet:02X}").as_bytes());
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7208 §7.4: the sender of the examples, seen from `client`.
    fn expand_for(spec: &str, client: &str, local_part: &[u8]) -> Result<String, Unusable> {
        let sender_domain = DomainName::parse("email.example.com").unwrap();
        let domain = SpfName::new(DnsName::from(&sender_domain), None);
        let values = Values {
            local_part,
            sender_domain: &sender_domain,
            domain: &domain,
            client: client.parse().unwrap(),
            validated_name: None,
            helo: b"mx.example.org",
            receiver: "",
            now: 1_700_000_000,
        };
        let parsed = MacroString::parse(spec.as_bytes(), MacroContext::Explanation).unwrap();
        let text = parsed.expand(&values, 10_000)?.unwrap();
        Ok(String::from_utf8(text).unwrap())
    }

    fn expand(spec: &str) -> String {
        expand_for(spec, "192.0.2.3", b"strong-bad").unwrap()
    }

    fn name(spec: &str, local_part: &[u8]) -> Result<DnsName, Unusable> {
        let sender_domain = DomainName::parse("email.example.com").unwrap();
        let domain = SpfName::new(DnsName::from(&sender_domain), None);
        let values = Values {
            local_part,
            sender_domain: &sender_domain,
            domain: &domain,
            client: "192.0.2.3".parse().unwrap(),
            validated_name: None,
            helo: b"mx.example.org",
            receiver: "",
            now: 0,
        };
        Ok(DomainSpec::parse(spec.as_bytes()).unwrap().expand(&values)?.name)
    }

    #[test]
    fn the_examples_of_rfc_7208_7_4() {
        for (spec, text) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d3}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l}", "strong-bad"),
            ("%{l-}", "strong.bad"),
            ("%{lr}", "strong-bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            (
                "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}",
                "bad.strong.lp.3.2.0.192.in-addr._spf.example.com",
            ),
            (
                "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}",
                "3.2.0.192.in-addr.strong.lp._spf.example.com",
            ),
            (
                "%{d2}.trusted-domains.example.net",
                "example.com.trusted-domains.example.net",
            ),
        ] {
            assert_eq!(expand(spec), text, "{spec}");
        }
        assert_eq!(
            expand_for("%{ir}.%{v}._spf.%{d2}", "2001:db8::cb01", b"strong-bad").unwrap(),
            "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"
        );
    }

    #[test]
    fn the_other_letters_and_escapes() {
        assert_eq!(
            expand("%{h} %{c} %{r} %{t} %{p}"),
            "mx.example.org 192.0.2.3 unknown 1700000000 unknown"
        );
        assert_eq!(
            expand_for("%{c}", "2001:db8::cb01", b"a").unwrap(),
            "2001:db8::cb01"
        );
        assert_eq!(expand("a%%b%_c%-d"), "a%b c%20d");
        assert_eq!(expand("%{S}"), "strong-bad%40email.example.com");
    }

    #[test]
    fn several_delimiters_and_more_parts_than_there_are() {
        assert_eq!(
            expand_for("%{l2r+-}", "192.0.2.3", b"foo-bar+zip+quux").unwrap(),
            "bar.foo"
        );
        assert_eq!(
            expand("%{d127}%{d99999999999999999999999999}"),
            expand("%{d}%{d}")
        );
    }

    #[test]
    fn a_long_name_loses_labels_from_the_left() {
        let label = "a".repeat(62);
        let at_limit = format!("{0}.{0}.{0}.{0}x.b", &label);
        assert_eq!(at_limit.len(), MAX_NAME_OCTETS + 1);
        let dropped = format!("{0}.{0}.{0}x.b", &label);
        assert_eq!(
            name(&at_limit, b"l").ok(),
            DnsName::from_octets(dropped.as_bytes())
        );
        let fits = format!("{0}.{0}.{0}.{0}.b", &label);
        assert_eq!(fits.len(), MAX_NAME_OCTETS);
        assert_eq!(name(&fits, b"l").ok(), DnsName::from_octets(fits.as_bytes()));
        assert_eq!(
            name(&format!("{fits}."), b"l").ok(),
            DnsName::from_octets(fits.as_bytes())
        );
        assert_eq!(
            name(&format!("x.{fits}."), b"l").ok(),
            DnsName::from_octets(fits.as_bytes())
        );
        assert_eq!(
            name(&format!("y.x.{fits}"), b"l").ok(),
            DnsName::from_octets(fits.as_bytes())
        );
        let many = "%{d}.".repeat(1_500) + "%{d}";
        let name = name(&many, b"l").unwrap();
        assert!(name.as_bytes().len() <= MAX_NAME_OCTETS);
        assert!(name.as_bytes().starts_with(b"email.example.com.email."));
    }

    #[test]
    fn names_that_dns_cannot_carry() {
        assert_eq!(name("a..example.com", b"l"), Err(Unusable::Malformed));
        assert_eq!(
            name(&format!("{}.example.com", "a".repeat(64)), b"l"),
            Err(Unusable::Malformed)
        );
        assert!(name(&format!("{}.example.com", "a".repeat(63)), b"l").is_ok());
        assert_eq!(
            name("%{l}.example.com", &[b'a'; 300]),
            Ok(DnsName::from_octets(b"example.com").unwrap()),
            "the label that is too long is also the one that is dropped"
        );
    }

    #[test]
    fn identities_that_fit_into_no_name() {
        assert_eq!(
            name("%{l}.example.com", "jörg".as_bytes()),
            Err(Unusable::LocalPartNotAscii)
        );
        assert_eq!(
            name("%{s}.example.com", b"\xff"),
            Err(Unusable::LocalPartNotAscii)
        );
        // However far to the left: the whole term uses it.
        let far_left = format!("%{{l}}.{}example.com", "abc.".repeat(100));
        assert_eq!(
            name(&far_left, "jörg".as_bytes()),
            Err(Unusable::LocalPartNotAscii)
        );
        assert!(name("%{d}", "jörg".as_bytes()).is_ok());
        assert_eq!(
            name("%{l}.example.com", &[b'.'; MAX_IDENTITY_OCTETS]),
            Err(Unusable::Malformed)
        );
        assert_eq!(
            name("%{l}.example.com", &[b'a'; MAX_IDENTITY_OCTETS + 1]),
            Err(Unusable::LongLocalPart)
        );
    }
}
