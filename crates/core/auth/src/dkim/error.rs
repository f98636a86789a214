//! Why a signature field cannot be verified (RFC 6376 §6.1.1).

use landmarc_mail::NameError;

use super::tags::TagListError;

/// Names one `h=` may list. Real signatures list some dozens, oversigning included.
pub const MAX_SIGNED_NAMES: usize = 1_000;

/// Why a signature field cannot be verified.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not a tag list.
    #[error("the field is no tag list: {0}")]
    Syntax(#[from] TagListError),
    /// A tag that must be there.
    #[error("the tag {0}= is missing")]
    Missing(&'static str),
    /// `v=` is not 1.
    #[error("it is not of version 1: `v={0}`")]
    Version(String),
    /// RFC 8301 §3.1: "rsa-sha1 MUST NOT be used for signing or verifying."
    #[error("rsa-sha1 is not accepted (RFC 8301)")]
    Sha1,
    /// An algorithm nobody registered.
    #[error("the algorithm is unknown: `{0}`")]
    Algorithm(String),
    /// `b=` or `bh=` is empty or not base64, or `bh=` is no SHA-256.
    #[error("{0}= is not what base64 of a signature or hash is")]
    Base64(&'static str),
    /// `c=` is none of the four.
    #[error("the canonicalization is unknown: `{0}`")]
    Canonicalization(String),
    /// `d=`, `s=` or the domain of `i=` is no name. The value is not repeated.
    #[error("{0}= is no domain name: {1}")]
    Name(&'static str, NameError),
    /// `h=` is not a list of field names.
    #[error("h= is not a list of field names")]
    Names,
    /// Over [`MAX_SIGNED_NAMES`].
    #[error("h= lists more than {MAX_SIGNED_NAMES} names")]
    TooManyNames,
    /// RFC 6376 §5.4: "The From header field MUST be signed".
    #[error("From is not signed")]
    FromNotSigned,
    /// `i=` has no `@`.
    #[error("i= has no domain")]
    NoIdentityDomain,
    /// `i=` is neither `d=` nor below it.
    #[error("the domain of i= is not at or below d=")]
    IdentityOutside,
    /// `t=`, `x=` or `l=` is no number.
    #[error("{0}= is no number")]
    Number(&'static str),
    /// RFC 6376 §3.5: "The value of the "x=" tag MUST be greater than the value of the "t=" tag if both are present."
    #[error("it expires (x=) no later than it was made (t=)")]
    ExpiresFirst,
    /// `q=` lacks `dns/txt`.
    #[error("the key is not to be had by dns/txt: `q={0}`")]
    Query(String),
}

impl SignatureError {
    /// Whether it is the algorithm, not the form of the field.
    #[must_use]
    pub fn is_algorithm(&self) -> bool {
        matches!(self, Self::Sha1 | Self::Algorithm(_))
    }
}
