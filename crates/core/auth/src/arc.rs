//! ARC: what an earlier hop claims to have seen (RFC 8617). Validation only.
//!
//! A [`Validator`] reads the chain at the end of the header section; [`Validator::finish`]
//! asks for the keys and decides. Knows whether the chain holds; deliberately does not know
//! whom to trust: a chain that passes is worth what its newest sealer is worth. Not
//! implemented: sealing, because RFC 8617 is an experiment about to be ended.

mod chain;
mod set;

pub use chain::{MAX_MESSAGE_SIGNATURES, Validator};
pub use set::MAX_SETS;

use landmarc_mail::DomainName;

/// The chain validation status (RFC 8617 §4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArcStatus {
    /// No ARC fields, or validation was not asked for.
    None,
    /// The chain holds.
    Pass,
    /// It does not; the same as no chain.
    Fail,
}

impl ArcStatus {
    /// The word of RFC 8617 §4.4.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
        }
    }
}

landmarc_mail::display_as_str!(ArcStatus);

/// What the ARC fields of a message came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArcResult {
    /// The status.
    pub status: ArcStatus,
    /// Sets in the chain.
    pub instances: u32,
    /// Domains and selectors of the ARC-Seals, instance 1 first, as far as they could be read.
    pub sealers: Vec<Sealer>,
    /// `header.oldest-pass`: the lowest instance whose message signature still verifies;
    /// 0 when all do (RFC 8617 §5.2, step 5).
    pub oldest_pass: Option<u32>,
    /// Whether the newest message signature says that it signs From. Without that the chain says
    /// nothing about the author.
    pub signs_from: bool,
    /// Why it failed, in words.
    pub reason: Option<String>,
    /// Value of the ARC-Authentication-Results field of the oldest set, after `i=1;`, when the
    /// chain passes: what the first hop saw.
    pub oldest_results: Option<Vec<u8>>,
    /// Value of the ARC-Authentication-Results field of the newest set, after `i=N;`,
    /// when the chain passes.
    pub newest_results: Option<Vec<u8>>,
}

/// Who sealed a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealer {
    /// The instance.
    pub instance: u32,
    /// `d=` of the ARC-Seal.
    pub domain: DomainName,
    /// `s=` of the ARC-Seal.
    pub selector: String,
}

impl ArcResult {
    /// A message without ARC fields, or one whose chain nobody asked about.
    #[must_use]
    pub fn none() -> Self {
        Self {
            status: ArcStatus::None,
            instances: 0,
            sealers: Vec::new(),
            oldest_pass: None,
            signs_from: false,
            reason: None,
            oldest_results: None,
            newest_results: None,
        }
    }
}
