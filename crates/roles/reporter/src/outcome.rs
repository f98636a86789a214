//! What an attempt to deliver came to.

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AttemptOutcome {
    Delivered,
    /// Later again.
    Deferred,
    /// Never again.
    GivenUp(String),
    /// As several smaller ones.
    Split(usize),
    /// Nothing was said about this message: the relay takes none.
    Unusable(String),
    /// Somebody else has it by now.
    Lapsed,
}

impl AttemptOutcome {
    /// The label of the metric.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Deferred => "deferred",
            Self::GivenUp(_) => "given_up",
            Self::Split(_) => "split",
            Self::Unusable(_) => "relay_unusable",
            Self::Lapsed => "lapsed",
        }
    }
}
