//! Where metrics are written that are read when somebody asks.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

/// Octets; units stand at the end of names.
pub const BYTES: Option<&Unit> = Some(&Unit::Bytes);
/// Seconds.
pub const SECONDS: Option<&Unit> = Some(&Unit::Seconds);

/// Registers what `write` reads at the moment when somebody asks.
pub fn collect(
    registry: &mut Registry,
    write: impl Fn(&mut MetricWriter<'_>) -> fmt::Result + Send + Sync + 'static,
) {
    registry.register_collector(Box::new(Collected(write)));
}

struct Collected<F>(F);

impl<F> fmt::Debug for Collected<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collected")
    }
}

impl<F: Fn(&mut MetricWriter<'_>) -> fmt::Result + Send + Sync + 'static> Collector for Collected<F> {
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
}
