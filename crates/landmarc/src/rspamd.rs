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

pub(crate) use accounts::{names, options};
pub(crate) use metrics::RspamdMetrics;
pub(crate) use policies::Policies;
pub(crate) use reading::{Order, ReadError, Reading, WhenUnanswered, read};
pub(crate) use service::start;
pub(crate) use taker::Taker;
