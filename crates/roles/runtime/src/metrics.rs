//! What metrics are counted with and written with; each role has a struct of its own.
//!
//! Counting allocates nothing and waits for nobody. No label has values that strangers choose, such as domains: their
//! number would have no bound.

mod counters;
mod reloads;
mod writer;

pub use counters::{Counts, Distribution, Named, OTHER, place_of};
pub use reloads::Reloads;
pub use writer::{BYTES, Labels, MetricWriter, SECONDS, encode};
