//! What is kept of a judged message: the observation, which answers "why", and the row of the tally that it counts
//! in, which reports are made of.
//!
//! The shapes stand here once: the filter and imports of the history of another program make them, the store keeps
//! them, reports are assembled of them.
//!
//! It knows values only. How long a text may be, and what becomes of one that is longer, is the store's; what fits
//! into a report is the report's.
//!
//! Not implemented: what others report about us, which has other shapes.

mod message;
mod tally;

pub use message::Observation;
pub use tally::{DayRow, DomainDay, FOLDED, PublishedPolicy, TallyRow};
