//! Days in a row, and the table they come to.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use landmarc_mail::ClientNetwork;

use super::day::{SeenDay, keep_most};
use super::{
    MAX_ENTRIES, NETWORK_DAYS, NetworkHistory, SIGNING_DAYS, Seen, SeenTable, SigningHistory, YOUNG_DAYS,
};

/// The days that count, by number (days since 1970).
#[derive(Clone, Debug, Default)]
pub struct SeenHistory {
    days: BTreeMap<u32, SeenDay>,
    /// Each name once, for most come again every day.
    names: HashSet<Arc<str>>,
}

impl SeenHistory {
    /// Takes the place of what was known of that day.
    pub fn put(&mut self, number: u32, mut day: SeenDay) {
        for (name, _) in &mut day.domains {
            match self.names.get(name) {
                Some(known) => *name = Arc::clone(known),
                None => {
                    self.names.insert(Arc::clone(name));
                }
            }
        }
        self.days.insert(number, day);
    }

    /// Whether that day is there.
    #[must_use]
    pub fn has(&self, number: u32) -> bool {
        self.days.contains_key(&number)
    }

    /// Drops the days that count no more, and those that are yet to come.
    pub fn expire(&mut self, today: u32) {
        let first = (today + 1).saturating_sub(SIGNING_DAYS);
        self.days.retain(|number, day| {
            if number.saturating_add(NETWORK_DAYS) <= today {
                day.networks.retain(|(_, seen)| seen.has_forwarded());
                day.networks.shrink_to_fit();
            }
            (first..=today).contains(number)
        });
        self.names.retain(|name| Arc::strong_count(name) > 1);
    }

    /// What the days up to this one say, and only they.
    #[must_use]
    pub fn table(&self, today: u32) -> SeenTable {
        SeenTable {
            domains: self.domains(today),
            networks: self.networks(today),
        }
    }

    /// What a judgement of this day may look in.
    #[must_use]
    pub fn seen(&self, today: u32) -> Seen {
        let days = self
            .within(today, SIGNING_DAYS)
            .filter(|day| !day.networks.is_empty() || !day.domains.is_empty());
        let days = u32::try_from(days.count()).unwrap_or(u32::MAX);
        if days < YOUNG_DAYS {
            return Seen::Young(days);
        }
        Seen::Known(Arc::new(self.table(today)))
    }

    fn within(&self, today: u32, days: u32) -> impl Iterator<Item = &SeenDay> {
        let first = (today + 1).saturating_sub(days);
        self.days.range(first..=today).map(|(_, day)| day)
    }

    fn domains(&self, today: u32) -> HashMap<Arc<str>, SigningHistory> {
        let mut domains: HashMap<Arc<str>, SigningHistory> = HashMap::new();
        for (name, day) in self.within(today, SIGNING_DAYS).flat_map(|day| &day.domains) {
            let seen = domains.entry(Arc::clone(name)).or_default();
            // The days come in order.
            if day.messages > 0 {
                seen.last_messages = u64::from(day.messages);
                seen.last_unsigned = u64::from(day.unsigned);
            }
            seen.messages += u64::from(day.messages);
            seen.unsigned += u64::from(day.unsigned);
            seen.days += u32::from(day.messages > 0);
            seen.by_dkim_alone += u64::from(day.by_dkim_alone);
            seen.days_by_dkim_alone += u32::from(day.by_dkim_alone > 0);
        }
        keep_most(&mut domains, MAX_ENTRIES, |seen| {
            seen.messages + seen.by_dkim_alone
        });
        domains
    }

    fn networks(&self, today: u32) -> HashMap<ClientNetwork, NetworkHistory> {
        let mut sums: HashMap<ClientNetwork, Sum> = HashMap::new();
        for (network, day) in self.within(today, SIGNING_DAYS).flat_map(|day| &day.networks) {
            if day.has_forwarded() {
                day.forwarded
                    .add_to(&mut sums.entry(*network).or_default().forwarded);
            }
        }
        for (network, day) in self.within(today, NETWORK_DAYS).flat_map(|day| &day.networks) {
            let sum = sums.entry(*network).or_default();
            sum.seen.passed += u64::from(day.passed);
            sum.seen.failed += u64::from(day.failed);
            sum.seen.unproven += u64::from(day.unproven);
            day.authorizing.add_to(&mut sum.authorizing);
            day.forged.add_to(&mut sum.forged);
        }
        let mut networks = sums
            .into_iter()
            .map(|(network, sum)| (network, sum.finish()))
            .collect();
        keep_most(&mut networks, MAX_ENTRIES, |seen| seen.passed + seen.failed);
        networks
    }
}

#[derive(Default)]
struct Sum {
    seen: NetworkHistory,
    forwarded: HashSet<u64>,
    authorizing: HashSet<u64>,
    forged: HashSet<u64>,
}

impl Sum {
    fn finish(self) -> NetworkHistory {
        NetworkHistory {
            forwarded: self.forwarded.into_iter().collect(),
            authorized_by: self.authorizing.len(),
            forged: self.forged.len(),
            ..self.seen
        }
    }
}
