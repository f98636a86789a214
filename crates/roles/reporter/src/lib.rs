//! Reports to Domain Owners: made, sent, and expired in time.
//!
//! Knows three steps, each of which can be cut off at any moment and goes on where it was: *make* the reports
//! of a closed day, *send* the messages that are due, *expire* what is old. The service does them on the
//! clock; `landmarc outbox send` does them at once. They meet in the store alone, where leases see to it
//! that each message is sent by one of them.
//!
//! Does not know how a report is written (`report`), how a message reaches a relay (`delivery`), or how mail is judged:
//! all that a report says is in the store.
//!
//! Not implemented: other ways than mail, of which RFC 9990 defines none; corrections of a report that was sent, for no
//! RFC has them.

mod addressees;
mod assemble;
mod attempt;
mod clock;
mod context;
mod convert;
mod day_lease;
mod days;
mod failure;
mod hasten;
mod hidden;
mod mail_draft;
mod mailer;
mod metrics;
mod new_report;
mod outcome;
mod pace;
mod relay;
mod send;
mod service;
mod settings;
mod settled;
mod shared;
mod split;
mod trouble;
mod turns;

pub use addressees::{Addressees, address_of};
pub use assemble::{Assembly, DayRequest, Selection, SettledSource, Settlement};
pub use attempt::strikes;
pub use clock::RunClock;
pub use context::{ReportSetup, ReporterContext};
pub use days::{DayMade, days_due, release_of_gone};
pub use hasten::hasten;
pub use mail_draft::{Facts, MailDraft};
pub use mailer::{Mailer, SECRET, return_path};
pub use metrics::ReporterMetrics;
pub use send::{LAST_MESSAGES, Orders, SendCounts, last_moment, send};
pub use service::start;
pub use settings::ReportSettings;
pub use settled::{MadeReports, SettledDay, SettledDomain, days_done};
pub use shared::SharedOutbox;
pub use turns::{Progress, Turns, make_and_send};

#[cfg(test)]
mod tests;
