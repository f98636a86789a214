//! The copy for a human to look at (`action.copy_to`).

use landmarc_mail::ReversePath;
use landmarc_milter::{Actions, Capabilities, Edit};
use landmarc_receiver::rule::RecipientPattern;
use landmarc_settings::MailAddress;

/// Nobody is told that the copy could not be delivered: a bounce would go to whoever the message
/// pretends to be from (RFC 3461 §4.1).
const NO_BOUNCE: &str = "NOTIFY=NEVER";

/// Who is added to the recipients of messages that are taken against the policy of their domain.
pub(super) struct CopyTo {
    /// As it is written in RCPT TO.
    path: String,
    mailbox: RecipientPattern,
}

impl CopyTo {
    pub(super) fn new(address: &MailAddress) -> Self {
        Self {
            path: format!("<{address}>"),
            mailbox: RecipientPattern::Address {
                local_part: address.local_part().to_owned(),
                domain: address.domain().clone(),
            },
        }
    }

    /// Whether this is the mailbox that gets the copies. Whoever receives the message anyway needs
    /// none; and so a copy that is forwarded to this server again makes no further one.
    pub(super) fn is_for(&self, path: &ReversePath) -> bool {
        self.mailbox.matches(path.as_bytes())
    }

    /// The edit that adds the recipient, if the MTA takes one.
    pub(super) fn edit(&self, adding: Adding) -> Option<Edit> {
        let path = self.path.clone();
        match adding {
            Adding::Never => None,
            Adding::Plainly => Some(Edit::AddRcpt(path)),
            Adding::WithParameters => Some(Edit::AddRcptWithParameters {
                path,
                parameters: NO_BOUNCE.to_owned(),
            }),
        }
    }
}

/// How the MTA lets us add recipients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Adding {
    /// It does not.
    Never,
    /// By their address alone, as MTAs did before Postfix 2.6 and Sendmail 8.14.
    Plainly,
    /// With what RCPT TO takes beside it.
    WithParameters,
}

impl Adding {
    pub(super) fn of(capabilities: &Capabilities) -> Self {
        if capabilities.allows(Actions::ADD_RECIPIENTS_WITH_PARAMETERS) {
            Self::WithParameters
        } else if capabilities.allows(Actions::ADD_RECIPIENTS) {
            Self::Plainly
        } else {
            Self::Never
        }
    }
}
