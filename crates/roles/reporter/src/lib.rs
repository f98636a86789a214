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

pub use addressees::{Addressees, address_of};
pub use assemble::{Assembly, Known, Request, Selection, Settlement};
pub use attempt::strikes;
pub use clock::Clock;
pub use courier::{Courier, SECRET, return_path};
pub use days::{DayMade, days_due, release_of_gone};
pub use desk::{Desk, Means};
pub use letter::{Facts, Sheet};
pub use metrics::ReporterMetrics;
pub use send::{LAST_LETTERS, Orders, SendCounts, send};
pub use service::start;
pub use shared::Shared;
pub use terms::Terms;
pub use turns::{Progress, Turns, make_and_send};

#[cfg(test)]
mod tests;
