//! What comes of a URI, and how it is told to an operator.

use std::fmt;

use landmarc_auth::lookup::LookupError;
use landmarc_mail::DomainName;

use super::{MAX_HOSTS, MAX_URIS};
use crate::address::Address;

/// Whether reports go to a destination. In words by `Display`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DestinationVerdict {
    /// They do: it is in the Organizational Domain of the policy.
    Internal,
    /// They do: DNS has a record for it.
    Authorised {
        /// The name of the record.
        by: String,
    },
    /// They do: the record that authorises the URI names this address in its place.
    Replaced {
        /// The name of the record.
        by: String,
    },
    /// They do not.
    Refused(DestinationRefusal),
    /// Not now: whether they may is not known. To be asked again as long as the report is kept (XD14).
    Unanswered {
        /// The name that was asked about; none when there was no question yet.
        about: Option<String>,
        /// Why there was no answer.
        error: LookupError,
    },
}

/// Why no report goes to a URI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DestinationRefusal {
    /// No URI, or a `mailto` that is not exactly one ASCII address.
    #[error("no usable address: it is no URI, or not exactly one ASCII mail address")]
    Unusable,
    /// Another scheme than `mailto`.
    #[error("reports go by mail only, not by {scheme}")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// Over the limit of the settings.
    #[error("over the limit of {limit} destinations of one record")]
    TooManyDestinations {
        /// The limit.
        limit: usize,
    },
    /// Over the limits of the day.
    #[error("over the limit of destinations of one Organizational Domain and day")]
    OverAllotment,
    /// Over [`MAX_HOSTS`].
    #[error("over the limit of {MAX_HOSTS} hosts of one record")]
    TooManyHosts,
    /// Over [`MAX_URIS`].
    #[error(
        "over the limit of {MAX_URIS} URIs of one record: this and what follows it, {count} in all, is not read"
    )]
    NotRead {
        /// How many.
        count: usize,
    },
    /// Named twice, directly or through an override.
    #[error("the same as {of}")]
    Duplicate {
        /// The address that gets the report.
        of: Address,
    },
    /// It did not say that it takes reports about the policy domain.
    #[error("not authorised: there is no DMARC record at {by}")]
    NotAuthorised {
        /// The name of the record that is not there.
        by: String,
    },
    /// The name to ask at is none.
    #[error("not authorised: the name to ask at would be longer than DNS allows")]
    NameTooLong,
    /// The authorising record names an address at another host.
    #[error("{by} names an address at another host, {host}, in place of this one, and that is not allowed")]
    OverrideElsewhere {
        /// The name of the record.
        by: String,
        /// The other host.
        host: DomainName,
    },
    /// The authorising record names something else in place of the URI, and that is no address.
    #[error("{by} names no usable address in place of this one")]
    OverrideUnusable {
        /// The name of the record.
        by: String,
    },
}

impl DestinationVerdict {
    /// Whether a report may be sent.
    #[must_use]
    pub fn may_send(&self) -> bool {
        matches!(
            self,
            Self::Internal | Self::Authorised { .. } | Self::Replaced { .. }
        )
    }

    /// Whether there will never be a report, as far as this record goes.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// Whether it has to be asked again.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        matches!(self, Self::Unanswered { .. })
    }
}

impl fmt::Display for DestinationVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Internal => f.write_str("internal: in the Organizational Domain of the policy"),
            Self::Authorised { by } => write!(f, "authorised by {by}"),
            Self::Replaced { by } => write!(f, "authorised and named by {by}"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Unanswered { about: None, .. } => f.write_str("not verified yet"),
            Self::Unanswered {
                about: Some(about),
                error,
            } => write!(f, "not verified yet: {about}: {error}"),
        }
    }
}
