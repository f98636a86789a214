//! The few DNS questions mail asks, and the shapes of an answer.
//!
//! "There is nothing", "there is no such name" and "nobody answered" are three
//! things (RFC 9989 §4.10.1, RFC 7208 §4.4); most wrong verdicts of this field come
//! from taking one for another.

mod ledger;
mod question;
mod zones;

use std::future::Future;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

pub use ledger::{AskedQuestion, Ledger, QUESTIONS_PER_MESSAGE};
pub use question::{DnsName, Question, RecordType};
pub use zones::{Fault, ZoneData, Zones};

/// Answers DNS questions. An implementation follows aliases, bounds the time one
/// answer may take, and caches as it likes.
pub trait Lookup: Send + Sync {
    /// Asks one question.
    fn ask(&self, question: &Question) -> impl Future<Output = Answer> + Send;
}

impl<L: Lookup> Lookup for &L {
    async fn ask(&self, question: &Question) -> Answer {
        (**self).ask(question).await
    }
}

impl<L: Lookup> Lookup for Arc<L> {
    async fn ask(&self, question: &Question) -> Answer {
        (**self).ask(question).await
    }
}

/// What DNS said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// At least one record of the type asked for, in the order of the answer.
    Records(Arc<[DnsRecord]>),
    /// The name exists and has no record of this type.
    NoData,
    /// NXDOMAIN.
    NxDomain(Missing),
    /// Nobody answered, or not so that it can be used.
    Failed(LookupError),
}

impl Answer {
    /// Records, or [`Answer::NoData`] where there are none.
    #[must_use]
    pub fn from_records(records: Vec<DnsRecord>) -> Self {
        if records.is_empty() {
            Self::NoData
        } else {
            Self::Records(records.into())
        }
    }

    /// The records, none unless there are some.
    #[must_use]
    pub fn records(&self) -> &[DnsRecord] {
        match self {
            Self::Records(records) => records,
            Self::NoData | Self::NxDomain(_) | Self::Failed(_) => &[],
        }
    }

    /// Why nobody answered, if so.
    #[must_use]
    pub fn failure(&self) -> Option<LookupError> {
        match self {
            Self::Failed(error) => Some(*error),
            Self::Records(_) | Self::NoData | Self::NxDomain(_) => None,
        }
    }

    /// The texts of TXT records, character-strings joined.
    pub fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.records().iter().filter_map(|record| match record {
            DnsRecord::Txt(text) => Some(&**text),
            _ => None,
        })
    }
}

/// What it is that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The name asked about.
    Name,
    /// The target of an alias: the name itself owns a CNAME record, so it exists
    /// (RFC 9989 §3.2.13; RFC 6604 gives the response code of the target).
    AliasTarget,
}

/// Why a question has no answer. All of these may heal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum LookupError {
    /// No server answered in time.
    #[error("no name server answered in time")]
    Timeout,
    /// SERVFAIL, which is also what a validating resolver says of forged answers.
    #[error("the name server failed (SERVFAIL)")]
    ServFail,
    /// REFUSED.
    #[error("the name server refused the question (REFUSED)")]
    Refused,
    /// An answer that cannot be read, or another response code.
    #[error("the answer of the name server cannot be used")]
    BadAnswer,
    /// No server could be reached at all.
    #[error("no name server could be reached")]
    Unreachable,
    /// This message asked its share of questions, or used up its time.
    #[error("the limit of DNS questions or time for one message is reached")]
    Budget,
    /// More queries were wanted than may be under way here, and this one was not made, or ended
    /// before its time.
    #[error("this server has too many DNS queries under way")]
    Overload,
}

impl LookupError {
    /// Whether it is a limit of ours, and says nothing about the name or its servers.
    #[must_use]
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Budget | Self::Overload)
    }
}

/// What a query is for. Queries for one purpose do not delay those for another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Purpose {
    /// DMARC policies, and whether an Author Domain exists.
    Policy,
    /// SPF.
    Spf,
    /// Keys of DKIM signatures and ARC sets.
    Keys,
    /// Anything else: report destinations, questions of the operator.
    #[default]
    Other,
}

/// One record, as far as mail reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsRecord {
    /// The character-strings of one TXT record, joined without a blank.
    Txt(Box<[u8]>),
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// A mail exchange; the root name stands for "no mail" (RFC 7505).
    Mx {
        /// Lower is preferred.
        preference: u16,
        /// The host.
        exchange: DnsName,
    },
    /// A name for an address.
    Ptr(DnsName),
}

/// Whether a name exists (RFC 9989 §3.2.13): it does unless DNS says NXDOMAIN of
/// the name itself. One question of type A.
pub async fn existence(lookup: &impl Lookup, name: &DnsName) -> Existence {
    match lookup.ask(&Question::new(name.clone(), RecordType::A)).await {
        Answer::NxDomain(Missing::Name) => Existence::NxDomain,
        Answer::Failed(error) => Existence::Unknown(error),
        Answer::Records(_) | Answer::NoData | Answer::NxDomain(Missing::AliasTarget) => Existence::Exists,
    }
}

/// Whether a name exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existence {
    /// Records, or a name above records, or an alias.
    Exists,
    /// NXDOMAIN.
    NxDomain,
    /// The question failed.
    Unknown(LookupError),
}
