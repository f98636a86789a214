//! Tells domain owners what was seen of their mail: reports are made, sent, and forgotten in time.
//!
//! Three steps, each of which can be cut off at any moment and goes on where it was: *make* the reports
//! of a closed day, *send* the letters that are due, let go of what is old. The service does them on the
//! clock; `landmarc outbox send` does them at once. They meet in the store alone, where leases see to it
//! that each letter is sent by one of them.

mod addressees;
mod assemble;
mod attempt;
mod clock;
mod convert;
mod courier;
mod days;
mod desk;
mod failure;
mod hidden;
mod letter;
mod metrics;
mod pace;
mod relay;
mod send;
mod service;
mod shared;
mod split;
mod terms;
mod trouble;
mod turn;
mod turns;

pub(crate) use addressees::{Addressees, address_of};
pub(crate) use assemble::{Assembly, Known, Request, Selection, Settlement};
pub(crate) use attempt::strikes;
pub(crate) use clock::Clock;
pub(crate) use courier::{Courier, SECRET, return_path};
pub(crate) use days::{DayMade, days_due, release_of_gone};
pub(crate) use desk::{Desk, Means};
pub(crate) use letter::{Facts, Sheet};
pub(crate) use metrics::ReporterMetrics;
pub(crate) use send::{LAST_LETTERS, Orders, SendCounts, send};
pub(crate) use service::start;
pub(crate) use shared::Shared;
pub(crate) use terms::Terms;
pub(crate) use turns::{Progress, Turns, make_and_send};

#[cfg(test)]
mod tests;
