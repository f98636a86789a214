//! Connections that the system cannot give us: how long to wait before the next attempt.

use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

use crate::log_limit::LogLimit;

/// Pause after the system could not give us a connection, for want of descriptors or memory: to try at once would
/// only burn what is left. Each further one is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// A mail server waits for 30 s, and a shutdown waits for a pause to end.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Attempts to accept connections, where they fail.
#[derive(Debug, Default)]
pub(crate) struct AcceptBackoff {
    lines: LogLimit,
    pause: Option<Duration>,
}

impl AcceptBackoff {
    /// Logs that an attempt failed; how long to wait before the next. Nothing where only the client was gone again,
    /// for there may be another.
    pub(crate) fn pause_after(&mut self, error: &io::Error, sockets: &dyn fmt::Debug) -> Option<Duration> {
        if matches!(
            error.kind(),
            ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
        ) {
            return None;
        }
        if let Some(failures) = self.lines.count() {
            tracing::error!(%error, failures, ?sockets, "cannot accept connections; trying again");
        }
        let pause = self
            .pause
            .map_or(FIRST_PAUSE, |pause| LONGEST_PAUSE.min(pause * 2));
        self.pause = Some(pause);
        Some(pause)
    }

    /// A connection was accepted.
    pub(crate) fn reset(&mut self) {
        self.pause = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn attempts_that_fail_are_further_and_further_apart_up_to_a_second() {
        let mut backoff = AcceptBackoff::default();
        let out_of_descriptors = io::Error::from_raw_os_error(24);
        let mut pauses = Vec::new();
        for _ in 0..7 {
            pauses.extend(backoff.pause_after(&out_of_descriptors, &"s"));
        }
        let millis: Vec<_> = pauses.iter().map(Duration::as_millis).collect();
        assert_eq!(millis, [50, 100, 200, 400, 800, 1_000, 1_000]);
        backoff.reset();
        assert_eq!(backoff.pause_after(&out_of_descriptors, &"s"), Some(FIRST_PAUSE));
        let gone = ErrorKind::ConnectionAborted.into();
        assert_eq!(backoff.pause_after(&gone, &"s"), None);
    }
}
