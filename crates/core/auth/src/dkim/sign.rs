//! Signing our own messages (RFC 6376 §5, RFC 8463).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use landmarc_mail::{DomainName, HeaderField, HeaderSection};
use ring::rand::SecureRandom;
use ring::rsa::KeyPair as RsaKeyPair;
use ring::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256};

use super::body::{BodyHashing, sha256};
use super::canonical::{Canonicalization, header_field};
use super::der;
use super::headers::{HeaderIndex, SignedNames};
use super::signature::{Algorithm, SignatureError};

/// Folded lines end before this column, where the value allows (RFC 5322 §2.1.1).
const LINE_OCTETS: usize = 76;

/// What a signature is to say.
pub struct SignRequest<'a> {
    /// `d=`.
    pub domain: &'a DomainName,
    /// `s=`: where the public key is published, below `_domainkey` of the domain.
    pub selector: &'a DomainName,
    /// The private key.
    pub key: &'a SigningKey,
    /// First half of `c=`.
    pub header_canon: Canonicalization,
    /// Second half of `c=`.
    pub body_canon: Canonicalization,
    /// Names of header fields to sign; From must be among them. All fields of these names
    /// are signed, and the absence of one more, so that none can be added (RFC 6376 §5.4.2).
    pub fields: &'a [&'a str],
    /// `t=`, seconds since 1970.
    pub now: u64,
    /// `x=`, seconds since 1970; none for a signature without end.
    pub expires: Option<u64>,
}

/// Why a message cannot be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// RFC 6376 §5.4: "The From header field MUST be signed".
    #[error("the message has no From field, or it is not among those to sign")]
    FromNotSigned,
    /// A name that no header field can have, or too many of them.
    #[error("the fields to sign: {0}")]
    Fields(SignatureError),
    /// `x=` would not be later than `t=`.
    #[error("the signature would expire before it is made")]
    ExpiresFirst,
    /// The private key or the source of randomness failed.
    #[error("the private key cannot sign")]
    Key,
}

/// Signs a message: the DKIM-Signature field to put on top of it.
///
/// `body` is the whole body with CRLF line ends. `random` blinds RSA against timing; it
/// does not change the signature.
///
/// # Errors
/// [`SignError`] for a message or request that has no valid signature.
pub fn sign(
    headers: &HeaderSection,
    body: &[u8],
    request: &SignRequest<'_>,
    random: &dyn SecureRandom,
) -> Result<HeaderField, SignError> {
    if request.expires.is_some_and(|expires| expires <= request.now) {
        return Err(SignError::ExpiresFirst);
    }
    let index = HeaderIndex::new(headers);
    let listed = names_to_sign(&index, request.fields);
    let names = SignedNames::read(listed.as_bytes()).map_err(SignError::Fields)?;
    if names.has_empty() {
        return Err(SignError::Fields(SignatureError::Names));
    }
    if !names.contains(b"from") || !index.has("from") {
        return Err(SignError::FromNotSigned);
    }
    let body_hash = body_hash(body, request.body_canon);
    let mut value = unsigned_value(request, &listed, &STANDARD.encode(body_hash));

    let kind = request.header_canon;
    let mut octets = index.signed_fields(kind, &names, None);
    header_field(kind, b"DKIM-Signature", value.as_bytes(), &mut octets);
    let signature = request.key.sign(&octets, random)?;
    // White space inside b= is not signed, so it can be folded afterwards.
    fold(&mut value, &STANDARD.encode(signature), 1);
    Ok(HeaderField::new(*b"DKIM-Signature", value.into_bytes()))
}

/// Each name as often as the message has it, and once more.
fn names_to_sign(index: &HeaderIndex<'_>, fields: &[&str]) -> String {
    let mut names = Vec::new();
    for field in fields {
        let name = field.to_ascii_lowercase();
        if !names.contains(&name) {
            names.extend(std::iter::repeat_n(
                name.clone(),
                index.positions(&name).len() + 1,
            ));
        }
    }
    names.join(":")
}

fn body_hash(body: &[u8], canonicalization: Canonicalization) -> [u8; 32] {
    let mut hashing = BodyHashing::new();
    let handle = hashing.want(canonicalization, None);
    hashing.update(body);
    let digest = handle.and_then(|handle| hashing.finish().digest(handle));
    digest.map_or_else(|| sha256(b""), |digest| digest.sha256)
}

/// The value of the field up to and including `b=`.
fn unsigned_value(request: &SignRequest<'_>, names: &str, body_hash: &str) -> String {
    let SignRequest {
        domain,
        selector,
        key,
        header_canon,
        body_canon,
        now,
        expires,
        ..
    } = request;
    let algorithm = key.algorithm();
    let expires = expires.map(|x| format!(" x={x};")).unwrap_or_default();
    let mut value = format!(
        " v=1; a={algorithm}; c={header_canon}/{body_canon};\r\n\
         \td={domain};\r\n\ts={selector}; t={now};{expires}\r\n\th="
    );
    let mut column = 3;
    for (at, name) in names.split(':').enumerate() {
        if at > 0 {
            value.push(':');
            column += 1;
            if column + name.len() > LINE_OCTETS {
                value.push_str("\r\n\t ");
                column = 2;
            }
        }
        value.push_str(name);
        column += name.len();
    }
    value.push_str(&format!(";\r\n\tbh={body_hash};\r\n\tb="));
    value
}

/// Appends base64 in lines; `column` octets of the first line are taken.
fn fold(value: &mut String, text: &str, column: usize) {
    let mut room = LINE_OCTETS - column - "b=".len();
    for character in text.chars() {
        if room == 0 {
            value.push_str("\r\n\t ");
            room = LINE_OCTETS - 2;
        }
        value.push(character);
        room -= 1;
    }
}

/// A private key.
pub struct SigningKey(Kind);

enum Kind {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// Why octets are no private key that can sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// Neither form of RSA key, nor an Ed25519 key.
    #[error("no private key that can sign: as PKCS#8 {pkcs8}, as PKCS#1 {pkcs1}")]
    Der {
        /// What is wrong with it as PKCS#8.
        pkcs8: String,
        /// What is wrong with it as PKCS#1.
        pkcs1: String,
    },
    /// Not 32 octets.
    #[error("an Ed25519 seed has 32 octets, this has {0}")]
    Seed(usize),
}

impl SigningKey {
    /// An RSA key (2,048 to 4,096 bits) from PKCS#8 or PKCS#1 DER, or an Ed25519 key from
    /// PKCS#8 DER.
    ///
    /// # Errors
    /// [`SigningKeyError::Der`].
    pub fn from_der(der: &[u8]) -> Result<Self, SigningKeyError> {
        let rsa = |pair| Self(Kind::Rsa(Box::new(pair)));
        let pkcs8 = match RsaKeyPair::from_pkcs8(der) {
            Ok(pair) => return Ok(rsa(pair)),
            Err(error) => error.to_string(),
        };
        let pkcs1 = match RsaKeyPair::from_der(der) {
            Ok(pair) => return Ok(rsa(pair)),
            Err(error) => error.to_string(),
        };
        match Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            Ok(pair) => Ok(Self(Kind::Ed25519(Box::new(pair)))),
            Err(_) => Err(SigningKeyError::Der { pkcs8, pkcs1 }),
        }
    }

    /// An Ed25519 key from its seed of 32 octets (the `d` of RFC 8032).
    ///
    /// # Errors
    /// [`SigningKeyError::Seed`] when it has another length.
    pub fn from_ed25519_seed(seed: &[u8]) -> Result<Self, SigningKeyError> {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| SigningKeyError::Seed(seed.len()))?;
        Ok(Self(Kind::Ed25519(Box::new(pair))))
    }

    /// `a=` of its signatures.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Kind::Rsa(_) => Algorithm::RsaSha256,
            Kind::Ed25519(_) => Algorithm::Ed25519Sha256,
        }
    }

    /// The TXT record to publish, as one text; it may need splitting into character-strings.
    #[must_use]
    pub fn dns_record(&self) -> String {
        let (kind, key) = match &self.0 {
            Kind::Rsa(pair) => {
                let bare = pair.public().as_ref().to_vec();
                // 4,096 bits are the longest key that can sign, so the wrapping always fits.
                ("rsa", der::rsa_key_info(&bare).unwrap_or(bare))
            }
            Kind::Ed25519(pair) => ("ed25519", pair.public_key().as_ref().to_vec()),
        };
        format!("v=DKIM1; k={kind}; p={}", STANDARD.encode(key))
    }

    fn sign(&self, octets: &[u8], random: &dyn SecureRandom) -> Result<Vec<u8>, SignError> {
        match &self.0 {
            Kind::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, random, octets, &mut signature)
                    .map_err(|_| SignError::Key)?;
                Ok(signature)
            }
            // RFC 8463 §3: the digest is what is signed.
            Kind::Ed25519(pair) => Ok(pair.sign(&sha256(octets)).as_ref().to_vec()),
        }
    }
}

impl std::fmt::Debug for SigningKey {
    /// The kind of key and nothing of the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.algorithm())
    }
}
