//! The end of the service, whatever does not come to an end.

use crate::exit::Exit;
use std::process::exit;
use std::thread;
use std::time::Duration;

/// Ends the process after so long, unless it has ended by then. A thread in a system call, such as one that opens a
/// file whose disk does not answer, cannot be canceled, and whoever stops the service waits for it.
pub(super) fn end_within(time: Duration) {
    let begun = thread::Builder::new().name("deadline".to_owned()).spawn(move || {
        thread::sleep(time);
        tracing::error!(
            seconds = time.as_secs(),
            "the service does not come to its end, and is ended; records that were not written are lost"
        );
        exit(i32::from(Exit::Unavailable as u8));
    });
    if let Err(error) = begun {
        tracing::warn!(%error, "no thread watches over the end of the service");
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const ALONE: &str = "LANDMARC_DEADLINE_TEST_ALONE";

    /// In a process of its own, which hangs.
    #[test]
    fn a_service_that_hangs_ends_at_its_deadline() {
        if std::env::var_os(ALONE).is_some() {
            end_within(Duration::from_millis(10));
            loop {
                thread::park();
            }
        }
        let name = "commands::serve::deadline::tests::a_service_that_hangs_ends_at_its_deadline";
        let ended = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(ALONE, "1")
            .output()
            .unwrap();
        assert_eq!(ended.status.code(), Some(69), "{ended:?}");
    }
}
