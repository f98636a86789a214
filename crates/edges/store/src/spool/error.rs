//! Why octets are no segment.

/// Why octets are not taken for a segment. Nothing of it is applied then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// They do not begin as a segment does.
    #[error("these octets are no segment: they do not begin as one")]
    Foreign,
    /// A later version wrote it.
    #[error("a segment of version {found}, and this build knows versions up to {known}")]
    Newer {
        /// Its version.
        found: u16,
        /// The last one this build knows.
        known: u16,
    },
    /// The end is missing.
    #[error("a segment that is cut off: it ends at octet {at} {place}")]
    CutOff {
        /// Where it ends.
        at: usize,
        /// In which part of it that is.
        place: String,
    },
    /// Something follows its end.
    #[error("a segment with {octets} octets behind its end, which is at octet {at}")]
    Trailing {
        /// Where it should have ended.
        at: usize,
        /// How many octets are too many.
        octets: usize,
    },
    /// The octets are not those that were written.
    #[error("a segment that was changed on the way: the checksum in its last 32 octets is another one")]
    Changed,
    /// The checksum holds, and still it is not what this program writes.
    #[error("a segment with {what} at octet {at} of {place}")]
    Impossible {
        /// What is wrong.
        what: &'static str,
        /// At which octet of that place.
        at: usize,
        /// In which part of it.
        place: String,
    },
    /// Its numbers are far ahead of those that are known.
    #[error(
        "a segment with batch {last} of a host whose last one is {highest}: no spool holds what would be missing"
    )]
    Gap {
        /// Its last number.
        last: u64,
        /// The highest one that is known of its host.
        highest: u64,
    },
    /// Larger than what is taken.
    #[error("a segment of {found} {what}, which is past the limit of {limit}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much.
        found: usize,
        /// How much there may be.
        limit: usize,
    },
}

impl SegmentError {
    /// What the operator can do, in a sentence.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Foreign => "name a file that `spool export` wrote",
            Self::Newer { .. } => {
                "bring this host up to the version of the one that wrote it, then try again"
            }
            Self::CutOff { .. } | Self::Trailing { .. } | Self::Changed => {
                "copy the file again from where it was exported, or export again; nothing of it was counted"
            }
            Self::Gap { .. } => {
                "do not take it from there again: numbers of a host have no such gaps; nothing of it was counted"
            }
            Self::Impossible { .. } | Self::TooLarge { .. } => {
                "do not take it from there again; if landmarc wrote it, report it; nothing of it was counted"
            }
        }
    }
}
