//! The file of the operator's own rules (decision D5): an ordered list of `[[rule]]` tables.
//!
//! Read as the settings are: every mistake at its line, all at once. Knows what may be written;
//! what a rule does to a message is for the receiver to say.
//!
//! ```
//! # use landmarc_settings::rules;
//! let (rules, warnings) = rules::read(
//!     r#"
//!     [[rule]]
//!     name = "acme-newsletter"
//!     author_domain = ["acme.example", "*.acme.example"]
//!     dkim_domain = ["esp.example"]
//!     action = "accept"
//!     reason = "their DKIM key arrives in March"
//!     owner = "anna"
//!     expires = 2027-03-31
//!     "#,
//! )
//! .unwrap();
//! assert_eq!(rules[0].name.as_str(), "acme-newsletter");
//! assert!(warnings.is_empty());
//! ```

mod read;
mod words;

use jiff::civil::Date;

pub use read::{MAX_RULES, read, read_octets};
pub use words::{MAX_NAME_OCTETS, MAX_OWNER_OCTETS, MAX_REASON_OCTETS};
pub use words::{Owner, Reason, RuleName};

use landmarc_receiver::disposition::OverrideKind;
use landmarc_receiver::rule::{NamePattern, RecipientPattern, ResultWord, RuleAction};

use crate::IpNetwork;
use crate::place::FilePosition;
use crate::value::TextValue;

/// The most entries of one list of a rule.
pub const MAX_ENTRIES: usize = 1_000;

/// One rule, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorRule {
    /// Its name, which no other rule has.
    pub name: RuleName,
    /// What a message must meet.
    pub conditions: Conditions,
    /// The DMARC results it is about; never empty.
    pub result: Vec<ResultWord>,
    /// What is done.
    pub action: RuleAction,
    /// How a report calls it (RFC 9990, PolicyOverrideReason).
    pub override_type: OverrideKind,
    /// Why there is such a rule.
    pub reason: Reason,
    /// Who answers for it.
    pub owner: Owner,
    /// The last day on which it applies, in UTC.
    pub expires: Option<Date>,
    /// Where it stands in the file.
    pub place: FilePosition,
}

/// What a message must meet; a list that is empty was not named. At least one is not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// The Author Domain.
    pub author_domain: Vec<NamePattern>,
    /// The domain of a signature that verified.
    pub dkim_domain: Vec<NamePattern>,
    /// The network the client is in.
    pub client: Vec<IpNetwork>,
    /// The host name of the client, as the mail server verified it.
    pub client_name: Vec<NamePattern>,
    /// The identifier in List-Id.
    pub list_id: Vec<NamePattern>,
    /// Who sealed last, where the whole ARC chain validates.
    pub arc_sealer: Vec<NamePattern>,
    /// Among whom all recipients are.
    pub recipient: Vec<RecipientPattern>,
}

impl Conditions {
    /// Whether a stranger can meet them all by what is written in a message: the author, the
    /// List-Id. What has been verified, and who receives, is not for strangers to choose.
    #[must_use]
    pub fn anybody_can_meet_them(&self) -> bool {
        let Self {
            author_domain: _,
            dkim_domain,
            client,
            client_name,
            list_id: _,
            arc_sealer,
            recipient,
        } = self;
        let clients_are_everybody = client.iter().any(IpNetwork::is_everything);
        dkim_domain.is_empty()
            && (client.is_empty() || clients_are_everybody)
            && client_name.is_empty()
            && arc_sealer.is_empty()
            && recipient.is_empty()
    }
}

choices! {
    for RuleAction {
        /// the message is accepted.
        Accept = "accept",
        /// the message is quarantined.
        Quarantine = "quarantine",
        /// the message is refused.
        Reject = "reject",
    }
}

choices! {
    for ResultWord {
        /// the Author Domain has no record.
        None = "none",
        /// the message passes.
        Pass = "pass",
        /// the message fails.
        Fail = "fail",
        /// DNS did not answer.
        TempError = "temperror",
        /// the record cannot be used, or there is no Author Domain.
        PermError = "permerror",
    }
}

/// How a report calls the reason of a rule; no rule is the test mode of a policy.
impl TextValue for OverrideKind {
    const KIND: &'static str = "choice";
    const ALLOWED: &'static str = "\"local_policy\", \"mailing_list\", \"trusted_forwarder\", \"other\"";

    fn parse(text: &str) -> Result<Self, String> {
        let mut kinds = [
            Self::LocalPolicy,
            Self::MailingList,
            Self::TrustedForwarder,
            Self::Other,
        ]
        .into_iter();
        kinds.find(|kind| kind.as_str() == text).ok_or_else(String::new)
    }

    fn text(&self) -> String {
        self.as_str().to_owned()
    }
}
