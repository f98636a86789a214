//! The interfaces beside the milter: HTTP, the protocols of rspamd, a line socket for Exim, the filter
//! protocol of OpenSMTPD.
//!
//! Each is translated into the calls of [`landmarc_milter::Session`], and so ends in the same code: what is judged,
//! recorded, limited and refused does not depend on the interface a message came by. What an interface was told of
//! the envelope is a [`Caller`]; a [`Drive`] takes the message in pieces, as they come; an [`MessageAnswer`] says
//! what is to be done, and its [`Findings`] why, in plain words ([`words`]).
//!
//! Uses the words of the core for what was found, and knows nothing of how it was: of judging, settings and records. A
//! message is never whole in memory.
//!
//! Not implemented: HTTP/2, TLS, and messages that come compressed or encrypted, which nothing on one host needs;
//! what an interface has no words for: neither Exim nor OpenSMTPD adds a recipient for us.

pub mod answer;
pub mod caller;
pub mod drive;
pub mod findings;
pub mod http;
pub mod incoming;
mod lines;
pub mod opensmtpd;
pub mod readsocket;
pub mod recipients;
pub mod words;

#[cfg(test)]
mod scripted;

pub use answer::{Added, MessageAnswer, MessageOutcome, Removed};
pub use caller::{Caller, Interface};
pub use drive::{Drive, DriveError, DriveLimits, Powers};
pub use findings::{ActionWord, DkimFinding, Findings, Judged, SpfFinding};
