//! Report mail as plain values: what is handed over to be sent, and what is told of it.
//!
//! The store knows words and octets only. How a report is written, what its message looks like and
//! when it is tried again is decided by its callers.

use std::fmt;

use super::Day;

/// The number of a report in the store. It is never given out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReportNumber(pub u64);

/// The number of a delivery: one report to one destination. It is never given out again, so that a
/// bounce which names it can only mean this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryNumber(pub u64);

impl fmt::Display for ReportNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for DeliveryNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What kind of report it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReportKind {
    /// RFC 9990.
    Aggregate,
    /// RFC 9991.
    Failure,
}

impl ReportKind {
    /// The word that stands for it in the database, in lists and in logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Aggregate => "aggregate",
            Self::Failure => "failure",
        }
    }

    /// The kind with this word.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Aggregate, Self::Failure]
            .into_iter()
            .find(|kind| kind.word() == word)
    }
}

/// How far a delivery is (decision D17).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// It was not tried yet.
    Queued,
    /// It was tried, and is going to be tried again.
    Deferred,
    /// The destination, or who relays to it, has taken it over.
    Delivered,
    /// It will not be tried again; the reason says why.
    GivenUp,
}

impl DeliveryState {
    /// All of them, in the order of a delivery's life.
    pub const ALL: [Self; 4] = [Self::Queued, Self::Deferred, Self::Delivered, Self::GivenUp];

    /// The word that stands for it in the database, in lists and in logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Deferred => "deferred",
            Self::Delivered => "delivered",
            Self::GivenUp => "given_up",
        }
    }

    /// The state with this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// Whether nothing more is done about it.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Delivered | Self::GivenUp)
    }
}

/// A report that was rendered, and whom it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReport {
    /// Its kind.
    pub kind: ReportKind,
    /// The Report-ID, derived from what is reported, so that making the report again repeats it. At most
    /// [`MAX_WORD`](crate::MAX_WORD) octets, as all words here.
    pub report_id: String,
    /// The DMARC Policy Domain: whom it is about.
    pub policy_domain: String,
    /// The UTC day it belongs to.
    pub day: Day,
    /// The begin of its period, in seconds since the epoch (RFC 9990 §3.1.1.2).
    pub begin_s: u64,
    /// The last second of its period.
    pub end_s: u64,
    /// A word that tells the policy configurations of one day apart.
    pub configuration: String,
    /// Its part of what this configuration has to say, from 1.
    pub part: u32,
    /// The file name of the attachment, at most [`MAX_TEXT`](crate::MAX_TEXT) octets.
    pub file_name: String,
    /// The domain that submits it.
    pub submitter: String,
    /// The address it comes from.
    pub email: String,
    /// Who sends it, at most [`MAX_TEXT`](crate::MAX_TEXT) octets.
    pub organization: String,
    /// Whatever else makes the same message again, in the caller's own words, at most [`MAX_FACTS`](crate::MAX_FACTS) octets.
    pub facts: String,
    /// The date of its messages, in milliseconds since the epoch.
    pub date_ms: u64,
    /// Rows in it.
    pub rows: u64,
    /// Messages that they count.
    pub messages: u64,
    /// What is attached, as it is sent; at most [`MAX_BODY`](crate::MAX_BODY) octets.
    pub body: Vec<u8>,
    /// Whom it goes to: at most [`MAX_DESTINATIONS`](crate::MAX_DESTINATIONS), none twice.
    pub deliveries: Vec<NewDelivery>,
}

/// One delivery to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    /// The address, without `mailto:`; at most [`MAX_DESTINATION`](crate::MAX_DESTINATION) octets.
    pub destination: String,
    /// The Message-ID of the delivery, derived like the Report-ID; at most [`MAX_TEXT`](crate::MAX_TEXT) octets.
    pub message_id: String,
    /// Not to be tried before this time, in milliseconds since the epoch.
    pub next_ms: u64,
}

/// What handing over a report came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is on disk with its deliveries, under this number.
    Stored(ReportNumber),
    /// It was there before. Nothing was changed, whatever it says now.
    AlreadyThere,
}

/// A report of the store, but for its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its number.
    pub number: ReportNumber,
    /// Its kind.
    pub kind: ReportKind,
    /// The Report-ID.
    pub report_id: String,
    /// The DMARC Policy Domain: whom it is about.
    pub policy_domain: String,
    /// The UTC day it belongs to.
    pub day: Day,
    /// The begin of its period, in seconds since the epoch.
    pub begin_s: u64,
    /// The last second of its period.
    pub end_s: u64,
    /// What tells the policy configurations of one day apart.
    pub configuration: String,
    /// Its part of what this configuration has to say.
    pub part: u32,
    /// The file name of the attachment.
    pub file_name: String,
    /// The domain that submits it.
    pub submitter: String,
    /// The address it comes from.
    pub email: String,
    /// Who sends it.
    pub organization: String,
    /// Whatever else makes the same message again.
    pub facts: String,
    /// The date of its messages, in milliseconds since the epoch.
    pub date_ms: u64,
    /// Rows in it.
    pub rows: u64,
    /// Messages that they count.
    pub messages: u64,
    /// Octets of its body.
    pub size: u64,
    /// When it was stored, in milliseconds since the epoch.
    pub created_ms: u64,
    /// Whether its body is still there; without, it can be neither shown nor sent.
    pub has_body: bool,
}

/// One report to one destination, and how far that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its number.
    pub number: DeliveryNumber,
    /// What is delivered.
    pub report: Report,
    /// The address it goes to.
    pub destination: String,
    /// The Message-ID of the delivery.
    pub message_id: String,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was claimed, this time included; not counting those that were released.
    pub attempts: u32,
    /// Since when it is due, in milliseconds since the epoch: how long it may be tried counts from here.
    pub due_ms: u64,
    /// Not to be tried before this time.
    pub next_ms: u64,
    /// When it was claimed for the first time.
    pub first_ms: Option<u64>,
    /// When it was delivered or given up.
    pub ended_ms: Option<u64>,
    /// Who is sending it at this moment.
    pub lease: Option<Lease>,
    /// What was said last, in words; empty before the first attempt.
    pub reason: String,
}

/// Who sends a delivery, or does what a lease with a name stands for, and until when nobody else may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Who it is.
    pub owner: String,
    /// When it runs out, in milliseconds since the epoch.
    pub until_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_leads_back_to_what_it_stands_for() {
        for state in DeliveryState::ALL {
            assert_eq!(DeliveryState::of_word(state.word()), Some(state));
        }
        for kind in [ReportKind::Aggregate, ReportKind::Failure] {
            assert_eq!(ReportKind::of_word(kind.word()), Some(kind));
        }
        assert_eq!(
            (DeliveryState::of_word("Queued"), ReportKind::of_word("")),
            (None, None)
        );
        assert!(DeliveryState::GivenUp.is_end() && !DeliveryState::Deferred.is_end());
    }
}
