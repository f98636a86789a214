//! Where a received failure report is not what the RFCs say.

use std::fmt;

use landmarc_mail::text::excerpt;

use crate::archive::MAX_QUOTE;

/// One thing that is not as it should be, and was read all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureDeviation {
    /// What it is.
    pub kind: FailureDeviationKind,
    /// What stands there, escaped and cut short; empty where something is missing.
    pub quote: String,
}

impl FailureDeviation {
    pub(crate) fn new(kind: FailureDeviationKind, found: &str) -> Self {
        Self {
            kind,
            quote: excerpt(found, MAX_QUOTE),
        }
    }

    pub(crate) fn missing(kind: FailureDeviationKind) -> Self {
        Self::new(kind, "")
    }
}

impl fmt::Display for FailureDeviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.quote.as_str() {
            "" => write!(f, "{}", self.kind.in_words()),
            quote => write!(f, "{}: \"{}\"", self.kind.in_words(), quote.replace('"', "\\\"")),
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $words:literal;)+) => {
        /// What can be wrong with a failure report.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FailureDeviationKind {
            $($(#[$doc])* $variant,)+
        }

        impl FailureDeviationKind {
            /// A word for it, which stays the same.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            fn in_words(self) -> &'static str {
                match self {
                    $(Self::$variant => $words,)+
                }
            }
        }
    };
}

kinds! {
    /// It is over [`MAX_MAIL_OCTETS`](super::MAX_MAIL_OCTETS).
    Cut = "cut", "the mail is too large, and only its beginning was read";
    /// It is a text for people.
    TextOnly = "text_only", "the report is a text, not message/feedback-report";
    /// RFC 5965 §2 (a).
    NotMultipartReport = "not_multipart_report", "the mail is not multipart/report";
    /// RFC 5965 §2 (d): "7bit".
    TransferEncoding = "transfer_encoding", "message/feedback-report is encoded";
    /// RFC 5965 §2 (e).
    NoOriginal = "no_original", "the third part, with the original message, is missing";
    /// RFC 5965 §3.1.
    NoFeedbackType = "no_feedback_type", "Feedback-Type is missing";
    /// RFC 5965 §3.1.
    NoUserAgent = "no_user_agent", "User-Agent is missing";
    /// RFC 5965 §3.1: `1`.
    Version = "version", "Version is missing or not 1";
    /// RFC 6591 §3.1.
    NoAuthFailure = "no_auth_failure", "Auth-Failure is missing; dmarc is assumed";
    /// RFC 6591 §3.3, RFC 9991 §4.
    AuthFailure = "auth_failure", "Auth-Failure has a value that is not registered";
    /// RFC 6591 §3.1.
    NoAuthenticationResults = "no_authentication_results", "Authentication-Results is missing";
    /// RFC 8601 §2.2.
    AuthenticationResults = "authentication_results", "Authentication-Results does not begin with an authserv-id";
    /// RFC 9991 §4.
    NoIdentityAlignment = "no_identity_alignment", "Identity-Alignment is missing";
    /// RFC 9991 §4.
    IdentityAlignment = "identity_alignment", "Identity-Alignment has values it may not have";
    /// RFC 5965 §3.2.
    TwoDates = "two_dates", "Arrival-Date and Received-Date are both there";
    /// RFC 5322 §3.3.
    Date = "date", "the date cannot be read";
    /// RFC 6591 §3.1.
    NoReportedDomain = "no_reported_domain", "Reported-Domain is missing; that of the original From is taken";
    /// RFC 5965 §3.3.
    ReportedDomain = "reported_domain", "Reported-Domain is no domain name";
    /// RFC 6591 §3.2.2.
    DeliveryResult = "delivery_result", "Delivery-Result has a value that is not registered; other is taken";
    /// RFC 5965 §3.2.
    Incidents = "incidents", "Incidents is no number of messages";
    /// RFC 5965 §3.2: an address and nothing else.
    SourceIp = "source_ip", "Source-IP is not simply an address";
    /// RFC 6692.
    SourcePort = "source_port", "Source-Port is no port";
    /// RFC 6591 §3.2.4.
    SpfDns = "spf_dns", "SPF-DNS is not a type, a name and a record";
    /// RFC 5965 §3.
    NotAField = "not_a_field", "a line is no field";
    /// RFC 5965 §3.1, §3.2: at most once. The first one counts.
    Repeated = "repeated", "a field is there more than once";
    /// More than [`MAX_FIELDS`](super::MAX_FIELDS).
    TooManyFields = "too_many_fields", "there are too many fields, and the rest was not read";
}
