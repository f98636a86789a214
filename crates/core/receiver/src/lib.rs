//! What a receiver does about a message.
//!
//! Knows local policy, evidence, actions and how to explain them. Deliberately knows
//! no milter, no SMTP and no DNS server: it is given an envelope, header fields, body
//! chunks and a [`landmarc_auth::lookup::Lookup`], and gives back a [`Judgement`].
//!
//! The rooms in the order in which a message walks through them: [`judge`] runs the mechanisms,
//! or takes from [`upstream`] what filters ahead of us found; [`evidence`] collects what else is
//! known, [`action`] decides unless a rule of the [`operator`] does, [`results`] writes the
//! Authentication-Results field, [`story`] explains.
//! [`report_traffic`] knows mail that is itself about reports.

pub mod action;
pub mod evidence;
mod head;
pub mod judge;
pub mod ledgers;
pub mod operator;
pub mod policy;
mod reply;
pub mod report_traffic;
mod required;
pub mod results;
pub mod seen;
mod spf;
pub mod story;
pub mod upstream;

pub use action::{Action, Disposition, Override, OverrideKind, Reply};
pub use judge::{Head, Judgement, SpfPair, check_spf};
pub use policy::Rules;
pub use upstream::Arrival;
