//! Where metrics are written, one family after the other.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

/// Octets; units stand at the end of names.
pub const BYTES: Option<&Unit> = Some(&Unit::Bytes);
/// Seconds.
pub const SECONDS: Option<&Unit> = Some(&Unit::Seconds);

/// What `write` writes, in the text format of OpenMetrics 1.0.
pub fn encode(write: impl Fn(&mut MetricWriter<'_>) -> fmt::Result + Send + Sync + 'static) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Page(write)));
    let mut encoded = String::new();
    // Writing to a string does not fail; should an encoder of the crate, the page is cut short, has
    // no `# EOF`, and so is refused by its reader.
    if text::encode(&mut encoded, &registry).is_err() {
        tracing::error!("a bug: the metrics cannot be written");
    }
    encoded
}

/// All that is told, at one moment.
struct Page<F>(F);

impl<F> fmt::Debug for Page<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Page")
    }
}

impl<F: Fn(&mut MetricWriter<'_>) -> fmt::Result + Send + Sync + 'static> Collector for Page<F> {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        (self.0)(&mut MetricWriter(encoder))
    }
}

/// Where metrics are written to.
pub struct MetricWriter<'a>(DescriptorEncoder<'a>);

/// Labels with their values.
pub type Labels<'a, const N: usize> = [(&'a str, &'a str); N];

impl MetricWriter<'_> {
    /// What only grows; `_total` is appended to its name.
    ///
    /// # Errors
    /// Those of the encoder.
    pub fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// The same with a fraction.
    ///
    /// # Errors
    /// Those of the encoder.
    pub fn number(&mut self, name: &str, help: &str, unit: Option<&Unit>, value: f64) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, unit, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// The same, a row for each set of labels.
    ///
    /// # Errors
    /// Those of the encoder.
    pub fn counters<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Labels<'a, N>, u64)>,
    ) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in rows {
            encoder
                .encode_family(&labels)?
                .encode_counter::<NoLabelSet, _, u64>(&value, None)?;
        }
        Ok(())
    }

    /// What goes up and down.
    ///
    /// # Errors
    /// Those of the encoder.
    pub fn gauge(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        value: &impl EncodeGaugeValue,
    ) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, unit, MetricType::Gauge)?
            .encode_gauge(value)
    }

    /// The same, a row for each set of labels.
    ///
    /// # Errors
    /// Those of the encoder.
    pub fn gauges<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Labels<'a, N>, u64)>,
    ) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in rows {
            encoder.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    /// What does not change.
    ///
    /// # Errors
    /// Those of the encoder.
    pub fn info<const N: usize>(&mut self, name: &str, help: &str, labels: Labels<'_, N>) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Info)?
            .encode_info(&labels)
    }

    /// `per_unit` of what was counted are one of the unit that is told.
    ///
    /// # Errors
    /// Those of the encoder.
    // Counts are exact up to 2^53, which takes some centuries.
    #[allow(clippy::cast_precision_loss)]
    pub fn distribution(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        (sum, buckets): (u64, Vec<(Option<u64>, u64)>),
        per_unit: f64,
    ) -> fmt::Result {
        let count = buckets.iter().map(|(_, count)| count).sum();
        let bound = |bound: Option<u64>| bound.map_or(f64::INFINITY, |bound| bound as f64 / per_unit);
        let buckets: Vec<_> = buckets
            .iter()
            .map(|(upper, count)| (bound(*upper), *count))
            .collect();
        self.0
            .encode_descriptor(name, help, unit, MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(sum as f64 / per_unit, count, &buckets, None)
    }
}
