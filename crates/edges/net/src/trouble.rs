//! Connections that the system cannot give us: how long to wait, and how often to say so.

use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::time::Instant;

/// Lines of one kind are this far apart.
const BETWEEN_LINES: Duration = Duration::from_secs(60);

/// Pause after the system could not give us a connection, for want of descriptors or memory: to try at once would
/// only burn what is left. Each further one is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// A mail server waits for 30 s, and a shutdown waits for a pause to end.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Something that may happen often and is worth one line of the log a minute.
#[derive(Debug, Default)]
pub struct EachMinute {
    count: u64,
    last: Option<Instant>,
}

impl EachMinute {
    /// It happened. How often since the last line, where it is time for another.
    pub fn happened(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        if self.last.is_some_and(|last| now - last < BETWEEN_LINES) {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.count))
    }
}

/// Attempts to accept connections, where they fail.
#[derive(Debug, Default)]
pub struct AcceptTrouble {
    lines: EachMinute,
    pause: Option<Duration>,
}

impl AcceptTrouble {
    /// Logs that an attempt failed; how long to wait before the next. Nothing where only the client was gone again,
    /// for there may be another.
    pub fn pause_after(&mut self, error: &io::Error, sockets: &dyn fmt::Debug) -> Option<Duration> {
        if matches!(
            error.kind(),
            ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
        ) {
            return None;
        }
        if let Some(failures) = self.lines.happened(Instant::now()) {
            tracing::error!(%error, failures, ?sockets, "cannot accept connections; trying again");
        }
        let pause = self
            .pause
            .map_or(FIRST_PAUSE, |pause| LONGEST_PAUSE.min(pause * 2));
        self.pause = Some(pause);
        Some(pause)
    }

    /// A connection was accepted.
    pub fn is_over(&mut self) {
        self.pause = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_a_minute_says_how_often_it_happened() {
        let (mut lines, start) = (EachMinute::default(), Instant::now());
        assert_eq!(lines.happened(start), Some(1));
        for second in 1..60 {
            assert_eq!(lines.happened(start + Duration::from_secs(second)), None);
        }
        assert_eq!(lines.happened(start + BETWEEN_LINES), Some(60));
        assert_eq!(lines.happened(start + BETWEEN_LINES * 3), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_that_fail_are_further_and_further_apart_up_to_a_second() {
        let mut trouble = AcceptTrouble::default();
        let out_of_descriptors = io::Error::from_raw_os_error(24);
        let mut pauses = Vec::new();
        for _ in 0..7 {
            pauses.extend(trouble.pause_after(&out_of_descriptors, &"s"));
        }
        let millis: Vec<_> = pauses.iter().map(Duration::as_millis).collect();
        assert_eq!(millis, [50, 100, 200, 400, 800, 1_000, 1_000]);
        trouble.is_over();
        assert_eq!(trouble.pause_after(&out_of_descriptors, &"s"), Some(FIRST_PAUSE));
        let gone = ErrorKind::ConnectionAborted.into();
        assert_eq!(trouble.pause_after(&gone, &"s"), None);
    }
}
