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

#[cfg(test)]
mod tests {
    use super::super::day::{DomainDay, NetworkDay};
    use super::super::organizations::Organizations;
    use super::*;

    const TODAY: u32 = 20_000;

    fn network(number: u32) -> ClientNetwork {
        ClientNetwork::of(std::net::Ipv4Addr::from(number << 8).into())
    }

    fn organization(number: u32) -> Organizations {
        [u64::from(number)].into_iter().collect()
    }

    fn of_domains(domains: impl IntoIterator<Item = (String, DomainDay)>) -> SeenDay {
        SeenDay {
            domains: domains
                .into_iter()
                .map(|(name, day)| (name.into(), day))
                .collect(),
            networks: Vec::new(),
        }
    }

    fn of_networks(networks: impl IntoIterator<Item = (u32, NetworkDay)>) -> SeenDay {
        SeenDay {
            domains: Vec::new(),
            networks: networks
                .into_iter()
                .map(|(number, day)| (network(number), day))
                .collect(),
        }
    }

    #[test]
    fn thirty_days_count_of_a_domain_and_seven_of_a_network() {
        let mut history = SeenHistory::default();
        let domain = DomainDay {
            messages: 3,
            unsigned: 1,
            by_dkim_alone: 2,
        };
        // One day too many at each end; only the two oldest have forwarded.
        for number in TODAY - SIGNING_DAYS..=TODAY + 1 {
            let mut day = of_domains([("a.example".to_owned(), domain)]);
            let forwarded = match number <= TODAY + 1 - SIGNING_DAYS {
                true => organization(number),
                false => Organizations::default(),
            };
            let seen = NetworkDay {
                passed: 5,
                failed: 4,
                unproven: 2,
                forwarded,
                authorizing: organization(number),
                forged: organization(1),
            };
            day.networks = vec![(network(1), seen)];
            history.put(number, day);
        }
        let table = history.table(TODAY);
        assert_eq!(
            table.domains.get("a.example"),
            Some(&SigningHistory {
                messages: 90,
                unsigned: 30,
                days: 30,
                last_messages: 3,
                last_unsigned: 1,
                by_dkim_alone: 60,
                days_by_dkim_alone: 30,
            })
        );
        assert_eq!(
            table.networks.get(&network(1)),
            Some(&NetworkHistory {
                passed: 35,
                failed: 28,
                unproven: 14,
                forwarded: organization(TODAY + 1 - SIGNING_DAYS),
                authorized_by: 7,
                forged: 1,
            })
        );
    }

    #[test]
    fn a_day_counts_for_the_kind_of_mail_it_had() {
        let mut history = SeenHistory::default();
        let spf = DomainDay {
            messages: 5,
            unsigned: 1,
            by_dkim_alone: 0,
        };
        let dkim_alone = DomainDay {
            by_dkim_alone: 4,
            ..DomainDay::default()
        };
        for (number, day) in [(TODAY - 1, spf), (TODAY, dkim_alone)] {
            history.put(number, of_domains([("a.example".to_owned(), day)]));
        }
        assert_eq!(
            history.table(TODAY).domains.get("a.example"),
            Some(&SigningHistory {
                messages: 5,
                unsigned: 1,
                days: 1,
                last_messages: 5,
                last_unsigned: 1,
                by_dkim_alone: 4,
                days_by_dkim_alone: 1,
            })
        );
    }

    #[test]
    fn what_counts_no_more_is_dropped() {
        let mut history = SeenHistory::default();
        let forwarder = NetworkDay {
            forwarded: organization(1),
            ..NetworkDay::default()
        };
        let oldest = TODAY + 1 - SIGNING_DAYS;
        let newest_past = TODAY - NETWORK_DAYS;
        let numbers = [oldest - 1, oldest, newest_past, newest_past + 1, TODAY, TODAY + 1];
        for number in numbers {
            let mut day = of_networks([(1, forwarder), (2, NetworkDay::default())]);
            day.domains = vec![(number.to_string().into(), DomainDay::default())];
            history.put(number, day);
        }
        history.expire(TODAY);
        assert_eq!(
            numbers.map(|number| history.has(number)),
            [false, true, true, true, true, false]
        );
        let networks: Vec<_> = history.days.values().map(|day| day.networks.len()).collect();
        assert_eq!(networks, [1, 1, 2, 2]);
        assert_eq!(history.names.len(), 4);
    }

    #[test]
    fn a_day_of_domains_or_of_networks_makes_the_store_older_and_an_empty_one_does_not() {
        let mut history = SeenHistory::default();
        for number in TODAY - YOUNG_DAYS + 1..TODAY {
            history.put(number, of_domains([(number.to_string(), DomainDay::default())]));
        }
        history.put(TODAY, SeenDay::default());
        assert!(matches!(history.seen(TODAY), Seen::Young(13)));
        history.put(TODAY, of_networks([(1, NetworkDay::default())]));
        assert!(matches!(history.seen(TODAY), Seen::Known(_)));
    }

    #[test]
    fn the_table_keeps_its_most_entries_and_drops_the_one_with_the_fewest_messages() {
        let count = u32::try_from(MAX_ENTRIES).unwrap();
        let messages = |number| if number < 2 { 1 } else { 2 };
        // The first is the least, and would be kept among equals.
        let second = |number| if number == 1 { 2 } else { 0 };
        let mut day = of_domains((0..=count).map(|number| {
            let seen = DomainDay {
                messages: messages(number),
                by_dkim_alone: second(number),
                ..DomainDay::default()
            };
            (format!("{number:06}"), seen)
        }));
        day.networks = of_networks((0..=count).map(|number| {
            let seen = NetworkDay {
                passed: messages(number),
                failed: second(number),
                ..NetworkDay::default()
            };
            (number, seen)
        }))
        .networks;
        let mut history = SeenHistory::default();
        history.put(TODAY, day);
        let table = history.table(TODAY);
        assert_eq!((table.domains(), table.networks()), (MAX_ENTRIES, MAX_ENTRIES));
        assert!(!table.domains.contains_key("000000"));
        assert!(!table.networks.contains_key(&network(0)));
    }
}
