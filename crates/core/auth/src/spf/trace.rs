//! The steps of a check as values, and the one place that prints them.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::SpfResult;
use super::limits::{
    MAX_ANSWER_RECORDS, MAX_EXPLANATION_OCTETS, MAX_LOOKUP_TERMS, MAX_MX_HOSTS, MAX_STEPS, MAX_VOID_LOOKUPS,
};
use super::macros::{MacroError, Unusable};
use super::record::SpfRecordError;
use super::redacted::SpfName;
use crate::lookup::{LookupError, RecordType};

/// One step of an SPF check: a record read or a term evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpfStep {
    /// How many includes and redirects deep.
    pub depth: usize,
    /// The domain whose record this is.
    pub domain: SpfName,
    /// What is read or evaluated.
    pub term: SpfTerm,
    /// The outcome.
    pub outcome: StepOutcome,
}

/// What a step reads or evaluates, as text: escaped, and cut when long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpfTerm {
    /// TXT records without an SPF record.
    Txt,
    /// The whole SPF record.
    Record(Arc<str>),
    /// A directive or modifier as written.
    Written(Arc<str>),
}

impl fmt::Display for SpfTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Txt => "TXT",
            Self::Record(text) | Self::Written(text) => text,
        })
    }
}

/// The outcome of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    /// The domain has this record.
    IsRead,
    /// The domain has no record.
    NoRecord(NoRecord),
    /// The directive decides.
    Matches(Match),
    /// The next term is evaluated.
    NoMatch(Mismatch),
    /// A `redirect` leads to this domain.
    GoesOnAt(SpfName),
    /// An `exp` leads to this text.
    Explains {
        /// Printable ASCII, written by the owner.
        text: String,
        /// Whether the local part of the sender is in it, so that it is not printed.
        names_sender: bool,
    },
    /// An `exp` leads to no text.
    ExplainsNothing(ExplanationError),
    /// The check ends without a result of the record.
    Ends(SpfProblem),
    /// Stands for all steps after the first [`MAX_STEPS`].
    LeftOut,
}

impl fmt::Display for StepOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IsRead => f.write_str("is read"),
            Self::NoRecord(why) => write!(f, "{why}"),
            Self::Matches(how) => write!(f, "matches{how}"),
            Self::NoMatch(why) => write!(f, "no match{why}"),
            Self::GoesOnAt(name) => write!(f, "goes on at {name}"),
            Self::Explains {
                names_sender: true, ..
            } => f.write_str("explains, in a text that names the sender"),
            Self::Explains { text, .. } => write!(f, "explains: {text}"),
            Self::ExplainsNothing(why) => write!(f, "explains nothing: {why}"),
            Self::Ends(problem) => write!(f, "{}: {problem}", problem.result()),
            Self::LeftOut => write!(f, "the steps after the first {MAX_STEPS} are not kept"),
        }
    }
}

/// How a mechanism matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// `all`.
    Always,
    /// The client is in the network.
    InNetwork(IpAddr),
    /// A host has this address.
    Address(SpfName, IpAddr),
    /// The name has an A record.
    Exists(SpfName),
    /// The client has this validated name.
    ClientName(SpfName),
    /// An included record passes, by the directives that led there.
    Through(String),
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => Ok(()),
            Self::InNetwork(client) => write!(f, ": {client} is in it"),
            Self::Address(host, address) => write!(f, ": {host} has {address}"),
            Self::Exists(name) => write!(f, ": {name} has an A record"),
            Self::ClientName(name) => write!(f, ": the client is {name}"),
            Self::Through(by) => write!(f, " through `{by}`"),
        }
    }
}

/// Why a term does not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The client is not in the network.
    OtherNetwork,
    /// The target is no name.
    Unusable(Unusable),
    /// The name has no record of this type.
    NoRecord(SpfName, RecordType),
    /// No host has an address in the network of the client.
    OtherAddresses(Vec<HostAddresses>),
    /// The client has no validated name at or below this one.
    ClientName(SpfName),
    /// An included record does not pass: its result, and the directives that led there if one matched.
    Included(SpfResult, Option<String>),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherNetwork => Ok(()),
            Self::Unusable(why) => write!(f, ": {why}"),
            Self::NoRecord(name, record_type) => write!(f, ": {name} has no {record_type} record"),
            Self::OtherAddresses(hosts) if hosts.is_empty() => f.write_str(": there is no host to ask about"),
            Self::OtherAddresses(hosts) => {
                let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
                write!(f, ": {}", hosts.join("; "))
            }
            Self::ClientName(target) => {
                write!(f, ": the client has no validated name at or below {target}")
            }
            Self::Included(result, None) => write!(f, ": it comes to {result}"),
            Self::Included(result, Some(by)) => write!(f, ": it comes to {result} by `{by}`"),
        }
    }
}

/// The addresses of a host that are not the client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostAddresses {
    /// The host.
    pub host: SpfName,
    /// The type that was asked for.
    pub record_type: RecordType,
    /// The first of them.
    pub addresses: Vec<IpAddr>,
    /// Whether there are more.
    pub has_more: bool,
}

impl fmt::Display for HostAddresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
        match (addresses.is_empty(), self.has_more) {
            (true, _) => write!(f, "{} has no {} record", self.host, self.record_type),
            (false, false) => write!(f, "{} has {}", self.host, addresses.join(", ")),
            (false, true) => write!(f, "{} has {} and more", self.host, addresses.join(", ")),
        }
    }
}

/// Why a domain has no SPF record: *none*.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRecord {
    /// RFC 7208 §4.3: not a multi-label name.
    #[error("{0} is a single label")]
    SingleLabel(SpfName),
    /// NXDOMAIN.
    #[error("{0} does not exist")]
    NxDomain(SpfName),
    /// RFC 7208 §4.5.
    #[error("{0} has no SPF record")]
    Absent(SpfName),
}

/// What ends a check without a result of a record (RFC 7208 §2.6.6, §2.6.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpfProblem {
    /// The term in whose evaluation it occurred, and the domain of its record; none for a record
    /// itself.
    pub term: Option<(SpfName, Arc<str>)>,
    /// The problem.
    pub cause: ProblemCause,
}

impl SpfProblem {
    /// *temperror* or *permerror*.
    #[must_use]
    pub fn result(&self) -> SpfResult {
        match self.cause {
            ProblemCause::Unanswered { .. } => SpfResult::TempError,
            _ => SpfResult::PermError,
        }
    }
}

impl From<ProblemCause> for SpfProblem {
    /// A problem of a record itself.
    fn from(cause: ProblemCause) -> Self {
        Self { term: None, cause }
    }
}

impl fmt::Display for SpfProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((domain, term)) = &self.term {
            write!(f, "{domain}: `{term}`: ")?;
        }
        write!(f, "{}", self.cause)
    }
}

/// The causes of *temperror* and *permerror*.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProblemCause {
    /// RFC 7208 §4.4: any response code but 0 and 3, or a timeout. The only *temperror*.
    #[error("{name} {record_type}: {error}")]
    Unanswered {
        /// The name asked about.
        name: SpfName,
        /// The type asked for.
        record_type: RecordType,
        /// Why there is no answer.
        error: LookupError,
    },
    /// Over [`MAX_ANSWER_RECORDS`].
    #[error("{0} {1}: the answer has more than {MAX_ANSWER_RECORDS} records")]
    LargeAnswer(SpfName, RecordType),
    /// The record of this domain cannot be read.
    #[error("{0}: {1}")]
    Record(SpfName, SpfRecordError),
    /// RFC 7208 §4.5.
    #[error("{0} has more than one SPF record")]
    SeveralRecords(SpfName),
    /// An `include` or `redirect` leads to no record (RFC 7208 §5.2, §6.1).
    #[error(transparent)]
    NoRecord(#[from] NoRecord),
    /// An `include` or `redirect` leads to no name.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// Over [`MAX_LOOKUP_TERMS`].
    #[error("more than {MAX_LOOKUP_TERMS} terms ask DNS (RFC 7208 section 4.6.4)")]
    LookupTerms,
    /// Over [`MAX_VOID_LOOKUPS`].
    #[error("more than {MAX_VOID_LOOKUPS} terms ask for what is not there (RFC 7208 section 4.6.4)")]
    VoidLookups,
    /// Over [`MAX_MX_HOSTS`].
    #[error("{0} has more than {MAX_MX_HOSTS} MX records")]
    MxHosts(SpfName),
}

/// Why an `exp` modifier leads to no text that is fit to be shown (RFC 7208 §6.2).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExplanationError {
    /// The validated name of the client cannot be had.
    #[error("{result}: {0}", result = .0.result())]
    ClientName(SpfProblem),
    /// A macro cannot be expanded.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// The question for the text has no answer.
    #[error("{0} TXT: {1}")]
    Unanswered(SpfName, LookupError),
    /// The name has no text.
    #[error("{0} TXT: there is no TXT record")]
    Absent(SpfName),
    /// The name has several texts.
    #[error("{0} TXT: there is more than one TXT record")]
    SeveralRecords(SpfName),
    /// The text is no macro string.
    #[error("{0} TXT: {1}")]
    Syntax(SpfName, MacroError),
    /// Over [`MAX_EXPLANATION_OCTETS`].
    #[error("it has more than {MAX_EXPLANATION_OCTETS} octets")]
    TooLong,
    /// The text expands to nothing.
    #[error("it is empty")]
    Empty,
    /// Macros bring in what the sender wrote, line ends too.
    #[error("it is not printable ASCII")]
    NotPrintable,
}

/// The steps of one check in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Trace {
    steps: Vec<SpfStep>,
}

/// A step without its outcome.
#[derive(Clone, Copy)]
#[must_use]
pub(super) struct OpenStep(usize);

impl Trace {
    /// Begins a step: what it causes comes after it.
    pub(super) fn open(&mut self, depth: usize, domain: &SpfName, term: SpfTerm) -> OpenStep {
        let at = self.steps.len();
        if at <= MAX_STEPS {
            let is_left_out = at == MAX_STEPS;
            self.steps.push(SpfStep {
                depth,
                domain: domain.clone(),
                term: if is_left_out {
                    SpfTerm::Written(Arc::default())
                } else {
                    term
                },
                outcome: StepOutcome::LeftOut,
            });
        }
        OpenStep(at)
    }

    /// Ends a step.
    pub(super) fn close(&mut self, step: OpenStep, outcome: StepOutcome) {
        if let Some(open) = self.steps.get_mut(step.0).filter(|_| step.0 < MAX_STEPS) {
            open.outcome = outcome;
        }
    }

    /// All steps.
    pub(super) fn into_steps(self) -> Vec<SpfStep> {
        self.steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookup::DnsName;

    #[test]
    fn a_thousand_steps_are_kept_and_a_note_after_them() {
        let mut trace = Trace::default();
        let root = SpfName::new(DnsName::root(), None);
        for _ in 0..MAX_STEPS + 5 {
            let step = trace.open(0, &root, SpfTerm::Txt);
            trace.close(step, StepOutcome::IsRead);
        }
        let steps = trace.into_steps();
        assert_eq!(steps.len(), MAX_STEPS + 1);
        assert_eq!(steps[MAX_STEPS - 1].outcome, StepOutcome::IsRead);
        assert_eq!(steps[MAX_STEPS].outcome, StepOutcome::LeftOut);
        assert_eq!(steps[MAX_STEPS].term.to_string(), "");
    }
}
