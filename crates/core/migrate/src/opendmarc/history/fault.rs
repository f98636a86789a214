//! What is wrong with a record, and what the operator can do.

use landmarc_mail::text::{QUOTED_CHARS, excerpt};

use super::{MAX_LINE, MAX_RECORD_LINES};

/// Something that costs one record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct HistoryMistake {
    /// Where it was found.
    pub line: u64,
    /// What it is.
    pub what: HistoryError,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// A line before the first `job`.
    #[error("\"{key}\" stands before the first record")]
    NoRecord {
        /// Its key.
        key: String,
    },
    /// A value that cannot be.
    #[error("{key}: \"{value}\" is not {}", expected(key))]
    Value {
        /// Its key.
        key: &'static str,
        /// What stands there, cut short.
        value: String,
    },
    /// A time that is still to come ([`MAX_AHEAD_S`](crate::MAX_AHEAD_S)).
    #[error("received: {received_s} is more than a day ahead of now")]
    Ahead {
        /// What stands there, in Unix seconds.
        received_s: u64,
    },
    /// A key that a record has once.
    #[error("{key} stands in one record twice")]
    Repeated {
        /// The key.
        key: &'static str,
    },
    /// Keys that every record has.
    #[error("the record of \"{job}\" that begins here has no {}", keys.join(", "))]
    Missing {
        /// The queue id.
        job: String,
        /// The keys.
        keys: Vec<&'static str>,
    },
    /// The record ends in the middle of this line, and another begins there.
    #[error("the record of \"{job}\" ends in the middle of this line, where another begins")]
    Cut {
        /// The queue id, as far as it is there.
        job: String,
    },
    /// A line of more than [`MAX_LINE`] octets.
    #[error("the line has more than {MAX_LINE} octets")]
    LongLine,
    /// A record of more than [`MAX_RECORD_LINES`] lines.
    #[error("the record has more than {MAX_RECORD_LINES} lines")]
    ManyLines,
}

impl HistoryMistake {
    /// The record that begins at this line has a value that no report can bear
    /// ([`Meaning::Unusable`](crate::opendmarc::message::Meaning)).
    #[must_use]
    pub fn unusable(line: u64, key: &'static str, value: &str) -> Self {
        let value = short(value);
        Self {
            line,
            what: HistoryError::Value { key, value },
        }
    }

    /// The record that begins at this line was received when nobody has received anything yet.
    #[must_use]
    pub const fn ahead(line: u64, received_s: u64) -> Self {
        let what = HistoryError::Ahead { received_s };
        Self { line, what }
    }

    /// What the operator can do.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match &self.what {
            HistoryError::NoRecord { .. } => {
                "is this a history file (HistoryFile in opendmarc.conf)? Each record begins with a line: job QUEUEID"
            }
            HistoryError::Value { .. } => {
                "the message is not counted; correct the line or remove its record, from its line job to the next, and import the file again"
            }
            HistoryError::Ahead { .. } => {
                "was the clock of that host wrong, or is that of this one? The message is not counted; correct its line received, and import the file again"
            }
            HistoryError::Repeated { .. } => {
                "two records have run into one another here; separate them by a line: job QUEUEID"
            }
            HistoryError::Missing { .. } => {
                "was the disk full? The message is not counted; remove the record, or complete it, and import the file again"
            }
            HistoryError::Cut { .. } => {
                "the file was copied while it was written; import the original too, if it is still there: nothing is counted twice"
            }
            HistoryError::LongLine | HistoryError::ManyLines => {
                "is this a history file (HistoryFile in opendmarc.conf)? No record of OpenDMARC is that long"
            }
        }
    }
}

/// What a key's value has to be.
fn expected(key: &str) -> &'static str {
    match key {
        "job" | "reporter" => "one word of at most 255 octets",
        "received" => "a time in seconds since 1970",
        "ipaddr" => "an IP address",
        "from" | "pdomain" => "a domain",
        "spf" => "a result: a number from -1 to 12",
        "dkim" => "a domain, a selector and a result from -1 to 12",
        "policy" => "a policy: 13 to 18, or 0 to 4 as Exim writes it",
        "pct" => "a percentage",
        "adkim" | "aspf" => "114 (r), 115 (s) or 0",
        "p" | "sp" => "110 (none), 113 (quarantine), 114 (reject) or 0",
        "align_dkim" | "align_spf" => "4 (pass), 5 (fail) or 0",
        "action" => "an action: a number from 0 to 4",
        _ => "a number",
    }
}

/// What a message shows of a foreign text.
pub(super) fn short(text: &str) -> String {
    excerpt(text, QUOTED_CHARS)
}
