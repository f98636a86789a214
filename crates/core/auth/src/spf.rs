//! SPF: whether the client may send for a domain (RFC 7208).
//!
//! Knows the record, its macros and how a check comes to its result, within the limits
//! of RFC 7208 §4.6.4 and some of our own ([`limits`]). Deliberately knows no policy: a
//! fail refuses nothing here. Not implemented: records of type SPF (RFC 7208 §3.1 ended
//! them), the Received-SPF field (§9.1; Authentication-Results says the same), and the
//! reporting modifiers of RFC 6652, which are ignored like all unknown ones.

mod check;
mod explanation;
pub mod limits;
pub mod macros;
mod network;
pub mod record;
mod redacted;
pub mod trace;

use std::fmt;
use std::net::IpAddr;

use landmarc_mail::{DomainName, ReversePath};

use crate::lookup::Lookup;
pub use record::{SpfRecord, SpfRecordError};
pub use redacted::{RedactedNames, SpfName};
pub use trace::{SpfStep, SpfTerm};

/// Stands in for a local part that is not there (RFC 7208 §4.3).
const POSTMASTER: &[u8] = b"postmaster";

/// What one SMTP transaction gives an SPF check to go on.
#[derive(Clone, Copy, Debug)]
pub struct SpfRequest<'a> {
    /// The client. An IPv4-mapped IPv6 address counts as IPv4 (RFC 7208 §5).
    pub client: IpAddr,
    /// The argument of HELO or EHLO, as sent.
    pub helo: &'a [u8],
    /// The reverse-path.
    pub mail_from: &'a ReversePath,
    /// Our own name for `%{r}` in explanations; empty for `unknown`.
    pub receiver: &'a str,
    /// The time for `%{t}` in explanations, in Unix seconds.
    pub now: u64,
    /// Whether to ask for the owner's explanation of a fail: one more TXT question, and
    /// eleven more where it has `%{p}`. Not counted by any limit of RFC 7208.
    pub fetch_explanation: bool,
}

/// Checks the MAIL FROM identity, the only one that DMARC uses. With a null
/// reverse-path that is `postmaster@HELO` (RFC 7208 §2.4).
///
/// Asks at most one TXT question for the domain, then those of ten terms: each at most
/// one for its target and ten for hosts found there.
pub async fn check_mail_from(lookup: &impl Lookup, request: &SpfRequest<'_>) -> SpfOutcome {
    let from_helo = request.mail_from.is_null();
    let identity = Identity {
        scope: Scope::MailFrom,
        from_helo,
        local_part: request.mail_from.local_part().unwrap_or(POSTMASTER),
        domain: if from_helo {
            request.helo
        } else {
            request.mail_from.domain_octets()
        },
    };
    check::run(lookup, request, &identity).await
}

/// Checks the HELO identity on its own (RFC 7208 §2.3), with the same limits as
/// [`check_mail_from`].
pub async fn check_helo(lookup: &impl Lookup, request: &SpfRequest<'_>) -> SpfOutcome {
    let identity = Identity {
        scope: Scope::Helo,
        from_helo: false,
        local_part: POSTMASTER,
        domain: request.helo,
    };
    check::run(lookup, request, &identity).await
}

/// The identity that is checked.
struct Identity<'a> {
    scope: Scope,
    from_helo: bool,
    local_part: &'a [u8],
    domain: &'a [u8],
}

impl Identity<'_> {
    /// The domain to check, or why there is none (RFC 7208 §4.3).
    fn usable_domain(&self) -> Result<DomainName, String> {
        let is_helo = self.from_helo || self.scope == Scope::Helo;
        let what = if is_helo {
            "HELO"
        } else {
            "the domain of MAIL FROM"
        };
        // What it is comes last, to be left out where no foreign text may stand.
        let unusable =
            |why: &dyn fmt::Display| format!("{what} is unusable: {why}: `{}`", record::quoted(self.domain));
        // RFC 8616 §4: the argument of EHLO is in A-labels, so U-labels are no name there.
        if is_helo && !self.domain.is_ascii() {
            return Err(unusable(&"it is not ASCII"));
        }
        let name = DomainName::from_bytes(self.domain).map_err(|error| unusable(&error))?;
        if name.label_count() < 2 {
            return Err(unusable(&"a single label is not a fully qualified name"));
        }
        Ok(name)
    }
}

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

landmarc_mail::display_as_str!(SpfResult);

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
    /// The directive that decided, as written, such as `ip4:192.0.2.0/24` or `-all`. Where
    /// it stands in another record, the terms that led there are in front of it:
    /// `include:x.example ip4:192.0.2.0/24`. Escaped, and long terms cut.
    pub mechanism: Option<String>,
    /// The owner's explanation of a fail (third-party text, ASCII), when it was asked for.
    pub explanation: Option<String>,
    /// For temperror and permerror (and none): what is wrong and where, in words.
    pub problem: Option<String>,
    /// Terms that count toward the limit of ten (RFC 7208 §4.6.4), the one too many included.
    pub lookup_terms: usize,
    /// Terms whose questions found nothing (RFC 7208 §4.6.4), the one too many included.
    pub void_lookups: usize,
    /// Every record read and term evaluated, in order; the first [`limits::MAX_STEPS`] of
    /// them and a note where there are more.
    pub steps: Vec<SpfStep>,
    /// The names asked about that show the local part of the sender. The texts above and the steps
    /// print without it, but for the owner's explanation.
    pub redacted_names: RedactedNames,
}

impl SpfOutcome {
    /// A result without a check.
    #[must_use]
    pub fn unchecked(result: SpfResult, scope: Scope, domain: Option<DomainName>, from_helo: bool) -> Self {
        Self {
            result,
            domain,
            scope,
            from_helo,
            mechanism: None,
            explanation: None,
            problem: None,
            lookup_terms: 0,
            void_lookups: 0,
            steps: Vec::new(),
            redacted_names: RedactedNames::default(),
        }
    }
}
