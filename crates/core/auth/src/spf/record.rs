//! The SPF record, parsed as a whole before anything is evaluated (RFC 7208 §4.5, §4.6, §12).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use landmarc_mail::text::visible_octets;

use super::SpfResult;
use super::limits::{MAX_QUOTED_OCTETS, MAX_RECORD_OCTETS};
use super::macros::{DomainSpec, MacroContext, MacroError, MacroString};
pub use super::network::{Prefixes, SpfNetwork};

/// An SPF record without any syntax error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpfRecord {
    /// The directives in their order, at most one for every two octets of the record.
    pub directives: Vec<Directive>,
    /// The `redirect` modifier.
    pub redirect: Option<Modifier>,
    /// The `exp` modifier.
    pub explanation: Option<Modifier>,
}

impl SpfRecord {
    /// Whether a TXT record is an SPF record at all (RFC 7208 §4.5): the version in any
    /// case, then a blank or the end.
    #[must_use]
    pub fn is_one(text: &[u8]) -> bool {
        terms_of(text).is_some()
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`SpfRecordError`] for the first thing wrong anywhere in it (RFC 7208 §4.6: "if there
    /// are any syntax errors anywhere in the record, check_host() returns immediately
    /// with the result "permerror", without further interpretation or evaluation").
    pub fn parse(text: &[u8]) -> Result<Self, SpfRecordError> {
        let terms = terms_of(text).ok_or(SpfRecordError::Version)?;
        if text.len() > MAX_RECORD_OCTETS {
            return Err(SpfRecordError::TooLong);
        }
        let mut record = Self {
            directives: Vec::new(),
            redirect: None,
            explanation: None,
        };
        for term in terms.split(|&b| b == b' ').filter(|term| !term.is_empty()) {
            record.read_term(term).map_err(|problem| SpfRecordError::Term {
                term: quoted(term),
                problem,
            })?;
        }
        Ok(record)
    }

    fn read_term(&mut self, octets: &[u8]) -> Result<(), TermError> {
        let term = visible(octets)?;
        let Some((name, value)) = split_modifier(term) else {
            self.directives.push(parse_directive(term)?);
            return Ok(());
        };
        let place = match name.to_ascii_lowercase().as_str() {
            "redirect" => &mut self.redirect,
            "exp" => &mut self.explanation,
            // RFC 7208 §6: "Unrecognized modifiers MUST be ignored", but their syntax holds.
            _ => {
                MacroString::parse(value.as_bytes(), MacroContext::Modifier)?;
                return Ok(());
            }
        };
        // RFC 7208 §6: these "MUST NOT appear in a record more than once each".
        if place.is_some() {
            return Err(TermError::Twice);
        }
        *place = Some(Modifier {
            target: DomainSpec::parse(value.as_bytes())?,
            text: quoted(octets).into(),
        });
        Ok(())
    }
}

/// A mechanism and what it means for the result when it matches (RFC 7208 §4.6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// The result of a match.
    pub qualifier: Qualifier,
    /// What has to match.
    pub mechanism: SpfMechanism,
    /// As written, with the qualifier where one was; escaped and cut like all quotations.
    pub text: Arc<str>,
}

/// A `redirect` or `exp` modifier (RFC 7208 §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modifier {
    /// The domain to go on with.
    pub target: DomainSpec,
    /// As written; escaped and cut like all quotations.
    pub text: Arc<str>,
}

/// What a match means (RFC 7208 §4.6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each is the result of that name
pub enum Qualifier {
    Pass,
    Fail,
    SoftFail,
    Neutral,
}

impl From<Qualifier> for SpfResult {
    fn from(qualifier: Qualifier) -> Self {
        match qualifier {
            Qualifier::Pass => Self::Pass,
            Qualifier::Fail => Self::Fail,
            Qualifier::SoftFail => Self::SoftFail,
            Qualifier::Neutral => Self::Neutral,
        }
    }
}

/// A mechanism (RFC 7208 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpfMechanism {
    /// §5.1: always.
    All,
    /// §5.2: another record passes.
    Include(DomainSpec),
    /// §5.3: an address of the target, or of the domain itself.
    A(Option<DomainSpec>, Prefixes),
    /// §5.4: an address of a mail exchange.
    Mx(Option<DomainSpec>, Prefixes),
    /// §5.5: the validated name of the client is the target or below.
    Ptr(Option<DomainSpec>),
    /// §5.6.
    Ip4(SpfNetwork),
    /// §5.6.
    Ip6(SpfNetwork),
    /// §5.7: the name has an A record.
    Exists(DomainSpec),
}

/// What is wrong with a record. All of these are permerror.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpfRecordError {
    /// Not an SPF record.
    #[error("it does not begin with `v=spf1` and a blank")]
    Version,
    /// Over [`MAX_RECORD_OCTETS`].
    #[error("the record has more than {MAX_RECORD_OCTETS} octets")]
    TooLong,
    /// A term that cannot be read.
    #[error("{problem}: `{term}`")]
    Term {
        /// As written, escaped and cut.
        term: String,
        /// What is wrong with it.
        #[source]
        problem: TermError,
    },
}

/// What is wrong with a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermError {
    /// Controls, NUL, octets above 126.
    #[error("the octet 0x{0:02x} is not visible ASCII")]
    Octet(u8),
    /// Neither a mechanism of RFC 7208 nor a modifier.
    #[error("there is no such mechanism")]
    Mechanism,
    /// Something after a mechanism that takes no argument, or not this kind of one.
    #[error("the mechanism does not take this argument")]
    Argument,
    /// No argument where one is needed.
    #[error("the argument is missing")]
    Missing,
    /// Not an address of that family.
    #[error("the address is not a valid one of its family")]
    Address,
    /// Not a number, too large, or with a leading zero.
    #[error("the prefix length must be a number from 0 to {0}, without leading zeros")]
    Prefix(u8),
    /// A second `redirect` or `exp`.
    #[error("this modifier stands in the record twice")]
    Twice,
    /// A domain or macro that cannot be read.
    #[error(transparent)]
    Macro(#[from] MacroError),
}

/// A term, name or identity as it may stand in a text: printable ASCII, cut when long.
pub(super) fn quoted(octets: &[u8]) -> String {
    visible_octets(octets, MAX_QUOTED_OCTETS)
}

/// What follows the version; `None` where there is no such version.
fn terms_of(text: &[u8]) -> Option<&[u8]> {
    let (version, rest) = text.split_at_checked(b"v=spf1".len())?;
    let ends = rest.is_empty() || rest.starts_with(b" ");
    (version.eq_ignore_ascii_case(b"v=spf1") && ends).then_some(rest)
}

fn visible(term: &[u8]) -> Result<&str, TermError> {
    match term.iter().find(|b| !b.is_ascii_graphic()) {
        Some(&octet) => Err(TermError::Octet(octet)),
        None => str::from_utf8(term).map_err(|_| TermError::Mechanism),
    }
}

/// Name and value, where the term is a modifier: `name "=" ...`, with
/// `name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." )` (RFC 7208 §12).
fn split_modifier(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once('=')?;
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let goes_on = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    (starts && goes_on).then_some((name, value))
}

fn parse_directive(term: &str) -> Result<Directive, TermError> {
    let (qualifier, body) = match term.as_bytes().first() {
        Some(b'+') => (Qualifier::Pass, term.get(1..)),
        Some(b'-') => (Qualifier::Fail, term.get(1..)),
        Some(b'~') => (Qualifier::SoftFail, term.get(1..)),
        Some(b'?') => (Qualifier::Neutral, term.get(1..)),
        _ => (Qualifier::Pass, Some(term)),
    };
    Ok(Directive {
        qualifier,
        mechanism: parse_mechanism(body.unwrap_or_default())?,
        text: quoted(term.as_bytes()).into(),
    })
}

fn parse_mechanism(text: &str) -> Result<SpfMechanism, TermError> {
    let name_end = text.find([':', '/']).unwrap_or(text.len());
    let (name, argument) = text.split_at(name_end);
    Ok(match name.to_ascii_lowercase().as_str() {
        "all" if argument.is_empty() => SpfMechanism::All,
        "all" => return Err(TermError::Argument),
        "include" => SpfMechanism::Include(domain(argument)?.ok_or(TermError::Missing)?),
        "a" => {
            let (target, prefixes) = domain_and_prefixes(argument)?;
            SpfMechanism::A(target, prefixes)
        }
        "mx" => {
            let (target, prefixes) = domain_and_prefixes(argument)?;
            SpfMechanism::Mx(target, prefixes)
        }
        "ptr" => SpfMechanism::Ptr(domain(argument)?),
        "ip4" => SpfMechanism::Ip4(network::<Ipv4Addr>(argument, 32)?),
        "ip6" => SpfMechanism::Ip6(network::<Ipv6Addr>(argument, 128)?),
        "exists" => SpfMechanism::Exists(domain(argument)?.ok_or(TermError::Missing)?),
        _ => return Err(TermError::Mechanism),
    })
}

/// `[ ":" domain-spec ]`
fn domain(argument: &str) -> Result<Option<DomainSpec>, TermError> {
    if argument.is_empty() {
        return Ok(None);
    }
    let spec = argument.strip_prefix(':').ok_or(TermError::Argument)?;
    Ok(Some(DomainSpec::parse(spec.as_bytes())?))
}

/// `[ ":" domain-spec ] [ "/" ip4-cidr-length ] [ "//" ip6-cidr-length ]`, read from the
/// right because a domain-spec may have slashes of its own.
fn domain_and_prefixes(argument: &str) -> Result<(Option<DomainSpec>, Prefixes), TermError> {
    let (rest, v6) = split_prefix(argument, "//", 128)?;
    let (rest, v4) = split_prefix(rest, "/", 32)?;
    Ok((domain(rest)?, Prefixes { v4, v6 }))
}

/// Takes a prefix length off the end; all bits where there is none.
fn split_prefix<'a>(text: &'a str, slash: &str, most: u8) -> Result<(&'a str, u8), TermError> {
    match text.rsplit_once(slash) {
        Some((rest, digits)) if is_number(digits) => Ok((rest, prefix(digits, most)?)),
        _ => Ok((text, most)),
    }
}

/// `":" network [ "/" cidr-length ]`
fn network<A: FromStr + Into<IpAddr>>(argument: &str, most: u8) -> Result<SpfNetwork, TermError> {
    let text = argument
        .strip_prefix(':')
        .filter(|text| !text.is_empty())
        .ok_or(TermError::Missing)?;
    let (address, prefix) = match text.rsplit_once('/') {
        Some((address, digits)) => (address, prefix(digits, most)?),
        None => (text, most),
    };
    let address: A = address.parse().map_err(|_| TermError::Address)?;
    Ok(SpfNetwork::new(address.into(), prefix))
}

/// RFC 7208 §12: `"/" ("0" / %x31-39 0*1DIGIT)`, and alike up to 128 for IPv6.
fn prefix(digits: &str, most: u8) -> Result<u8, TermError> {
    let leading_zero = digits.starts_with('0') && digits != "0";
    match digits.parse() {
        Ok(length) if is_number(digits) && !leading_zero && length <= most => Ok(length),
        _ => Err(TermError::Prefix(most)),
    }
}

fn is_number(digits: &str) -> bool {
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SpfRecord, SpfRecordError> {
        SpfRecord::parse(text.as_bytes())
    }

    fn problem(term: &str) -> TermError {
        match parse(&format!("v=spf1 {term} -all")) {
            Err(SpfRecordError::Term { problem, .. }) => problem,
            other => panic!("{term}: {other:?}"),
        }
    }

    #[test]
    fn the_version_is_exact_in_any_case() {
        for yes in ["v=spf1", "V=SpF1 -all", "v=spf1 "] {
            assert!(SpfRecord::is_one(yes.as_bytes()), "{yes}");
        }
        for no in [
            "",
            "v=spf",
            "v=spf10 -all",
            "v=spf1-all",
            " v=spf1",
            "v=spf1\t-all",
        ] {
            assert!(!SpfRecord::is_one(no.as_bytes()), "{no}");
        }
        assert_eq!(parse("v=spf2.0/pra"), Err(SpfRecordError::Version));
    }

    #[test]
    fn foreign_text_is_escaped_and_cut() {
        assert_eq!(quoted(b"a:\x1b[31m\r\nmx.example"), r"a:\x1b[31m\r\nmx.example");
        let at_limit = [b'a'; MAX_QUOTED_OCTETS];
        assert_eq!(quoted(&at_limit), "a".repeat(MAX_QUOTED_OCTETS));
        let past_it = [b'a'; MAX_QUOTED_OCTETS + 1];
        assert_eq!(quoted(&past_it), "a".repeat(MAX_QUOTED_OCTETS) + "[...]");
    }

    #[test]
    fn terms_are_kept_as_written() {
        let record = parse("v=spf1  +MX ip4:192.0.2.0/24 ~all redirect=a.example exp=b.example ").unwrap();
        let texts: Vec<_> = record.directives.iter().map(|d| &*d.text).collect();
        assert_eq!(texts, ["+MX", "ip4:192.0.2.0/24", "~all"]);
        let qualifiers: Vec<_> = record.directives.iter().map(|d| d.qualifier).collect();
        assert_eq!(
            qualifiers,
            [Qualifier::Pass, Qualifier::Pass, Qualifier::SoftFail]
        );
        assert_eq!(&*record.redirect.unwrap().text, "redirect=a.example");
        assert_eq!(&*record.explanation.unwrap().text, "exp=b.example");
    }

    #[test]
    fn prefix_lengths_at_the_limit_and_one_past() {
        assert!(parse("v=spf1 ip4:192.0.2.3/32 ip6:2001:db8::/128 a/32//128").is_ok());
        for (term, most) in [
            ("ip4:192.0.2.0/33", 32),
            ("ip6:2001:db8::/129", 128),
            ("a/33", 32),
            ("mx//129", 128),
            ("ip4:192.0.2.0/08", 32),
            ("ip4:192.0.2.0/", 32),
            ("ip4:192.0.2.0/+8", 32),
            ("a/00", 32),
            ("ip6:2001:db8::/999999999999", 128),
        ] {
            assert_eq!(problem(term), TermError::Prefix(most), "{term}");
        }
    }

    #[test]
    fn two_prefix_lengths_after_a_domain_with_slashes() {
        let record = parse("v=spf1 a:foo:bar/baz.example.com/24//64 mx//64 a/0").unwrap();
        let prefixes: Vec<_> = record
            .directives
            .iter()
            .map(|d| match d.mechanism {
                SpfMechanism::A(_, p) | SpfMechanism::Mx(_, p) => (p.v4, p.v6),
                ref other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(prefixes, [(24, 64), (32, 64), (0, 128)]);
    }

    #[test]
    fn what_is_wrong_with_a_term() {
        for (term, error) in [
            ("foo", TermError::Mechanism),
            ("all.", TermError::Mechanism),
            ("=all", TermError::Mechanism),
            ("-exp=a.example", TermError::Mechanism),
            ("redirect:a.example", TermError::Mechanism),
            ("moo.cow/far_out=man", TermError::Mechanism),
            ("--all", TermError::Mechanism),
            ("-", TermError::Mechanism),
            ("all:foo", TermError::Argument),
            ("a/24/24", TermError::Argument),
            ("a/24/64", TermError::Prefix(32)),
            ("a/", TermError::Argument),
            ("ptr/0", TermError::Argument),
            ("include", TermError::Missing),
            ("exists", TermError::Missing),
            ("ip4", TermError::Missing),
            ("ip6:", TermError::Missing),
            ("include:", TermError::Macro(MacroError::Empty)),
            ("exp=", TermError::Macro(MacroError::Empty)),
            ("redirect=-all", TermError::Macro(MacroError::TopLabel)),
            ("include:a.example/24", TermError::Macro(MacroError::TopLabel)),
            ("foo=%abc", TermError::Macro(MacroError::Percent)),
            ("ip4:192.0.2", TermError::Address),
            ("ip4:192.0.2.03", TermError::Address),
            ("ip4:192.0.2.3//32", TermError::Address),
            ("ip4:2001:db8::1", TermError::Address),
            ("ip6::CAFE::BABE", TermError::Address),
            ("ip6:fe80::1%eth0", TermError::Address),
            ("a\tmx", TermError::Octet(b'\t')),
            ("a:é.example", TermError::Octet(0xc3)),
            ("redirect=a.example redirect=b.example", TermError::Twice),
            ("exp=a.example EXP=b.example", TermError::Twice),
        ] {
            assert_eq!(problem(term), error, "{term}");
        }
    }

    #[test]
    fn a_message_quotes_the_term() {
        let error = parse("v=spf1 ip4:192.0.2.0/33 -all").unwrap_err();
        insta::assert_snapshot!(
            error.to_string(),
            @"the prefix length must be a number from 0 to 32, without leading zeros: `ip4:192.0.2.0/33`"
        );
        let error = SpfRecord::parse(b"v=spf1 a:\x00\r\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            r"the octet 0x00 is not visible ASCII: `a:\x00\r\n`"
        );
    }

    #[test]
    fn a_record_of_8192_octets_and_one_more() {
        let longest = format!("v=spf1 x={}", "y".repeat(MAX_RECORD_OCTETS - "v=spf1 x=".len()));
        assert!(parse(&longest).is_ok());
        assert_eq!(parse(&(longest + "y")), Err(SpfRecordError::TooLong));
    }
}
