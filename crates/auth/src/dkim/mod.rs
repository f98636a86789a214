//! DKIM: which domains signed the message (RFC 6376, 8301, 8463, 8616).

use std::fmt;

use mail::DomainName;

/// The result of one signature (RFC 8601 §2.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DkimVerdict {
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

impl DkimVerdict {
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

impl fmt::Display for DkimVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What one DKIM-Signature field came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DkimResult {
    /// The result.
    pub result: DkimVerdict,
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
    /// Which of Subject, Date, To, Content-Type the message has but the signature leaves out.
    pub unsigned_fields: Vec<&'static str>,
    /// Index of the DKIM-Signature field among all header fields.
    pub field_index: usize,
}
