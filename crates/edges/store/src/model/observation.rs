//! What callers hand over to be written down, as plain values and words.
//!
//! The words (`pass`, `quarantine`, `mailing_list`) are the callers': the store keeps them as
//! they are and never decides anything on them.

use std::net::IpAddr;
use std::sync::Arc;

/// What a report says of the rows that were folded, in its element `error`.
pub(crate) const FOLDED: &str = "past a limit of distinct rows, source_ip is the first address of the client's /24 or /48 (0.0.0.0 or ::, \
                      of all), and MAIL FROM, selectors and signing domains are left out";

/// What happened to one message: written once, never changed (decision D14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// When the message was judged, in milliseconds since the epoch. It decides the UTC day of
    /// the tally; time of delivery plays no part.
    pub at_ms: u64,
    /// The queue id of the MTA, as in its log. Empty when it has told none.
    pub queue_id: String,
    /// The short id that stands in the SMTP reply and the log line. The caller makes it, unique
    /// enough that [`Reader::explain`](crate::Reader::explain) finds one message by it.
    pub id: String,
    /// The SMTP client.
    pub client: Option<IpAddr>,
    /// The Author Domain, as lower-case A-labels.
    pub author_domain: Option<String>,
    /// The SPF result.
    pub spf: String,
    /// The DKIM results, in one word.
    pub dkim: String,
    /// The ARC result.
    pub arc: String,
    /// The DMARC result.
    pub dmarc: String,
    /// Where the DMARC Policy Record was found (RFC 9989 §3.2.5).
    pub policy_domain: Option<String>,
    /// What the Domain Owner asks for.
    pub policy: Option<String>,
    /// What was done because of DMARC, in the words of RFC 9990.
    pub disposition: String,
    /// What the MTA was told.
    pub action: String,
    /// What it would have been told, were the mode *enforce*.
    pub would: String,
    /// Override reasons: type and comment.
    pub overrides: Vec<(String, String)>,
    /// The name of the operator's rule that decided, if one did. Each of its messages counts as a hit
    /// ([`Reader::rule_hits`](crate::Reader::rule_hits)).
    pub rule: Option<String>,
    /// The cause of the action, in words. Keep what differs from message to message out of it:
    /// equal outcomes are stored once.
    pub cause: String,
    /// DNS questions asked.
    pub questions: u32,
    /// How long judging took, in milliseconds.
    pub ms: u32,
    /// The text of the explanation; the same for equal messages, and then stored once. Empty for none.
    pub trace: Arc<str>,
    /// The row of the aggregate report that this message counts in, when it counts in any.
    pub row: Option<TallyRow>,
}

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
    /// The domain of the recipients, when it is told.
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
    /// What is wrong with the record, in words, for the `error` element of the report (RFC 9990 §3.1.5): at
    /// most [`MAX_PROBLEMS`](crate::MAX_PROBLEMS) texts of [`MAX_PROBLEM`](crate::MAX_PROBLEM) octets.
    pub problems: Vec<String>,
    /// The tag `psd` says `y`: the name is a public suffix, and its `ruf` does not count (RFC 9991 §2).
    pub psd: bool,
}

/// What [`Recorder::record`](crate::Recorder::record) came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// On disk, synced: it survives a crash of the host.
    Committed,
    /// Not yet: it waits in memory and is written as soon as the store lets us (decision D13).
    Later,
    /// Some of it had to be given up for want of memory, or the recorder has ended. Counted in [`Statistics`](crate::Statistics).
    Dropped,
}
