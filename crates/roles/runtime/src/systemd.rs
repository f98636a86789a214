//! The state of the service for systemd (sd_notify(3)). Without systemd nothing is sent.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// The shortest time between two signs of life; systemd counts in seconds.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// The service takes mail; after a reload, again.
pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// The settings are being read again. Until [`ready`] says so, systemd takes the service for
/// reloading; it compares the times to know which reload is meant.
pub fn reloading() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        notify(&[NotifyState::Reloading, now]);
    }
}

/// The service has been told to stop.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Shows systemd that the runtime still gets to its tasks, twice in each `WatchdogSec=` of the unit.
/// A service that does not is killed and started anew.
pub fn watchdog() -> Option<JoinHandle<()>> {
    let timeout = sd_notify::watchdog_enabled()?;
    Some(tokio::spawn(async move {
        let mut signs = interval((timeout / 2).max(SHORTEST_INTERVAL));
        signs.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            signs.tick().await;
            notify(&[NotifyState::Watchdog]);
        }
    }))
}

fn notify(news: &[NotifyState<'_>]) {
    // A service manager that does not listen is no reason to stop filtering mail.
    let _ = sd_notify::notify(news);
}
