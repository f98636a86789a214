//! The words of RFC 9990 for what was done, and why it is not what the policy asks for.

/// What was done, in the words of RFC 9990.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// Nothing was done about it.
    None,
    /// DMARC passed under a policy that asks for more than watching.
    Pass,
    /// Set aside.
    Quarantine,
    /// Refused.
    Reject,
}

impl Disposition {
    /// The word of RFC 9990.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }
}

landmarc_mail::display_as_str!(Disposition);

/// The override types of RFC 9990.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OverrideKind {
    /// A mailing list.
    MailingList,
    /// The operator's own policy.
    LocalPolicy,
    /// `t=y`.
    PolicyTestMode,
    /// A forwarder the operator trusts.
    TrustedForwarder,
    /// Anything else; here a DNS failure.
    Other,
}

impl OverrideKind {
    /// The word of RFC 9990.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MailingList => "mailing_list",
            Self::LocalPolicy => "local_policy",
            Self::PolicyTestMode => "policy_test_mode",
            Self::TrustedForwarder => "trusted_forwarder",
            Self::Other => "other",
        }
    }
}
