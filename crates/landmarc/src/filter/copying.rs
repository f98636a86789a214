//! The copy for a human to look at (`action.copy_to`).

use milter::Edit;
use receiver::judge::Judgement;
use receiver::operator::RecipientPattern;
use settings::MailAddress;

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

    /// The edit that adds the recipient, where it is called for. Whoever receives the message anyway
    /// needs no copy; and so a copy that is forwarded to this server again makes no further one.
    pub(super) fn edit(&self, judgement: &Judgement) -> Option<Edit> {
        let mut recipients = judgement.envelope.rcpt_to.iter();
        let is_there = recipients.any(|path| self.mailbox.matches(path));
        (judgement.is_taken_against_policy() && !is_there).then(|| Edit::AddRcpt(self.path.clone()))
    }
}
