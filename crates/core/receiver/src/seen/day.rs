//! What was seen on one day.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use landmarc_dmarc::suffixes::Suffixes;
use landmarc_mail::{ClientNetwork, DomainName};

use super::organizations::Organizations;
use super::{MAX_BY_DKIM_ALONE, MAX_DAY_ENTRIES, SeenTable, organization};

/// Messages that have all of this in common: one row of an aggregate report.
#[derive(Clone, Copy, Debug)]
pub struct Sighting<'a> {
    /// The Author Domain.
    pub author: &'a DomainName,
    /// The SMTP client.
    pub client: IpAddr,
    /// How many they are.
    pub count: u64,
    /// SPF passed in alignment.
    pub spf_aligned: bool,
    /// DKIM passed in alignment.
    pub dkim_aligned: bool,
    /// A signature of the author's organization that may be genuine is there, whether it passed or not.
    pub is_signed: bool,
    /// SPF or DKIM passed for any domain at all.
    pub is_authenticated: bool,
}

// What the limits on entries promise of memory.
const _: () = assert!(size_of::<(Arc<str>, DomainDay)>() <= 32);
const _: () = assert!(size_of::<(ClientNetwork, NetworkDay)>() <= 160);

/// The mail of one domain on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct DomainDay {
    pub(super) messages: u32,
    pub(super) unsigned: u32,
    pub(super) by_dkim_alone: u32,
}

impl DomainDay {
    fn weight(&self) -> u64 {
        u64::from(self.messages) + u64::from(self.by_dkim_alone)
    }
}

/// The mail of one network on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NetworkDay {
    pub(super) passed: u32,
    pub(super) failed: u32,
    pub(super) unproven: u32,
    pub(super) forwarded: Organizations,
    pub(super) authorizing: Organizations,
    pub(super) forged: Organizations,
}

impl NetworkDay {
    /// Whether signed mail of a regular sender came from there another way.
    pub(super) fn has_forwarded(&self) -> bool {
        self.forwarded.count() > 0
    }

    fn weight(&self) -> u64 {
        u64::from(self.passed) + u64::from(self.failed)
    }
}

/// A day that was counted.
#[derive(Clone, Debug, Default)]
pub struct SeenDay {
    pub(super) domains: Vec<(Arc<str>, DomainDay)>,
    pub(super) networks: Vec<(ClientNetwork, NetworkDay)>,
}

/// Counts the sightings of a day.
#[derive(Debug)]
pub struct DayBuilder<'a> {
    known: &'a SeenTable,
    suffixes: &'a Suffixes,
    domains: HashMap<Arc<str>, DomainDay>,
    networks: HashMap<ClientNetwork, NetworkDay>,
}

impl<'a> DayBuilder<'a> {
    /// `known` is what the days before say: which domains sign everything, which networks are shared.
    #[must_use]
    pub fn new(known: &'a SeenTable, suffixes: &'a Suffixes) -> Self {
        Self {
            known,
            suffixes,
            domains: HashMap::new(),
            networks: HashMap::new(),
        }
    }

    /// Counts some messages.
    pub fn add(&mut self, sighting: &Sighting<'_>) {
        let network = ClientNetwork::of(sighting.client);
        self.add_to_domain(sighting, network);
        self.add_to_network(sighting, network);
    }

    fn add_to_domain(&mut self, sighting: &Sighting<'_>, network: ClientNetwork) {
        let is_by_dkim_alone = sighting.dkim_aligned && !sighting.spf_aligned;
        let is_shared = || self.known.network(network).is_some_and(|seen| seen.is_shared());
        // What fails says nothing of its author.
        if !sighting.spf_aligned && (!is_by_dkim_alone || !is_shared()) {
            return;
        }
        make_room(&mut self.domains, DomainDay::weight);
        let day = match self.domains.get_mut(sighting.author.as_str()) {
            Some(day) => day,
            None => self.domains.entry(sighting.author.as_str().into()).or_default(),
        };
        if is_by_dkim_alone {
            add(&mut day.by_dkim_alone, sighting.count.min(MAX_BY_DKIM_ALONE));
        } else {
            add(&mut day.messages, sighting.count);
            if !sighting.dkim_aligned && !sighting.is_signed {
                add(&mut day.unsigned, sighting.count);
            }
        }
    }

    fn add_to_network(&mut self, sighting: &Sighting<'_>, network: ClientNetwork) {
        let passed = sighting.spf_aligned || sighting.dkim_aligned;
        let known = self.known.signing(sighting.author).unwrap_or_default();
        make_room(&mut self.networks, NetworkDay::weight);
        let day = self.networks.entry(network).or_default();
        let is_unsigned = !sighting.is_signed && !sighting.is_authenticated;
        let is_forged = !passed && is_unsigned && known.signs_everything();
        if passed {
            add(&mut day.passed, sighting.count);
        } else {
            add(&mut day.failed, sighting.count);
            add(&mut day.unproven, if is_forged { 0 } else { sighting.count });
        }
        let organizations = if sighting.spf_aligned && known.is_regular() {
            &mut day.authorizing
        } else if sighting.dkim_aligned && known.is_regular() {
            &mut day.forwarded
        } else if is_forged {
            &mut day.forged
        } else {
            return;
        };
        organizations.add(organization(sighting.author, self.suffixes));
    }

    /// The day, as far as it is kept.
    #[must_use]
    pub fn finish(mut self) -> SeenDay {
        keep_most(&mut self.domains, MAX_DAY_ENTRIES, DomainDay::weight);
        keep_most(&mut self.networks, MAX_DAY_ENTRIES, NetworkDay::weight);
        SeenDay {
            domains: self.domains.into_iter().collect(),
            networks: self.networks.into_iter().collect(),
        }
    }
}

fn add(sum: &mut u32, count: u64) {
    *sum = sum.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
}

/// A flood of names costs no more memory than twice what is kept.
fn make_room<K, V>(entries: &mut HashMap<K, V>, weight: impl Fn(&V) -> u64)
where
    K: Eq + std::hash::Hash + Ord + Clone,
{
    if entries.len() >= 2 * MAX_DAY_ENTRIES {
        keep_most(entries, MAX_DAY_ENTRIES, weight);
    }
}

/// Keeps those with most messages; of equals, the first in order.
pub(super) fn keep_most<K, V>(entries: &mut HashMap<K, V>, most: usize, weight: impl Fn(&V) -> u64)
where
    K: Eq + std::hash::Hash + Ord + Clone,
{
    if entries.len() <= most {
        return;
    }
    let mut order: Vec<(u64, K)> = entries
        .iter()
        .map(|(key, value)| (weight(value), key.clone()))
        .collect();
    order.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    for (_, key) in order.drain(most..) {
        entries.remove(&key);
    }
    entries.shrink_to_fit();
}

#[cfg(test)]
mod tests {
    use super::super::{NetworkHistory, SigningHistory};
    use super::*;

    const OWN: [u8; 4] = [192, 0, 2, 1];
    const SHARED: [u8; 4] = [198, 51, 100, 1];

    /// `bank.example` signs everything; five organizations share a network.
    fn known() -> SeenTable {
        let mut known = SeenTable::default();
        let signing = SigningHistory {
            messages: 100,
            days: 7,
            ..SigningHistory::default()
        };
        let shared = NetworkHistory {
            authorized_by: 5,
            ..NetworkHistory::default()
        };
        known.insert_domain(&DomainName::parse("bank.example").unwrap(), signing);
        known.insert_network(ClientNetwork::of(SHARED.into()), shared);
        known
    }

    #[test]
    fn each_kind_of_message_counts_for_its_domain_and_its_network() {
        let (known, suffixes) = (known(), Suffixes::built_in());
        let (none, some) = (false, true);
        // Author, client, whether SPF and DKIM are aligned, signed, authenticated; messages, unsigned and by DKIM
        // alone of the domain; passed, failed and unproven of the network; authorizing, forwarded and forged.
        let cases = [
            (
                "bank.example",
                OWN,
                [some, some, some, some],
                Some([20, 0, 0]),
                [20, 0, 0],
                [1, 0, 0],
            ),
            (
                "bank.example",
                OWN,
                [some, none, none, some],
                Some([20, 20, 0]),
                [20, 0, 0],
                [1, 0, 0],
            ),
            (
                "bank.example",
                OWN,
                [some, none, some, some],
                Some([20, 0, 0]),
                [20, 0, 0],
                [1, 0, 0],
            ),
            (
                "bank.example",
                OWN,
                [none, some, some, some],
                None,
                [20, 0, 0],
                [0, 1, 0],
            ),
            (
                "bank.example",
                SHARED,
                [none, some, some, some],
                Some([0, 0, 10]),
                [20, 0, 0],
                [0, 1, 0],
            ),
            (
                "bank.example",
                SHARED,
                [none, none, none, none],
                None,
                [0, 20, 0],
                [0, 0, 1],
            ),
            (
                "bank.example",
                OWN,
                [none, none, some, none],
                None,
                [0, 20, 20],
                [0, 0, 0],
            ),
            (
                "bank.example",
                OWN,
                [none, none, none, some],
                None,
                [0, 20, 20],
                [0, 0, 0],
            ),
            (
                "new.example",
                OWN,
                [some, none, none, some],
                Some([20, 20, 0]),
                [20, 0, 0],
                [0, 0, 0],
            ),
            (
                "new.example",
                OWN,
                [none, some, some, some],
                None,
                [20, 0, 0],
                [0, 0, 0],
            ),
            (
                "new.example",
                OWN,
                [none, none, none, none],
                None,
                [0, 20, 20],
                [0, 0, 0],
            ),
        ];
        for (author, client, [spf_aligned, dkim_aligned, is_signed, is_authenticated], domain, network, of) in
            cases
        {
            let author = DomainName::parse(author).unwrap();
            let sighting = Sighting {
                author: &author,
                client: client.into(),
                count: 20,
                spf_aligned,
                dkim_aligned,
                is_signed,
                is_authenticated,
            };
            let mut builder = DayBuilder::new(&known, &suffixes);
            builder.add(&sighting);
            let day = builder.finish();
            let domains = day
                .domains
                .iter()
                .map(|(_, day)| [day.messages, day.unsigned, day.by_dkim_alone]);
            assert_eq!(
                domains.collect::<Vec<_>>(),
                Vec::from_iter(domain),
                "{sighting:?}"
            );
            let (_, seen) = day.networks[0];
            assert_eq!([seen.passed, seen.failed, seen.unproven], network, "{sighting:?}");
            let organizations = [seen.authorizing, seen.forwarded, seen.forged].map(|kept| kept.count());
            assert_eq!(organizations, of, "{sighting:?}");
            assert_eq!(seen.has_forwarded(), of[1] > 0);
        }
    }

    #[test]
    fn counts_stay_at_the_most() {
        let mut sum = 1;
        add(&mut sum, 2);
        assert_eq!(sum, 3);
        add(&mut sum, u64::MAX);
        assert_eq!(sum, u32::MAX);
    }

    #[test]
    fn a_flood_of_names_is_cut_when_it_is_twice_what_is_kept() {
        let most = u64::try_from(MAX_DAY_ENTRIES).unwrap();
        for (count, kept) in [
            (2 * most - 1, 2 * MAX_DAY_ENTRIES - 1),
            (2 * most, MAX_DAY_ENTRIES),
        ] {
            let mut entries: HashMap<u64, u64> = (0..count).map(|number| (number, number)).collect();
            make_room(&mut entries, |weight| *weight);
            assert_eq!(entries.len(), kept);
            assert!(entries.contains_key(&(count - 1)));
        }
    }

    #[test]
    fn a_day_keeps_its_most_entries_and_drops_the_one_with_the_fewest_messages() {
        let (known, suffixes) = (SeenTable::default(), Suffixes::built_in());
        let mut builder = DayBuilder::new(&known, &suffixes);
        // The first is the least, and would be kept among equals.
        for number in 0..=u32::try_from(MAX_DAY_ENTRIES).unwrap() {
            let (first, second) = match number {
                0 => (1, 0),
                1 => (1, 2),
                _ => (2, 0),
            };
            let domain = DomainDay {
                messages: first,
                by_dkim_alone: second,
                ..DomainDay::default()
            };
            let network = NetworkDay {
                passed: first,
                failed: second,
                ..NetworkDay::default()
            };
            builder.domains.insert(format!("{number:06}").into(), domain);
            let address = std::net::Ipv4Addr::from(number << 8);
            builder
                .networks
                .insert(ClientNetwork::of(address.into()), network);
        }
        let day = builder.finish();
        assert_eq!(
            (day.domains.len(), day.networks.len()),
            (MAX_DAY_ENTRIES, MAX_DAY_ENTRIES)
        );
        assert!(day.domains.iter().all(|(name, _)| &**name != "000000"));
        let least = ClientNetwork::of([0, 0, 0, 0].into());
        assert!(day.networks.iter().all(|(network, _)| *network != least));
    }
}
