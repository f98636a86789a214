//! The key record: what the signer's domain publishes at `s._domainkey.d` (RFC 6376 §3.6.1).

use ring::rsa::PublicKeyComponents;
use ring::signature::{ED25519, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};

use super::body::sha256;
use super::der;
use super::signature::Algorithm;
use super::tags::{TagList, TagListError, base64, excerpt, items};

/// The longest record that is read: a key of 16,384 bits, wrapped and in base64, takes
/// 3 kB, and DNS carries 64 kB.
pub const MAX_RECORD_OCTETS: usize = 16 * 1024;
/// RFC 8301 §3.2: "Verifiers MUST NOT consider signatures using RSA keys of less than
/// 1024 bits as valid signatures." No setting goes below.
pub const MIN_RSA_BITS: u32 = 1024;
/// RFC 8301 §3.2 asks for 4096 bits; beyond this the arithmetic becomes a burden.
pub const MAX_RSA_BITS: u32 = 8192;
/// The largest public exponent: 65,537 is what everyone uses, and cost grows with its bits.
const MAX_RSA_EXPONENT: u64 = 1 << 32;

/// A key record that can verify signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// `p=`.
    pub key: PublicKey,
    /// `t=y`: the domain is testing DKIM.
    pub testing: bool,
    /// `t=s`: the domain of `i=` must be `d=` itself, not one below.
    pub strict_identity: bool,
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// Modulus and exponent, big-endian without leading zeros.
    Rsa {
        /// The modulus.
        modulus: Box<[u8]>,
        /// The exponent.
        exponent: Box<[u8]>,
    },
    /// RFC 8463.
    Ed25519([u8; 32]),
}

/// Why a TXT record is no key, or none that may be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRecordError {
    /// Over [`MAX_RECORD_OCTETS`].
    #[error("the record has more than {MAX_RECORD_OCTETS} octets")]
    TooLong,
    /// Not a tag list.
    #[error("the record is no key record: {0}")]
    Syntax(#[from] TagListError),
    /// `v=` is another, or not the first tag.
    #[error("the record is no key record: v= must be DKIM1 and come first")]
    Version,
    /// No `p=`.
    #[error("the record is no key record: it has no p=")]
    NoKey,
    /// An empty `p=`.
    #[error("the key is revoked (empty p=)")]
    Revoked,
    /// `h=` without sha256.
    #[error("the key is not for sha256: `h={0}`")]
    Hash(String),
    /// `s=` without email.
    #[error("the key is not for mail: `s={0}`")]
    Service(String),
    /// `k=` is none we know.
    #[error("the key is of an unknown type: `k={0}`")]
    Type(String),
    /// `p=` is not base64.
    #[error("the key is not base64")]
    Base64,
    /// `p=` holds no RSA key.
    #[error("the key is no RSA public key")]
    Rsa,
    /// An even exponent, or one, or a number beyond 2^32.
    #[error("the RSA key has an exponent that is not acceptable")]
    Exponent,
    /// `p=` is not 32 octets.
    #[error("the Ed25519 key has {0} octets instead of 32")]
    Ed25519(usize),
}

impl KeyRecordError {
    /// Whether the record is meant as a key at all. Others at the same name, an SPF record
    /// under a wildcard say, are passed over.
    #[must_use]
    pub fn is_key_record(&self) -> bool {
        !matches!(
            self,
            Self::TooLong | Self::Syntax(_) | Self::Version | Self::NoKey
        )
    }
}

impl KeyRecord {
    /// Reads a record, its character-strings joined.
    ///
    /// # Errors
    /// [`KeyRecordError`] for a record that is none, or whose key may not be used.
    pub fn parse(record: &[u8]) -> Result<Self, KeyRecordError> {
        if record.len() > MAX_RECORD_OCTETS {
            return Err(KeyRecordError::TooLong);
        }
        let tags = TagList::parse(record)?;
        // RFC 6376 §3.6.1: "This tag MUST be the first tag in the record. Records beginning
        // with a "v=" tag with any other value MUST be discarded."
        if tags
            .value("v")
            .is_some_and(|v| v != b"DKIM1" || tags.first_name() != "v")
        {
            return Err(KeyRecordError::Version);
        }
        let key = tags.value("p").ok_or(KeyRecordError::NoKey)?;
        if key.is_empty() {
            return Err(KeyRecordError::Revoked);
        }
        if let Some(hashes) = tags.value("h").filter(|h| !items(h).any(|i| i == b"sha256")) {
            return Err(KeyRecordError::Hash(excerpt(hashes)));
        }
        let for_mail = |s: &&[u8]| items(s).any(|i| i == b"*" || i == b"email");
        if let Some(services) = tags.value("s").filter(|s| !for_mail(s)) {
            return Err(KeyRecordError::Service(excerpt(services)));
        }
        let flag = |name: &[u8]| tags.value("t").is_some_and(|t| items(t).any(|i| i == name));
        Ok(Self {
            key: PublicKey::parse(tags.value("k").unwrap_or(b"rsa"), key)?,
            testing: flag(b"y"),
            strict_identity: flag(b"s"),
        })
    }
}

impl PublicKey {
    fn parse(kind: &[u8], key: &[u8]) -> Result<Self, KeyRecordError> {
        let octets = || base64(key).ok_or(KeyRecordError::Base64);
        match kind {
            b"rsa" => Self::rsa(&octets()?),
            // RFC 8463 §4: the key itself, without any ASN.1 around it.
            b"ed25519" => {
                let octets = octets()?;
                let len = octets.len();
                octets
                    .try_into()
                    .map(Self::Ed25519)
                    .map_err(|_| KeyRecordError::Ed25519(len))
            }
            other => Err(KeyRecordError::Type(excerpt(other))),
        }
    }

    fn rsa(der: &[u8]) -> Result<Self, KeyRecordError> {
        let (modulus, exponent) = der::rsa_public_key(der).ok_or(KeyRecordError::Rsa)?;
        let value = match exponent.len() {
            0..=8 => exponent.iter().fold(0, |sum: u64, &b| sum << 8 | u64::from(b)),
            _ => return Err(KeyRecordError::Exponent),
        };
        if value < 3 || value.is_multiple_of(2) || value > MAX_RSA_EXPONENT {
            return Err(KeyRecordError::Exponent);
        }
        Ok(Self::Rsa {
            modulus: modulus.into(),
            exponent: exponent.into(),
        })
    }

    /// Length of the key in bits: of the modulus for RSA, 256 for Ed25519.
    #[must_use]
    pub fn bits(&self) -> u32 {
        match self {
            Self::Rsa { modulus, .. } => {
                let unused = modulus.first().map_or(0, |first| first.leading_zeros());
                // A record is bounded, so the count always fits.
                u32::try_from(modulus.len() * 8).map_or(u32::MAX, |bits| bits - unused)
            }
            Self::Ed25519(_) => 256,
        }
    }

    /// Whether the key is of the kind the algorithm needs.
    #[must_use]
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        matches!(
            (self, algorithm),
            (Self::Rsa { .. }, Algorithm::RsaSha256) | (Self::Ed25519(_), Algorithm::Ed25519Sha256)
        )
    }

    /// Whether the signature over `signed` is good.
    #[must_use]
    pub fn verifies(&self, signed: &Signed, signature: &[u8]) -> bool {
        match (self, signed) {
            (Self::Rsa { modulus, exponent }, Signed::Octets(octets)) => {
                let key = PublicKeyComponents {
                    n: modulus,
                    e: exponent,
                };
                let algorithm = &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY;
                key.verify(algorithm, octets, signature).is_ok()
            }
            // RFC 8463 §3: PureEdDSA over the SHA-256 digest.
            (Self::Ed25519(key), Signed::Digest(digest)) => UnparsedPublicKey::new(&ED25519, key)
                .verify(digest, signature)
                .is_ok(),
            (Self::Rsa { .. }, Signed::Digest(_)) | (Self::Ed25519(_), Signed::Octets(_)) => false,
        }
    }
}

/// What a signature signs, as its algorithm takes it: `ring` hashes for RSA by itself,
/// so the canonical header is kept until the key is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// The canonical octets.
    Octets(Box<[u8]>),
    /// Their SHA-256.
    Digest([u8; 32]),
}

impl Signed {
    /// For an algorithm, from canonical octets.
    #[must_use]
    pub fn new(algorithm: Algorithm, octets: Vec<u8>) -> Self {
        match algorithm {
            Algorithm::RsaSha256 => Self::Octets(octets.into()),
            Algorithm::Ed25519Sha256 => Self::Digest(sha256(&octets)),
        }
    }

    /// Octets held in memory until the key is there.
    #[must_use]
    pub fn held_octets(&self) -> usize {
        match self {
            Self::Octets(octets) => octets.len(),
            Self::Digest(digest) => digest.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519_KEY: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    fn parse(record: &str) -> Result<KeyRecord, KeyRecordError> {
        KeyRecord::parse(record.as_bytes())
    }

    #[test]
    fn reads_flags_and_passes_over_what_is_unknown() {
        let record = parse(&format!(
            "v=DKIM1; k=ed25519; t=y : s; n=hello; zz=1; p={ED25519_KEY}"
        ))
        .unwrap();
        assert!(record.testing && record.strict_identity);
        assert_eq!(record.key.bits(), 256);
        let plain = parse(&format!(
            "k=ed25519; s=tlsrpt:email; h=sha1:sha256; p={ED25519_KEY}"
        ))
        .unwrap();
        assert!(!plain.testing && !plain.strict_identity);
    }

    #[test]
    fn no_key_record_differs_from_a_key_that_may_not_be_used() {
        for other in [
            "v=spf1 -all",
            "some text",
            "k=rsa; v=DKIM1; p=AA==",
            "v=DKIM2; p=AA==",
            "v=DKIM1; k=rsa",
        ] {
            assert!(!parse(other).unwrap_err().is_key_record(), "{other}");
        }
        for unusable in [
            "v=DKIM1; p=",
            "p=AA==; h=sha1",
            "p=AA==; s=other",
            "p=AA==; k=dsa",
            "p=%",
            "p=AA==",
            "k=ed25519; p=AA==",
        ] {
            assert!(parse(unusable).unwrap_err().is_key_record(), "{unusable}");
        }
        assert_eq!(parse("k=ed25519; p=AA=="), Err(KeyRecordError::Ed25519(1)));
    }

    #[test]
    fn records_are_bounded() {
        let filled = |len: usize| {
            let start = format!("k=ed25519; p={ED25519_KEY}; n=");
            format!("{start}{}", "x".repeat(len - start.len()))
        };
        assert!(parse(&filled(MAX_RECORD_OCTETS)).is_ok());
        assert_eq!(
            parse(&filled(MAX_RECORD_OCTETS + 1)),
            Err(KeyRecordError::TooLong)
        );
    }

    #[test]
    fn exponents_are_odd_and_small() {
        let key = |exponent: &[u8]| {
            let modulus = [&[0x02, 0x81, 0x81, 0x00][..], &[0xc5; 128]].concat();
            let len = u8::try_from(exponent.len()).unwrap();
            let body = [&modulus[..], &[0x02, len], exponent].concat();
            let body_len = u8::try_from(body.len()).unwrap();
            PublicKey::rsa(&[&[0x30, 0x81, body_len][..], &body].concat())
        };
        assert_eq!(key(&[1, 0, 1]).unwrap().bits(), 1024);
        assert!(key(&[3]).is_ok());
        assert!(key(&[0, 0xff, 0xff, 0xff, 0xff]).is_ok());
        for refused in [&[1][..], &[2], &[1, 0, 0], &[1, 0, 0, 0, 1], &[1; 9]] {
            assert_eq!(key(refused), Err(KeyRecordError::Exponent), "{refused:?}");
        }
    }
}
