//! How often a relay is tried that takes no messages.

use std::time::Duration;

use tokio::time::Instant;

use super::hidden::without_local_parts;
use super::send::SendCounts;

/// The first pause after the relay took no messages; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// Whether the relay takes messages. While it takes none, it is tried less and less often, and no
/// message is blamed.
#[derive(Debug, Default)]
pub(super) struct Relay {
    failures: u32,
    next: Option<Instant>,
}

impl Relay {
    pub(super) fn may_be_tried(&self, now: Instant) -> bool {
        self.next.is_none_or(|next| now >= next)
    }

    /// How long it is left alone when it takes nothing now.
    pub(super) fn pause(&self) -> Duration {
        let factor = 2_u32.saturating_pow(self.failures);
        FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE)
    }

    /// What came of trying.
    pub(super) fn tried(&mut self, sent: &SendCounts, now: Instant) {
        match &sent.relay {
            Some(why) => {
                if self.failures == 0 {
                    tracing::warn!(
                        remedy = "see report.delivery in the settings; nothing is lost, it is tried again",
                        "report mail waits: {}",
                        without_local_parts(why)
                    );
                }
                self.next = Some(now + self.pause());
                self.failures = self.failures.saturating_add(1);
            }
            // Without a message nothing is known of it.
            None if sent.deliveries() == 0 => {}
            None => {
                if self.failures > 0 {
                    tracing::info!("report mail goes out again");
                }
                *self = Self::default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unusable() -> SendCounts {
        SendCounts {
            relay: Some("connect: refused".to_owned()),
            ..SendCounts::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_relay_that_takes_nothing_is_tried_less_and_less_often() {
        let now = Instant::now();
        let mut relay = Relay::default();
        assert!(relay.may_be_tried(now));
        for minutes in [1, 2, 4, 8, 15, 15, 15] {
            let pause = Duration::from_secs(minutes * 60);
            assert_eq!(relay.pause(), pause);
            relay.tried(&unusable(), now);
            assert!(
                !relay.may_be_tried(now + pause - Duration::from_secs(1)),
                "{minutes}"
            );
            assert!(relay.may_be_tried(now + pause), "{minutes}");
        }
        relay.tried(&SendCounts::default(), now);
        assert!(!relay.may_be_tried(now), "no message, no news");
        let sent = SendCounts {
            deferred: 1,
            ..SendCounts::default()
        };
        relay.tried(&sent, now);
        assert!(relay.may_be_tried(now));
        relay.tried(&unusable(), now);
        assert!(relay.may_be_tried(now + FIRST_PAUSE), "and it begins anew");
    }
}
