//! What metrics are counted with and printed with.
//!
//! Each role has a struct of its counters and registers them in one [`Registry`], which the page of metrics prints.
//! Counting allocates nothing once a label has its value. No label has values that strangers choose, such as domains:
//! their number would have no bound.

mod reloads;
mod writer;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

pub use reloads::Reloads;
pub use writer::{BYTES, Labels, MetricWriter, SECONDS, collect};

/// Counters by the values of their labels.
pub type Counters<const N: usize> = Family<Labels<'static, N>, Counter>;

/// Counters by one label, whose usual values are printed from the start, so that the first event is seen as one more
/// than none.
pub fn counters(label: &'static str, values: impl IntoIterator<Item = &'static str>) -> Counters<1> {
    let counters = Counters::default();
    for value in values {
        drop(counters.get_or_create(&[(label, value)]));
    }
    counters
}

/// The metrics of all registries, in the text format of OpenMetrics 1.0.
pub fn encode<'a>(registries: impl IntoIterator<Item = &'a Registry>) -> String {
    let mut page = String::new();
    let mut registries = registries.into_iter();
    let encoded = registries.try_for_each(|registry| encode_registry(&mut page, registry));
    // Writing to a string does not fail; should an encoder of the crate, the page is cut short, has
    // no `# EOF`, and so is refused by its reader.
    if encoded.and_then(|()| encode_eof(&mut page)).is_err() {
        tracing::error!("a bug: the metrics cannot be written");
    }
    page
}
