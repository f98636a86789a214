//! What sending, its rehearsal and its trial have in common.

use std::io::{self, IsTerminal};

use crate::notes::note;
use landmarc_reporter::LAST_MESSAGES;
use landmarc_runtime::stop::Stop;

/// Without the store there is no secret for return paths; they have no token then.
pub(super) const NO_SECRET: [u8; 32] = [0; 32];

/// How what came of it is told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OutputOptions {
    pub(super) as_json: bool,
    /// Only what did not go well.
    pub(super) quiet: bool,
}

/// Says at once that the sign to stop was seen: it takes a moment until nothing is under way.
pub(super) async fn announce_shutdown(stop: Stop) {
    stop.wait().await;
    let ends_bar = if io::stderr().is_terminal() { "\n" } else { "" };
    note!(
        "{ends_bar}landmarc: stopping: messages under way may end ({} s at most)",
        LAST_MESSAGES.as_secs()
    );
}
