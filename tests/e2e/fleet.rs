//! Many mail servers, one picture: three hosts in namespaces of the kernel, with links that fail; and on loopback, one at
//! a time, what else can happen between a host and where its records go.

mod account;
mod database;
mod files;
mod ground;
mod hour;
mod mail;
mod mx;
mod network;
mod push;
mod rights;
mod sender;
mod site;
mod trouble;

use std::time::{Duration, Instant};

/// A host gives up on a database that does not answer after some statement and several connections, a minute
/// in all; it tries again after a minute at the latest, and then it has much to tell. This is longer.
const PATIENCE: Duration = Duration::from_secs(240);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// Looks until there is something to see; nothing when patience ends first.
fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return Some(seen);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}
