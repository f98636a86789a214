//! The DNS questions of one message, shared out among the mechanisms.

use landmarc_auth::lookup::{Answer, AskedQuestion, Ledger, Lookup, LookupError, Purpose};

/// The DNS questions of one message, in shares, each with a lookup and so a time of its own.
///
/// A sender writes the SPF records of MAIL FROM and HELO, and any number of signatures and ARC sets. If
/// their questions could use up what the policy of the Author Domain needs, a forger would
/// only have to publish a large or silent record to turn `fail` into `temperror`.
pub struct Ledgers<L> {
    /// For SPF of MAIL FROM.
    pub mail_from: Ledger<L>,
    /// For SPF of HELO.
    pub helo: Ledger<L>,
    /// For the keys of ARC sets.
    pub arc: Ledger<L>,
    /// For DKIM keys.
    pub keys: Ledger<L>,
    /// For policies. Of a hundred questions it has forty: four author domains with eight names
    /// and one question for their existence each, and four more.
    pub policies: Ledger<L>,
}

impl<L: Lookup> Ledgers<L> {
    /// Divides `limit` questions among the mechanisms, in twentieths: five for SPF of MAIL FROM, one for HELO,
    /// two for ARC, four for DKIM keys, eight for policies.
    pub fn new(limit: usize, lookup: impl Fn(Purpose) -> L) -> Self {
        Self {
            mail_from: Ledger::new(lookup(Purpose::Spf), twentieths(limit, 5)),
            helo: Ledger::new(lookup(Purpose::Spf), twentieths(limit, 1)),
            arc: Ledger::new(lookup(Purpose::Keys), twentieths(limit, 2)),
            keys: Ledger::new(lookup(Purpose::Keys), keys_share(limit)),
            policies: Ledger::new(lookup(Purpose::Policy), twentieths(limit, 8)),
        }
    }

    /// Every question so far: those of SPF, of DKIM and the policy, of ARC.
    pub(crate) fn asked(&self) -> Vec<AskedQuestion> {
        [&self.mail_from, &self.helo, &self.keys, &self.policies, &self.arc]
            .into_iter()
            .flat_map(Ledger::asked)
            .collect()
    }

    /// Whether a question that DMARC may need was not asked, or not waited for, because of a limit
    /// of ours: the share of this message, its time, or what all messages may ask at once.
    pub(crate) fn is_exhausted(&self) -> bool {
        let by_our_limit = |asked: &AskedQuestion| {
            let failure = asked.answer.as_ref().and_then(Answer::failure);
            failure.is_some_and(LookupError::is_ours)
        };
        [&self.mail_from, &self.keys, &self.policies]
            .into_iter()
            .any(|ledger| ledger.limit_reached() || ledger.any(by_our_limit))
    }
}

/// Of `limit` questions those for DKIM keys. More signatures than that must not be verified:
/// the key of one too many would be a temporary error that its signer can choose.
#[must_use]
pub fn keys_share(limit: usize) -> usize {
    twentieths(limit, 4)
}

fn twentieths(limit: usize, count: usize) -> usize {
    (limit.saturating_mul(count) / 20).max(1)
}
