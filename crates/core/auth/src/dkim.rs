//! DKIM: which domains signed the message (RFC 6376, 8301, 8463, 8616).
//!
//! A [`Verifier`] is made at the end of the header section, a [`BodyHashing`] hashes the
//! body as it arrives, and [`Verifier::finish`] asks for the keys and decides. [`sign()`]
//! is for our own messages.
//!
//! Knows signatures and keys. Deliberately knows neither the From field nor alignment:
//! the author's domains only order the work. Not implemented: rsa-sha1 (RFC 8301 forbids
//! it), the author domain signing practices of RFC 5617 (historic), the reporting tags of
//! RFC 6651 (a signature's `r=` would let strangers make us send mail).

mod body;
pub mod canonical;
mod der;
mod error;
mod headers;
pub mod key;
mod keys;
pub mod sign;
pub mod signature;
pub mod tags;
mod verify;

use landmarc_mail::DomainName;

pub use body::{BodyDigest, BodyDigests, BodyHandle, BodyHashing, MAX_BODY_HASHES, Sha256};
pub use canonical::Canonicalization;
pub use error::MAX_SIGNED_NAMES;
pub(crate) use headers::HeaderIndex;
pub use headers::SignedNames;
pub(crate) use keys::{KeyAnswers, KeyClaim, KeyHandle, KeyProblem, KeyQuestions, RsaBits};
pub use sign::{SignError, SignRequest, SigningKey, SigningKeyError, sign};
pub use signature::Algorithm;
pub use verify::{MAX_EXPIRED, MAX_FIELD_OCTETS, MAX_RESULTS, Verifier, described};

/// Octets of canonical header that the signatures of one message may hold until their keys
/// are there: twice the largest header section, so that the one that counts always fits.
pub(crate) const MAX_HELD_OCTETS: usize = 2 * 1024 * 1024;

/// What is accepted of a signature, and how much work a message may cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DkimOptions {
    /// Signatures verified; the rest is neutral. Author-equal domains come first.
    pub max_signatures: usize,
    /// The shortest RSA key. Less than 1024 has no effect (RFC 8301 §3.2).
    pub min_rsa_bits: u32,
    /// The longest RSA key. More than 8192 has no effect: the arithmetic stops there.
    pub max_rsa_bits: u32,
    /// Whether a signature whose `l=` leaves some of the body unsigned may pass. Otherwise
    /// it is `policy`. `l=0` never counts.
    pub accept_body_length: bool,
    /// Whether a key in test mode (`t=y`) counts, with a remark. Otherwise it is `policy`.
    pub accept_testing_keys: bool,
    /// Seconds by which clocks may differ when `t=` and `x=` are judged.
    pub clock_skew: u64,
    /// Values of `d=` that are `policy` unverified, such as public suffixes; names below
    /// them are not meant.
    pub refused_domains: Vec<DomainName>,
}

impl Default for DkimOptions {
    fn default() -> Self {
        Self {
            max_signatures: 10,
            min_rsa_bits: key::MIN_RSA_BITS,
            max_rsa_bits: key::MAX_RSA_BITS,
            accept_body_length: false,
            accept_testing_keys: true,
            clock_skew: 300,
            refused_domains: Vec::new(),
        }
    }
}

/// The result of one signature (RFC 8601 §2.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DkimResult {
    /// The signature verified and is acceptable.
    Pass,
    /// The signature or the body hash does not match.
    Fail,
    /// Verified, but not acceptable to us.
    Policy,
    /// Not a signature that could be verified: syntax, expiry, too many.
    Neutral,
    /// The key could not be asked for.
    TempError,
    /// The key or the algorithm makes verification impossible.
    PermError,
}

impl DkimResult {
    /// The word of RFC 8601 §2.7.1.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Policy => "policy",
            Self::Neutral => "neutral",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

landmarc_mail::display_as_str!(DkimResult);

/// What stands behind a DKIM-Signature field, whether it verifies or not: what a message that was changed
/// on its way still shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Substance {
    /// It may have been made by the domain it names.
    Possible,
    /// It names a domain and a selector, and cannot be verified by anybody: it breaks the syntax, DNS has no
    /// key at its name, it expired long ago, or it is one of more than a message has.
    Void,
    /// It is no signature: it names no domain or no selector.
    Unreadable,
}

/// What one DKIM-Signature field came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DkimOutcome {
    /// The result.
    pub result: DkimResult,
    /// What stands behind it.
    pub substance: Substance,
    /// `d=`, when it is a domain name.
    pub domain: Option<DomainName>,
    /// `s=`, when it is a selector (labels of letters, digits, hyphen, underscore; U-labels as A-labels).
    pub selector: Option<String>,
    /// `a=`, when it is an algorithm name; known ones in lower case.
    pub algorithm: Option<String>,
    /// Bits of the key, when one was read.
    pub key_bits: Option<u32>,
    /// Domain of `i=` (or of `d=` by default), when it is a name.
    pub identity_domain: Option<DomainName>,
    /// Why it is not a plain pass, in words; also remarks on a pass (key in test mode).
    pub reason: Option<String>,
    /// The `b=` value without white space, as far as it is base64: for `header.b`.
    pub signature: String,
    /// The key is flagged `t=y` (testing).
    pub key_is_testing: bool,
    /// `l=`: octets of the canonical body that are signed, when given.
    pub body_length: Option<u64>,
    /// The signature is good, only the body is not what was signed (a list footer, say).
    pub body_only_broken: bool,
    /// Of which of Subject, Date, To, Content-Type the message has more than the signature covers.
    pub unsigned_fields: Vec<&'static str>,
    /// Index of the DKIM-Signature field among all header fields; one past the last for those
    /// that were left out at a limit.
    pub field_index: usize,
}
