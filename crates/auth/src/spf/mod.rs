//! SPF: whether the client may send for a domain (RFC 7208).

use std::fmt;

use mail::DomainName;

/// The result of one SPF check (RFC 7208 §2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpfResult {
    /// No record, or no name that could have one.
    None,
    /// The owner says nothing about this client.
    Neutral,
    /// The client is authorized.
    Pass,
    /// The client is not authorized.
    Fail,
    /// The client is probably not authorized.
    SoftFail,
    /// DNS did not answer.
    TempError,
    /// The record cannot be interpreted.
    PermError,
}

impl SpfResult {
    /// The word of RFC 8601 §2.7.2.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Neutral => "neutral",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

impl fmt::Display for SpfResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which identity was checked (RFC 7208 §2.3, §2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// MAIL FROM; for the null reverse-path that is `postmaster@HELO`.
    MailFrom,
    /// HELO on its own: evidence, never an Authenticated Identifier of DMARC.
    Helo,
}

impl Scope {
    /// The word of RFC 9990.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MailFrom => "mfrom",
            Self::Helo => "helo",
        }
    }
}

/// What one SPF check came to, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpfOutcome {
    /// The result.
    pub result: SpfResult,
    /// The domain checked; none when the identity has no usable one.
    pub domain: Option<DomainName>,
    /// The identity checked.
    pub scope: Scope,
    /// Whether the MAIL FROM identity came from HELO, because the reverse-path is null.
    pub from_helo: bool,
    /// The directive that decided, as written, such as `ip4:192.0.2.0/24` or `-all`'s `all`;
    /// with the include chain in front where it matched inside one (`include:x.example`).
    pub mechanism: Option<String>,
    /// The owner's explanation of a fail (third-party text, ASCII), when it was asked for.
    pub explanation: Option<String>,
    /// For temperror and permerror (and none): what is wrong and where, in words.
    pub problem: Option<String>,
    /// Terms that count toward the limit of ten (RFC 7208 §4.6.4).
    pub lookup_terms: usize,
    /// Void lookups (RFC 7208 §4.6.4).
    pub void_lookups: usize,
    /// Every term evaluated, in order.
    pub steps: Vec<SpfStep>,
}

/// One step of an SPF check: a record read or a term evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpfStep {
    /// How many includes and redirects deep.
    pub depth: usize,
    /// The domain whose record this is.
    pub domain: String,
    /// The term as written; the whole record for the step that reads it.
    pub term: String,
    /// What came of it, in words: `matches`, `no match`, `has no record` …
    pub outcome: String,
}
