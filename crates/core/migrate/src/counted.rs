//! What all sources come down to: a row that so many messages count in.

use landmarc_observation::TallyRow;

/// The most messages that one key stands for: what some sites see in a year. More is no count, and sums of it would
/// not fit into a database.
pub const MAX_COUNT: u64 = 1_000_000_000;

/// So far ahead of ours may the clock of a host be that has written a time down, in seconds. What is later was
/// received by nobody: its day would be kept, and never be over, until then.
pub const MAX_AHEAD_S: u64 = 86_400;

/// The results of SPF (RFC 8601 §2.7.2) that a report has a word for (RFC 9990, SPFResultType).
pub(crate) const SPF_RESULTS: [&str; 7] = [
    "none",
    "neutral",
    "pass",
    "fail",
    "softfail",
    "temperror",
    "permerror",
];

/// The most addresses of one policy that are taken.
const MAX_ADDRESSES: usize = 100;

/// The addresses of a record, which commas separate, up to [`MAX_ADDRESSES`].
pub(crate) fn addresses(text: &str) -> Vec<String> {
    let uris = text.split(',').map(str::trim).filter(|uri| !uri.is_empty());
    uris.take(MAX_ADDRESSES).map(str::to_owned).collect()
}

/// Whether a time is more than [`MAX_AHEAD_S`] after now, both in Unix seconds.
#[must_use]
pub fn is_ahead(at_s: u64, now_s: u64) -> bool {
    at_s > now_s.saturating_add(MAX_AHEAD_S)
}

/// Messages that count in the same row of an aggregate report (RFC 9990 §3.1), as another program has
/// recorded them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// What is counted here, in words that are the same whenever and from wherever it is read: by it
    /// nothing is imported twice. See [`message_key`].
    pub key: String,
    /// When, in Unix seconds. It decides the UTC day that the messages are reported in.
    pub at_s: u64,
    /// Messages counted under this key so far. A source that goes on counting may say a larger number
    /// later: what is imported then is the difference. From 1 to [`MAX_COUNT`].
    pub count: u64,
    /// The row that they count in; `envelope_from` is none when it was not recorded, a selector empty.
    pub row: TallyRow,
}

/// The key of one message: the host that received it (in any case), when, and the queue id. An OpenDMARC
/// history file and the database it was imported into name these three alike, so a message that stands in
/// both counts once.
#[must_use]
pub fn message_key(reporter: &str, received_s: u64, job: &str) -> String {
    format!("message/{}/{received_s}/{job}", reporter.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_may_be_a_day_ahead_and_no_more() {
        let now_s = 1_780_272_000;
        assert!(!is_ahead(0, now_s) && !is_ahead(now_s + MAX_AHEAD_S, now_s));
        assert!(is_ahead(now_s + MAX_AHEAD_S + 1, now_s));
        assert!(!is_ahead(u64::MAX, u64::MAX), "nothing overflows");
    }

    #[test]
    fn a_message_has_one_key_whatever_case_its_host_is_written_in() {
        let key = message_key("mx01.example.net", 1_700_000_000, "C198981");
        assert_eq!(key, message_key("MX01.Example.NET", 1_700_000_000, "C198981"));
        assert_ne!(key, message_key("mx01.example.net", 1_700_000_000, "c198981"));
    }
}
