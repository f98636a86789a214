//! How much of the mail is not judged (decision D7).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// From so many messages on, mostly authenticated mail is worth a warning (decision D7).
const MESSAGES_BEFORE_WARNING: u64 = 100;

/// Counts of mail that is not judged.
#[derive(Default)]
pub(super) struct Tally {
    messages: AtomicU64,
    authenticated: AtomicU64,
    warned: AtomicBool,
}

impl Tally {
    /// Counts a message; warns once when most of them come from authenticated clients.
    pub(super) fn count(&self, is_authenticated: bool) {
        let one_more = u64::from(is_authenticated);
        let messages = self.messages.fetch_add(1, Ordering::Relaxed) + 1;
        let authenticated = self.authenticated.fetch_add(one_more, Ordering::Relaxed) + one_more;
        if self.is_worth_a_warning(messages, authenticated) {
            tracing::warn!(
                "{authenticated} of {messages} messages came from authenticated clients and were not judged: \
                 is this the submission service? take landmarc out of its smtpd_milters"
            );
        }
    }

    /// Whether most of so many are authenticated; true but once.
    fn is_worth_a_warning(&self, messages: u64, authenticated: u64) -> bool {
        let mostly = messages >= MESSAGES_BEFORE_WARNING && authenticated * 2 > messages;
        mostly && !self.warned.swap(true, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mostly_authenticated_mail_is_warned_of_once() {
        let tally = Tally::default();
        assert!(!tally.is_worth_a_warning(MESSAGES_BEFORE_WARNING - 1, MESSAGES_BEFORE_WARNING - 1));
        assert!(!tally.is_worth_a_warning(MESSAGES_BEFORE_WARNING, MESSAGES_BEFORE_WARNING / 2));
        assert!(tally.is_worth_a_warning(MESSAGES_BEFORE_WARNING, MESSAGES_BEFORE_WARNING / 2 + 1));
        assert!(!tally.is_worth_a_warning(MESSAGES_BEFORE_WARNING + 1, MESSAGES_BEFORE_WARNING + 1));
    }
}
