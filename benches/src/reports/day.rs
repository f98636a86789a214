//! The mail of one day: 500 domains that ask for reports, few of them with most of the mail, each
//! from few clients; what fails comes from strangers. Made from the number of the message alone.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use landmarc_testkit::random::Random;

use crate::dns::Zone;

pub(super) const DOMAINS: usize = 500;
/// 2026-06-01 00:00:00 UTC.
pub(super) const MIDNIGHT: u64 = 1_780_272_000;
/// Where reports about a domain go, below the domain.
const MAILBOX: &str = "dmarc";

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Message {
    pub(super) domain: usize,
    pub(super) below: bool,
    pub(super) client: Ipv4Addr,
    pub(super) spf: bool,
    pub(super) dkim: bool,
}

impl Message {
    pub(super) fn policy_domain(&self) -> String {
        domain(self.domain)
    }

    pub(super) fn author_domain(&self) -> String {
        match self.below {
            true => format!("news.{}", self.policy_domain()),
            false => self.policy_domain(),
        }
    }

    pub(super) fn policy(&self) -> &'static str {
        policy(self.domain)
    }

    /// What was done, in the words of RFC 9990.
    pub(super) fn disposition(&self) -> &'static str {
        match (self.spf || self.dkim, self.policy()) {
            (_, "none") => "none",
            (true, _) => "pass",
            (false, policy) => policy,
        }
    }
}

pub(super) fn domain(number: usize) -> String {
    format!("sender{number}.example")
}

pub(super) fn policy(number: usize) -> &'static str {
    ["none", "quarantine", "reject"][number % 3]
}

pub(super) fn rua(number: usize) -> String {
    format!("{MAILBOX}@{}", domain(number))
}

/// All messages of a day, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Day {
    pub(super) messages: usize,
}

impl Day {
    pub(super) fn new(messages: usize) -> Self {
        Self { messages }
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = Message> + use<> {
        (0..self.messages).map(message)
    }

    /// The rows that cannot be told apart any further.
    pub(super) fn distinct(&self) -> usize {
        self.messages().collect::<HashSet<_>>().len()
    }
}

fn message(number: usize) -> Message {
    let mut random = Random::new(9_990, number as u64);
    // The domain of rank r in proportion to 1/r (Zipf), but each at least once.
    let drawn = ((DOMAINS as f64 + 1.0).powf(random.unit()) - 1.0) as usize;
    let domain = if number < DOMAINS {
        number
    } else {
        drawn.min(DOMAINS - 1)
    };
    let clients = (40.0 / (domain as f64 + 1.0).sqrt()).max(2.0) as usize;
    let kind = random.below(100);
    let is_forged = kind >= 97;
    let host = if is_forged {
        200 + random.below(5)
    } else {
        random.below(clients)
    };
    Message {
        domain,
        below: random.percent(6.0),
        client: Ipv4Addr::new(
            if is_forged { 198 } else { 192 },
            (domain / 250) as u8,
            (domain % 250) as u8,
            host as u8,
        ),
        spf: kind < 94,
        dkim: kind < 90 || (94..97).contains(&kind),
    }
}

/// What DNS has about them.
pub(super) fn zone() -> Zone {
    let mut zone = Zone::default();
    for number in 0..DOMAINS {
        let name = domain(number);
        let record = format!("v=DMARC1; p={}; rua=mailto:{}", policy(number), rua(number));
        zone.txt(&format!("_dmarc.{name}"), &record);
        zone.a(&name, Ipv4Addr::LOCALHOST);
    }
    zone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_rows_grow_more_slowly_than_messages() {
        let few = Day::new(10_000).distinct();
        let many = Day::new(100_000).distinct();
        assert!((1_500..5_000).contains(&few), "{few}");
        assert!(many < 3 * few, "{few} and {many}");
        let domains: HashSet<usize> = Day::new(DOMAINS)
            .messages()
            .map(|message| message.domain)
            .collect();
        assert_eq!(domains.len(), DOMAINS);
    }
}
