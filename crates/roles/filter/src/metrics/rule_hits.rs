//! How many messages each rule of the operator decided.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;

/// Names that are counted apart; as many as there can be rules in a file. Reloads may bring others: past
/// that they are counted together, as [`OTHER`].
const MAX_NAMES: usize = 1_000;

/// The name of all rules past the limit.
const OTHER: &str = "other";

/// A counter for each name of a rule.
#[derive(Clone, Debug, Default)]
pub struct RuleHitCounters(Arc<RwLock<BTreeMap<String, Counter>>>);

impl RuleHitCounters {
    /// One more of this name.
    pub fn add(&self, name: &str) {
        // Each change is one call, complete or not begun; here and below.
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = known.get(name) {
            counter.inc();
            return;
        }
        drop(known);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let name = if known.len() < MAX_NAMES { name } else { OTHER };
        known.entry(name.to_owned()).or_default().inc();
    }
}

impl EncodeMetric for RuleHitCounters {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (name, counter) in &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            counter.encode(encoder.encode_family(&[("rule", name.as_str())])?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_at_the_limit_and_one_past_it() {
        let hits = RuleHitCounters::default();
        for number in 0..MAX_NAMES {
            hits.add(&format!("rule-{number}"));
        }
        assert_eq!(hits.0.read().unwrap().len(), MAX_NAMES);
        for name in ["one more", "and another", "rule-0"] {
            hits.add(name);
        }
        let counted = hits.0.read().unwrap();
        assert_eq!(counted.len(), MAX_NAMES + 1);
        assert_eq!((counted[OTHER].get(), counted["rule-0"].get()), (2, 2));
    }
}
