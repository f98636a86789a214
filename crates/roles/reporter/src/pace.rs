//! How many messages a minute go to the addresses of one host (decision D18).

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

/// What a host is allowed so many messages in.
const WINDOW: Duration = Duration::from_secs(60);

/// What went to each host in the last minute.
#[derive(Debug, Default)]
pub struct Pace {
    hosts: HashMap<String, Window>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    began: Instant,
    messages: u32,
}

impl Pace {
    /// Counts a message to a host.
    pub fn count(&mut self, host: &str, now: Instant) {
        let window = self.hosts.entry(host.to_owned()).or_insert(Window {
            began: now,
            messages: 0,
        });
        if now.duration_since(window.began) >= WINDOW {
            *window = Window {
                began: now,
                messages: 0,
            };
        }
        window.messages = window.messages.saturating_add(1);
    }

    /// The hosts that have had all of theirs for now.
    pub fn full(&mut self, limit: u32, now: Instant) -> HashSet<String> {
        self.forget(now);
        let full = self.hosts.iter().filter(|(_, window)| window.messages >= limit);
        full.map(|(host, _)| host.clone()).collect()
    }

    /// How many messages any host but the full ones may get at once.
    pub fn left(&mut self, limit: u32, now: Instant) -> u32 {
        self.forget(now);
        let left = self
            .hosts
            .values()
            .map(|window| limit.saturating_sub(window.messages));
        left.filter(|left| *left > 0).min().unwrap_or(limit)
    }

    /// When the first of the full hosts may get more.
    pub fn next(&mut self, limit: u32, now: Instant) -> Option<Instant> {
        self.forget(now);
        let full = self.hosts.values().filter(|window| window.messages >= limit);
        full.map(|window| window.began + WINDOW).min()
    }

    fn forget(&mut self, now: Instant) {
        self.hosts
            .retain(|_, window| now.duration_since(window.began) < WINDOW);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_host_gets_so_many_a_minute_and_others_theirs() {
        let start = Instant::now();
        let mut pace = Pace::default();
        assert_eq!((pace.left(2, start), pace.next(2, start)), (2, None));
        pace.count("a.example", start);
        assert!(pace.full(2, start).is_empty());
        assert_eq!(pace.left(2, start), 1);
        pace.count("a.example", start);
        pace.count("b.example", start + WINDOW / 2);
        assert_eq!(pace.full(2, start), HashSet::from(["a.example".to_owned()]));
        assert_eq!(pace.left(2, start), 1, "the one that b.example has left");
        assert_eq!(pace.next(2, start), Some(start + WINDOW));
        assert!(pace.full(2, start + WINDOW).is_empty());
        assert_eq!(pace.left(2, start + WINDOW), 1);
        assert_eq!(pace.left(2, start + 2 * WINDOW), 2);
    }
}
