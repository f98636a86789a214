//! The filter protocol of OpenSMTPD, smtpd-filters(7), on standard input and output.
//!
//! smtpd starts a filter once and tells it of all sessions, line by line ([`mod@line`]). A message is
//! kept back, in memory or in a nameless file ([`BufferedMessage`]), until it is complete; then it is judged elsewhere
//! ([`Judge`]): by the running service, over its check API ([`CheckApiClient`]), so that there is one that judges and
//! writes down. Only then its lines go back, with the edits made on them, and smtpd asks whether to take the
//! message.
//!
//! Deliberately without: `junk` as an answer, which comes too late at that point; its mark is added instead.
//! Holding a message, for smtpd has no place for it. Sessions going out (`smtp-out`).

mod edits;
mod filter;
mod held;
pub mod line;
mod service;
mod session;

pub use filter::{Judge, MAX_LINE_OCTETS, MAX_SESSIONS, NoRuling, OpenSmtpdOptions, Ruling, Unjudged, run};
pub use held::{BufferedLines, BufferedMessage};
pub use service::CheckApiClient;
pub use session::{MAX_RECIPIENTS, MAX_WORD_OCTETS};
