//! The way from the filter to the reporter: messages that a failure report may be made of.
//!
//! The filter offers, the reporter takes when it has the time; in between there is room for a few.
//! Mail never waits for it: what finds no room is counted and forgotten, for a failure report is a
//! sample of what goes wrong and no record of it (RFC 9991 §2 demands a limit anyway).

use landmarc_report::failure::{FailureFacts, WantedReport};
use tokio::sync::mpsc::{self, Receiver, Sender};

/// Candidates that may wait. Each holds a header section of up to 64 KiB and what was found about it,
/// so that all together stay below some ten megabytes.
pub const MAX_WAITING: usize = 64;

/// A message whose domain asks for failure reports, and may have one about it.
#[derive(Debug)]
pub struct FailureCandidate {
    /// What was found, and the header section. Holds addresses: nothing of it is stored or sent that
    /// was not redacted.
    pub facts: FailureFacts,
    /// Which reports are asked for, and where they are to go; not yet verified.
    pub wanted: WantedReport,
}

/// What the reporter takes them from.
pub type Candidates = Receiver<FailureCandidate>;

/// What the filter offers them to.
#[derive(Clone, Debug)]
pub struct FailureReportSender(Sender<FailureCandidate>);

/// What became of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// It waits for the reporter.
    Taken,
    /// There was no room, or there is no reporter any more.
    Dropped,
}

/// Both ends.
pub fn channel() -> (FailureReportSender, Candidates) {
    let (sender, receiver) = mpsc::channel(MAX_WAITING);
    (FailureReportSender(sender), receiver)
}

impl FailureReportSender {
    /// Hands it over at once, or not at all.
    pub fn offer(&self, candidate: FailureCandidate) -> Offered {
        match self.0.try_send(candidate) {
            Ok(()) => Offered::Taken,
            Err(_) => Offered::Dropped,
        }
    }
}
