//! How far a long command is, on the terminal of a person who waits for it.

use std::io::{self, IsTerminal, Write};

/// What a line of progress is filled up to, so that nothing stays of a longer one.
const WIDTH: usize = 60;

/// A line of standard error that is written again and again, where that is a terminal.
pub(crate) struct Bar {
    is_seen: bool,
}

impl Bar {
    pub(crate) fn new() -> Self {
        Self {
            is_seen: io::stderr().is_terminal(),
        }
    }

    /// Writes this in place of what is there.
    pub(crate) fn show(&self, text: &str) {
        if self.is_seen {
            // When the terminal is gone nobody looks any more; here and below.
            let _ = write!(io::stderr(), "\r{text:<WIDTH$}");
        }
    }

    /// Leaves the line empty.
    pub(crate) fn end(&self) {
        if self.is_seen {
            let _ = write!(io::stderr(), "\r{:WIDTH$}\r", "");
        }
    }
}
