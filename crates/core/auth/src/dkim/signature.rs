//! What a signature field says of itself (RFC 6376 §3.5; RFC 8617 §4.1 uses most of it).
//!
//! Domains and selectors are validated here, at the door: what is no name is not kept,
//! so nothing behind can print it or ask DNS for it.

use landmarc_mail::{DomainName, NameError};

use super::body::Sha256;
use super::canonical::Canonicalization;
pub use super::error::SignatureError;
use super::headers::SignedNames;
use super::tags::{TagList, base64, excerpt, items, number, squeeze};

/// RFC 6376 §3.5: "implementations MAY consider any value longer than 12 digits to be infinite".
const TIME_DIGITS: usize = 12;
/// RFC 6376 §3.5: `l=` has at most 76 digits.
const LENGTH_DIGITS: usize = 76;
/// The longest algorithm name that is repeated in a result.
const MAX_ALGORITHM_OCTETS: usize = 40;

/// The algorithms that verify (RFC 8301, RFC 8463).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// `rsa-sha256`.
    RsaSha256,
    /// `ed25519-sha256`.
    Ed25519Sha256,
}

impl Algorithm {
    /// The word of `a=`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519Sha256 => "ed25519-sha256",
        }
    }
}

landmarc_mail::display_as_str!(Algorithm);

/// A DKIM-Signature that can be verified as far as its field goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DkimSignature {
    /// Who signed, and how.
    pub signer: SignatureOrigin,
    /// What is signed.
    pub coverage: Coverage,
    /// Domain of `i=`; at or below `d=`.
    pub identity_domain: DomainName,
}

/// Who signed, with which key and algorithm: common to DKIM-Signature,
/// ARC-Message-Signature and ARC-Seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureOrigin {
    /// `a=`.
    pub algorithm: Algorithm,
    /// `b=`, decoded.
    pub signature: Box<[u8]>,
    /// `d=`.
    pub domain: DomainName,
    /// `s=`.
    pub selector: DomainName,
    /// `t=`, seconds since 1970.
    pub signed_at: Option<u64>,
}

/// What is signed: common to DKIM-Signature and ARC-Message-Signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// First half of `c=`.
    pub header: Canonicalization,
    /// Second half of `c=`.
    pub body: Canonicalization,
    /// `h=`.
    pub names: SignedNames,
    /// `bh=`.
    pub body_hash: Sha256,
    /// `l=`.
    pub body_length: Option<u64>,
    /// `x=`, seconds since 1970.
    pub expires: Option<u64>,
}

impl DkimSignature {
    /// Reads the tags of a DKIM-Signature.
    ///
    /// # Errors
    /// [`SignatureError`] by the first rule of RFC 6376 §6.1.1 that is broken.
    pub fn read(tags: &TagList<'_>) -> Result<Self, SignatureError> {
        match required(tags, "v")? {
            b"1" => {}
            other => return Err(SignatureError::Version(excerpt(other))),
        }
        let signer = SignatureOrigin::read(tags)?;
        let coverage = Coverage::read(tags, signer.signed_at)?;
        if coverage.names.has_empty() {
            return Err(SignatureError::Names);
        }
        if !coverage.names.contains(b"from") {
            return Err(SignatureError::FromNotSigned);
        }
        if let Some(methods) = tags.value("q").filter(|q| !items(q).any(|m| m == b"dns/txt")) {
            return Err(SignatureError::Query(excerpt(methods)));
        }
        let identity_domain = match tags.value("i") {
            Some(identity) => identity_domain(identity)?,
            None => signer.domain.clone(),
        };
        if !identity_domain.is_at_or_below(&signer.domain) {
            return Err(SignatureError::IdentityOutside);
        }
        Ok(Self {
            signer,
            coverage,
            identity_domain,
        })
    }
}

impl SignatureOrigin {
    /// Reads `a=`, `b=`, `d=`, `s=` and `t=`.
    ///
    /// # Errors
    /// [`SignatureError`] for the first that is missing or malformed.
    pub fn read(tags: &TagList<'_>) -> Result<Self, SignatureError> {
        Ok(Self {
            domain: name(tags, "d")?,
            selector: name(tags, "s")?,
            signature: octets(tags, "b")?.into(),
            signed_at: optional_number(tags, "t", TIME_DIGITS)?,
            algorithm: match required(tags, "a")? {
                b"rsa-sha256" => Algorithm::RsaSha256,
                b"ed25519-sha256" => Algorithm::Ed25519Sha256,
                b"rsa-sha1" => return Err(SignatureError::Sha1),
                other => return Err(SignatureError::Algorithm(excerpt(other))),
            },
        })
    }
}

impl Coverage {
    /// Reads `bh=`, `c=`, `h=`, `l=` and `x=`.
    ///
    /// # Errors
    /// [`SignatureError`] for the first that is missing or malformed.
    pub fn read(tags: &TagList<'_>, signed_at: Option<u64>) -> Result<Self, SignatureError> {
        let (header, body) = canonicalizations(tags.value("c"))?;
        let expires = optional_number(tags, "x", TIME_DIGITS)?;
        if matches!((signed_at, expires), (Some(t), Some(x)) if x <= t) {
            return Err(SignatureError::ExpiresFirst);
        }
        let body_hash = octets(tags, "bh")?.try_into();
        Ok(Self {
            header,
            body,
            names: SignedNames::read(required(tags, "h")?)?,
            body_hash: body_hash.map_err(|_| SignatureError::Base64("bh"))?,
            body_length: optional_number(tags, "l", LENGTH_DIGITS)?,
            expires,
        })
    }
}

/// A signature that has expired; holds its `x=`, in seconds since 1970. How long ago that was is
/// left out: another minute, another text, and texts are kept once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expired: x={0} has passed")]
pub struct ExpiredSignature(pub u64);

/// Whether a signature holds at `now`, with clocks that differ by up to `skew` seconds.
///
/// # Errors
/// [`ExpiredSignature`] when `x=` has passed: RFC 6376 §3.5 lets us ignore such signatures.
pub fn check_expiry(coverage: &Coverage, now: u64, skew: u64) -> Result<(), ExpiredSignature> {
    match coverage.expires {
        Some(x) if now > x.saturating_add(skew) => Err(ExpiredSignature(x)),
        _ => Ok(()),
    }
}

/// How many seconds `t=` is yet to come, past what clocks may differ. RFC 6376 §3.5: such a
/// signature MAY be ignored. Nobody gains by a wrong `t=`, and clocks of signers are wrong now
/// and then, so it is reported and not ignored.
#[must_use]
pub fn seconds_ahead(signer: &SignatureOrigin, now: u64, skew: u64) -> Option<u64> {
    signer
        .signed_at
        .filter(|&t| t > now.saturating_add(skew))
        .map(|t| t - now)
}

/// Parts of a field that are worth printing even when the rest is broken; each only where
/// it is what it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// `d=`.
    pub domain: Option<DomainName>,
    /// `s=`.
    pub selector: Option<DomainName>,
    /// `a=`, as written.
    pub algorithm: Option<String>,
    /// Domain of `i=`, or `d=`.
    pub identity_domain: Option<DomainName>,
    /// `b=` without white space, as far as it is base64.
    pub signature: String,
    /// `l=`.
    pub body_length: Option<u64>,
}

impl Described {
    /// Reads what can be read.
    #[must_use]
    pub fn read(tags: &TagList<'_>) -> Self {
        let domain = name(tags, "d").ok();
        let is_algorithm = |a: &&[u8]| {
            (1..=MAX_ALGORITHM_OCTETS).contains(&a.len())
                && a.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
        };
        let algorithm = tags.value("a").filter(is_algorithm);
        Self {
            identity_domain: match tags.value("i") {
                Some(identity) => identity_domain(identity).ok(),
                None => domain.clone(),
            },
            selector: name(tags, "s").ok(),
            algorithm: algorithm.map(|a| String::from_utf8_lossy(a).into_owned()),
            signature: tags.value("b").map(base64_start).unwrap_or_default(),
            body_length: optional_number(tags, "l", LENGTH_DIGITS).ok().flatten(),
            domain,
        }
    }
}

/// The start of a text without white space, as far as it is base64: letters, and then two
/// signs of padding at most. With text after them it could say `dmarc=pass`.
fn base64_start(text: &[u8]) -> String {
    let mut text = squeeze(text);
    let is_letter = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    let letters = text.iter().take_while(is_letter).count();
    let padding = text.iter().skip(letters).take(2).take_while(|b| **b == b'=');
    text.truncate(letters + padding.count());
    text.into_iter().map(char::from).collect()
}

fn required<'a>(tags: &TagList<'a>, name: &'static str) -> Result<&'a [u8], SignatureError> {
    tags.value(name).ok_or(SignatureError::Missing(name))
}

fn octets(tags: &TagList<'_>, name: &'static str) -> Result<Vec<u8>, SignatureError> {
    let octets = base64(required(tags, name)?).filter(|octets| !octets.is_empty());
    octets.ok_or(SignatureError::Base64(name))
}

fn optional_number(
    tags: &TagList<'_>,
    name: &'static str,
    digits: usize,
) -> Result<Option<u64>, SignatureError> {
    let value = tags.value(name);
    value
        .map(|v| number(v, digits).ok_or(SignatureError::Number(name)))
        .transpose()
}

fn name(tags: &TagList<'_>, tag: &'static str) -> Result<DomainName, SignatureError> {
    domain_name(required(tags, tag)?).map_err(|e| SignatureError::Name(tag, e))
}

/// A name of A-labels or U-labels (RFC 8616 §5). The grammar has no final dot.
fn domain_name(value: &[u8]) -> Result<DomainName, NameError> {
    match value {
        [.., b'.'] => Err(NameError::EmptyLabel),
        _ => DomainName::from_bytes(value),
    }
}

/// The domain of `i=`: what follows the last `@`, because the local part may be quoted.
fn identity_domain(identity: &[u8]) -> Result<DomainName, SignatureError> {
    let identity = squeeze(identity);
    let at = memchr::memrchr(b'@', &identity).ok_or(SignatureError::NoIdentityDomain)?;
    let domain = identity.get(at + 1..).unwrap_or_default();
    domain_name(domain).map_err(|e| SignatureError::Name("i", e))
}

/// Both halves of `c=`: simple/simple by default, a single word for the header alone
/// (RFC 6376 §3.5).
fn canonicalizations(value: Option<&[u8]>) -> Result<(Canonicalization, Canonicalization), SignatureError> {
    let Some(value) = value else {
        return Ok((Canonicalization::Simple, Canonicalization::Simple));
    };
    let mut words = value.splitn(2, |&b| b == b'/').map(Canonicalization::parse);
    match (words.next().flatten(), words.next()) {
        (Some(header), None) => Ok((header, Canonicalization::Simple)),
        (Some(header), Some(Some(body))) => Ok((header, body)),
        _ => Err(SignatureError::Canonicalization(excerpt(value))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dkim::MAX_SIGNED_NAMES;

    const BODY_HASH: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

    fn field(changes: &[(&str, Option<&str>)]) -> Result<DkimSignature, SignatureError> {
        let mut tags = vec![
            ("v", "1"),
            ("a", "rsa-sha256"),
            ("d", "example.com"),
            ("s", "s1"),
            ("h", "from:to"),
            ("bh", BODY_HASH),
            ("b", "QUJD"),
        ];
        for &(name, value) in changes {
            tags.retain(|(n, _)| *n != name);
            tags.extend(value.map(|v| (name, v)));
        }
        let text: Vec<_> = tags.iter().map(|(n, v)| format!("{n}={v}")).collect();
        DkimSignature::read(&TagList::parse(text.join("; ").as_bytes())?)
    }

    fn error(name: &str, value: &str) -> SignatureError {
        field(&[(name, Some(value))]).unwrap_err()
    }

    #[test]
    fn defaults_are_those_of_the_rfc() {
        let signature = field(&[]).unwrap();
        assert_eq!(signature.coverage.header, Canonicalization::Simple);
        assert_eq!(signature.coverage.body, Canonicalization::Simple);
        assert_eq!(signature.identity_domain.as_str(), "example.com");
        assert_eq!(signature.coverage.body_length, None);
    }

    #[test]
    fn dk44_a_single_canonicalization_is_for_the_header() {
        let coverage = field(&[("c", Some("relaxed"))]).unwrap().coverage;
        assert_eq!(coverage.header, Canonicalization::Relaxed);
        assert_eq!(coverage.body, Canonicalization::Simple);
        for wrong in ["nowsp", "relaxed/", "/simple", "simple/simple/simple", ""] {
            assert!(
                matches!(error("c", wrong), SignatureError::Canonicalization(_)),
                "{wrong}"
            );
        }
    }

    #[test]
    fn required_tags_are_required() {
        for tag in ["v", "a", "b", "bh", "d", "h", "s"] {
            assert_eq!(field(&[(tag, None)]), Err(SignatureError::Missing(tag)));
        }
    }

    #[test]
    fn values_are_checked() {
        assert!(matches!(error("v", "1.0"), SignatureError::Version(_)));
        assert_eq!(error("a", "rsa-sha1"), SignatureError::Sha1);
        assert!(error("a", "dsa-sha256").is_algorithm());
        assert_eq!(error("b", "=A"), SignatureError::Base64("b"));
        assert_eq!(error("b", ""), SignatureError::Base64("b"));
        assert_eq!(error("bh", "QUJD"), SignatureError::Base64("bh"));
        assert_eq!(error("h", "to:subject"), SignatureError::FromNotSigned);
        assert_eq!(error("h", "from::to"), SignatureError::Names);
        assert_eq!(error("h", "from:fr om"), SignatureError::Names);
        assert_eq!(error("t", "now"), SignatureError::Number("t"));
        assert_eq!(error("l", "-1"), SignatureError::Number("l"));
        assert!(matches!(error("q", "http"), SignatureError::Query(_)));
        assert!(field(&[("q", Some("http : dns/txt"))]).is_ok());
        assert_eq!(
            field(&[("t", Some("9")), ("x", Some("9"))]),
            Err(SignatureError::ExpiresFirst)
        );
    }

    #[test]
    fn identities_are_at_or_below_the_domain() {
        let sub = field(&[("i", Some("\"a@b\"@sub.example.com"))]).unwrap();
        assert_eq!(sub.identity_domain.as_str(), "sub.example.com");
        assert_eq!(error("i", "@example.net"), SignatureError::IdentityOutside);
        assert_eq!(error("i", "@notexample.com"), SignatureError::IdentityOutside);
        assert_eq!(error("i", "example.com"), SignatureError::NoIdentityDomain);
        assert!(matches!(error("i", "@"), SignatureError::Name("i", _)));
    }

    #[test]
    fn what_is_no_name_is_not_kept() {
        for odd in [
            "example.com (x)",
            "bank.test\\0.evil.test",
            "a..b",
            ".",
            "example.com.",
            "",
        ] {
            let error = error("d", odd);
            assert!(matches!(error, SignatureError::Name("d", _)), "{odd}");
            let text = format!("d={odd}; s=x dmarc=pass; a=rsa(x)");
            let described = Described::read(&TagList::parse(text.as_bytes()).unwrap());
            assert_eq!(described, Described::default(), "{odd}");
        }
    }

    #[test]
    fn names_are_counted() {
        let names = |count: usize| vec!["from"; count].join(":");
        assert!(field(&[("h", Some(&names(MAX_SIGNED_NAMES)))]).is_ok());
        assert_eq!(
            error("h", &names(MAX_SIGNED_NAMES + 1)),
            SignatureError::TooManyNames
        );
    }

    #[test]
    fn clocks_may_differ_a_little() {
        let signature = field(&[("t", Some("1000")), ("x", Some("2000"))]).unwrap();
        let ahead = |now| seconds_ahead(&signature.signer, now, 300);
        assert_eq!(ahead(699), Some(301));
        assert_eq!(ahead(700), None);
        let at = |now| check_expiry(&signature.coverage, now, 300);
        assert_eq!(at(2300), Ok(()));
        assert_eq!(at(2301), Err(ExpiredSignature(2000)));
        let endless = field(&[("x", Some("9999999999999"))]).unwrap();
        assert_eq!(check_expiry(&endless.coverage, u64::MAX, 0), Ok(()));
    }
}
