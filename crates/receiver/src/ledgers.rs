//! The DNS questions of one message, shared out among the mechanisms.

use auth::lookup::{Answer, Asked, Ledger, Lookup, LookupError};

/// The DNS questions of one message, in shares, each with a lookup and so a time of its own.
///
/// A sender writes the SPF records of MAIL FROM and HELO, and any number of ARC sets. If
/// their questions could use up what the policy of the Author Domain needs, a forger would
/// only have to publish a large or silent record to turn `fail` into `temperror`.
pub struct Ledgers<L> {
    /// For SPF of MAIL FROM.
    pub mail_from: Ledger<L>,
    /// For SPF of HELO.
    pub helo: Ledger<L>,
    /// For the keys of ARC sets.
    pub arc: Ledger<L>,
    /// For DKIM keys and policies. Of a hundred questions it has fifty: ten keys, four author
    /// domains with eight names and one question for their existence each, and four more.
    pub content: Ledger<L>,
}

impl<L: Lookup> Ledgers<L> {
    /// Shares `limit` questions out: three tenths, one, one, five.
    pub fn new(limit: usize, lookup: impl Fn() -> L) -> Self {
        let tenths = |count: usize| (limit.saturating_mul(count) / 10).max(1);
        Self {
            mail_from: Ledger::new(lookup(), tenths(3)),
            helo: Ledger::new(lookup(), tenths(1)),
            arc: Ledger::new(lookup(), tenths(1)),
            content: Ledger::new(lookup(), tenths(5)),
        }
    }

    /// Every question so far: those of SPF, of DKIM and the policy, of ARC.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        [&self.mail_from, &self.helo, &self.content, &self.arc]
            .into_iter()
            .flat_map(Ledger::asked)
            .collect()
    }

    /// Whether a question that DMARC may need was not asked, or not waited for, because the
    /// message had used up its share of questions or time.
    pub(crate) fn is_exhausted(&self) -> bool {
        let out_of_time = |asked: &Asked| asked.answer == Some(Answer::Failed(LookupError::Budget));
        [&self.mail_from, &self.content]
            .into_iter()
            .any(|ledger| ledger.limit_reached() || ledger.asked().iter().any(out_of_time))
    }
}
