//! The table that a judgement looks in.

use std::collections::HashMap;
use std::sync::Arc;

use landmarc_dmarc::suffixes::Suffixes;
use landmarc_mail::{ClientNetwork, DomainName};

use super::organizations::Organizations;
use super::{
    FEW_MESSAGES, FORWARDED_ORGANIZATIONS, MESSAGES_PER_UNSIGNED, MESSAGES_PER_UNSIGNED_LATELY, MIN_DAYS,
    MIN_DAYS_BY_DKIM_ALONE, MIN_MESSAGES, SHARING_ORGANIZATIONS, SPOOFED_ORGANIZATIONS, organization,
};

/// What was seen of the passing mail of an Author Domain in [`SIGNING_DAYS`](super::SIGNING_DAYS).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SigningHistory {
    /// Messages that passed SPF in alignment.
    pub messages: u64,
    /// Those of them without a signature of the domain.
    pub unsigned: u64,
    /// Days on which there were such messages.
    pub days: u32,
    /// Messages of the last of these days.
    pub last_messages: u64,
    /// Those of them without a signature of the domain.
    pub last_unsigned: u64,
    /// Messages that passed by DKIM alone, from networks that are shared by several organizations.
    pub by_dkim_alone: u64,
    /// Days on which there were such messages.
    pub days_by_dkim_alone: u32,
}

impl SigningHistory {
    /// Whether the domain signs everything it sends.
    #[must_use]
    pub fn signs_everything(&self) -> bool {
        self.is_seen_to_sign() || self.is_known_by_dkim_alone()
    }

    /// Whether all that was seen of it was signed, be it too little to call it a habit.
    #[must_use]
    pub fn is_never_unsigned(&self) -> bool {
        self.unsigned == 0 && self.messages.saturating_add(self.by_dkim_alone) >= FEW_MESSAGES
    }

    /// Whether so much was seen of its own hosts that its habits show.
    #[must_use]
    pub fn is_regular(&self) -> bool {
        self.messages >= MIN_MESSAGES && self.days >= MIN_DAYS
    }

    /// As far as its own hosts show.
    fn is_seen_to_sign(&self) -> bool {
        let has_not_stopped = self.last_unsigned <= 1
            || self.last_unsigned.saturating_mul(MESSAGES_PER_UNSIGNED_LATELY) <= self.last_messages;
        self.is_regular()
            && self.unsigned.saturating_mul(MESSAGES_PER_UNSIGNED) <= self.messages
            && has_not_stopped
    }

    /// As far as those show that sign in its name.
    fn is_known_by_dkim_alone(&self) -> bool {
        self.unsigned == 0
            && self.messages < MIN_MESSAGES
            && self.by_dkim_alone >= MIN_MESSAGES
            && self.days_by_dkim_alone >= MIN_DAYS_BY_DKIM_ALONE
    }

    /// How many messages it goes by.
    #[must_use]
    pub fn seen(&self) -> u64 {
        if self.is_known_by_dkim_alone() {
            self.messages.saturating_add(self.by_dkim_alone)
        } else {
            self.messages
        }
    }
}

/// What was seen of the mail of a client network in [`NETWORK_DAYS`](super::NETWORK_DAYS). Of the
/// organizations, five a day are counted at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkHistory {
    /// Messages that passed DMARC.
    pub passed: u64,
    /// Messages that failed DMARC.
    pub failed: u64,
    /// Those of them that may be genuine: all but those of organizations that sign everything, without a
    /// signature, which nobody authenticates.
    pub unproven: u64,
    /// Regular senders whose mail passed from there by DKIM alone, in
    /// [`SIGNING_DAYS`](super::SIGNING_DAYS).
    pub forwarded: Organizations,
    /// Regular senders whose SPF record authorizes the network.
    pub authorized_by: usize,
    /// Organizations that sign everything, and whose name stood on a message that nobody signed.
    pub forged: usize,
}

impl NetworkHistory {
    /// Whether it forges the mail of many, and sends nothing that may be genuine. What passes of a domain that
    /// is not known does not matter: a spoofer has one for the asking.
    #[must_use]
    pub fn is_known_spoofer(&self) -> bool {
        self.forged >= SPOOFED_ORGANIZATIONS
            && self.unproven == 0
            && self.authorized_by == 0
            && self.forwarded.count() == 0
    }

    /// Whether it passes on the mail of several organizations.
    #[must_use]
    pub fn is_forwarder(&self) -> bool {
        self.forwarded.count() >= FORWARDED_ORGANIZATIONS
    }

    /// Whether it has passed on signed mail of the organization of this author.
    #[must_use]
    pub fn has_forwarded(&self, author: &DomainName, suffixes: &Suffixes) -> bool {
        self.forwarded.has(organization(author, suffixes))
    }

    /// Whether several organizations have it send their mail, as their SPF records say: a provider.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.authorized_by >= SHARING_ORGANIZATIONS
    }
}

/// What is known, by domain and by network.
#[derive(Clone, Debug, Default)]
pub struct SeenTable {
    pub(super) domains: HashMap<Arc<str>, SigningHistory>,
    pub(super) networks: HashMap<ClientNetwork, NetworkHistory>,
}

impl SeenTable {
    /// Adds what is known of a domain.
    pub fn insert_domain(&mut self, author: &DomainName, seen: SigningHistory) {
        self.domains.insert(author.as_str().into(), seen);
    }

    /// Adds what is known of a network.
    pub fn insert_network(&mut self, network: ClientNetwork, seen: NetworkHistory) {
        self.networks.insert(network, seen);
    }

    /// What is known of a domain.
    #[must_use]
    pub fn signing(&self, author: &DomainName) -> Option<SigningHistory> {
        self.domains.get(author.as_str()).copied()
    }

    /// What is known of a network.
    #[must_use]
    pub fn network(&self, network: ClientNetwork) -> Option<NetworkHistory> {
        self.networks.get(&network).copied()
    }

    /// How many domains it knows.
    #[must_use]
    pub fn domains(&self) -> usize {
        self.domains.len()
    }

    /// How many of them sign everything.
    #[must_use]
    pub fn signing_domains(&self) -> usize {
        self.domains
            .values()
            .filter(|seen| seen.signs_everything())
            .count()
    }

    /// How many networks it knows.
    #[must_use]
    pub fn networks(&self) -> usize {
        self.networks.len()
    }

    /// How many of them are known spoofers.
    #[must_use]
    pub fn spoofers(&self) -> usize {
        self.networks
            .values()
            .filter(|seen| seen.is_known_spoofer())
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Regular, all of it signed.
    const SIGNING: SigningHistory = SigningHistory {
        messages: 100,
        unsigned: 0,
        days: 7,
        last_messages: 10,
        last_unsigned: 0,
        by_dkim_alone: 0,
        days_by_dkim_alone: 0,
    };
    /// Nothing but mail that passes by DKIM alone.
    const DKIM_ALONE: SigningHistory = SigningHistory {
        messages: 0,
        days: 0,
        last_messages: 0,
        by_dkim_alone: 100,
        days_by_dkim_alone: 14,
        ..SIGNING
    };

    #[test]
    fn each_figure_of_a_domain_at_its_threshold_and_one_short_of_it() {
        let signing = |messages, days| SigningHistory {
            messages,
            days,
            ..SIGNING
        };
        let unsigned = |messages, unsigned, last_messages, last_unsigned| SigningHistory {
            messages,
            unsigned,
            last_messages,
            last_unsigned,
            ..SIGNING
        };
        let dkim_alone = |messages, by_dkim_alone, days_by_dkim_alone| SigningHistory {
            messages,
            by_dkim_alone,
            days_by_dkim_alone,
            ..DKIM_ALONE
        };
        // What is known; is it regular, does it sign everything, is it never unsigned, and the messages it goes by.
        let cases = [
            (signing(100, 7), (true, true, true, 100)),
            (signing(99, 7), (false, false, true, 99)),
            (signing(100, 6), (false, false, true, 100)),
            (signing(10, 1), (false, false, true, 10)),
            (signing(9, 1), (false, false, false, 9)),
            (unsigned(200, 1, 10, 0), (true, true, false, 200)),
            (unsigned(199, 1, 10, 0), (true, false, false, 199)),
            (unsigned(400, 2, 1, 1), (true, true, false, 400)),
            (unsigned(400, 2, 40, 2), (true, true, false, 400)),
            (unsigned(400, 2, 39, 2), (true, false, false, 400)),
            (dkim_alone(0, 100, 14), (false, true, true, 100)),
            (dkim_alone(0, 99, 14), (false, false, true, 0)),
            (dkim_alone(0, 100, 13), (false, false, true, 0)),
            (dkim_alone(99, 100, 14), (false, true, true, 199)),
            (dkim_alone(100, 100, 14), (false, false, true, 100)),
            (dkim_alone(4, 6, 1), (false, false, true, 4)),
            (dkim_alone(4, 5, 1), (false, false, false, 4)),
        ];
        for (seen, expected) in cases {
            let found = (
                seen.is_regular(),
                seen.signs_everything(),
                seen.is_never_unsigned(),
                seen.seen(),
            );
            assert_eq!(found, expected, "{seen:?}");
        }
        let one_unsigned = SigningHistory {
            unsigned: 1,
            ..DKIM_ALONE
        };
        assert!(!one_unsigned.signs_everything() && !one_unsigned.is_never_unsigned());
    }

    #[test]
    fn each_figure_of_a_network_at_its_threshold_and_one_short_of_it() {
        let network = |forged, unproven, authorized_by, forwarded: u64| NetworkHistory {
            forged,
            unproven,
            authorized_by,
            forwarded: (1..=forwarded).collect(),
            ..NetworkHistory::default()
        };
        // What is known; is it a spoofer, a forwarder, shared.
        let cases = [
            (network(5, 0, 0, 0), (true, false, false)),
            (network(4, 0, 0, 0), (false, false, false)),
            (network(5, 1, 0, 0), (false, false, false)),
            (network(5, 0, 1, 0), (false, false, false)),
            (network(5, 0, 0, 1), (false, false, false)),
            (network(0, 0, 0, 2), (false, false, false)),
            (network(0, 0, 0, 3), (false, true, false)),
            (network(0, 0, 4, 0), (false, false, false)),
            (network(0, 0, 5, 0), (false, false, true)),
        ];
        for (seen, expected) in cases {
            let found = (seen.is_known_spoofer(), seen.is_forwarder(), seen.is_shared());
            assert_eq!(found, expected, "{seen:?}");
        }
    }

    #[test]
    fn the_table_counts_what_it_knows() {
        let mut table = SeenTable::default();
        let young = SigningHistory { days: 1, ..SIGNING };
        for (name, seen) in [
            ("a.example", SIGNING),
            ("b.example", DKIM_ALONE),
            ("c.example", young),
        ] {
            table.insert_domain(&DomainName::parse(name).unwrap(), seen);
        }
        for (number, forged) in [(1, 5), (2, 5), (3, 4), (4, 0)] {
            let seen = NetworkHistory {
                forged,
                ..NetworkHistory::default()
            };
            table.insert_network(ClientNetwork::of([192, 0, number, 1].into()), seen);
        }
        let counts = [
            table.domains(),
            table.signing_domains(),
            table.networks(),
            table.spoofers(),
        ];
        assert_eq!(counts, [3, 2, 4, 2]);
    }
}
