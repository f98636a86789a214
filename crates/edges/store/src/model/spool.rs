//! What waits at a host for the fleet: how much may, how much does, and what was given up.

use std::fmt;

use ring::rand::{SecureRandom as _, SystemRandom};

use super::RecordLosses;

/// Sixteen octets at random that name a host, or rather one run of its recorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId([u8; 16]);

impl HostId {
    /// A new one; none where the system has no random octets for us.
    pub(crate) fn make() -> Option<Self> {
        let mut octets = [0; 16];
        SystemRandom::new().fill(&mut octets).ok()?;
        Some(Self(octets))
    }

    /// Its octets.
    pub fn octets(self) -> [u8; 16] {
        self.0
    }

    /// The one that is written so: 32 hexadecimal digits.
    pub fn of_text(text: &str) -> Option<Self> {
        let is_whole = text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok().filter(|_| is_whole)?;
        Some(Self(number.to_be_bytes()))
    }

    /// Its first eight digits: enough to tell the hosts of a fleet apart.
    pub fn short(self) -> String {
        self.to_string().chars().take(8).collect()
    }
}

impl From<[u8; 16]> for HostId {
    fn from(octets: [u8; 16]) -> Self {
        Self(octets)
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for HostId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|octet| write!(formatter, "{octet:02x}"))
    }
}

/// How much may wait to be handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpoolLimits {
    /// Octets of entries in the store. What one batch adds may come on top for a moment, and while counts are
    /// being folded an eighth more.
    pub bytes: u64,
    /// Whether observations and traces are handed over, and not counts only.
    pub observations: bool,
}

/// What waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoolStatus {
    /// Under which id entries are written now; none before the first one.
    pub host: Option<HostId>,
    /// Entries.
    pub entries: u64,
    /// Octets they take up.
    pub octets: u64,
    /// Messages they count.
    pub messages: u64,
    /// When the oldest was written, in milliseconds since the epoch.
    pub oldest_ms: Option<u64>,
    /// What was lost since the spool is there.
    pub lost: RecordLosses,
}

/// Whether a collector and we agree about our numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpoolAgreement {
    /// We do.
    Yes,
    /// It knows numbers that we never gave out: our file was set back while it was in use. From now on we are
    /// another host.
    AnotherHost,
}
