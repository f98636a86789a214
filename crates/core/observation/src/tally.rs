//! What messages count in.

use std::net::IpAddr;

/// What a report says of the rows that were folded, in its element `error`.
pub const FOLDED: &str = "past a limit of distinct rows, source_ip is the first address of the client's /24 or /48 (0.0.0.0 or ::, \
                      of all), and MAIL FROM, selectors and signing domains are left out";

/// What makes two messages count in the same row of an aggregate report (RFC 9990 §3.1), and the
/// policy configuration they were judged by. It is the key of the tally, whole as it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TallyRow {
    /// The DMARC Policy Domain: whom the report is about.
    pub policy_domain: String,
    /// The policy configuration that was applied.
    pub published: PublishedPolicy,
    /// The SMTP client; an IPv4-mapped address counts as the IPv4 address in it.
    pub source_ip: IpAddr,
    /// What was done because of DMARC.
    pub disposition: String,
    /// Whether a DKIM signature passed in alignment.
    pub dkim_aligned: bool,
    /// Whether SPF passed in alignment.
    pub spf_aligned: bool,
    /// Override reasons: type and comment.
    pub reasons: Vec<(String, String)>,
    /// The Author Domain.
    pub header_from: String,
    /// The domain of MAIL FROM; empty for a null reverse-path.
    pub envelope_from: Option<String>,
    /// The domain of the recipients, where reports name it.
    pub envelope_to: Option<String>,
    /// DKIM results in order: domain, selector, result.
    pub dkim: Vec<(String, String, String)>,
    /// The SPF result: domain, scope, result.
    pub spf: Option<(String, String, String)>,
    /// Whether the message was itself report traffic. A policy domain with nothing else on a day gets no
    /// report of it: no report is caused by a report (decision D18).
    pub incidental: bool,
}

impl TallyRow {
    /// Whether it stands for messages of several rows, past a limit of distinct ones, and has less detail.
    #[must_use]
    pub fn is_folded(&self) -> bool {
        self.published.problems.iter().any(|problem| problem == FOLDED)
    }
}

/// The DMARC Policy Record as applied, with the defaults of tags that are not there (RFC 9990 §3.1.1.4).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct PublishedPolicy {
    /// The tag `p`.
    pub p: String,
    /// The tag `sp`, or `p` when unpublished.
    pub sp: String,
    /// The tag `np`, only when published.
    pub np: Option<String>,
    /// The tag `adkim`: `r` or `s`.
    pub adkim: String,
    /// The tag `aspf`: `r` or `s`.
    pub aspf: String,
    /// The tag `fo`.
    pub fo: String,
    /// The tag `t`: whether the policy is in test mode.
    pub testing: bool,
    /// `treewalk` or `psl`.
    pub discovery_method: String,
    /// Where aggregate reports are asked for.
    pub rua: Vec<String>,
    /// Where failure reports are asked for.
    pub ruf: Vec<String>,
    /// What is wrong with the record, in words, for the `error` element of the report (RFC 9990 §3.1.5): a
    /// few short texts.
    pub problems: Vec<String>,
    /// The tag `psd` says `y`: the name is a public suffix, and its `ruf` does not count (RFC 9991 §2).
    pub psd: bool,
}

impl PublishedPolicy {
    /// A record of RFC 7489 that mentions nothing, found by a public suffix list: what programs before RFC 9989
    /// applied, as far as they did not say otherwise.
    #[must_use]
    pub fn of_rfc_7489() -> Self {
        Self {
            p: "none".to_owned(),
            sp: "none".to_owned(),
            adkim: "r".to_owned(),
            aspf: "r".to_owned(),
            fo: "0".to_owned(),
            discovery_method: "psl".to_owned(),
            ..Self::default()
        }
    }
}

/// What one DMARC Policy Domain has on one UTC day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainDay {
    /// The DMARC Policy Domain.
    pub policy_domain: String,
    /// Its rows, in the order in which they came up first, on a server in one that stays the same.
    pub rows: Vec<DayRow>,
    /// Rows that were left out.
    pub left_out_rows: u64,
    /// Messages that these count.
    pub left_out_messages: u64,
}

/// One row of the tally.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayRow {
    /// The number of its policy configuration among those of its policy domain and day. One that was seen first
    /// later has a higher one.
    pub published: u64,
    /// What its messages have in common.
    pub row: TallyRow,
    /// How many they are.
    pub count: u64,
}
