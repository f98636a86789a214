//! Why a report is not read.

use crate::archive::ArchiveError;

/// Why some octets are not taken for an aggregate report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportRefused {
    /// They cannot be unpacked, or hold no XML.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// There is no element `feedback` in it.
    #[error("no aggregate report: there is no element `feedback`")]
    NoFeedback,
    /// It has a document type declaration, which no report needs and bombs are made of.
    #[error("the document has a DOCTYPE: entities are not read")]
    Doctype,
    /// Deeper than [`ReadLimits::depth`](super::ReadLimits::depth).
    #[error("elements lie in each other more than {limit} deep")]
    Depth {
        /// How deep they may.
        limit: usize,
    },
    /// More than [`ReadLimits::rows`](super::ReadLimits::rows).
    #[error("the report has more than {limit} records")]
    Rows {
        /// How many it may have.
        limit: u64,
    },
    /// Longer than [`ReadLimits::token_octets`](super::ReadLimits::token_octets).
    #[error("a tag, text or comment has more than {limit} octets")]
    Token {
        /// How long it may be.
        limit: usize,
    },
    /// More than [`ReadLimits::attributes`](super::ReadLimits::attributes).
    #[error("an element has more than {limit} attributes")]
    Attributes {
        /// How many it may have.
        limit: usize,
    },
    /// More than [`MAX_REPAIRS`](super::MAX_REPAIRS).
    #[error("more than {limit} elements have no end, or no beginning")]
    Repairs {
        /// How many are put right.
        limit: usize,
    },
    /// The document breaks off before the first record is whole.
    #[error("the document breaks off before its first record: {why}")]
    Broken {
        /// What is there, or what the XML reader says.
        why: String,
    },
    /// Without a period nothing can be counted.
    #[error("the report has no usable period: begin is \"{begin}\", end is \"{end}\"")]
    NoPeriod {
        /// What is there, escaped and cut.
        begin: String,
        /// What is there, escaped and cut.
        end: String,
    },
    /// Nobody knows what it is about.
    #[error("the report does not say which domain it is about")]
    NoPolicyDomain,
}

impl ReportRefused {
    /// What can be done about it, where something can.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Archive(error) => error.remedy(),
            Self::Depth { .. } | Self::Rows { .. } | Self::Token { .. } | Self::Attributes { .. } => {
                Some("where the sender is to be trusted, read the file with higher limits")
            }
            Self::Broken { .. } => Some("ask the sender for the report again: it arrived incomplete"),
            Self::NoFeedback
            | Self::Doctype
            | Self::Repairs { .. }
            | Self::NoPeriod { .. }
            | Self::NoPolicyDomain => None,
        }
    }
}
