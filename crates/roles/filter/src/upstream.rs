//! Whether the filters are there whose results the settings take (decision D9).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// From so many messages on, it is worth a warning that none had a trusted field.
const MESSAGES_BEFORE_WARNING: u64 = 50;

/// Counts messages until one has a field in a trusted name.
#[derive(Default)]
pub(super) struct MissingUpstreamCounter {
    messages: AtomicU64,
    is_over: AtomicBool,
}

impl MissingUpstreamCounter {
    /// Counts a message in which such a field was looked for; warns once where there never is any.
    pub(super) fn count(&self, is_heard: bool) {
        if self.is_worth_a_warning(is_heard) {
            tracing::warn!(
                "{MESSAGES_BEFORE_WARNING} messages had no Authentication-Results of a trusted authserv-id: nothing is taken \
                 from filters ahead (authentication.*); is each of them before landmarc in smtpd_milters, does it always \
                 add its field, and is its name among authentication.trusted_authserv_ids?"
            );
        }
    }

    /// True but once.
    fn is_worth_a_warning(&self, is_heard: bool) -> bool {
        if is_heard {
            self.is_over.store(true, Ordering::Relaxed);
        }
        if self.is_over.load(Ordering::Relaxed) {
            return false;
        }
        self.messages.fetch_add(1, Ordering::Relaxed) + 1 == MESSAGES_BEFORE_WARNING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d9_silence_is_warned_of_once() {
        let silence = MissingUpstreamCounter::default();
        let warnings = (0..3 * MESSAGES_BEFORE_WARNING).map(|_| silence.is_worth_a_warning(false));
        let warned: Vec<u64> = (1..)
            .zip(warnings)
            .filter(|(_, warned)| *warned)
            .map(|(at, _)| at)
            .collect();
        assert_eq!(warned, [MESSAGES_BEFORE_WARNING]);
    }

    #[test]
    fn d9_one_field_ends_the_silence() {
        let silence = MissingUpstreamCounter::default();
        for _ in 1..MESSAGES_BEFORE_WARNING {
            assert!(!silence.is_worth_a_warning(false));
        }
        assert!(!silence.is_worth_a_warning(true));
        assert!((0..MESSAGES_BEFORE_WARNING).all(|_| !silence.is_worth_a_warning(false)));
    }
}
