//! Records that rspamd counted in Redis, read into the tally: at once by `migrate rspamd`, and every few
//! minutes by the service.
//!
//! What a record lacks is asked from DNS: of the policy it has next to nothing. Nothing is deleted in Redis; that
//! nothing counts twice is up to the ledger of the store.

mod accounts;
mod metrics;
mod policies;
mod reading;
mod service;
mod taker;

pub use accounts::{names, options};
pub use metrics::RspamdMetrics;
pub use policies::Policies;
pub use reading::{Order, ReadError, RspamdReading, WhenUnanswered, read};
pub use service::start;
pub use taker::ImportWriter;
