//! Messages whose verdicts are known because they were made so.
//!
//! The same seed makes the same messages, octet for octet, on every machine. What is expected of each is worked
//! out from how it was made, by rules written here a second time, and never by the code under test.

mod content;
mod envelope;
mod keys;
mod message;
mod signing;
#[cfg(test)]
mod tests;
mod verdict;
mod world;

use std::net::IpAddr;

use content::{POOL_OCTETS, text_pool};
pub(crate) use keys::{Keys, first_rsa_der};
use world::World;

use crate::dns::Zone;

/// What SPF of MAIL FROM comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Spf {
    Pass,
    None,
    Fail,
    SoftFail,
    Neutral,
    PermError,
}

impl Spf {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::None => "none",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::Neutral => "neutral",
            Self::PermError => "permerror",
        }
    }
}

/// What all signatures together come to: peers have many words for one that is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Dkim {
    None,
    Pass,
    Broken,
}

impl Dkim {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Broken => "broken",
        }
    }
}

/// What DMARC comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Dmarc {
    None,
    Pass,
    Fail,
}

impl Dmarc {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
        }
    }
}

/// What is done with a message when enforcing every policy as published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Done {
    Accept,
    Quarantine,
    Reject,
}

impl Done {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }
}

/// What a filter should say of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) spf: Spf,
    pub(crate) dkim: Dkim,
    pub(crate) dmarc: Dmarc,
    pub(crate) done: Done,
    /// Forged Authentication-Results fields that must go.
    pub(crate) forged: usize,
}

/// A message as an MTA would tell of it.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) client: IpAddr,
    pub(crate) helo: String,
    /// With its brackets.
    pub(crate) mail_from: String,
    pub(crate) rcpt_to: String,
    pub(crate) queue_id: String,
    /// Name, and value with the blank after the colon, folded with LF.
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) expected: Expected,
    /// How it was made, to tell where verdicts differ.
    pub(crate) made: String,
}

/// Messages, and the zones that they are judged by.
#[derive(Debug)]
pub(crate) struct Corpus {
    pub(crate) messages: Vec<Message>,
    pub(crate) zone: Zone,
}

/// The name that filters are to go by; forged fields bear it.
pub(crate) const AUTHSERV_ID: &str = "mx.receiver.example";

impl Corpus {
    /// So many messages, made on both cores.
    pub(crate) fn generate(seed: u64, count: usize, keys: &Keys) -> Self {
        Self::with_pool(seed, count, keys, &text_pool(seed, POOL_OCTETS))
    }

    fn with_pool(seed: u64, count: usize, keys: &Keys, pool: &[u8]) -> Self {
        let world = World::new(seed, keys);
        let half = count / 2;
        let make = |range: std::ops::Range<usize>| -> Vec<Message> {
            range
                .map(|index| message::make(seed, index, &world, keys, pool))
                .collect()
        };
        let mut messages = Vec::new();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| make(half..count));
            messages = make(0..half);
            messages.extend(second.join().expect("making messages does not panic"));
        });
        Self {
            messages,
            zone: world.zone,
        }
    }

    /// A line that tells what it is made of.
    pub(crate) fn summary(&self) -> String {
        let mut sizes: Vec<usize> = self.messages.iter().map(|message| message.body.len()).collect();
        sizes.sort_unstable();
        let count = sizes.len().max(1);
        let at = |share: f64| sizes.get((count as f64 * share) as usize).copied().unwrap_or(0) / 1024;
        let share = |is: &dyn Fn(&Expected) -> bool| {
            let some = self
                .messages
                .iter()
                .filter(|message| is(&message.expected))
                .count();
            format!("{:.1} %", some as f64 * 100.0 / count as f64)
        };
        format!(
            "{count} messages, {} MB; body median {} KB, p90 {} KB, largest {} KB; SPF pass {}, none {}, fail {}, \
             softfail {}, neutral {}, permerror {}; DKIM pass {}, broken {}, unsigned {}; DMARC pass {}, fail {}, \
             none {}; reject {}, quarantine {}",
            sizes.iter().sum::<usize>() / 1_000_000,
            at(0.5),
            at(0.9),
            sizes.last().copied().unwrap_or(0) / 1024,
            share(&|e| e.spf == Spf::Pass),
            share(&|e| e.spf == Spf::None),
            share(&|e| e.spf == Spf::Fail),
            share(&|e| e.spf == Spf::SoftFail),
            share(&|e| e.spf == Spf::Neutral),
            share(&|e| e.spf == Spf::PermError),
            share(&|e| e.dkim == Dkim::Pass),
            share(&|e| e.dkim == Dkim::Broken),
            share(&|e| e.dkim == Dkim::None),
            share(&|e| e.dmarc == Dmarc::Pass),
            share(&|e| e.dmarc == Dmarc::Fail),
            share(&|e| e.dmarc == Dmarc::None),
            share(&|e| e.done == Done::Reject),
            share(&|e| e.done == Done::Quarantine),
        )
    }
}
