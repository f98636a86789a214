//! The policy configurations of a day: what stands in `policy_published`, once each.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use landmarc_mail::DomainName;
use landmarc_observation::{DayRow, PublishedPolicy};

use crate::aggregate::model::PolicyPublished;
use crate::aggregate::text::{MAX_TEXT_OCTETS, tidy};
use crate::aggregate::words::{AssessmentPolicy, DiscoveryMethod, Mode, SchemaWord};
use crate::words::known;

/// The most policy configurations of one domain and day. What follows counts in the final one: RFC 9990
/// §3.3 would allow that for all of them.
pub const MAX_CONFIGURATIONS: usize = 8;

/// One policy configuration.
pub(super) struct Configuration {
    /// What stands in the report.
    pub(super) policy: PolicyPublished,
    /// What is wrong with the records that came to it.
    pub(super) problems: BTreeSet<String>,
}

/// The configurations of a day, the oldest first, and which row is judged by which.
pub(super) struct PolicyConfigurations {
    pub(super) all: Vec<Configuration>,
    /// By the number of the record, which is cheaper than comparing what is in it.
    places: HashMap<u64, usize>,
}

impl PolicyConfigurations {
    pub(super) fn of(rows: &[DayRow], policy_domain: &DomainName) -> Self {
        let mut configurations = Self {
            all: Vec::new(),
            places: HashMap::new(),
        };
        for (number, published) in oldest_first(rows) {
            configurations.add(number, published, policy_domain);
        }
        configurations.fold();
        configurations
    }

    /// The place in `all` of the configuration that a row was judged by.
    pub(super) fn place(&self, row: &DayRow) -> usize {
        self.places.get(&row.published).copied().unwrap_or_default()
    }

    fn add(&mut self, number: u64, published: &PublishedPolicy, policy_domain: &DomainName) {
        let policy = policy(published, policy_domain);
        let known = self.all.iter().position(|known| known.policy == policy);
        let place = known.unwrap_or_else(|| {
            self.all.push(Configuration {
                policy,
                problems: BTreeSet::new(),
            });
            self.all.len() - 1
        });
        self.places.insert(number, place);
        if let Some(configuration) = self.all.get_mut(place) {
            configuration.problems.extend(published.problems.iter().cloned());
        }
    }

    /// Takes those past the limit together in the final one.
    fn fold(&mut self) {
        let last = MAX_CONFIGURATIONS - 1;
        if self.all.len() <= MAX_CONFIGURATIONS {
            return;
        }
        let mut folded = self.all.split_off(last);
        if let Some(mut newest) = folded.pop() {
            newest
                .problems
                .extend(folded.into_iter().flat_map(|older| older.problems));
            self.all.push(newest);
        }
        for place in self.places.values_mut() {
            *place = (*place).min(last);
        }
    }
}

/// The records of a day, each once, in the order in which they were first applied.
fn oldest_first(rows: &[DayRow]) -> BTreeMap<u64, &PublishedPolicy> {
    rows.iter()
        .map(|row| (row.published, &row.row.published))
        .collect()
}

/// A word that is none of the schema's, which no record leads to, is taken for the tag's default.
fn policy(published: &PublishedPolicy, policy_domain: &DomainName) -> PolicyPublished {
    let policy = known(&published.p).unwrap_or(AssessmentPolicy::None);
    let options = tidy(&published.fo, MAX_TEXT_OCTETS);
    PolicyPublished {
        domain: policy_domain.to_string(),
        discovery_method: Some(known(&published.discovery_method).unwrap_or(DiscoveryMethod::TreeWalk)),
        policy: policy.into(),
        subdomain_policy: Some(known(&published.sp).unwrap_or(policy).into()),
        nonexistent_policy: published.np.as_deref().and_then(known).map(SchemaWord::Known),
        dkim_mode: Some(known(&published.adkim).unwrap_or(Mode::Relaxed).into()),
        spf_mode: Some(known(&published.aspf).unwrap_or(Mode::Relaxed).into()),
        failure_options: Some(if options.is_empty() {
            "0".into()
        } else {
            options.into()
        }),
        testing: Some(published.testing),
        percent: None,
    }
}
