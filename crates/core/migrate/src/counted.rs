//! What all sources come down to: a row that so many messages count in.

use std::net::IpAddr;

/// The most messages that one key stands for: what some sites see in a year. More is no count, and sums of it would
/// not fit into a database.
pub const MAX_COUNT: u64 = 1_000_000_000;

/// So far ahead of ours may the clock of a host be that has written a time down, in seconds. What is later was
/// received by nobody: its day would be kept, and never be over, until then.
pub const MAX_AHEAD_S: u64 = 86_400;

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
    /// The DMARC Policy Domain: whom the report is about.
    pub policy_domain: String,
    /// The policy that was applied.
    pub published: Published,
    /// The SMTP client.
    pub source_ip: IpAddr,
    /// What was done because of DMARC: `none`, `pass`, `quarantine` or `reject` (RFC 9990 §3.1.1.9).
    pub disposition: String,
    /// Whether a DKIM signature passed in alignment.
    pub dkim_aligned: bool,
    /// Whether SPF passed in alignment.
    pub spf_aligned: bool,
    /// Override reasons: type and comment.
    pub reasons: Vec<(String, String)>,
    /// The Author Domain.
    pub header_from: String,
    /// The domain of MAIL FROM; empty for a null reverse-path, none when it was not recorded.
    pub envelope_from: Option<String>,
    /// DKIM results in order: domain, selector (empty when it was not recorded), result.
    pub dkim: Vec<(String, String, String)>,
    /// The SPF result: domain, scope (`mfrom` or `helo`), result.
    pub spf: Option<(String, String, String)>,
}

/// The DMARC Policy Record as the other program applied it; what it did not record is as it is when a
/// record does not mention it (RFC 9989 §4.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The tag `p`: `none`, `quarantine` or `reject`.
    pub p: String,
    /// The tag `sp`, or `p` when unpublished.
    pub sp: String,
    /// The tag `adkim`: `r` or `s`.
    pub adkim: String,
    /// The tag `aspf`: `r` or `s`.
    pub aspf: String,
    /// The tag `fo`.
    pub fo: String,
    /// Where aggregate reports are asked for: URIs as they stand in the record.
    pub rua: Vec<String>,
}

impl Default for Published {
    fn default() -> Self {
        Self {
            p: "none".to_owned(),
            sp: "none".to_owned(),
            adkim: "r".to_owned(),
            aspf: "r".to_owned(),
            fo: "0".to_owned(),
            rua: Vec::new(),
        }
    }
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
